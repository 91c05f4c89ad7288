//! Which worker serves which peer: a room's peers stay together on one worker, until they are too many for it or
//! it is too busy; then the next ones go elsewhere. It commands no worker, and moves nobody who has a place.

use std::collections::HashMap;

use protocol::RoomId;

/// A worker's index.
pub(crate) type Worker = usize;

/// From this share of its time in work on, in percent, a worker takes no more peers while another is less busy:
/// what is left is for key frames, which come in bursts.
const BUSY: u8 = 70;

/// Rooms on workers. As large as the rooms' limits let it be.
#[derive(Debug)]
pub(crate) struct Placement {
    rooms: HashMap<RoomId, Room>,
    loads: Vec<Load>,
    /// Peers of one room that one worker takes before others do; 0: all.
    room_peers_per_worker: usize,
}

#[derive(Debug)]
struct Room {
    /// The workers that serve it with how many of its peers, its home first, and then in the order in which
    /// they were needed. The home stays, even when nobody is left on it.
    places: Vec<(Worker, usize)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Load {
    peers: usize,
    rooms: usize,
}

/// What came of a peer's coming or going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) worker: Worker,
    /// The room is on this worker since this peer came; or no longer, since it went.
    pub(crate) has_changed: bool,
}

impl Placement {
    pub(crate) fn new(workers: usize, room_peers_per_worker: usize) -> Self {
        Self {
            rooms: HashMap::new(),
            loads: vec![Load::default(); workers.max(1)],
            room_peers_per_worker,
        }
    }

    /// A room opens: its home is the least loaded worker. `busy` is how many percent of its time a worker works.
    pub(crate) fn open_room(&mut self, room: RoomId, busy: impl Fn(Worker) -> u8) -> Worker {
        let home = self.least_loaded(busy);
        let places = vec![(home, 0)];
        if self.rooms.insert(room, Room { places }).is_none() {
            self.loads[home].rooms += 1;
        }
        home
    }

    pub(crate) fn close_room(&mut self, room: RoomId) {
        let Some(room) = self.rooms.remove(&room) else {
            return;
        };
        self.loads[room.home()].rooms -= 1;
        for (worker, peers) in room.places {
            self.loads[worker].peers -= peers;
        }
    }

    /// A peer of an open room comes.
    pub(crate) fn open_peer(
        &mut self,
        room: RoomId,
        busy: impl Fn(Worker) -> u8,
    ) -> Option<Placed> {
        let limit = self.room_peers_per_worker;
        let has_room = |(worker, peers): &&(Worker, usize)| {
            limit == 0 || (*peers < limit && busy(*worker) < BUSY)
        };
        let places = &self.rooms.get(&room)?.places;
        let worker = match places.iter().find(has_room) {
            Some((worker, _)) => *worker,
            None => self.least_loaded(&busy),
        };
        self.loads[worker].peers += 1;
        let peers = self.rooms.get_mut(&room)?.peers_mut(worker);
        *peers += 1;
        let has_changed = *peers == 1;
        Some(Placed {
            worker,
            has_changed,
        })
    }

    /// A peer of a room that is still open goes.
    pub(crate) fn close_peer(&mut self, room: RoomId, worker: Worker) -> Option<Placed> {
        let room = self.rooms.get_mut(&room)?;
        let peers = room.peers_mut(worker);
        *peers = peers.saturating_sub(1);
        let has_changed = *peers == 0;
        let home = room.home();
        room.places
            .retain(|(place, peers)| *peers > 0 || *place == home);
        self.loads[worker].peers -= 1;
        Some(Placed {
            worker,
            has_changed,
        })
    }

    /// The workers that have peers of a room.
    pub(crate) fn workers_of(&self, room: RoomId) -> Vec<Worker> {
        let places = self.rooms.get(&room).map(|room| &room.places[..]);
        let used = places.unwrap_or_default().iter();
        used.filter(|(_, peers)| *peers > 0)
            .map(|(worker, _)| *worker)
            .collect()
    }

    fn least_loaded(&self, busy: impl Fn(Worker) -> u8) -> Worker {
        let key = |worker: &Worker| {
            let load = self.loads[*worker];
            (busy(*worker) >= BUSY, load.peers, load.rooms)
        };
        (0..self.loads.len()).min_by_key(key).unwrap_or_default()
    }
}

impl Room {
    fn home(&self) -> Worker {
        self.places.first().map_or(0, |(worker, _)| *worker)
    }

    fn peers_mut(&mut self, worker: Worker) -> &mut usize {
        let known = self.places.iter().position(|(place, _)| *place == worker);
        let index = known.unwrap_or_else(|| {
            self.places.push((worker, 0));
            self.places.len() - 1
        });
        &mut self.places[index].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMS: [RoomId; 4] = [
        RoomId::from_bits(1),
        RoomId::from_bits(2),
        RoomId::from_bits(3),
        RoomId::from_bits(4),
    ];

    fn idle(_: Worker) -> u8 {
        0
    }

    fn join(placement: &mut Placement, room: RoomId, busy: impl Fn(Worker) -> u8) -> Worker {
        placement.open_peer(room, busy).unwrap().worker
    }

    #[test]
    fn a_room_opens_where_the_fewest_peers_are_and_then_the_fewest_rooms() {
        let mut placement = Placement::new(2, 10);
        let [a, b, c, d] = ROOMS;
        assert_eq!(placement.open_room(a, idle), 0);
        assert_eq!(placement.open_room(b, idle), 1);
        assert_eq!(join(&mut placement, a, idle), 0);
        assert_eq!(placement.open_room(c, idle), 1);
        placement.close_peer(a, 0);
        assert_eq!(placement.open_room(d, idle), 0);
        placement.close_room(c);
        assert_eq!(placement.open_peer(c, idle), None);
        let of = |peers, rooms| Load { peers, rooms };
        assert_eq!(placement.loads, [of(0, 2), of(0, 1)]);
    }

    #[test]
    fn a_room_stays_on_its_worker_until_it_is_full_and_comes_back_to_it() {
        let mut placement = Placement::new(3, 2);
        let [room, other, ..] = ROOMS;
        placement.open_room(room, idle);
        placement.open_room(other, idle);
        assert_eq!(join(&mut placement, other, idle), 1);
        let workers: Vec<_> = (0..5).map(|_| join(&mut placement, room, idle)).collect();
        assert_eq!(workers, [0, 0, 2, 2, 1]);
        assert_eq!(placement.workers_of(room), [0, 2, 1]);
        placement.close_peer(room, 0);
        assert_eq!(join(&mut placement, room, idle), 0);
        assert_eq!(join(&mut placement, room, idle), 1);
        // Full everywhere: where the fewest are.
        assert_eq!(join(&mut placement, room, idle), 2);
    }

    #[test]
    fn who_comes_or_goes_first_and_last_on_a_worker_is_told() {
        let mut placement = Placement::new(2, 1);
        let room = ROOMS[0];
        placement.open_room(room, idle);
        let placed = |worker, has_changed| {
            Some(Placed {
                worker,
                has_changed,
            })
        };
        assert_eq!(placement.open_peer(room, idle), placed(0, true));
        assert_eq!(placement.open_peer(room, idle), placed(1, true));
        assert_eq!(placement.open_peer(room, idle), placed(1, false));
        assert_eq!(placement.close_peer(room, 1), placed(1, false));
        assert_eq!(placement.close_peer(room, 0), placed(0, true));
        assert_eq!(placement.workers_of(room), [1]);
        assert_eq!(placement.close_peer(room, 1), placed(1, true));
        assert_eq!(placement.workers_of(room), [0; 0]);
    }

    #[test]
    fn a_busy_worker_gets_nobody_while_another_is_less_busy() {
        let mut placement = Placement::new(2, 100);
        let room = ROOMS[0];
        placement.open_room(room, idle);
        assert_eq!(join(&mut placement, room, idle), 0);
        let first_is_busy = |worker| if worker == 0 { 90 } else { 20 };
        assert_eq!(join(&mut placement, room, first_is_busy), 1);
        assert_eq!(join(&mut placement, room, idle), 0);
        assert_eq!(placement.open_room(ROOMS[1], first_is_busy), 1);
        let both_are_busy = |_| 90;
        assert_eq!(join(&mut placement, room, both_are_busy), 1);
        assert_eq!(join(&mut placement, room, both_are_busy), 0);
    }

    #[test]
    fn without_a_limit_a_room_never_spills_over() {
        let mut placement = Placement::new(2, 0);
        let room = ROOMS[0];
        placement.open_room(room, idle);
        let busy = |worker| if worker == 0 { 99 } else { 0 };
        assert!((0..1_000).all(|_| join(&mut placement, room, busy) == 0));
    }
}
