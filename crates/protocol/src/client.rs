//! What a client says to the server, and how its text is read.

use serde::{Deserialize, Serialize};

use crate::{ParticipantId, RoomName, SessionId, TrackId, TrackSource};

/// A message with the number its sender gave it, if any: answers and errors repeat the number.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientRequest {
    /// Chosen by the client.
    pub request_id: Option<u32>,
    /// The message.
    pub message: ClientMessage,
}

/// What a client says to the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// The first message: enter the room that the token grants.
    Join(Join),
    /// An SDP offer. The client always offers; `answer` comes back.
    Offer {
        /// The client's number for its `RTCPeerConnection`: the same as long as the connection is, one
        /// more for each new one. A new number ends the media of the one before.
        peer_connection: u32,
        /// The offer.
        sdp: String,
    },
    /// An ICE candidate. Not needed: the server learns addresses from the client's checks.
    Candidate {
        /// The number of the `RTCPeerConnection`.
        peer_connection: u32,
        /// `RTCIceCandidate.candidate`; empty at the end of candidates.
        candidate: String,
    },
    /// Say what a sending media section of the *next* offer carries. Sent before that offer.
    Publish(Publish),
    /// Take a track away. Its media section may be used again by a `publish`.
    Unpublish {
        /// One of the sender's own tracks.
        #[cfg_attr(test, ts(type = "string"))]
        track_id: TrackId,
    },
    /// Mute or unmute a track: the track stays, nothing of it is sent on. A moderator may mute a track of
    /// somebody else, but not unmute it.
    Mute {
        /// Which track.
        #[cfg_attr(test, ts(type = "string"))]
        track_id: TrackId,
        /// Muted from now on.
        muted: bool,
    },
    /// Tell the room one's own states. What is left out stays as it is.
    UpdateState(StateUpdate),
    /// Refuse a track, or take it up (again). Unless `join` said otherwise all tracks are taken up.
    SetSubscription {
        /// A track of somebody else.
        #[cfg_attr(test, ts(type = "string"))]
        track_id: TrackId,
        /// To be received or not.
        subscribed: bool,
    },
    /// Say how large you show tracks of others, and whether at all: as large as that they are sent. Tracks
    /// left out stay as they are; one of which you never said anything is sent as large as it comes.
    SetViewport {
        /// What changed, at most 200.
        tracks: Vec<Viewport>,
    },
    /// Tell once how long the first picture took after joining: for the server's metrics, and for nothing else.
    /// Each part has a minute at most; the first such message of a WebSocket counts.
    FirstFrame {
        /// From the beginning of joining, devices left out, to the connected `RTCPeerConnection`.
        connect_ms: u32,
        /// From there to the last packet of the frame that was shown first.
        key_frame_ms: u32,
        /// From there until it was decoded and shown.
        decode_ms: u32,
    },
    /// Ask who is live; `live_status` comes back.
    LiveStatus,
    /// Keep the connection alive; `pong` comes back. Owed every `ping_interval_ms` of `joined`.
    Ping,
    /// Go, now and for good.
    Leave,
    /// The room's host or a moderator: let guests gather and wait. `done` comes back, with the session.
    OpenLobby {
        /// Made by the client, anew for each intention: a repeated message never makes a second session.
        key: String,
    },
    /// The room's host or a moderator: make the session live, whether there was a lobby or nothing.
    /// `done` comes back, with the session: the same one for every double click, retry and second tab.
    GoLive {
        /// Made by the client, anew for each intention.
        key: String,
    },
    /// The room's host or a moderator: end the session for all. `done` comes back, also if it was over.
    EndSession {
        /// Which. Left out: whichever runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional, type = "string"))]
        session_id: Option<SessionId>,
    },
    /// A moderator: let these in who wait.
    Admit {
        /// Who.
        #[cfg_attr(test, ts(type = "string[]"))]
        participant_ids: Vec<ParticipantId>,
    },
    /// A moderator: send these away who wait.
    Deny {
        /// Who.
        #[cfg_attr(test, ts(type = "string[]"))]
        participant_ids: Vec<ParticipantId>,
    },
    /// A moderator: put somebody out of the room.
    Remove {
        /// Who.
        #[cfg_attr(test, ts(type = "string"))]
        participant_id: ParticipantId,
        /// And never let them in again.
        #[serde(default)]
        #[cfg_attr(test, ts(optional, as = "Option<bool>"))]
        ban: bool,
    },
    /// A moderator: let nobody new in, or let them in again.
    SetLocked {
        /// Locked from now on.
        locked: bool,
    },
    /// The host: make somebody else of the room the host of this session.
    HandOver {
        /// Who.
        #[cfg_attr(test, ts(type = "string"))]
        participant_id: ParticipantId,
    },
    /// A moderator: ask the owner of a muted track to unmute it. Nobody can do it for them.
    AskToUnmute {
        /// Which.
        #[cfg_attr(test, ts(type = "string"))]
        track_id: TrackId,
    },
    /// A moderator: lower somebody's hand.
    LowerHand {
        /// Whose.
        #[cfg_attr(test, ts(type = "string"))]
        participant_id: ParticipantId,
    },
}

/// Enter a room.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Join {
    /// The access token: identity, room, and what may be done there.
    pub token: String,
    /// The room one means to enter. If given, it must be the token's (`wrong_room`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub room: Option<RoomName>,
    /// To come back as the participant one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub resume: Option<Resume>,
    /// Camera, microphone and hand as they are at the start. Left out: off and off, and the hand as it was.
    #[serde(default)]
    #[cfg_attr(test, ts(optional, as = "Option<StateUpdate>"))]
    pub state: StateUpdate,
    /// Receive every track of the room without asking for each. True if left out.
    #[serde(default = "yes")]
    #[cfg_attr(test, ts(optional, as = "Option<bool>"))]
    pub subscribe_automatically: bool,
}

fn yes() -> bool {
    true
}

/// Come back as the participant one was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Resume {
    /// The `resume_token` of the last `joined` or `resumed`.
    pub token: String,
    /// The number of the last change seen, if the room's state and the `RTCPeerConnection` are still
    /// there: only the changes after it come back (`resumed`), and the media goes on. Left out, as
    /// after a page refresh: the whole room comes back (`joined`), and the old media is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional, type = "number"))]
    pub last_change: Option<u64>,
}

/// Say what a sending media section carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Publish {
    /// The section's `mid` in the next offer.
    pub mid: String,
    /// What the track shows; its kind follows.
    pub source: TrackSource,
    /// Muted from the start.
    #[serde(default)]
    #[cfg_attr(test, ts(optional, as = "Option<bool>"))]
    pub muted: bool,
}

/// One's own states; what is left out stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct StateUpdate {
    /// The camera is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub camera: Option<bool>,
    /// The microphone is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub microphone: Option<bool>,
    /// The hand is raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub hand_raised: Option<bool>,
}

/// How large a viewer shows a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Viewport {
    /// A video of somebody else.
    #[cfg_attr(test, ts(type = "string"))]
    pub track_id: TrackId,
    /// Pixels of the display, not of CSS. At most 65,535.
    pub width: u16,
    /// Pixels of the display.
    pub height: u16,
    /// Anything of it can be seen. If not, nothing of it is sent until it can.
    pub visible: bool,
}

/// Why a text is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, not an object, without a `type`, or with a field that is missing or of the wrong type.
    #[error("{reason}")]
    Malformed {
        /// The number that the message gave itself, if that much could be read.
        request_id: Option<u32>,
        /// What is wrong, with the place.
        reason: String,
    },
    /// The `type` is none that the server knows.
    #[error("there is no message of type {name:?}")]
    UnknownType {
        /// The number that the message gave itself.
        request_id: Option<u32>,
        /// The type it named, cut to 64 characters.
        name: String,
    },
}

/// The message types that `parse_client_message` knows, in the order of `ClientMessage`.
const TYPES: [&str; 23] = [
    "join",
    "offer",
    "candidate",
    "publish",
    "unpublish",
    "mute",
    "update_state",
    "set_subscription",
    "set_viewport",
    "first_frame",
    "live_status",
    "ping",
    "leave",
    "open_lobby",
    "go_live",
    "end_session",
    "admit",
    "deny",
    "remove",
    "set_locked",
    "hand_over",
    "ask_to_unmute",
    "lower_hand",
];

/// Read a client's text: a JSON object with a `type`, and perhaps a `request_id`. Unknown fields are
/// passed over, so that newer clients may say more.
pub fn parse_client_message(text: &str) -> Result<ClientRequest, ParseError> {
    let malformed = |request_id, reason: String| ParseError::Malformed { request_id, reason };
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| malformed(None, format!("not JSON: {error}")))?;
    let Some(object) = value.as_object() else {
        return Err(malformed(None, "not a JSON object".into()));
    };
    let request_id = match object.get("request_id") {
        None | Some(serde_json::Value::Null) => None,
        Some(number) => match number.as_u64().and_then(|n| u32::try_from(n).ok()) {
            Some(number) => Some(number),
            None => return Err(malformed(None, "request_id is not a 32-bit number".into())),
        },
    };
    let Some(name) = object.get("type").and_then(|name| name.as_str()) else {
        return Err(malformed(request_id, "there is no \"type\"".into()));
    };
    if !TYPES.contains(&name) {
        let name = name.chars().take(64).collect();
        return Err(ParseError::UnknownType { request_id, name });
    }
    let message =
        serde_json::from_value(value).map_err(|error| malformed(request_id, error.to_string()))?;
    Ok(ClientRequest {
        request_id,
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_and_its_number_are_read() {
        let request = parse_client_message(r#"{"type":"ping","request_id":7}"#).unwrap();
        assert_eq!(
            request,
            ClientRequest {
                request_id: Some(7),
                message: ClientMessage::Ping
            }
        );
    }

    #[test]
    fn each_fault_of_a_text_is_told_apart() {
        let malformed = [
            "",
            "[]",
            "{",
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"offer"}"#,
            r#"{"type":"ping","request_id":-1}"#,
        ];
        for text in malformed {
            assert!(
                matches!(
                    parse_client_message(text),
                    Err(ParseError::Malformed { .. })
                ),
                "{text}"
            );
        }
        let unknown = parse_client_message(r#"{"type":"dance","request_id":3}"#);
        assert_eq!(
            unknown,
            Err(ParseError::UnknownType {
                request_id: Some(3),
                name: "dance".into()
            })
        );
    }

    #[test]
    fn what_a_join_leaves_out_has_a_sensible_value() {
        let request = parse_client_message(r#"{"type":"join","token":"t"}"#).unwrap();
        let ClientMessage::Join(join) = request.message else {
            panic!("a join")
        };
        assert!(
            join.subscribe_automatically
                && join.resume.is_none()
                && join.state == StateUpdate::default()
        );
    }
}
