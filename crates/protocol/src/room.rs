//! What a room looks like to those in it: participants, their tracks, and who is live.

use serde::{Deserialize, Serialize};

use crate::{
    EndReason, Identity, ParticipantId, RoomId, RoomName, RoomSettings, RoomState, SessionId,
    SessionState, Timestamp, TrackId,
};

/// A room, as its participants know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RoomInfo {
    /// The room's id: another one if a room that is not kept emptied and was opened again.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: RoomId,
    /// The room's name.
    pub name: RoomName,
    /// What it is doing; it follows from its sessions.
    pub state: RoomState,
    /// What its owner set.
    pub settings: RoomSettings,
    /// The session that runs, or else the one that is scheduled next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub session: Option<SessionInfo>,
    /// Who leads it. A room that is nobody's has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub host: Option<HostInfo>,
}

/// A run of a room, as its participants know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SessionInfo {
    /// Its id.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: SessionId,
    /// Where it is in its life.
    pub state: SessionState,
    /// A title, for one that was scheduled.
    pub title: String,
    /// When it is to begin, if it was scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub scheduled_for: Option<Timestamp>,
    /// Since when it has been live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub live_at: Option<Timestamp>,
    /// When it ended or was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub ended_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub end_reason: Option<EndReason>,
}

/// Who leads a session: known from the record, and not from anybody's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct HostInfo {
    /// Who.
    pub identity: Identity,
    /// In the room now, and not away.
    pub present: bool,
}

/// Somebody who waits to be let in, as moderators see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct WaitingParticipant {
    /// The id under which they can be admitted, and that they then keep.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: ParticipantId,
    /// Who this is.
    pub identity: Identity,
    /// The name to show.
    pub name: String,
    /// The role to show.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
}

/// A participant's role, as the token says it (its attribute `role`): `tutor`, `student`, `host`,
/// `guest`, `provider`, `client`, or any other word. It is for people to see; what somebody *may do*
/// is in the token's grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
#[serde(transparent)]
pub struct Role(pub String);

/// Somebody in the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Participant {
    /// Kept across a refresh, a resume and another tab.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: ParticipantId,
    /// Who this is, in the words of whoever signed the token.
    pub identity: Identity,
    /// The name to show.
    pub name: String,
    /// The role to show.
    pub role: Role,
    /// A picture to show while there is no video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub avatar_url: Option<String>,
    /// The camera is on, as its owner says.
    pub camera: bool,
    /// The microphone is on, as its owner says.
    pub microphone: bool,
    /// A hand is raised.
    pub hand_raised: bool,
    /// The signaling connection is lost; the participant has 15 s to come back.
    pub away: bool,
    /// May mute, admit and remove others, and lead the session (the grant `roomAdmin`, or the host).
    pub moderator: bool,
    /// Leads the session, by the room's record.
    #[serde(default)]
    pub host: bool,
    /// When this participant first joined.
    pub joined_at: Timestamp,
    /// What is published, oldest first.
    pub tracks: Vec<Track>,
}

/// A published microphone, camera or screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Track {
    /// The track's id: also the id of the `MediaStreamTrack` that a subscriber receives.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: TrackId,
    /// Audio or video.
    pub kind: TrackKind,
    /// What it shows.
    pub source: TrackSource,
    /// Nothing is sent while muted; the track stays.
    pub muted: bool,
    /// When it was published.
    pub published_at: Timestamp,
}

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum TrackKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// What a track shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum TrackSource {
    /// A camera (video).
    Camera,
    /// A microphone (audio).
    Microphone,
    /// A shared screen or window (video).
    Screen,
    /// The sound of a shared screen (audio).
    ScreenAudio,
}

impl TrackSource {
    /// The kind that a track of this source has.
    pub const fn kind(self) -> TrackKind {
        match self {
            TrackSource::Camera | TrackSource::Screen => TrackKind::Video,
            TrackSource::Microphone | TrackSource::ScreenAudio => TrackKind::Audio,
        }
    }
}

/// A participant who is live: one who publishes at least one track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Live {
    /// Who is live.
    #[cfg_attr(test, ts(type = "string"))]
    pub participant_id: ParticipantId,
    /// The same person's identity.
    pub identity: Identity,
    /// The name to show.
    pub name: String,
    /// Since when: when the oldest of the tracks published now was published.
    pub started_at: Timestamp,
    /// `video` if any published track is video, else `audio`.
    pub media_type: MediaType,
}

/// What somebody who is live sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum MediaType {
    /// Sound alone.
    Audio,
    /// Pictures, with or without sound.
    Video,
}

/// A room that is live: an item of `GET /api/rooms`. A room with an owner is from the moment its session is,
/// any other while somebody in it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LiveRoom {
    /// The room's name.
    pub name: RoomName,
    /// Participants in it, those away included.
    pub participants: usize,
    /// Who is live, longest first.
    pub live: Vec<Live>,
    /// Since when: the session's `live_at`, or in a room that is nobody's the earliest `started_at` of `live`.
    pub started_at: Timestamp,
}
