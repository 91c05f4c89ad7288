//! One turn of the state machine in one room: what it needs to know, and the effects it gathers. It
//! decides nothing.

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

/// The last message of a server that is being stopped.
pub(crate) fn server_stopping() -> Goodbye {
    let message = "The server is being stopped.".into();
    Goodbye {
        code: ErrorCode::ServerStopping,
        message,
        reconnect: true,
    }
}
