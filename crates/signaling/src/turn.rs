//! One turn of the state machine in one room: what it needs to know, and the effects it gathers. It
//! decides nothing.

use std::time::Duration;

use protocol::record::Write;
use protocol::{ConnectionId, ErrorBody, ErrorCode, Goodbye, RoomId, ServerMessage, Timestamp};

use crate::index::{Index, Place, Seat};
use crate::{Effect, Limits, MediaEffect};

/// One turn of the state machine in one room.
pub(crate) struct Turn<'a> {
    pub(crate) now: Timestamp,
    pub(crate) room: RoomId,
    pub(crate) limits: &'a Limits,
    pub(crate) index: &'a mut Index,
    pub(crate) effects: &'a mut Vec<Effect>,
    /// How often a key went live where another one had.
    pub(crate) conflicts: &'a mut u64,
}

impl Turn<'_> {
    /// A seat of this room, as the index names it.
    pub(crate) fn place(&self, seat: Seat) -> Place {
        Place {
            room: self.room,
            seat,
        }
    }

    /// Tells connections; nothing if there are none.
    pub(crate) fn send(&mut self, to: Vec<ConnectionId>, message: ServerMessage) {
        if !to.is_empty() {
            self.effects.push(Effect::Send { to, message });
        }
    }

    /// Asks something of the media plane.
    pub(crate) fn media(&mut self, effect: MediaEffect) {
        self.effects.push(Effect::Media {
            room: self.room,
            effect,
        });
    }

    /// Sends a promise, when all that was written down until now is committed.
    pub(crate) fn acknowledge(&mut self, to: ConnectionId, message: ServerMessage) {
        self.effects.push(Effect::Acknowledge { to, message });
    }

    /// Writes something down.
    pub(crate) fn write(&mut self, write: Write) {
        self.effects.push(Effect::Write(write));
    }

    /// Says goodbye to a connection and closes it, when what was written down until now is committed.
    pub(crate) fn acknowledge_goodbye(&mut self, connection: ConnectionId, goodbye: Goodbye) {
        self.index.connections.remove(&connection);
        self.acknowledge(connection, ServerMessage::Goodbye(goodbye));
        self.effects.push(Effect::Close { connection });
    }

    /// Says goodbye to a connection and closes it.
    pub(crate) fn say_goodbye(&mut self, connection: ConnectionId, goodbye: Goodbye) {
        self.index.connections.remove(&connection);
        self.send(vec![connection], ServerMessage::Goodbye(goodbye));
        self.effects.push(Effect::Close { connection });
    }
}

/// The refusal of what a message asked for.
pub(crate) fn refusal(
    connection: ConnectionId,
    request_id: Option<u32>,
    error: ErrorBody,
) -> Effect {
    let message = ServerMessage::Error(error.in_answer_to(request_id));
    Effect::Send {
        to: vec![connection],
        message,
    }
}

/// As the wire has it.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The last message to a connection whose place another one took.
pub(crate) fn taken_over() -> Goodbye {
    let message = "Somebody with your identity joined from another connection.".into();
    Goodbye {
        code: ErrorCode::TakenOver,
        message,
        reconnect: false,
    }
}

/// The last message to one who leaves.
pub(crate) fn left() -> Goodbye {
    Goodbye {
        code: ErrorCode::Left,
        message: "You left the room.".into(),
        reconnect: false,
    }
}

/// The last message to one who waited in vain.
pub(crate) fn denied() -> Goodbye {
    Goodbye {
        code: ErrorCode::Denied,
        message: "A moderator did not let you in.".into(),
        reconnect: false,
    }
}

/// The last message to one who is put out.
pub(crate) fn removed(is_banned: bool) -> Goodbye {
    let (code, message) = match is_banned {
        true => (ErrorCode::Banned, "A moderator banned you from the room."),
        false => (ErrorCode::Removed, "A moderator put you out of the room."),
    };
    Goodbye {
        code,
        message: message.into(),
        reconnect: false,
    }
}

/// The last message of a session.
pub(crate) fn session_ended(message: &str) -> Goodbye {
    Goodbye {
        code: ErrorCode::SessionEnded,
        message: message.into(),
        reconnect: false,
    }
}

/// The last message of a server that is being stopped.
pub(crate) fn server_stopping() -> Goodbye {
    let message = "The server is being stopped.".into();
    Goodbye {
        code: ErrorCode::ServerStopping,
        message,
        reconnect: true,
    }
}
