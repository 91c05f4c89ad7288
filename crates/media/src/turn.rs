//! One turn's media. What comes is only noted; at the end of the turn it goes out peer by peer, each sealed into
//! the one buffer that all share and handed to the socket before the next is begun. So each peer's packets leave
//! in long runs, from memory that the processor still has, and the first peer does not wait for the last.

use std::collections::VecDeque;
use std::hint::black_box;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use slab::Slab;

use crate::delivery::Desk;
use crate::event::Event;
use crate::forwarded::{Forwarded, Kept};
use crate::inbound::Track;
use crate::inbound::track::Subscriber;
use crate::peer::Peer;
use crate::statistics::Statistics;
use crate::transmit::Transmit;
use crate::transport::Outbox;

/// Packets of a turn: more would let the first ones wait for the last.
const PACKETS: usize = 64;

/// A subscription whose track has packets in this turn, by the track's index in it.
#[derive(Clone, Copy)]
struct Due {
    track: usize,
    subscriber: Subscriber,
}

impl Due {
    fn is_of_the_same_peer(&self, other: &Self) -> bool {
        self.subscriber.peer == other.subscriber.peer
    }
}

/// Subscriptions that are fetched together.
const TOGETHER: usize = 16;

/// Packets that came in this turn and are not forwarded yet.
#[derive(Default)]
pub(crate) struct Turn {
    /// Places of the tracks that they are of. A track knows its index here.
    tracks: Vec<usize>,
    /// Who may get some, track by track. Peers themselves are looked at only when they are served: what is known
    /// of hundreds of them is not in the processor's caches, and is fetched once.
    due: Vec<Due>,
    packets: usize,
    is_full: bool,
    /// Places of peers for which there was no room for everything.
    holding: Vec<usize>,
    /// What is sealed for the peer that is being served.
    outbox: Outbox,
}

impl Turn {
    /// Packets should be delivered before more are noted: a cache could lose what is not forwarded yet, and what
    /// came first has waited enough.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full || self.packets >= PACKETS
    }

    /// A packet of the track at `place` has come, is kept, and waits to be forwarded.
    pub(crate) fn note(&mut self, place: usize, track: &mut Track, kept: Kept) {
        if track.pending.is_empty() {
            let index = self.tracks.len();
            track.turn_index = index;
            self.tracks.push(place);
            let due = |subscriber: &Subscriber| Due {
                track: index,
                subscriber: *subscriber,
            };
            self.due.extend(track.subscribers.iter().map(due));
        }
        track.pending.push(kept);
        self.packets += 1;
        let cached = track.layers[kept.layer].cache.size();
        self.is_full |= track.pending.len() >= cached / 2;
    }

    /// The places of peers for which there was no room for everything, since last asked.
    pub(crate) fn take_holding(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.holding)
    }

    /// Forward everything. Gives the places of peers over which the server stumbled.
    pub(crate) fn deliver(
        &mut self,
        now: Instant,
        peers: &mut Slab<Peer>,
        tracks: &mut Slab<Track>,
        statistics: &mut Statistics,
        events: &mut VecDeque<Event>,
        send: &mut impl FnMut(Transmit<'_>),
    ) -> Vec<usize> {
        let mut faults = Vec::new();
        if self.tracks.is_empty() {
            return faults;
        }
        let packets = Packets::read(&self.tracks, tracks);
        let mut desk = Desk {
            now,
            statistics,
            events,
        };
        // Nobody has two subscriptions to one track.
        if self.tracks.len() > 1 {
            self.due
                .sort_unstable_by_key(|due| (due.subscriber.peer, due.track));
        }
        let mut moved = Vec::new();
        let (mut fetched, mut reached) = (0, 0);
        for due in self.due.chunk_by(Due::is_of_the_same_peer) {
            if reached >= fetched {
                fetched = self.due.len().min(reached + TOGETHER);
                fetch(peers, &self.due[reached..fetched]);
            }
            reached += due.len();
            let place = due[0].subscriber.peer;
            let Some(peer) = peers.get_mut(place) else {
                continue;
            };
            if !peer.transport.is_connected() {
                continue;
            }
            peer.transport.swap_outbox(&mut self.outbox);
            let served = catch_unwind(AssertUnwindSafe(|| {
                serve(&mut desk, peer, due, &packets, &mut moved);
            }));
            peer.transport.swap_outbox(&mut self.outbox);
            if !peer.held.is_empty() {
                self.holding.push(place);
            }
            if served.is_err() {
                faults.push(place);
                self.outbox.clear();
            }
            self.outbox.flush(peer.transport.ice.path(), send);
        }
        for due in moved {
            if let Some(track) = tracks.get_mut(self.tracks[due.track]) {
                track.note_place(due.subscriber);
            }
        }
        self.due.clear();
        for place in self.tracks.drain(..) {
            if let Some(track) = tracks.get_mut(place) {
                track.pending.clear();
            }
        }
        self.packets = 0;
        self.is_full = false;
        faults
    }
}

/// Reads a little of all that serving these will need. Of hundreds of peers little is in the processor's caches, and
/// what is asked for at once arrives at once; what is asked for while one is served is waited for each time.
fn fetch(peers: &Slab<Peer>, due: &[Due]) {
    let mut read = 0;
    for Due { subscriber, .. } in due {
        read ^= peers
            .get(subscriber.peer)
            .map_or(0, |peer| peer.fetch(subscriber.outbound));
    }
    black_box(read);
}

/// Everything that waits for one peer. Subscriptions that are at another place than when last seen are `moved`.
fn serve(
    desk: &mut Desk<'_>,
    peer: &mut Peer,
    due: &[Due],
    packets: &Packets<'_>,
    moved: &mut Vec<Due>,
) {
    #[cfg(test)]
    assert_ne!(peer.remote_ufrag, tests::FAULT);
    for due in due {
        // It may have ended since its track was noted.
        let Some(place) = peer.outbound_place(&due.subscriber) else {
            continue;
        };
        if place != due.subscriber.outbound {
            let mut now_at = *due;
            now_at.subscriber.outbound = place;
            moved.push(now_at);
        }
        for forwarded in packets.of(due.track) {
            desk.deliver(peer, place, forwarded);
        }
    }
}

/// The packets of a turn, read once for all subscribers.
struct Packets<'a> {
    all: Vec<Forwarded<'a>>,
    /// Of each track, by its index in the turn.
    ranges: Vec<Range<usize>>,
}

impl<'a> Packets<'a> {
    fn read(places: &[usize], tracks: &'a Slab<Track>) -> Self {
        let mut packets = Self {
            all: Vec::new(),
            ranges: Vec::with_capacity(places.len()),
        };
        for (index, place) in places.iter().enumerate() {
            let first = packets.all.len();
            // A track may have ended since, and another one have its place.
            let track = tracks.get(*place).filter(|track| track.turn_index == index);
            if let Some(track) = track {
                let kept = track.pending.iter();
                packets
                    .all
                    .extend(kept.filter_map(|kept| Forwarded::read(track, *kept)));
            }
            packets.ranges.push(first..packets.all.len());
        }
        packets
    }

    /// Those of the track with this index in the turn.
    fn of(&self, track: usize) -> &[Forwarded<'a>] {
        &self.all[self.ranges[track].clone()]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    /// To forward to a peer with this name is a fault.
    pub(crate) const FAULT: &str = "a fault is planted";
}
