//! What one subscriber cannot be sent yet: numbers of packets in the layers' caches, sent as its path has room,
//! dropped when they have waited too long; and what its path is probed with. It keeps no bytes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use protocol::TrackKind;
use slab::Slab;

use crate::bandwidth::Bandwidth;
use crate::delivery::Desk;
use crate::forwarded::{Forwarded, Kept};
use crate::inbound::Track;
use crate::outbound::{OutboundTrack, Way};
use crate::peer::Peer;
use crate::statistics::DropReason;

/// Video that waited longer is late anyhow, and what follows it would be later still.
const LONGEST_WAIT: Duration = Duration::from_millis(800);
/// A queue that grows beyond this is not waited for: 20 KiB of numbers for 2.5 Mbit/s and almost 2 s.
const LARGEST: usize = 512;
/// Packets of one subscription that a probe may repeat, and how many it may have at once.
const REPEATED: u16 = 64;
const PROBE_PACKETS: usize = 128;

/// A packet that waits: of which subscription, and where it is kept.
#[derive(Clone, Copy)]
struct Waiting {
    ssrc: u32,
    kept: Kept,
}

/// Packets of video that wait for room, in the order they came.
#[derive(Default)]
pub(crate) struct Held {
    waiting: VecDeque<Waiting>,
}

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Whether a packet must wait, by what the path says of it; if so, it is in the queue. Sound never waits.
pub(crate) fn must_wait(
    now: Instant,
    peer: &mut Peer,
    place: usize,
    forwarded: &Forwarded<'_>,
    may_go: fn(&mut Bandwidth, Instant) -> bool,
) -> bool {
    let outbound = &peer.outbound[place];
    if outbound.kind == TrackKind::Audio {
        return false;
    }
    // What waits goes first, even if there is room by now.
    if peer.held.is_empty() && may_go(&mut peer.bandwidth, now) {
        return false;
    }
    if outbound.is_held() || !outbound.may_want(forwarded.kept.layer) {
        return false;
    }
    peer.held.waiting.push_back(Waiting {
        ssrc: outbound.ssrc,
        kept: forwarded.kept,
    });
    true
}

impl Peer {
    /// Whether it is to be asked again soon.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.held.is_empty() || self.bandwidth.is_probing() || self.waits_for_pictures()
    }

    /// Whether it is to have pictures that are held back for a moment.
    fn waits_for_pictures(&self) -> bool {
        self.transport.is_connected() && self.outbound.iter().any(OutboundTrack::is_held)
    }
}

impl Desk<'_> {
    /// Send what there is room for: first what waits, then what a probe lacks.
    pub(crate) fn release(&mut self, peer: &mut Peer, tracks: &Slab<Track>) {
        peer.bandwidth.handle_timeout(self.now);
        while let Some(first) = peer.held.waiting.front().copied() {
            let waited = self.now.saturating_duration_since(first.kept.arrival);
            if waited > LONGEST_WAIT || peer.held.waiting.len() > LARGEST {
                self.break_off(peer, first.ssrc);
                continue;
            }
            // Before the first feedback nothing else waits than what is shown to a newcomer, and what came after.
            if !peer.bandwidth.may_show(self.now) {
                break;
            }
            peer.held.waiting.pop_front();
            let is_it = |outbound: &OutboundTrack| outbound.ssrc == first.ssrc;
            // The subscription may have ended, and the cache have gone on.
            let Some(place) = peer.outbound.iter().position(is_it) else {
                continue;
            };
            let track = &tracks[peer.outbound[place].track];
            if let Some(forwarded) = Forwarded::read(track, first.kept) {
                self.send(peer, place, &forwarded);
            }
        }
        self.probe(peer, tracks);
    }

    /// Drop what waits of a subscription. Its picture goes on at the next key frame, or in a lower layer.
    fn break_off(&mut self, peer: &mut Peer, ssrc: u32) {
        let before = peer.held.waiting.len();
        peer.held.waiting.retain(|waiting| waiting.ssrc != ssrc);
        let dropped = before - peer.held.waiting.len();
        self.statistics.dropped[DropReason::PathFull as usize] += dropped as u64;
        self.statistics.paths.pictures_broken_off += 1;
        if let Some(outbound) = peer.outbound_by_ssrc(ssrc) {
            outbound.break_off();
        }
    }

    /// Send again what was sent lately, as much as a probe lacks: if any of it was lost, so much the better.
    fn probe(&mut self, peer: &mut Peer, tracks: &Slab<Track>) {
        let is_fit = |outbound: &OutboundTrack| {
            outbound.has_feedback() && outbound.takes_retransmissions() && !outbound.is_unsent()
        };
        let Some(outbound) = peer.outbound.iter_mut().find(|outbound| is_fit(outbound)) else {
            return;
        };
        let was_probing = peer.bandwidth.is_probing();
        let Some(mut lacking) = peer.bandwidth.poll_probe(self.now) else {
            return;
        };
        self.statistics.paths.probes += u64::from(!was_probing);
        let track = &tracks[outbound.track];
        let sent: Vec<_> = outbound.sent(REPEATED).collect();
        let packets = sent.iter().filter_map(|&(number, layer, sequence)| {
            let kept = Kept {
                layer,
                sequence,
                arrival: self.now,
            };
            Some((number, Forwarded::read(track, kept)?))
        });
        let packets: Vec<_> = packets.collect();
        let mut way = Way {
            now: self.now,
            transport: &mut peer.transport,
            bandwidth: &mut peer.bandwidth,
        };
        for (number, packet) in packets.iter().cycle().take(PROBE_PACKETS) {
            if lacking == 0 || !outbound.repeat(&mut way, *number, packet) {
                break;
            }
            lacking = lacking.saturating_sub(packet.bytes);
            self.statistics.paths.probe_packets += 1;
            self.statistics.outbound_packets += 1;
            self.statistics.outbound_bytes += packet.bytes as u64;
        }
    }
}
