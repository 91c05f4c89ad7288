//! What can go wrong, as stable codes with a sentence and a hint.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A fault, told to whoever made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ErrorBody {
    /// The number of the message that could not be carried out, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub request_id: Option<u32>,
    /// Stable, for programs.
    pub code: ErrorCode,
    /// What is wrong, for people.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl ErrorBody {
    /// The error with its usual hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            request_id: None,
            code,
            message: message.into(),
            hint: code.hint().into(),
        }
    }

    /// The same error, as the answer to the message with this number.
    pub fn in_answer_to(self, request_id: Option<u32>) -> Self {
        Self { request_id, ..self }
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident $code:literal $hint:literal;)*) => {
        /// What can go wrong. The words never change their meaning; new ones may come.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(ts_rs::TS))]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $name,)*
        }

        impl ErrorCode {
            /// Every code, for documentation and tests.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$name,)*];

            /// The code as on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$name => $code,)* }
            }

            /// What whoever gets this code should do.
            pub const fn hint(self) -> &'static str {
                match self { $(ErrorCode::$name => $hint,)* }
            }
        }
    };
}

codes! {
    /// Not JSON, not an object, or with a field that is missing or of the wrong type.
    MalformedMessage "malformed_message" "Send one JSON object a message, as docs/protocol.md shows.";
    /// The `type` is none that the server knows.
    UnknownType "unknown_type" "The types a client may send are listed in docs/protocol.md.";
    /// The message is larger than the limit.
    MessageTooLarge "message_too_large" "A message may have 320 KiB; send large data over a data channel or HTTP.";
    /// Too many messages, or joins from one address, in too short a time.
    TooFast "too_fast" "Wait a second, and send fewer messages.";
    /// Anything but `join` came first.
    NotJoined "not_joined" "Send join first, and wait for joined.";
    /// A second `join` on one connection.
    AlreadyJoined "already_joined" "One connection is one participant: open another WebSocket.";
    /// No `join` within the time for it.
    AuthenticationTimeout "authentication_timeout" "Send join within 5 seconds of connecting.";
    /// The token is not one: wrong form, wrong signature, unknown key, or without a needed claim.
    TokenInvalid "token_invalid" "Ask your backend for a new token, signed with a key and secret of this server.";
    /// The token's time is over, or has not begun.
    TokenExpired "token_expired" "Ask your backend for a new token, and check the clocks.";
    /// The token is for another room, or for none.
    WrongRoom "wrong_room" "Ask your backend for a token that grants this room.";
    /// The room has as many participants as it may have.
    RoomFull "room_full" "Try again when somebody has left.";
    /// The server has as many rooms or participants as it may have.
    ServerFull "server_full" "Try again later, or ask the operator to raise the limit.";
    /// The token's grant does not allow this.
    NotPermitted "not_permitted" "Ask your backend for a token with the grant for it.";
    /// There is no such track here, or no longer.
    TrackNotFound "track_not_found" "Use the id of a track that is published now.";
    /// The SDP offer cannot be answered.
    InvalidOffer "invalid_offer" "Send the unchanged SDP of RTCPeerConnection.createOffer, with BUNDLE and rtcp-mux.";
    /// More tracks than one participant may publish.
    TooManyTracks "too_many_tracks" "Unpublish a track first.";
    /// A name, a mid or another text is longer than it may be.
    TextTooLong "text_too_long" "Shorten the text; the limits are in docs/protocol.md.";
    /// A name, a key or another text has a control character, as a line break or NUL.
    TextInvalid "text_invalid" "Leave out the control characters.";
    /// The room does not exist.
    RoomNotFound "room_not_found" "Check the room's name or id; GET /api/rooms lists those you may see.";
    /// The name is taken.
    RoomExists "room_exists" "Choose another name, or use the room that has it.";
    /// The session does not exist in this room.
    SessionNotFound "session_not_found" "Check the session's id; the room's sessions are listed under /sessions.";
    /// What was asked is not possible in the state that the session is in.
    SessionState "session_state" "Look at the session's state, and ask for what is possible in it.";
    /// There is no such participant in the room, or no longer.
    ParticipantNotFound "participant_not_found" "Use the id of somebody who is in the room now.";
    /// You wait outside, and may do nothing but wait or leave.
    NotAdmitted "not_admitted" "Wait for joined.";
    /// A moderator did not let you in.
    Denied "denied" "Ask the host.";
    /// A moderator put you out of the room.
    Removed "removed" "Ask the host.";
    /// You may not enter this room.
    Banned "banned" "Ask the room's owner to lift the ban.";
    /// The room is locked: nobody new is let in.
    RoomLocked "room_locked" "Ask the host to unlock the room.";
    /// The session has ended.
    SessionEnded "session_ended" "The host can go live again; join again then.";
    /// The server cannot write down what you ask for at the moment. Nothing was done.
    Unavailable "unavailable" "Try again in a few seconds.";
    /// A value of the request is missing or not possible.
    InvalidRequest "invalid_request" "Look at /api/openapi.json for what each field may be.";
    /// Another connection with the same identity took this one's place.
    TakenOver "taken_over" "You are in the room from another tab or device; close one of them.";
    /// You left.
    Left "left" "Join again when you like.";
    /// Nothing was heard from the client for the time of `ping_timeout_ms`.
    PingTimeout "ping_timeout" "Connect again with resume.";
    /// The client reads too slowly; what waits for it is over the limit.
    TooSlow "too_slow" "Connect again with resume, and read messages as they come.";
    /// The server is being stopped.
    ServerStopping "server_stopping" "Connect again with resume in a few seconds.";
    /// A fault of the server's own.
    Internal "internal" "Connect again; if it happens again, tell the operator the time and your participant id.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_on_the_wire_as_it_names_itself() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
