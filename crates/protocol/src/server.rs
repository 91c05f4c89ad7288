//! What the server says to a client.

use serde::{Deserialize, Serialize};

use crate::{
    ErrorBody, ErrorCode, Live, NumberedChange, Participant, ParticipantId, RoomInfo, SessionInfo,
    Track, TrackId, WaitingParticipant,
};

/// What the server says to a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// You are in: the whole room at once.
    Joined(Box<Joined>),
    /// You are back: what you missed.
    Resumed(Resumed),
    /// You wait outside: until the session is live, or until a moderator lets you in. Sent again whenever
    /// the room's state changes; `joined` or `goodbye` follows.
    Waiting(Box<Waiting>),
    /// Something changed in the room.
    Change(NumberedChange),
    /// Your `publish` was accepted. Sent before the `answer` to the offer that carries it.
    Published {
        /// The section's `mid`.
        mid: String,
        /// The track, with the id by which the room knows it.
        track: Track,
    },
    /// The SDP answer to your offer.
    Answer(Answer),
    /// There are more tracks for you than your offer had receiving media sections. Add this many
    /// receive-only transceivers, and offer again. Both may be 0: then a plain new offer is enough.
    MediaSectionsRequired {
        /// Audio sections to add.
        audio: u32,
        /// Video sections to add.
        video: u32,
    },
    /// Which layers of a video of yours somebody watches: encode no other. Until the first of these, all.
    LayersWanted {
        /// One of your own tracks.
        #[cfg_attr(test, ts(type = "string"))]
        track_id: TrackId,
        /// All layers of the track, lowest first.
        layers: Vec<LayerWanted>,
    },
    /// Who is live, you left out: the answer to `live_status`.
    LiveStatus {
        /// The number of the `live_status` request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        request_id: Option<u32>,
        /// Longest first.
        live: Vec<Live>,
    },
    /// Who is speaking: sent to all whenever it changes, and not numbered.
    Speakers {
        /// Who is speaking now, loudest first.
        #[cfg_attr(test, ts(type = "string[]"))]
        participant_ids: Vec<ParticipantId>,
    },
    /// The answer to `ping`.
    Pong {
        /// The number of the `ping`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        request_id: Option<u32>,
    },
    /// The media connection with this number has ended (no packet for 30 s, or it could not be set up).
    /// Start a new `RTCPeerConnection` and offer.
    MediaEnded {
        /// The client's number for it.
        peer_connection: u32,
        /// Why, for people.
        reason: String,
    },
    /// What you asked for is done, and written down.
    Done {
        /// The number of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        request_id: Option<u32>,
        /// For `open_lobby`, `go_live` and `end_session`: the session, as it is now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        session: Option<SessionInfo>,
    },
    /// To moderators, whenever it changes, and not numbered: who waits to be let in, longest first.
    WaitingList {
        /// Who. At most the first 100.
        participants: Vec<WaitingParticipant>,
    },
    /// A moderator asks you to unmute a track of yours.
    UnmuteAsked {
        /// Which.
        #[cfg_attr(test, ts(type = "string"))]
        track_id: TrackId,
        /// Who asks.
        #[cfg_attr(test, ts(type = "string"))]
        by: ParticipantId,
    },
    /// A message of yours could not be carried out. The connection goes on.
    Error(ErrorBody),
    /// The server closes the connection. The last message.
    Goodbye(Goodbye),
}

/// The whole room at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Joined {
    /// The room.
    pub room: RoomInfo,
    /// Your own id.
    #[cfg_attr(test, ts(type = "string"))]
    pub participant_id: ParticipantId,
    /// Everyone in the room, you included, in the order of their joining.
    pub participants: Vec<Participant>,
    /// Who is live, you left out.
    pub live: Vec<Live>,
    /// The number of the last change that this snapshot contains.
    #[cfg_attr(test, ts(type = "number"))]
    pub last_change: u64,
    /// With this you can come back as the same participant (`resume` of `join`).
    pub resume_token: String,
    /// You came back as a participant who was still there.
    pub rejoined: bool,
    /// Send a `ping` at least this often.
    #[cfg_attr(test, ts(type = "number"))]
    pub ping_interval_ms: u64,
    /// Without any message for this long the connection counts as lost, on both sides.
    #[cfg_attr(test, ts(type = "number"))]
    pub ping_timeout_ms: u64,
}

/// You wait outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Waiting {
    /// The room, as far as those outside may know it.
    pub room: RoomInfo,
    /// The id that you will have inside.
    #[cfg_attr(test, ts(type = "string"))]
    pub participant_id: ParticipantId,
    /// With this you can come back to your place among those who wait.
    pub resume_token: String,
    /// Send a `ping` at least this often.
    #[cfg_attr(test, ts(type = "number"))]
    pub ping_interval_ms: u64,
    /// Without any message for this long the connection counts as lost, on both sides.
    #[cfg_attr(test, ts(type = "number"))]
    pub ping_timeout_ms: u64,
}

/// What you missed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Resumed {
    /// Your own id, as before.
    #[cfg_attr(test, ts(type = "string"))]
    pub participant_id: ParticipantId,
    /// The changes after the `last_change` you gave, in order.
    pub changes: Vec<NumberedChange>,
    /// The next resume token; the one you used is spent.
    pub resume_token: String,
}

/// The SDP answer to an offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Answer {
    /// The client's number for the `RTCPeerConnection`.
    pub peer_connection: u32,
    /// The answer.
    pub sdp: String,
    /// Which track each receiving section carries, for those that carry one.
    pub sections: Vec<MediaSection>,
}

/// Which track a media section carries to the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MediaSection {
    /// The section's `mid`.
    pub mid: String,
    /// The track.
    #[cfg_attr(test, ts(type = "string"))]
    pub track_id: TrackId,
}

/// Whether somebody watches a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LayerWanted {
    /// The `rid` of the encoding. Left out where the offer had none; then the order tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub rid: Option<String>,
    /// If not, do not send it.
    pub wanted: bool,
}

/// Why the server closes the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Goodbye {
    /// Stable, for programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// Coming back at once makes sense.
    pub reconnect: bool,
}
