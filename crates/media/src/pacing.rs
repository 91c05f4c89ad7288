//! What one subscriber cannot be sent yet: numbers of packets in the layers' caches, sent as its path has room,
//! dropped when they have waited too long; and what its path is probed with. It keeps no bytes.
//!
//! However narrow the path is, each picture goes on some time: what comes before a subscription's newest key frame is
//! dropped, the key frame itself has its turn and is sent whole. It would be broken off each time if it were held to
//! the time that it takes, and the one that is asked for instead as well.

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
/// After this it is no burst that waits: more comes than the path carries.
const BEHIND: Duration = Duration::from_millis(200);
/// A queue that grows beyond this is not waited for: 32 KiB of numbers for 2.5 Mbit/s and almost 2 s.
const LARGEST: usize = 512;
/// Packets of one subscription that a probe may repeat, and how many it may have at once.
const REPEATED: u16 = 64;
const PROBE_PACKETS: usize = 128;

/// A frame of a subscription: its layer, and its timestamp as it came.
type FrameName = (usize, u32);

/// A packet that waits: of which subscription, and where it is kept.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    ssrc: u32,
    kept: Kept,
    /// Since when. It may have come long before: from another engine, or as what is shown again.
    since: Instant,
    timestamp: u32,
    /// A decoder can begin with it.
    starts_key_frame: bool,
    /// What came after it is dropped: the picture is broken off behind it.
    ends: bool,
}

impl Waiting {
    fn frame(&self) -> FrameName {
        (self.kept.layer, self.timestamp)
    }
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

    /// The newest key frame that waits of a subscription, not above a layer.
    fn newest_key_frame(&self, ssrc: u32, highest: Option<usize>) -> Option<FrameName> {
        let is_it = |waiting: &&Waiting| {
            waiting.ssrc == ssrc
                && waiting.starts_key_frame
                && highest.is_some_and(|highest| waiting.kept.layer <= highest)
        };
        self.waiting.iter().rev().find(is_it).map(Waiting::frame)
    }

    /// Drop what waits of a subscription, up to this frame; the rest goes first from now on. Gives how much is
    /// dropped.
    fn drop_up_to(&mut self, ssrc: u32, frame: Option<FrameName>) -> usize {
        let (its, others): (VecDeque<_>, VecDeque<_>) = self
            .waiting
            .iter()
            .partition(|waiting| waiting.ssrc == ssrc);
        let begins = its
            .iter()
            .position(|waiting: &Waiting| Some(waiting.frame()) == frame);
        let dropped = begins.unwrap_or(its.len());
        self.waiting = its.into_iter().skip(dropped).chain(others).collect();
        dropped
    }

    /// Drop what waits of a subscription, but for this frame, behind which its picture ends. Gives how much is dropped.
    fn drop_but(&mut self, ssrc: u32, frame: Option<FrameName>) -> usize {
        let before = self.waiting.len();
        self.waiting
            .retain(|waiting| waiting.ssrc != ssrc || Some(waiting.frame()) == frame);
        let mut newest_first = self.waiting.iter_mut().rev();
        if let Some(last) = newest_first.find(|waiting| waiting.ssrc == ssrc) {
            last.ends = true;
        }
        before - self.waiting.len()
    }

    /// How many key frames wait of a subscription, by their beginnings.
    pub(crate) fn key_frames(&self, ssrc: u32) -> usize {
        let is_one = |waiting: &&Waiting| waiting.ssrc == ssrc && waiting.starts_key_frame;
        self.waiting.iter().filter(is_one).count()
    }

    /// The subscription of which most waits.
    fn largest(&self) -> Option<u32> {
        let mut counts: Vec<(u32, usize)> = Vec::new();
        for waiting in &self.waiting {
            match counts.iter_mut().find(|(ssrc, _)| *ssrc == waiting.ssrc) {
                Some((_, count)) => *count += 1,
                None => counts.push((waiting.ssrc, 1)),
            }
        }
        let largest = counts.into_iter().max_by_key(|(_, count)| *count);
        largest.map(|(ssrc, _)| ssrc)
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
    if peer.outbound[place].kind == TrackKind::Audio {
        return false;
    }
    // What waits goes first, even if there is room by now.
    if peer.held.is_empty() && may_go(&mut peer.bandwidth, now) {
        return false;
    }
    let outbound = &mut peer.outbound[place];
    if outbound.is_held() || !outbound.may_want(forwarded) {
        return false;
    }
    let starts_key_frame = forwarded.frame.starts_key_frame;
    if starts_key_frame {
        outbound.key_frames_waiting += 1;
        outbound.key_frame_came = Some(now);
    }
    peer.held.waiting.push_back(Waiting {
        ssrc: outbound.ssrc,
        kept: forwarded.kept,
        since: now,
        timestamp: forwarded.timestamp,
        starts_key_frame,
        ends: false,
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
    /// Send what there is room for: first what waits, however late it is, then what a probe lacks.
    pub(crate) fn release(&mut self, peer: &mut Peer, tracks: &Slab<Track>) {
        peer.bandwidth.handle_timeout(self.now);
        let first = peer.held.waiting.front();
        let waited = first.map(|first| self.now.saturating_duration_since(first.since));
        peer.bandwidth
            .set_behind(waited.is_some_and(|waited| waited > BEHIND));
        while let Some(first) = peer.held.waiting.front().copied() {
            // Before the first feedback nothing else waits than what is shown to a newcomer, and what came after.
            if peer.bandwidth.may_show(self.now) {
                peer.held.waiting.pop_front();
                self.send_waiting(peer, tracks, first);
                continue;
            }
            let waited = self.now.saturating_duration_since(first.since);
            if waited <= LONGEST_WAIT || !self.skip(peer, first) {
                break;
            }
        }
        while peer.held.waiting.len() > LARGEST {
            self.thin(peer);
        }
        self.probe(peer, tracks);
    }

    /// Send what has waited, and is no longer in the queue.
    fn send_waiting(&mut self, peer: &mut Peer, tracks: &Slab<Track>, waiting: Waiting) {
        let is_its = |outbound: &OutboundTrack| outbound.ssrc == waiting.ssrc;
        // The subscription may have ended.
        let Some(place) = peer.outbound.iter().position(is_its) else {
            return;
        };
        let outbound = &mut peer.outbound[place];
        if waiting.starts_key_frame {
            outbound.key_frames_waiting = outbound.key_frames_waiting.saturating_sub(1);
        }
        match Forwarded::read(&tracks[outbound.track], waiting.kept) {
            Some(forwarded) => self.send(peer, place, &forwarded),
            // The cache has gone on. A picture with a hole would stand still until the viewer notices.
            None if outbound.selector.current() == Some(waiting.kept.layer) => {
                self.go_on_at_key_frame(peer, place);
            }
            None => {}
        }
        if waiting.ends {
            peer.outbound[place].break_off();
        }
    }

    /// What is first has waited too long: its subscription goes on at the newest key frame that waits of it, or at the
    /// next that comes. False if it is a key frame that must be finished, or begun: then the others wait for it.
    fn skip(&mut self, peer: &mut Peer, first: Waiting) -> bool {
        let is_its = |outbound: &OutboundTrack| outbound.ssrc == first.ssrc;
        let Some(place) = peer.outbound.iter().position(is_its) else {
            peer.held.drop_up_to(first.ssrc, None);
            return true;
        };
        let outbound = &peer.outbound[place];
        let highest = outbound.selector.target();
        let is_key_frame = outbound.key_frame() == Some(first.frame())
            || peer.held.newest_key_frame(first.ssrc, highest) == Some(first.frame());
        if !is_key_frame {
            self.go_on_at_key_frame(peer, place);
        }
        !is_key_frame
    }

    /// Break a picture off, to go on at the newest key frame that waits of it, or at the next that comes, or in a
    /// lower layer.
    fn go_on_at_key_frame(&mut self, peer: &mut Peer, place: usize) {
        let outbound = &mut peer.outbound[place];
        let newest = peer
            .held
            .newest_key_frame(outbound.ssrc, outbound.selector.target());
        let dropped = peer.held.drop_up_to(outbound.ssrc, newest);
        outbound.key_frames_waiting = peer.held.key_frames(outbound.ssrc);
        outbound.break_off();
        self.count_broken_off(dropped);
    }

    /// Too much waits: of the subscription of which most does only a key frame is left, the one that is being sent or
    /// the newest, or nothing.
    fn thin(&mut self, peer: &mut Peer) {
        let Some(ssrc) = peer.held.largest() else {
            return;
        };
        let is_its = |outbound: &OutboundTrack| outbound.ssrc == ssrc;
        let Some(place) = peer.outbound.iter().position(is_its) else {
            peer.held.drop_up_to(ssrc, None);
            return;
        };
        let outbound = &mut peer.outbound[place];
        let is_sent = |frame: &FrameName| {
            let mut waiting = peer.held.waiting.iter();
            waiting.any(|waiting| waiting.ssrc == ssrc && waiting.frame() == *frame)
        };
        let sent = outbound.key_frame().filter(is_sent);
        let highest = outbound.selector.target();
        let kept = sent.or_else(|| peer.held.newest_key_frame(ssrc, highest));
        let mut dropped = peer.held.drop_but(ssrc, kept);
        let is_too_large = dropped == 0;
        if is_too_large {
            dropped = peer.held.drop_up_to(ssrc, None);
        }
        outbound.key_frames_waiting = peer.held.key_frames(ssrc);
        if is_too_large || sent.is_none() {
            outbound.break_off();
        }
        self.count_broken_off(dropped);
    }

    fn count_broken_off(&mut self, dropped: usize) {
        self.statistics.dropped[DropReason::PathFull as usize] += dropped as u64;
        self.statistics.paths.pictures_broken_off += 1;
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
