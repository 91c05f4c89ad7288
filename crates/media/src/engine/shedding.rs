//! Less video for a worker that has more to do than it can. What is left out is chosen in `crate::overload`, from
//! what is found here; how much, the worker says.

use protocol::TrackKind;

use super::Engine;
use crate::inbound::Track;
use crate::outbound::OutboundTrack;
use crate::overload::{self, Candidate, Cut};

impl Engine {
    /// Leave out so much of the video, in percent of its bits, from the least important on: whole frames, and after
    /// them nothing until a key frame. Sound is never left out. For a worker that cannot do all of its work.
    pub fn set_shedding(&mut self, percent: u8) {
        self.shed_percent = percent.min(100);
        self.shed();
    }

    /// Choose anew what is left out of each subscription.
    pub(super) fn shed(&mut self) {
        let mut candidates = Vec::new();
        for (place, peer) in &mut self.peers {
            for (index, outbound) in peer.outbound.iter_mut().enumerate() {
                let of = candidate(place, index, outbound, &self.tracks[outbound.track]);
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

/// A subscription to a video that is being sent, as one that might be left out.
fn candidate(
    peer: usize,
    index: usize,
    outbound: &OutboundTrack,
    track: &Track,
) -> Option<Candidate> {
    if outbound.kind == TrackKind::Audio {
        return None;
    }
    let target = outbound.selector.target()?;
    // From layer to layer a picture has four times the pixels, and about three times the bits.
    let bitrate = |layer: usize| 3u64.pow(layer as u32);
    Some(Candidate {
        peer,
        outbound: index,
        priority: 0,
        tie: outbound.ssrc,
        bitrate: bitrate(track.layers.len().saturating_sub(1).max(target)),
        lowest_bitrate: bitrate(0),
    })
}
