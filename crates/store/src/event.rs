//! What happened, as those who are told of it from outside read it: derived from what is written, in the same
//! transaction. It delivers nothing.

use protocol::record::{AttendanceRecord, RoomRecord, SessionRecord, TrackRecord};
use protocol::{RoomId, RoomName, SessionState, Timestamp};
use serde_json::{Value as Json, json};

/// Something that happened: its kind, when, and what is told of it.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) kind: &'static str,
    pub(crate) at: Timestamp,
    body: Json,
}

/// The room in which something happened.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) room: RoomId,
    pub(crate) name: RoomName,
}

impl Event {
    pub(crate) fn of_room(kind: &'static str, at: Timestamp, room: &RoomRecord) -> Self {
        let body = json!({ "room": room });
        Self { kind, at, body }
    }

    /// What is told when a session enters a state, or is made in it. `now`: the record does not say when a
    /// lobby was opened.
    pub(crate) fn of_session(session: &SessionRecord, place: &Place, now: Timestamp) -> Self {
        let (kind, at) = match session.state {
            SessionState::Scheduled => ("session_scheduled", Some(session.created_at)),
            SessionState::Lobby => ("session_lobby_opened", None),
            SessionState::Live => ("session_started", session.live_at),
            SessionState::Ended => ("session_ended", session.ended_at),
            SessionState::Cancelled => ("session_cancelled", session.ended_at),
        };
        let body = json!({ "room": place.json(), "session": session });
        let at = at.unwrap_or(now);
        Self { kind, at, body }
    }

    pub(crate) fn of_attendance(attendance: &AttendanceRecord, place: &Place) -> Self {
        let (kind, at) = match attendance.left_at {
            None => ("participant_joined", attendance.joined_at),
            Some(left_at) => ("participant_left", left_at),
        };
        let body = json!({ "room": place.json(), "participant": attendance });
        Self { kind, at, body }
    }

    pub(crate) fn of_track(track: &TrackRecord, place: &Place) -> Self {
        let (kind, at) = match track.unpublished_at {
            None => ("track_published", track.published_at),
            Some(unpublished_at) => ("track_unpublished", unpublished_at),
        };
        let body = json!({ "room": place.json(), "track": track });
        Self { kind, at, body }
    }

    /// The body as it is kept: all but the number, which the database gives.
    pub(crate) fn into_text(self) -> String {
        let mut body = self.body;
        body["event"] = self.kind.into();
        body["at"] = self.at.0.into();
        body.to_string()
    }
}

impl Place {
    fn json(&self) -> Json {
        json!({ "id": self.room, "name": self.name })
    }
}
