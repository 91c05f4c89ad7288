//! One turn's media. What comes is only noted; at the end of the turn it goes out peer by peer, each sealed into
//! the one buffer that all share and handed to the socket before the next is begun. So each peer's packets leave
//! in long runs, from memory that the processor still has, and the first peer does not wait for the last.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use slab::Slab;

use crate::delivery::Desk;
use crate::event::Event;
use crate::forwarded::{Forwarded, Kept};
use crate::inbound::Track;
use crate::peer::Peer;
use crate::statistics::Statistics;
use crate::transmit::Transmit;
use crate::transport::Outbox;

/// Packets of a turn: more would let the first ones wait for the last.
const PACKETS: usize = 64;

/// Packets that came in this turn and are not forwarded yet.
#[derive(Default)]
pub(crate) struct Turn {
    /// Places of the tracks that they are of. A track knows its index here.
    tracks: Vec<usize>,
    /// Places of the peers that may get some.
    peers: Vec<usize>,
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
    pub(crate) fn note(
        &mut self,
        peers: &mut Slab<Peer>,
        place: usize,
        track: &mut Track,
        kept: Kept,
    ) {
        if track.pending.is_empty() {
            track.turn_index = self.tracks.len();
            self.tracks.push(place);
            self.mark_subscribers(peers, track);
        }
        track.pending.push(kept);
        self.packets += 1;
        let cached = track.layers[kept.layer].cache.size();
        self.is_full |= track.pending.len() >= cached / 2;
    }

    fn mark_subscribers(&mut self, peers: &mut Slab<Peer>, track: &mut Track) {
        for subscriber in &mut track.subscribers {
            let Some(peer) = peers.get_mut(subscriber.peer) else {
                continue;
            };
            if !peer.transport.is_connected() {
                continue;
            }
            let Some(outbound) = peer.outbound_place(subscriber) else {
                debug_assert!(false, "{subscriber:?} has no outbound track");
                continue;
            };
            if peer.due.is_empty() {
                self.peers.push(subscriber.peer);
            }
            peer.due.push(outbound);
        }
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
        for place in self.peers.drain(..) {
            let Some(peer) = peers.get_mut(place) else {
                continue;
            };
            peer.transport.swap_outbox(&mut self.outbox);
            let served = catch_unwind(AssertUnwindSafe(|| {
                serve(&mut desk, peer, tracks, &packets)
            }));
            peer.transport.swap_outbox(&mut self.outbox);
            peer.due.clear();
            if !peer.held.is_empty() {
                self.holding.push(place);
            }
            if served.is_err() {
                faults.push(place);
                self.outbox.clear();
            }
            self.outbox.flush(peer.transport.ice.path(), send);
        }
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

/// Everything that waits for one peer.
fn serve(desk: &mut Desk<'_>, peer: &mut Peer, tracks: &Slab<Track>, packets: &Packets<'_>) {
    for next in 0..peer.due.len() {
        let outbound = peer.due[next];
        let Some(track) = peer.outbound.get(outbound).map(|outbound| outbound.track) else {
            continue;
        };
        for forwarded in packets.of(&tracks[track]) {
            desk.deliver(peer, outbound, forwarded);
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

    fn of(&self, track: &Track) -> &[Forwarded<'a>] {
        if track.pending.is_empty() {
            return &[];
        }
        &self.all[self.ranges[track.turn_index].clone()]
    }
}
