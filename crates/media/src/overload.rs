//! Which videos a worker leaves out when it has more to do than it can. It never touches sound, and never
//! decides when: it is told how much.

use std::cmp::Reverse;

/// What is left out of a video that one subscriber gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cut {
    /// Nothing.
    #[default]
    Nothing,
    /// All but its lowest layer.
    HigherLayers,
    /// All of it, from the next frame on.
    Everything,
}

/// A video that one subscriber gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Where it is: for the caller.
    pub(crate) peer: usize,
    pub(crate) outbound: usize,
    /// The lower, the sooner it is left out.
    pub(crate) priority: u32,
    /// Decides between equals, always alike: whoever is cut stays so, while others are served.
    pub(crate) tie: u32,
    /// What it costs to send, and what its lowest layer alone would cost.
    pub(crate) bitrate: u64,
    pub(crate) lowest_bitrate: u64,
}

/// What to leave out so that `percent` of the bits need not be sent: higher layers first, then whole videos, each
/// time from the least important on. Gives a cut for each candidate, in the order of the candidates afterwards.
pub(crate) fn cuts(percent: u8, candidates: &mut [Candidate]) -> Vec<Cut> {
    candidates.sort_unstable_by_key(|of| (of.priority, Reverse(of.bitrate), of.tie));
    let total: u64 = candidates.iter().map(|of| of.bitrate).sum();
    let goal = total.saturating_mul(percent.min(100).into()).div_ceil(100);
    let mut saved = 0;
    let mut cuts = vec![Cut::Nothing; candidates.len()];
    for (cut, of) in cuts.iter_mut().zip(&*candidates) {
        let layers = of.bitrate.saturating_sub(of.lowest_bitrate);
        if saved >= goal || layers == 0 {
            continue;
        }
        *cut = Cut::HigherLayers;
        saved += layers;
    }
    for (cut, of) in cuts.iter_mut().zip(&*candidates) {
        if saved >= goal {
            break;
        }
        saved += match cut {
            Cut::HigherLayers => of.lowest_bitrate,
            _ => of.bitrate,
        };
        *cut = Cut::Everything;
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::seeded::Seeded;

    fn candidate(outbound: usize, priority: u32, bitrate: u64, lowest_bitrate: u64) -> Candidate {
        Candidate {
            peer: 0,
            outbound,
            priority,
            tie: outbound as u32,
            bitrate,
            lowest_bitrate,
        }
    }

    fn cut(percent: u8, candidates: &[Candidate]) -> Vec<Cut> {
        let mut sorted = candidates.to_vec();
        let cuts = cuts(percent, &mut sorted);
        let mut found = vec![Cut::Nothing; candidates.len()];
        for (of, cut) in sorted.iter().zip(cuts) {
            found[of.outbound] = cut;
        }
        found
    }

    #[test]
    fn higher_layers_go_first_then_whole_cameras_then_the_screen() {
        use Cut::{Everything, HigherLayers, Nothing};
        let all = [
            candidate(0, 9, 1_000, 1_000),
            candidate(1, 1, 1_000, 200),
            candidate(2, 2, 1_000, 200),
        ];
        assert_eq!(cut(0, &all), [Nothing, Nothing, Nothing]);
        assert_eq!(cut(20, &all), [Nothing, HigherLayers, Nothing]);
        assert_eq!(cut(50, &all), [Nothing, HigherLayers, HigherLayers]);
        assert_eq!(cut(60, &all), [Nothing, Everything, HigherLayers]);
        assert_eq!(cut(66, &all), [Nothing, Everything, Everything]);
        assert_eq!(cut(100, &all), [Everything, Everything, Everything]);
    }

    #[test]
    fn of_equals_some_are_served_and_the_same_ones_stay_so() {
        let all: Vec<_> = (0..100).map(|at| candidate(at, 1, 500, 500)).collect();
        let mut before = cut(0, &all);
        for percent in 1..=100 {
            let now = cut(percent, &all);
            let is_cut = |cut: &&Cut| **cut == Cut::Everything;
            assert_eq!(now.iter().filter(is_cut).count(), usize::from(percent));
            assert!(before.iter().zip(&now).all(|(before, now)| before <= now));
            before = now;
        }
    }

    #[test]
    fn what_is_saved_is_enough_and_the_important_is_cut_only_when_the_rest_is() {
        let mut random = Seeded::new(5);
        for _ in 0..1_000 {
            let all: Vec<_> = (0..1 + random.below(30) as usize)
                .map(|at| {
                    let bitrate = random.below(3_000);
                    let lowest = if random.chance(50) {
                        bitrate
                    } else {
                        bitrate / 5
                    };
                    candidate(at, random.below(4) as u32, bitrate, lowest)
                })
                .collect();
            let percent = random.below(101) as u8;
            let cuts = cut(percent, &all);
            let total: u64 = all.iter().map(|of| of.bitrate).sum();
            let sent = all.iter().zip(&cuts).map(|(of, cut)| match cut {
                Cut::Nothing => of.bitrate,
                Cut::HigherLayers => of.lowest_bitrate,
                Cut::Everything => 0,
            });
            assert!(sent.sum::<u64>() * 100 <= total * u64::from(100 - percent));
            let of = |wanted: Cut| {
                all.iter()
                    .zip(&cuts)
                    .filter(move |(_, cut)| **cut == wanted)
            };
            let most_cut = of(Cut::Everything).map(|(of, _)| of.priority).max();
            let whole = of(Cut::Nothing).chain(of(Cut::HigherLayers));
            let least_kept = whole.map(|(of, _)| of.priority).min();
            assert!(most_cut.unwrap_or(0) <= least_kept.unwrap_or(u32::MAX));
        }
    }
}
