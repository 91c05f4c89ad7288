//! Random commands, legal and not, against a model a page long: the store accepts what the model accepts, and
//! in the end has what the model has.

use std::collections::BTreeMap;

use protocol::record::{
    AttendanceRecord, RoomRecord, RoomSettings, SessionRecord, TrackRecord, Write,
};
use protocol::{EndReason, Identity, SessionState};
use store::{Batch, Outcome};

use crate::both;
use crate::records::*;

/// What a store has to have, as plainly as possible.
#[derive(Clone, Default)]
struct Model {
    rooms: BTreeMap<u64, RoomRecord>,
    sessions: BTreeMap<u64, SessionRecord>,
    attendance: BTreeMap<(u64, u64), AttendanceRecord>,
    tracks: BTreeMap<u64, TrackRecord>,
}

impl Model {
    fn open_room(&self, number: u64) -> bool {
        self.rooms
            .get(&number)
            .is_some_and(|room| room.closed_at.is_none())
    }

    fn is_live(&self, session: u64) -> bool {
        self.sessions
            .get(&session)
            .is_some_and(|session| session.state == SessionState::Live)
    }

    fn has_open(&self, session: u64) -> bool {
        let id = session_id(session);
        self.attendance
            .values()
            .any(|a| a.session == id && a.left_at.is_none())
            || self
                .tracks
                .values()
                .any(|t| t.session == id && t.unpublished_at.is_none())
    }

    /// Whether another open room has the name or the owner.
    fn is_taken(&self, room: &RoomRecord) -> bool {
        self.rooms
            .values()
            .filter(|other| other.id != room.id && other.closed_at.is_none())
            .any(|other| {
                other.name == room.name || (room.owner.is_some() && other.owner == room.owner)
            })
    }

    /// What is over gives its key up to a new session.
    fn give_up_key(&mut self, to: &SessionRecord) {
        let same = |of: &&mut SessionRecord| {
            of.room == to.room && of.id != to.id && of.ended_at.is_some() && of.key == to.key
        };
        for over in self.sessions.values_mut().filter(same) {
            over.key = None;
        }
    }

    /// Whether the room would have two running sessions, or two of a key.
    fn collides(&self, new: &SessionRecord) -> bool {
        let others = || {
            self.sessions
                .values()
                .filter(|other| other.room == new.room && other.id != new.id)
        };
        (new.state.is_running() && others().any(|other| other.state.is_running()))
            || (new.key.is_some() && others().any(|other| other.key == new.key))
    }

    /// Accepts a write, or says that it is to be refused.
    fn accept(&mut self, write: &Write) -> bool {
        match write {
            Write::RoomCreated(room) => {
                !self.is_taken(room) && self.rooms.insert(room.id.bits(), room.clone()).is_none()
            }
            Write::RoomChanged(room) => {
                let is_accepted = self.open_room(room.id.bits()) && !self.is_taken(room);
                if is_accepted {
                    self.rooms.insert(room.id.bits(), room.clone());
                }
                is_accepted
            }
            Write::RoomClosed { room: id, at } => {
                let sessions = self.sessions.values().filter(|session| session.room == *id);
                if !self.open_room(id.bits()) || sessions.into_iter().any(|s| s.state.is_running())
                {
                    return false;
                }
                for session in self
                    .sessions
                    .values_mut()
                    .filter(|session| session.room == *id)
                {
                    if session.state == SessionState::Scheduled {
                        session.state = SessionState::Cancelled;
                        session.ended_at = Some(*at);
                        session.end_reason = Some(EndReason::RoomDeleted);
                    }
                }
                self.rooms.get_mut(&id.bits()).unwrap().closed_at = Some(*at);
                true
            }
            Write::SessionCreated(session) => {
                let is_over =
                    matches!(session.state, SessionState::Ended | SessionState::Cancelled);
                self.give_up_key(session);
                (self.open_room(session.room.bits())
                    || (is_over && self.rooms.contains_key(&session.room.bits())))
                    && !self.collides(session)
                    && self
                        .sessions
                        .insert(session.id.bits(), session.clone())
                        .is_none()
            }
            Write::SessionChanged(session) => {
                let number = session.id.bits();
                let Some(before) = self.sessions.get(&number) else {
                    return false;
                };
                let is_over = matches!(before.state, SessionState::Ended | SessionState::Cancelled);
                let goes_back = session.state < before.state;
                let leaves_open = session.state != SessionState::Live && self.has_open(number);
                if is_over
                    || goes_back
                    || leaves_open
                    || before.room != session.room
                    || self.collides(session)
                {
                    return false;
                }
                self.sessions.insert(number, session.clone());
                true
            }
            Write::AttendanceOpened(attendance) => {
                let session = attendance.session.bits();
                let is_there = self.attendance.values().any(|other| {
                    other.session == attendance.session
                        && other.left_at.is_none()
                        && other.identity == attendance.identity
                });
                let key = (session, attendance.participant.bits());
                self.is_live(session)
                    && !is_there
                    && self.attendance.insert(key, attendance.clone()).is_none()
            }
            Write::AttendanceClosed {
                session,
                participant,
                at,
            } => {
                let attendance = self
                    .attendance
                    .get_mut(&(session.bits(), participant.bits()));
                let Some(attendance) = attendance.filter(|a| a.left_at.is_none()) else {
                    return false;
                };
                attendance.left_at = Some(*at);
                true
            }
            Write::TrackPublished(track) => {
                self.is_live(track.session.bits())
                    && self.tracks.insert(track.id.bits(), track.clone()).is_none()
            }
            Write::TrackUnpublished { track, at } => {
                let track = self.tracks.get_mut(&track.bits());
                let Some(track) = track.filter(|t| t.unpublished_at.is_none()) else {
                    return false;
                };
                track.unpublished_at = Some(*at);
                true
            }
            Write::Banned(_) | Write::Unbanned { .. } => true,
        }
    }
}

/// The name of a write's kind.
fn kind(write: &Write) -> String {
    let shown = format!("{write:?}");
    shown
        .split([' ', '('])
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Chance from a seed: xorshift.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// One of these, or this.
    fn of<T: Copy>(&mut self, all: impl Iterator<Item = T>, otherwise: T) -> T {
        let all: Vec<T> = all.collect();
        if all.is_empty() || self.below(5) == 0 {
            return otherwise;
        }
        all[self.below(all.len() as u64) as usize]
    }

    /// Any write, mostly about what is there.
    fn write(&mut self, model: &Model, now: u64) -> Write {
        use SessionState::{Cancelled, Ended, Live, Lobby, Scheduled};
        let any_session = self.below(400);
        let is_over = |session: &SessionRecord| matches!(session.state, Ended | Cancelled);
        let sessions = || model.sessions.iter();
        let changing = sessions().filter(|(_, session)| !is_over(session));
        let changing = self.of(changing.map(|(number, _)| *number), any_session);
        let live = sessions().filter(|(_, session)| session.state == Live);
        let live = self.of(live.map(|(number, _)| *number), any_session);
        let present = model.attendance.iter().filter(|(_, a)| a.left_at.is_none());
        let present = self.of(present.map(|(key, _)| *key), (any_session, 1));
        let open = model
            .tracks
            .iter()
            .filter(|(_, t)| t.unpublished_at.is_none());
        let open = self.of(open.map(|(number, _)| *number), 1);

        let room = RoomRecord {
            owner: (self.below(2) == 0).then(|| Identity(format!("owner {}", self.below(30)))),
            settings: RoomSettings {
                title: format!("{now}"),
                ..RoomSettings::default()
            },
            ..room(self.below(60))
        };
        let kind = self.below(17);
        let number = if kind < 7 { any_session } else { changing };
        let state = [Scheduled, Lobby, Live, Live, Live, Ended, Cancelled][self.below(7) as usize];
        let session = SessionRecord {
            key: (self.below(3) == 0).then(|| format!("key {}", self.below(30))),
            ended_at: matches!(state, Ended | Cancelled).then_some(at(now)),
            live_at: (state == Live).then_some(at(now)),
            ..session(number, number % 60, state)
        };
        let (participant, track) = (self.below(10), self.below(300));
        let identity = format!("person {}", self.below(6));
        match kind {
            0..3 => Write::RoomCreated(room),
            3 => Write::RoomChanged(room),
            4 => Write::RoomClosed {
                room: room.id,
                at: at(now),
            },
            5..7 => Write::SessionCreated(session),
            7..9 => Write::SessionChanged(session),
            9..12 => Write::AttendanceOpened(attendance(live, participant, &identity)),
            12..14 => left(present.0, present.1, now),
            14..16 => Write::TrackPublished(self::track(track, live, participant)),
            _ => Write::TrackUnpublished {
                track: track_id(open),
                at: at(now),
            },
        }
    }
}

both! {
    async fn chance_finds_no_command_on_which_store_and_model_differ(place: Place) {
        let store = place.open().await;
        let mut model = Model::default();
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
        let mut accepted = BTreeMap::new();
        let mut refused = 0;
        for round in 0..150 {
            let now = 10_000 + round;
            let mut commands: Vec<Vec<Write>> = Vec::new();
            let mut expected = Vec::new();
            for _ in 0..=chance.below(40) {
                let mut after = model.clone();
                let mut command = Vec::new();
                let mut is_accepted = true;
                for _ in 0..=chance.below(2) {
                    let write = chance.write(&after, now);
                    is_accepted = is_accepted && after.accept(&write);
                    command.push(write);
                }
                if is_accepted {
                    model = after;
                }
                expected.push(is_accepted);
                commands.push(command);
            }
            let mut batch = Batch::new(at(now), commands.clone());
            let outcomes = store.write(&mut batch).await.unwrap();
            for ((outcome, expected), command) in outcomes.iter().zip(expected).zip(commands) {
                assert_eq!(*outcome == Outcome::Committed, expected, "{outcome:?} {command:#?}");
                if !expected {
                    refused += 1;
                    continue;
                }
                for write in command {
                    *accepted.entry(kind(&write)).or_insert(0) += 1;
                }
            }
        }
        assert!(refused > 200, "{refused} refused");
        let is_tried = accepted.len() == 9 && accepted.values().all(|count| *count >= 5);
        assert!(is_tried, "each kind of write is accepted a few times: {accepted:?}");

        for (number, room) in &model.rooms {
            assert_eq!(store.room(room_id(*number)).await.unwrap().as_ref(), Some(room));
        }
        for (number, session) in &model.sessions {
            assert_eq!(store.session(session_id(*number)).await.unwrap().as_ref(), Some(session));
            let mut present = store.attendance(session.id).await.unwrap();
            present.sort_by_key(|attendance| attendance.participant);
            let theirs = model.attendance.range((*number, 0)..(*number + 1, 0));
            let theirs: Vec<_> = theirs.map(|(_, attendance)| attendance.clone()).collect();
            assert_eq!(present, theirs);
            let mut tracks = store.tracks(session.id).await.unwrap();
            tracks.sort_by_key(|track| track.id);
            let theirs = model.tracks.values().filter(|track| track.session == session.id);
            assert_eq!(tracks, theirs.cloned().collect::<Vec<_>>());
        }
    }
}
