//! What is written down of rooms, sessions and attendance: the words shared by whoever decides
//! (`signaling`), whoever keeps (`store`) and whoever shows (the HTTP API). It decides nothing.
//!
//! A *session* is one run of a room. A room with an owner is idle until its owner opens the lobby or goes
//! live; a room without one has a session by itself from its first join to its last leave. A room's state
//! is written nowhere: it follows from its sessions ([`RoomState::of`]).

use serde::{Deserialize, Serialize};

use crate::{
    Identity, ParticipantId, Role, RoomId, RoomName, SessionId, Timestamp, TrackId, TrackSource,
};

/// A room, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRecord {
    /// Its id.
    pub id: RoomId,
    /// Its name: unique among the rooms that are not closed.
    pub name: RoomName,
    /// Whose it is. One user owns at most one room that is not closed. `None`: nobody's, so that a session
    /// begins by itself with the first join.
    pub owner: Option<Identity>,
    /// Made to stay: its owner's, or made by the API. Any other room is closed behind the last who leaves.
    pub is_kept: bool,
    /// What its owner set.
    pub settings: RoomSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was deleted, or emptied for good. It keeps its sessions' history, and frees its name.
    pub closed_at: Option<Timestamp>,
}

/// What the owner of a room, or a moderator, may set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct RoomSettings {
    /// A title to show. At most 256 bytes.
    pub title: String,
    /// Guests wait until they are admitted one by one. Otherwise they are let in as soon as the session is
    /// live.
    pub lobby: bool,
    /// Nobody new is let in, but moderators.
    pub locked: bool,
    /// Participants at once, if fewer than the server allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub max_participants: Option<u32>,
}

/// One run of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// The room.
    pub room: RoomId,
    /// Where it is in its life.
    pub state: SessionState,
    /// Who leads it: the room's owner, or whom they handed it to. `None` in a room that is nobody's.
    pub host: Option<Identity>,
    /// A title, for one that was scheduled.
    pub title: String,
    /// The key that its maker gave it: the same key never makes a second session in the same room.
    pub key: Option<String>,
    /// When it is to begin, if it was scheduled.
    pub scheduled_for: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it became live.
    pub live_at: Option<Timestamp>,
    /// When it ended or was cancelled.
    pub ended_at: Option<Timestamp>,
    /// Why.
    pub end_reason: Option<EndReason>,
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// It is to begin at a later time.
    Scheduled,
    /// Guests gather and wait; the host prepares.
    Lobby,
    /// It runs.
    Live,
    /// It is over.
    Ended,
    /// It was scheduled, and will not be.
    Cancelled,
}

impl SessionState {
    /// In the lobby or live: a room has at most one session that is.
    pub const fn is_running(self) -> bool {
        matches!(self, SessionState::Lobby | SessionState::Live)
    }

    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            SessionState::Scheduled => "scheduled",
            SessionState::Lobby => "lobby",
            SessionState::Live => "live",
            SessionState::Ended => "ended",
            SessionState::Cancelled => "cancelled",
        }
    }
}

/// What a room is doing: it follows from its sessions, and is stored nowhere.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum RoomState {
    /// Nothing runs, and nothing is scheduled.
    #[default]
    Idle,
    /// Nothing runs; a session is scheduled.
    Scheduled,
    /// The running session is in the lobby.
    Lobby,
    /// The running session is live.
    Live,
}

impl RoomState {
    /// The state of a room with sessions in these states.
    pub fn of(sessions: impl IntoIterator<Item = SessionState>) -> Self {
        let state = |session| match session {
            SessionState::Live => RoomState::Live,
            SessionState::Lobby => RoomState::Lobby,
            SessionState::Scheduled => RoomState::Scheduled,
            SessionState::Ended | SessionState::Cancelled => RoomState::Idle,
        };
        sessions.into_iter().map(state).max().unwrap_or_default()
    }
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its host, a moderator or the API ended it.
    Ended,
    /// Its host was absent for longer than the grace.
    HostAbsent,
    /// The last participant of a room that is nobody's left.
    Empty,
    /// The server was stopped.
    ServerStopped,
    /// The server had been killed: ended when it came back, as of the last moment known.
    ServerLost,
    /// The room was deleted.
    RoomDeleted,
    /// A scheduled session was cancelled.
    Cancelled,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [EndReason; 7] = [
        EndReason::Ended,
        EndReason::HostAbsent,
        EndReason::Empty,
        EndReason::ServerStopped,
        EndReason::ServerLost,
        EndReason::RoomDeleted,
        EndReason::Cancelled,
    ];

    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            EndReason::Ended => "ended",
            EndReason::HostAbsent => "host_absent",
            EndReason::Empty => "empty",
            EndReason::ServerStopped => "server_stopped",
            EndReason::ServerLost => "server_lost",
            EndReason::RoomDeleted => "room_deleted",
            EndReason::Cancelled => "cancelled",
        }
    }
}

/// That somebody was in a session, from when to when. A resume continues it; who comes again later has
/// another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttendanceRecord {
    /// The session.
    pub session: SessionId,
    /// The stay.
    pub participant: ParticipantId,
    /// Who.
    pub identity: Identity,
    /// The name shown.
    pub name: String,
    /// The role shown.
    pub role: Role,
    /// From when: the later of coming in and the session's becoming live.
    pub joined_at: Timestamp,
    /// Until when: for somebody whose connection was lost and who never came back, the moment of the loss.
    /// `None`: still there.
    pub left_at: Option<Timestamp>,
}

/// That a track was published in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackRecord {
    /// The track.
    pub id: TrackId,
    /// The session.
    pub session: SessionId,
    /// Who published it.
    pub participant: ParticipantId,
    /// What it shows.
    pub source: TrackSource,
    /// From when.
    pub published_at: Timestamp,
    /// Until when.
    pub unpublished_at: Option<Timestamp>,
}

/// That somebody may not enter a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanRecord {
    /// The room.
    pub room: RoomId,
    /// Who may not.
    pub identity: Identity,
    /// Who banned them: an identity, or the API key.
    pub by: Identity,
    /// When.
    pub at: Timestamp,
}

/// One fact to be written down. All writes of one command are one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// A room was made.
    RoomCreated(RoomRecord),
    /// Its settings, owner or keeping changed.
    RoomChanged(RoomRecord),
    /// It was deleted, or emptied for good.
    RoomClosed {
        /// Which.
        room: RoomId,
        /// When.
        at: Timestamp,
    },
    /// A session was scheduled, or started without that.
    SessionCreated(SessionRecord),
    /// Its state or its host changed. One that ends has its attendance and tracks closed before, in the
    /// same transaction.
    SessionChanged(SessionRecord),
    /// Somebody is in a live session.
    AttendanceOpened(AttendanceRecord),
    /// They are no longer.
    AttendanceClosed {
        /// The session.
        session: SessionId,
        /// Who.
        participant: ParticipantId,
        /// Until when.
        at: Timestamp,
    },
    /// A track is published in a live session.
    TrackPublished(TrackRecord),
    /// It is no longer.
    TrackUnpublished {
        /// Which.
        track: TrackId,
        /// Until when.
        at: Timestamp,
    },
    /// Somebody may not enter a room.
    Banned(BanRecord),
    /// They may again.
    Unbanned {
        /// The room.
        room: RoomId,
        /// Who.
        identity: Identity,
    },
}

/// What a server begins with: all that was written and still matters. Nothing in it runs: whatever a
/// killed server left running was ended first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// How many sessions the start ended as [`EndReason::ServerLost`].
    pub lost_sessions: u64,
    /// The rooms that are not closed.
    pub rooms: Vec<RoomRecord>,
    /// Their scheduled sessions, and of the others the 16 of each room that ended last and have a
    /// key, so that a repeated key is still known.
    pub sessions: Vec<SessionRecord>,
    /// Who may not enter which of them.
    pub bans: Vec<BanRecord>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rooms_state_is_that_of_its_session_which_is_furthest() {
        use SessionState::{Cancelled, Ended, Live, Lobby, Scheduled};
        assert_eq!(RoomState::of([]), RoomState::Idle);
        assert_eq!(RoomState::of([Ended, Cancelled]), RoomState::Idle);
        assert_eq!(RoomState::of([Ended, Scheduled]), RoomState::Scheduled);
        assert_eq!(RoomState::of([Scheduled, Lobby, Ended]), RoomState::Lobby);
        assert_eq!(RoomState::of([Live, Scheduled]), RoomState::Live);
    }

    #[test]
    fn a_session_state_is_on_the_wire_as_it_names_itself() {
        use SessionState::{Cancelled, Ended, Live, Lobby, Scheduled};
        for state in [Scheduled, Lobby, Live, Ended, Cancelled] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }

    #[test]
    fn a_reason_is_on_the_wire_as_it_names_itself() {
        for reason in EndReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
