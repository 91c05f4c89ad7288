//! A store as the database keeps it: the rows, and the constraints of its schema. A write that the schema
//! would refuse is a fault of whoever asked for it, and ends the run. It knows nothing that is not written.

use std::collections::{BTreeMap, BTreeSet};

use protocol::record::{
    AttendanceRecord, BanRecord, EndReason, RoomRecord, SessionRecord, SessionState, Stored,
    TrackRecord, Write,
};
use protocol::{Identity, ParticipantId, RoomId, SessionId, Timestamp, TrackId};

/// How many sessions that are over, and have a key, a room remembers.
const KEYS_KEPT: usize = 16;

/// What is committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) rooms: BTreeMap<RoomId, RoomRecord>,
    pub(crate) sessions: BTreeMap<SessionId, SessionRecord>,
    pub(crate) attendance: BTreeMap<(SessionId, ParticipantId), AttendanceRecord>,
    pub(crate) tracks: BTreeMap<TrackId, TrackRecord>,
    pub(crate) bans: BTreeMap<(RoomId, Identity), BanRecord>,
    /// Whoever was ever banned from where: a promise of it is kept even if it was lifted since.
    pub(crate) ever_banned: BTreeSet<(RoomId, Identity)>,
    /// When the server last said that it lives.
    pub(crate) heartbeat: Timestamp,
}

impl Store {
    /// Commits one transaction.
    ///
    /// # Panics
    /// When the schema would refuse it.
    pub(crate) fn commit(&mut self, transaction: &[Write]) {
        for write in transaction {
            self.apply(write);
        }
    }

    /// What a server does first: ends in one transaction whatever was left running, at the last moment
    /// known, and reads what it begins with.
    pub(crate) fn recover(&mut self) -> Stored {
        let running: Vec<SessionId> = self.running().map(|session| session.id).collect();
        let lost_sessions = running.len() as u64;
        for id in running {
            self.end_lost(id);
        }
        let at = self.heartbeat;
        for room in self.rooms.values_mut() {
            if room.closed_at.is_none() && !room.is_kept {
                room.closed_at = Some(at.max(room.created_at));
            }
        }
        let rooms: Vec<RoomRecord> = self.open_rooms().cloned().collect();
        Stored {
            lost_sessions,
            sessions: rooms
                .iter()
                .flat_map(|room| self.remembered(room.id))
                .collect(),
            bans: self
                .bans
                .values()
                .filter(|ban| rooms.iter().any(|room| room.id == ban.room))
                .cloned()
                .collect(),
            rooms,
        }
    }

    /// The rooms that are not closed.
    pub(crate) fn open_rooms(&self) -> impl Iterator<Item = &RoomRecord> {
        self.rooms.values().filter(|room| room.closed_at.is_none())
    }

    /// The sessions in the lobby or live.
    pub(crate) fn running(&self) -> impl Iterator<Item = &SessionRecord> {
        self.sessions
            .values()
            .filter(|session| session.state.is_running())
    }

    /// The running session of a room.
    pub(crate) fn running_in(&self, room: RoomId) -> Option<&SessionRecord> {
        self.running().find(|session| session.room == room)
    }

    /// Those of a session who have not left.
    pub(crate) fn present_in(&self, session: SessionId) -> impl Iterator<Item = &AttendanceRecord> {
        self.attendance
            .values()
            .filter(move |row| row.session == session && row.left_at.is_none())
    }

    /// The tracks of a session that are still published.
    pub(crate) fn published_in(&self, session: SessionId) -> impl Iterator<Item = &TrackRecord> {
        self.tracks
            .values()
            .filter(move |row| row.session == session && row.unpublished_at.is_none())
    }

    /// What can be seen of the whole only: called when all is quiet.
    ///
    /// # Panics
    /// When it does not hold.
    pub(crate) fn check(&self) {
        for room in self.rooms.keys() {
            let running = self.running().filter(|session| session.room == *room);
            assert!(running.count() <= 1, "a room has one running session");
        }
        let over = |session: &&SessionRecord| !session.state.is_running();
        for session in self.sessions.values().filter(over) {
            assert_eq!(
                self.present_in(session.id).next(),
                None,
                "no attendance is open in a session that is over"
            );
            assert_eq!(
                self.published_in(session.id).next(),
                None,
                "no track is published in a session that is over"
            );
        }
        let mut stays: BTreeMap<(SessionId, &Identity), Vec<(Timestamp, Timestamp)>> =
            BTreeMap::new();
        for row in self.attendance.values() {
            let until = row.left_at.unwrap_or(Timestamp(u64::MAX));
            stays
                .entry((row.session, &row.identity))
                .or_default()
                .push((row.joined_at, until));
        }
        for stays in stays.values_mut() {
            stays.sort();
            let overlap = stays.windows(2).find(|pair| pair[1].0 < pair[0].1);
            assert_eq!(overlap, None, "nobody is counted twice at one time");
        }
    }

    /// The planned sessions of a room, and the last that are over and have a key.
    fn remembered(&self, room: RoomId) -> Vec<SessionRecord> {
        let of_room = || {
            self.sessions
                .values()
                .filter(move |session| session.room == room)
        };
        let planned = of_room().filter(|session| session.state == SessionState::Scheduled);
        let mut over: Vec<&SessionRecord> = of_room()
            .filter(|session| session.state != SessionState::Scheduled && session.key.is_some())
            .collect();
        over.sort_by_key(|session| (session.ended_at, session.id));
        let skipped = over.len().saturating_sub(KEYS_KEPT);
        planned
            .chain(over.into_iter().skip(skipped))
            .cloned()
            .collect()
    }

    fn end_lost(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let mut at = self.heartbeat.max(session.created_at);
        at = at.max(session.live_at.unwrap_or_default());
        // Somebody may have come and gone after the last heartbeat.
        for row in self.attendance.values_mut().filter(|row| row.session == id) {
            let left_at = row.left_at.unwrap_or(self.heartbeat.max(row.joined_at));
            row.left_at = Some(left_at);
            at = at.max(left_at);
        }
        for row in self.tracks.values_mut().filter(|row| row.session == id) {
            let over_at = row.unpublished_at;
            row.unpublished_at = Some(over_at.unwrap_or(self.heartbeat.max(row.published_at)));
        }
        session.state = SessionState::Ended;
        session.ended_at = Some(at);
        session.end_reason = Some(EndReason::ServerLost);
    }

    fn apply(&mut self, write: &Write) {
        match write {
            Write::RoomCreated(room) => self.create_room(room),
            Write::RoomChanged(room) => self.change_room(room),
            Write::RoomClosed { room, at } => self.close_room(*room, *at),
            Write::SessionCreated(session) => self.create_session(session),
            Write::SessionChanged(session) => self.change_session(session),
            Write::AttendanceOpened(row) => self.open_attendance(row),
            Write::AttendanceClosed {
                session,
                participant,
                at,
            } => self.close_attendance(*session, *participant, *at),
            Write::TrackPublished(row) => self.publish(row),
            Write::TrackUnpublished { track, at } => self.unpublish(*track, *at),
            Write::Banned(ban) => {
                self.open_room(ban.room);
                let key = (ban.room, ban.identity.clone());
                self.ever_banned.insert(key.clone());
                self.bans.insert(key, ban.clone());
            }
            Write::Unbanned { room, identity } => {
                self.open_room(*room);
                let lifted = self.bans.remove(&(*room, identity.clone()));
                assert!(lifted.is_some(), "a ban that is lifted was there");
            }
        }
    }

    fn create_room(&mut self, room: &RoomRecord) {
        assert_eq!(room.closed_at, None, "a room begins open");
        self.check_unique(room);
        let before = self.rooms.insert(room.id, room.clone());
        assert_eq!(before, None, "a room is made once");
    }

    fn change_room(&mut self, room: &RoomRecord) {
        let before = self.open_room(room.id);
        assert_eq!(
            (&before.name, before.created_at, room.closed_at),
            (&room.name, room.created_at, None),
            "a room keeps its name and its beginning"
        );
        self.check_unique(room);
        self.rooms.insert(room.id, room.clone());
    }

    fn check_unique(&self, room: &RoomRecord) {
        for other in self.open_rooms().filter(|other| other.id != room.id) {
            assert_ne!(other.name, room.name, "two open rooms have one name");
            assert!(
                other.owner.is_none() || other.owner != room.owner,
                "a user owns one open room: {room:?} and {other:?}"
            );
        }
    }

    fn close_room(&mut self, id: RoomId, at: Timestamp) {
        let open = |session: &&SessionRecord| session.ended_at.is_none() && session.room == id;
        let left = self.sessions.values().find(open);
        assert_eq!(left, None, "a room is closed after its sessions");
        self.open_room(id);
        self.rooms.entry(id).and_modify(|room| {
            assert!(at >= room.created_at, "a room is closed after it was made");
            room.closed_at = Some(at);
        });
    }

    fn open_room(&self, id: RoomId) -> &RoomRecord {
        let room = self.rooms.get(&id).filter(|room| room.closed_at.is_none());
        room.unwrap_or_else(|| panic!("a write names {id}, which is no open room"))
    }

    fn create_session(&mut self, session: &SessionRecord) {
        self.open_room(session.room);
        check_times(session);
        assert!(
            matches!(session.state, SessionState::Scheduled) || session.state.is_running(),
            "a session does not begin by being over"
        );
        self.give_up_key(session);
        self.check_one_runs(session);
        let before = self.sessions.insert(session.id, session.clone());
        assert_eq!(before, None, "a session is made once");
    }

    /// A session that the room has forgotten gives its key up.
    fn give_up_key(&mut self, to: &SessionRecord) {
        let same_key = |other: &&SessionRecord| {
            other.room == to.room && other.key.is_some() && other.key == to.key
        };
        let Some((id, ended_at)) = self
            .sessions
            .values()
            .find(same_key)
            .map(|other| (other.id, other.ended_at))
        else {
            return;
        };
        let over_since = |other: &&SessionRecord| {
            other.room == to.room && other.id != id && other.ended_at >= ended_at
        };
        assert!(
            ended_at.is_some() && self.sessions.values().filter(over_since).count() >= KEYS_KEPT,
            "the same key makes no second session while the room remembers it: {to:?}"
        );
        self.sessions.entry(id).and_modify(|other| other.key = None);
    }

    fn change_session(&mut self, session: &SessionRecord) {
        let Some(before) = self.sessions.get(&session.id) else {
            panic!("a write changes {}, which there is not", session.id);
        };
        assert_eq!(
            (before.room, before.created_at, &before.key),
            (session.room, session.created_at, &session.key),
            "a session keeps its room, its beginning and its key"
        );
        assert!(
            may_become(before.state, session.state),
            "a session never becomes {:?} when it was {:?}",
            session.state,
            before.state
        );
        check_times(session);
        self.check_one_runs(session);
        self.sessions.insert(session.id, session.clone());
        if !session.state.is_running() {
            assert_eq!(
                self.present_in(session.id).next(),
                None,
                "no attendance is open in a session that is over"
            );
            assert_eq!(
                self.published_in(session.id).next(),
                None,
                "no track is published in a session that is over"
            );
        }
    }

    fn check_one_runs(&self, session: &SessionRecord) {
        if session.state.is_running() {
            let other = self
                .running_in(session.room)
                .filter(|other| other.id != session.id);
            assert_eq!(other, None, "a room has one running session");
        }
    }

    /// The session in which something happens, which must be live.
    fn live(&self, id: SessionId) -> &SessionRecord {
        let session = self.sessions.get(&id);
        session
            .filter(|session| session.state == SessionState::Live)
            .unwrap_or_else(|| panic!("a write needs {id} live, and it is {session:?}"))
    }

    fn open_attendance(&mut self, row: &AttendanceRecord) {
        let session = self.live(row.session);
        assert!(
            row.left_at.is_none() && Some(row.joined_at) >= session.live_at,
            "attendance begins within its session: {row:?}"
        );
        let same = self
            .attendance
            .values()
            .filter(|other| other.session == row.session && other.identity == row.identity);
        for other in same {
            let is_over = other.left_at.is_some_and(|left| left <= row.joined_at);
            assert!(
                is_over,
                "nobody is counted twice at one time: {other:?}, {row:?}"
            );
        }
        let before = self
            .attendance
            .insert((row.session, row.participant), row.clone());
        assert_eq!(before, None, "a stay begins once");
    }

    fn close_attendance(&mut self, session: SessionId, participant: ParticipantId, at: Timestamp) {
        let row = self.attendance.get_mut(&(session, participant));
        let Some(row) = row.filter(|row| row.left_at.is_none()) else {
            panic!("the attendance of {participant} in {session} ends, and is not open");
        };
        assert!(
            at >= row.joined_at,
            "a stay ends after it began: {row:?}, {at:?}"
        );
        row.left_at = Some(at);
    }

    fn publish(&mut self, row: &TrackRecord) {
        self.live(row.session);
        assert_eq!(row.unpublished_at, None, "a track begins published");
        let attends = self.attendance.get(&(row.session, row.participant));
        assert!(
            attends.is_some_and(|attends| attends.left_at.is_none()),
            "who publishes attends: {row:?}"
        );
        let before = self.tracks.insert(row.id, row.clone());
        assert_eq!(before, None, "a track is published once in a session");
    }

    fn unpublish(&mut self, track: TrackId, at: Timestamp) {
        let row = self.tracks.get_mut(&track);
        let Some(row) = row.filter(|row| row.unpublished_at.is_none()) else {
            panic!("{track} ends, and is not published");
        };
        assert!(at >= row.published_at, "a track ends after it began");
        row.unpublished_at = Some(at);
    }
}

/// How far a session may go in one write.
fn may_become(before: SessionState, after: SessionState) -> bool {
    use SessionState::{Cancelled, Ended, Live, Lobby, Scheduled};
    match before {
        Scheduled => matches!(after, Scheduled | Lobby | Live | Cancelled),
        Lobby => matches!(after, Lobby | Live | Ended),
        Live => matches!(after, Live | Ended),
        Ended | Cancelled => false,
    }
}

/// The moments of a session are those that its state has.
fn check_times(session: &SessionRecord) {
    let is_over = matches!(session.state, SessionState::Ended | SessionState::Cancelled);
    assert_eq!(
        (session.ended_at.is_some(), session.end_reason.is_some()),
        (is_over, is_over),
        "a session has an end when it is over: {session:?}"
    );
    let was_live = session.live_at.is_some();
    match session.state {
        SessionState::Live => assert!(was_live, "a live session has a beginning"),
        SessionState::Scheduled | SessionState::Lobby | SessionState::Cancelled => {
            assert!(
                !was_live,
                "a session is live from its being live: {session:?}"
            );
        }
        SessionState::Ended => {}
    }
    let began = session.live_at.unwrap_or(session.created_at);
    assert!(
        session.created_at <= began && session.ended_at.is_none_or(|ended| ended >= began),
        "a session's moments are in order: {session:?}"
    );
}
