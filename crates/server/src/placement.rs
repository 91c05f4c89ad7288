//! Which worker serves which room: the one with the fewest peers when the room opens, for as long as it is
//! open. It commands no worker.

use std::collections::HashMap;

use protocol::{PeerId, RoomId};

/// A worker's index.
pub(crate) type Worker = usize;

/// Rooms and peers on workers. Both maps are as large as the rooms' limits let them be.
#[derive(Debug)]
pub(crate) struct Placement {
    rooms: HashMap<RoomId, Worker>,
    peers: HashMap<PeerId, Worker>,
    loads: Vec<Load>,
}

/// In the order that matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Load {
    peers: usize,
    rooms: usize,
}

impl Placement {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            rooms: HashMap::new(),
            peers: HashMap::new(),
            loads: vec![Load::default(); workers.max(1)],
        }
    }

    /// A room opens: on this worker from now on.
    pub(crate) fn open_room(&mut self, room: RoomId) -> Worker {
        let least = self.loads.iter().enumerate().min_by_key(|(_, load)| **load);
        let worker = least.map_or(0, |(worker, _)| worker);
        if self.rooms.insert(room, worker).is_none() {
            self.loads[worker].rooms += 1;
        }
        worker
    }

    pub(crate) fn close_room(&mut self, room: RoomId) {
        if let Some(worker) = self.rooms.remove(&room) {
            self.loads[worker].rooms -= 1;
        }
    }

    /// The worker of an open room.
    pub(crate) fn worker_of(&self, room: RoomId) -> Option<Worker> {
        self.rooms.get(&room).copied()
    }

    pub(crate) fn open_peer(&mut self, peer: PeerId, worker: Worker) {
        if self.peers.insert(peer, worker).is_none() {
            self.loads[worker].peers += 1;
        }
    }

    /// A peer is gone; told twice it counts once, as both sides may end it.
    pub(crate) fn close_peer(&mut self, peer: PeerId) {
        if let Some(worker) = self.peers.remove(&peer) {
            self.loads[worker].peers -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_opens_where_the_fewest_peers_are_and_then_the_fewest_rooms() {
        let mut placement = Placement::new(2);
        let [a, b, c, d] = [1, 2, 3, 4].map(RoomId::from_bits);
        assert_eq!((placement.open_room(a), placement.open_room(b)), (0, 1));
        placement.open_peer(PeerId::from_bits(1), 0);
        assert_eq!(placement.open_room(c), 1);
        placement.close_peer(PeerId::from_bits(1));
        placement.close_peer(PeerId::from_bits(1));
        assert_eq!(placement.open_room(d), 0);
        assert_eq!(placement.worker_of(c), Some(1));
        placement.close_room(c);
        assert_eq!(placement.worker_of(c), None);
        assert_eq!(
            placement.loads,
            [Load { peers: 0, rooms: 2 }, Load { peers: 0, rooms: 1 }]
        );
    }
}
