//! What a participant tells whoever watches it.

use bytes::Bytes;
use protocol::{ParticipantId, ServerMessage, TrackId};

/// What a participant tells whoever watches it.
#[derive(Clone, Debug)]
pub enum Event {
    /// The server said something.
    Message(Box<ServerMessage>),
    /// The media connection came into another state, in the words of `RTCPeerConnection.connectionState`.
    Connection {
        /// The state.
        state: String,
    },
    /// The first packet of a track came.
    TrackStarted {
        /// Which.
        track: TrackId,
    },
    /// A data channel is open.
    DataOpen {
        /// Its label.
        channel: String,
    },
    /// A message came on a data channel.
    Data(DataMessage),
    /// The server did what it must not.
    Fault {
        /// What.
        what: String,
    },
    /// The WebSocket is over.
    Closed {
        /// Why.
        reason: String,
    },
}

/// A message on a data channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataMessage {
    /// The channel's label.
    pub channel: String,
    /// Who sent it, as the server says. `None` in a message that is yet to be sent.
    pub from: Option<ParticipantId>,
    /// The sender sent text.
    pub is_text: bool,
    /// The message.
    pub payload: Bytes,
}

/// Bytes of the sender's id before a relayed message.
const SENDER_BYTES: usize = 16;

impl DataMessage {
    /// Read a relayed message: sender, kind, payload (docs/protocol.md, "Data channels").
    pub fn read(channel: &str, message: &[u8]) -> Option<Self> {
        let from = std::str::from_utf8(message.get(..SENDER_BYTES)?)
            .ok()?
            .parse()
            .ok()?;
        let is_text = match message.get(SENDER_BYTES)? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let payload = Bytes::copy_from_slice(message.get(SENDER_BYTES + 1..)?);
        Some(Self {
            channel: channel.to_owned(),
            from: Some(from),
            is_text,
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relayed_message_says_from_whom_it_is() {
        let from = ParticipantId::from_bits(12);
        let mut bytes = from.to_string().into_bytes();
        bytes.extend_from_slice(b"\x01hello");
        let message = DataMessage::read("lossy", &bytes).unwrap();
        assert_eq!(
            (message.from, message.is_text, &message.payload[..]),
            (Some(from), true, &b"hello"[..])
        );
    }

    #[test]
    fn what_was_not_relayed_in_order_is_told_apart() {
        assert_eq!(DataMessage::read("lossy", b""), None);
        assert_eq!(
            DataMessage::read("lossy", b"hello, everybody in the room"),
            None
        );
        let mut bytes = ParticipantId::from_bits(12).to_string().into_bytes();
        bytes.push(2);
        assert_eq!(DataMessage::read("lossy", &bytes), None);
    }
}
