//! What happens in a room, as one numbered log: a snapshot and the changes after its number are the room.

use serde::{Deserialize, Serialize};

use crate::{Live, Participant, ParticipantId, RoomInfo, Track, TrackId};

/// A change with its place in the room's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct NumberedChange {
    /// One more than the change before it, from 1. A room's numbers have no gap; a participant is not
    /// told of its own joining, but knows that number from `joined`.
    #[cfg_attr(test, ts(type = "number"))]
    pub number: u64,
    /// What changed.
    pub change: Change,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Change {
    /// Somebody came.
    ParticipantJoined {
        /// As they are on arrival: without tracks.
        participant: Participant,
    },
    /// Somebody is gone, and with them their tracks and their being live.
    ParticipantLeft {
        /// Who.
        #[cfg_attr(test, ts(type = "string"))]
        participant_id: ParticipantId,
    },
    /// Camera, microphone, hand, name, role or `away` changed.
    ParticipantUpdated {
        /// As they are now.
        participant: Participant,
    },
    /// A track is there to be received.
    TrackPublished {
        /// Whose.
        #[cfg_attr(test, ts(type = "string"))]
        participant_id: ParticipantId,
        /// The track.
        track: Track,
    },
    /// A track is no longer there.
    TrackUnpublished {
        /// Whose.
        #[cfg_attr(test, ts(type = "string"))]
        participant_id: ParticipantId,
        /// Which.
        #[cfg_attr(test, ts(type = "string"))]
        track_id: TrackId,
    },
    /// A track was muted or unmuted.
    TrackMuted {
        /// Whose.
        #[cfg_attr(test, ts(type = "string"))]
        participant_id: ParticipantId,
        /// Which.
        #[cfg_attr(test, ts(type = "string"))]
        track_id: TrackId,
        /// Muted now.
        muted: bool,
        /// Who did it: its owner, or a moderator.
        #[cfg_attr(test, ts(type = "string"))]
        by: ParticipantId,
    },
    /// Somebody who published nothing publishes a first track.
    WentLive {
        /// Who, since when, with what.
        live: Live,
    },
    /// Somebody live now sends video as well, or sound alone.
    LiveUpdated {
        /// As it is now.
        live: Live,
    },
    /// Somebody publishes nothing any more.
    CeasedToBeLive {
        /// Who.
        #[cfg_attr(test, ts(type = "string"))]
        participant_id: ParticipantId,
    },
    /// In a room of more than 100 participants: everybody who came and went within the last 100 ms, at once
    /// in place of `participant_joined` and `participant_left`.
    Presence {
        /// Who came, as they are on arrival: without tracks.
        joined: Vec<Participant>,
        /// Who is gone, and with them their tracks and their being live.
        #[cfg_attr(test, ts(type = "string[]"))]
        left: Vec<ParticipantId>,
        /// How many are in the room now.
        participants: usize,
    },
    /// The room's state, settings, session or host changed.
    RoomUpdated {
        /// As it is now.
        room: RoomInfo,
    },
}
