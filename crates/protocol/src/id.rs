//! Ids: a newtype for each thing that has one, so that a `ParticipantId` is never taken for a `TrackId`.
//!
//! On the wire an id is a two-letter prefix, `_`, and 13 characters of Crockford's base 32 for
//! 64 bits: `PA_0G3KZ8Q4T1V5M`. In memory it is those 64 bits: `Copy`, and cheap to compare. Ids are
//! made at the rim from random numbers and never here; they name things and are no secret.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Crockford's base 32: no I, L, O, U, so that an id can be read aloud.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters after the prefix: 13 × 5 = 65 bits hold 64.
const DIGITS: usize = 13;

/// A string that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {expected}_ and 13 characters")]
pub struct InvalidId {
    expected: &'static str,
}

fn encode(prefix: &str, bits: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0u8; DIGITS];
    for (index, character) in text.iter_mut().enumerate() {
        let shift = 5 * (DIGITS - 1 - index);
        *character = ALPHABET[(bits >> shift) as usize & 31];
    }
    let text = std::str::from_utf8(&text).map_err(|_| fmt::Error)?;
    write!(f, "{prefix}_{text}")
}

fn decode(prefix: &'static str, text: &str) -> Result<u64, InvalidId> {
    let invalid = InvalidId { expected: prefix };
    let digits = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|digits| digits.len() == DIGITS)
        .ok_or(invalid.clone())?;
    let mut bits: u128 = 0;
    for character in digits.bytes() {
        let value = ALPHABET
            .iter()
            .position(|&a| a == character)
            .ok_or(invalid.clone())?;
        bits = (bits << 5) | value as u128;
    }
    u64::try_from(bits).map_err(|_| invalid)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// The id with these 64 bits, chosen at random by the caller.
            pub const fn from_bits(bits: u64) -> Self {
                Self(bits)
            }

            /// The 64 bits of this id.
            pub const fn bits(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                encode($prefix, self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                decode($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A room: one that stays, or one from its first join to its last leave.
    RoomId,
    "RM"
);
id!(
    /// One person's stay in one room. Kept across a refresh, a resume and another tab.
    ParticipantId,
    "PA"
);
id!(
    /// One published microphone, camera or screen.
    TrackId,
    "TR"
);
id!(
    /// One run of a room.
    SessionId,
    "SE"
);
id!(
    /// One `RTCPeerConnection` of a participant with the server. Never on the WebSocket.
    PeerId,
    "PE"
);
id!(
    /// One WebSocket. Never on the wire.
    ConnectionId,
    "CO"
);

/// Who a participant is, in the words of whoever signed the token (its `sub`). Unique in a room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
#[serde(transparent)]
pub struct Identity(pub String);

/// A room's name, as the token grants it. Unique on the server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
#[serde(transparent)]
pub struct RoomName(pub String);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_itself() {
        for bits in [0, 1, 31, 32, u64::MAX, 0x0123_4567_89ab_cdef] {
            let id = TrackId::from_bits(bits);
            assert_eq!(id.to_string().len(), 16);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn an_id_of_another_kind_or_of_another_length_is_refused() {
        let participant = ParticipantId::from_bits(7).to_string();
        assert!(participant.parse::<TrackId>().is_err());
        for text in [
            "",
            "TR_",
            "TR_0",
            "TR_00000000000000",
            "TR_ZZZZZZZZZZZZZ",
            "TR_000000000000l",
            "TR_éééééé0",
        ] {
            assert!(text.parse::<TrackId>().is_err(), "{text}");
        }
    }
}
