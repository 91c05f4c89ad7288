//! Where each connection, peer and track belongs, who is away until when, and how much there is: found
//! without asking every room. It holds no fact of its own: rooms say what is true, and `check_invariants` compares.

use std::collections::{BTreeSet, HashMap};

use protocol::{ConnectionId, PeerId, RoomId, Timestamp, TrackId};

/// A participant's place in the order of joining of one room. Never given twice in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Seat(pub(crate) u64);

/// Where a participant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) room: RoomId,
    pub(crate) seat: Seat,
}

/// Where each connection, peer and track belongs, and who is away until when.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) connections: HashMap<ConnectionId, Place>,
    pub(crate) peers: HashMap<PeerId, Place>,
    pub(crate) tracks: HashMap<TrackId, Place>,
    /// Those away, by the moment at which they are gone.
    pub(crate) away: BTreeSet<(Timestamp, Place)>,
    /// Rooms in which something is due, by the moment.
    pub(crate) due: BTreeSet<(Timestamp, RoomId)>,
    /// Rooms with somebody in them.
    pub(crate) open_rooms: usize,
    /// Those who wait outside, those away included.
    pub(crate) waiting: usize,
    /// Sessions in the lobby or live.
    pub(crate) running: usize,
}

impl Index {
    /// Everybody on the server: each is either present, with one connection, or away.
    pub(crate) fn participants(&self) -> usize {
        self.connections.len() + self.away.len()
    }
}
