//! Records as short as tests want them.

use protocol::record::{
    AttendanceRecord, BanRecord, RoomRecord, RoomSettings, SessionRecord, TrackRecord, Write,
};
use protocol::{
    EndReason, Identity, ParticipantId, Role, RoomId, RoomName, SessionId, SessionState, Timestamp,
    TrackId, TrackSource,
};
use store::{Batch, Outcome, Store};

pub(crate) fn room_id(number: u64) -> RoomId {
    RoomId::from_bits(number)
}

pub(crate) fn session_id(number: u64) -> SessionId {
    SessionId::from_bits(number)
}

pub(crate) fn participant_id(number: u64) -> ParticipantId {
    ParticipantId::from_bits(number)
}

pub(crate) fn track_id(number: u64) -> TrackId {
    TrackId::from_bits(number)
}

pub(crate) fn at(milliseconds: u64) -> Timestamp {
    Timestamp(milliseconds)
}

/// A room that is kept, and nobody's.
pub(crate) fn room(number: u64) -> RoomRecord {
    RoomRecord {
        id: room_id(number),
        name: RoomName(format!("room {number}")),
        owner: None,
        is_kept: true,
        settings: RoomSettings::default(),
        created_at: at(1_000),
        closed_at: None,
    }
}

pub(crate) fn owned_room(number: u64, owner: &str) -> RoomRecord {
    RoomRecord {
        owner: Some(Identity(owner.into())),
        ..room(number)
    }
}

/// A session in this state, made at 2,000, live at 3,000, ended at 9,000.
pub(crate) fn session(number: u64, room: u64, state: SessionState) -> SessionRecord {
    use SessionState::{Cancelled, Ended, Live, Scheduled};
    let is_over = matches!(state, Ended | Cancelled);
    SessionRecord {
        id: session_id(number),
        room: room_id(room),
        state,
        host: None,
        title: String::new(),
        key: None,
        scheduled_for: (state == Scheduled).then_some(at(5_000)),
        created_at: at(2_000),
        live_at: matches!(state, Live | Ended).then_some(at(3_000)),
        ended_at: is_over.then_some(at(9_000)),
        end_reason: is_over.then_some(EndReason::Ended),
    }
}

pub(crate) fn attendance(session: u64, participant: u64, identity: &str) -> AttendanceRecord {
    AttendanceRecord {
        session: session_id(session),
        participant: participant_id(participant),
        identity: Identity(identity.into()),
        name: identity.to_uppercase(),
        role: Role("student".into()),
        joined_at: at(4_000),
        left_at: None,
    }
}

pub(crate) fn track(number: u64, session: u64, participant: u64) -> TrackRecord {
    TrackRecord {
        id: track_id(number),
        session: session_id(session),
        participant: participant_id(participant),
        source: TrackSource::ScreenAudio,
        published_at: at(4_500),
        unpublished_at: None,
    }
}

pub(crate) fn ban(room: u64, identity: &str) -> BanRecord {
    BanRecord {
        room: room_id(room),
        identity: Identity(identity.into()),
        by: Identity("host".into()),
        at: at(4_800),
    }
}

pub(crate) fn left(session: u64, participant: u64, milliseconds: u64) -> Write {
    Write::AttendanceClosed {
        session: session_id(session),
        participant: participant_id(participant),
        at: at(milliseconds),
    }
}

/// Writes these as one command.
pub(crate) async fn write(store: &Store, writes: Vec<Write>) -> Outcome {
    let mut batch = Batch::new(at(10_000), vec![writes]);
    store.write(&mut batch).await.unwrap().remove(0)
}

/// Writes these as one command, which is not refused.
pub(crate) async fn commit(store: &Store, writes: Vec<Write>) {
    assert_eq!(write(store, writes).await, Outcome::Committed);
}
