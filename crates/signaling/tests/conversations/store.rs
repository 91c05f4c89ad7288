//! What is written down, as a strict store keeps it: it refuses each wrong state where it is written. It
//! decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use protocol::record::{AttendanceRecord, RoomRecord, SessionRecord, Stored, TrackRecord, Write};
use protocol::{
    EndReason, Identity, ParticipantId, RoomId, SessionId, SessionState, Timestamp, TrackId,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) rooms: BTreeMap<RoomId, RoomRecord>,
    pub(crate) sessions: BTreeMap<SessionId, SessionRecord>,
    pub(crate) attendance: BTreeMap<(SessionId, ParticipantId), AttendanceRecord>,
    pub(crate) tracks: BTreeMap<TrackId, TrackRecord>,
    pub(crate) bans: BTreeMap<(RoomId, Identity), Timestamp>,
}

impl Store {
    pub(crate) fn write(&mut self, write: &Write) {
        match write {
            Write::RoomCreated(room) => {
                assert!(room.closed_at.is_none());
                let before = self.rooms.insert(room.id, room.clone());
                assert_eq!(before, None, "a room is made once");
            }
            Write::RoomChanged(room) => {
                let before = self.open_room(room.id);
                assert_ne!(before, room, "nothing changed");
                assert_eq!(
                    (&before.name, &before.owner, before.created_at),
                    (&room.name, &room.owner, room.created_at)
                );
                *before = room.clone();
            }
            Write::RoomClosed { room, at } => {
                assert!(self.sessions_of(*room).all(|of| of.ended_at.is_some()));
                self.open_room(*room).closed_at = Some(*at);
            }
            Write::SessionCreated(session) => {
                self.open_room(session.room);
                let same_key = |of: &&mut SessionRecord| {
                    (of.room, &of.key) == (session.room, &session.key) && of.ended_at.is_some()
                };
                for over in self.sessions.values_mut().filter(same_key) {
                    over.key = None;
                }
                let before = self.sessions.insert(session.id, session.clone());
                assert_eq!(before, None, "a session is made once");
            }
            Write::SessionChanged(session) => {
                self.open_room(session.room);
                let before = self.sessions.insert(session.id, session.clone());
                let before = before.expect("a session that was written down");
                assert_ne!(before, *session, "nothing changed");
                assert_eq!(before.ended_at, None, "what is over stays as it is");
            }
            Write::AttendanceOpened(attendance) => {
                let session = &self.sessions[&attendance.session];
                assert_eq!(session.state, SessionState::Live);
                assert!(session.live_at <= Some(attendance.joined_at));
                let key = (attendance.session, attendance.participant);
                let before = self.attendance.insert(key, attendance.clone());
                assert_eq!(before, None, "a stay begins once");
            }
            Write::AttendanceClosed {
                session,
                participant,
                at,
            } => {
                let open = self.attendance.get_mut(&(*session, *participant));
                let open = open.expect("an attendance that was written down");
                assert_eq!(open.left_at, None, "a stay ends once");
                assert!(open.joined_at <= *at);
                open.left_at = Some(*at);
            }
            Write::TrackPublished(track) => {
                let session = &self.sessions[&track.session];
                assert_eq!(session.state, SessionState::Live);
                let attendance = &self.attendance[&(track.session, track.participant)];
                assert_eq!(attendance.left_at, None);
                let before = self.tracks.insert(track.id, track.clone());
                assert_eq!(before, None, "a track is published once");
            }
            Write::TrackUnpublished { track, at } => {
                let open = self
                    .tracks
                    .get_mut(track)
                    .expect("a track that was written");
                assert_eq!(open.unpublished_at, None, "a track ends once");
                assert!(open.published_at <= *at);
                open.unpublished_at = Some(*at);
            }
            Write::Banned(ban) => {
                self.open_room(ban.room);
                let key = (ban.room, ban.identity.clone());
                assert_eq!(self.bans.insert(key, ban.at), None, "banned once");
            }
            Write::Unbanned { room, identity } => {
                let was_banned = self.bans.remove(&(*room, identity.clone()));
                assert!(was_banned.is_some());
            }
        }
        self.check();
    }

    /// What the schema refuses.
    pub(crate) fn check(&self) {
        let open = || self.rooms.values().filter(|room| room.closed_at.is_none());
        let names: BTreeSet<_> = open().map(|room| &room.name).collect();
        assert_eq!(names.len(), open().count(), "one open room for each name");
        let owned = || open().filter_map(|room| room.owner.as_ref());
        let owners: BTreeSet<_> = owned().collect();
        assert_eq!(
            owners.len(),
            owned().count(),
            "one open room for each owner"
        );
        let running = || self.sessions.values().filter(|of| of.state.is_running());
        let rooms: BTreeSet<_> = running().map(|session| session.room).collect();
        assert_eq!(
            rooms.len(),
            running().count(),
            "one running session for each room"
        );
        let keys = || {
            let sessions = self.sessions.values();
            sessions.filter_map(|of| Some((of.room, of.key.as_ref()?)))
        };
        let different: BTreeSet<_> = keys().collect();
        assert_eq!(different.len(), keys().count(), "one session for each key");
        for session in self.sessions.values() {
            let is_over = matches!(session.state, SessionState::Ended | SessionState::Cancelled);
            assert_eq!(session.ended_at.is_some(), is_over);
            assert_eq!(session.end_reason.is_some(), is_over);
            assert!(session.state != SessionState::Live || session.live_at.is_some());
            assert!(
                session
                    .live_at
                    .is_none_or(|at| session.ended_at.is_none_or(|end| at <= end))
            );
        }
        let attending = self.attendance.values().filter(|of| of.left_at.is_none());
        for attendance in attending {
            let session = &self.sessions[&attendance.session];
            assert_eq!(
                session.state,
                SessionState::Live,
                "nobody attends what is over"
            );
        }
        let published = self
            .tracks
            .values()
            .filter(|of| of.unpublished_at.is_none());
        for track in published {
            assert_eq!(self.sessions[&track.session].state, SessionState::Live);
        }
    }

    pub(crate) fn sessions_of(&self, room: RoomId) -> impl Iterator<Item = &SessionRecord> {
        self.sessions.values().filter(move |of| of.room == room)
    }

    /// Who is in a room, as it is written down.
    pub(crate) fn attending(&self, room: RoomId) -> BTreeSet<ParticipantId> {
        let open = self.attendance.values().filter(|of| of.left_at.is_none());
        let here = open.filter(|of| self.sessions[&of.session].room == room);
        here.map(|of| of.participant).collect()
    }

    /// What is published in a room, as it is written down.
    pub(crate) fn tracks_of(&self, room: RoomId) -> BTreeSet<TrackId> {
        let open = self
            .tracks
            .values()
            .filter(|of| of.unpublished_at.is_none());
        let here = open.filter(|of| self.sessions[&of.session].room == room);
        here.map(|of| of.id).collect()
    }

    /// Ends what was left running, and says what matters to a server that begins.
    pub(crate) fn recover(&mut self, now: Timestamp) -> Stored {
        for attendance in self.attendance.values_mut() {
            attendance.left_at.get_or_insert(now);
        }
        for track in self.tracks.values_mut() {
            track.unpublished_at.get_or_insert(now);
        }
        let mut lost_sessions = 0;
        for session in self
            .sessions
            .values_mut()
            .filter(|of| of.state.is_running())
        {
            lost_sessions += 1;
            session.state = SessionState::Ended;
            session.ended_at = Some(now);
            session.end_reason = Some(EndReason::ServerLost);
        }
        let rooms: Vec<RoomRecord> = self
            .rooms
            .values()
            .filter(|room| room.closed_at.is_none())
            .cloned()
            .collect();
        let is_open = |room: &RoomId| rooms.iter().any(|open| open.id == *room);
        let sessions = self.sessions.values().filter(|of| is_open(&of.room));
        let bans = self.bans.iter().filter(|((room, _), _)| is_open(room));
        Stored {
            lost_sessions,
            sessions: sessions.cloned().collect(),
            bans: bans
                .map(|((room, identity), at)| protocol::record::BanRecord {
                    room: *room,
                    identity: identity.clone(),
                    by: Identity("somebody".into()),
                    at: *at,
                })
                .collect(),
            rooms,
        }
    }

    fn open_room(&mut self, room: RoomId) -> &mut RoomRecord {
        let room = self.rooms.get_mut(&room).expect("a room that was written");
        assert_eq!(room.closed_at, None, "a closed room stays closed");
        room
    }
}
