//! Less video for a worker that has more to do than it can. What is left out is chosen in `crate::overload`, from
//! what is found here; how much, the worker says.

use std::time::Instant;

use protocol::TrackKind;

use super::Engine;
use crate::allocation::assign::{demand, estimate};
use crate::allocation::{Demand, cost, importance};
use crate::inbound::Track;
use crate::outbound::OutboundTrack;
use crate::overload::{self, Candidate, Cut};

impl Engine {
    /// Leave out so much of the video, in percent of its bits, from the least important on: whole frames, and after
    /// them nothing until a key frame. Sound is never left out. For a worker that cannot do all of its work.
    pub fn set_shedding(&mut self, now: Instant, percent: u8) {
        self.shed_percent = percent.min(100);
        self.shed(now);
    }

    /// Choose anew what is left out of each subscription.
    pub(super) fn shed(&mut self, now: Instant) {
        let mut candidates = Vec::new();
        for (place, peer) in &mut self.peers {
            let estimate = estimate(peer);
            for (index, outbound) in peer.outbound.iter_mut().enumerate() {
                let track = &self.tracks[outbound.track];
                let of = candidate(now, place, index, outbound, track, estimate);
                // What is muted or hidden costs nothing.
                if of.is_none() {
                    outbound.cut = Cut::Nothing;
                }
                candidates.extend(of);
            }
        }
        let cuts = overload::cuts(self.shed_percent, &mut candidates);
        for (of, cut) in candidates.iter().zip(cuts) {
            let peer = &mut self.peers[of.peer];
            let before = std::mem::replace(&mut peer.outbound[of.outbound].cut, cut);
            peer.allocator.is_dirty |= before != cut;
        }
    }
}

/// A subscription to a video that is being sent, as one that might be left out. `estimate`: what may be sent to the
/// peer, in bits per second.
fn candidate(
    now: Instant,
    peer: usize,
    index: usize,
    outbound: &OutboundTrack,
    track: &Track,
    estimate: Option<u64>,
) -> Option<Candidate> {
    if outbound.kind == TrackKind::Audio || outbound.selector.target().is_none() {
        return None;
    }
    let uncut = Demand {
        is_cut: false,
        ..demand(now, outbound, track)
    };
    let cost = cost(&uncut)?;
    Some(Candidate {
        peer,
        outbound: index,
        importance: importance(&uncut),
        tie: outbound.ssrc,
        // A layer that does not fit into the path is not sent, and saves nothing.
        bitrate: cost.best.min(estimate.unwrap_or(u64::MAX)).max(cost.lowest),
        lowest_bitrate: cost.lowest,
        held: outbound.cut,
    })
}
