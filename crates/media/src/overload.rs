//! Which videos a worker leaves out when it has more to do than it can. It never touches sound, and never
//! decides when: it is told how much.

use crate::allocation::Importance;

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
    /// The least important is left out first.
    pub(crate) importance: Importance,
    /// Decides between equals, always alike: whoever is cut stays so, while others are served.
    pub(crate) tie: u32,
    /// Bits per second: of what is sent if nothing is left out, and of its lowest layer alone.
    pub(crate) bitrate: u64,
    pub(crate) lowest_bitrate: u64,
    /// What is left out of it already.
    pub(crate) held: Cut,
}

/// Of what is to be saved, so much more may stay left out: bitrates are measured and never the same twice, and
/// whoever is given a video again needs a key frame of it.
const KEPT_SHARE: u64 = 10;

/// What to leave out so that `percent` of the bits need not be sent: higher layers first, then whole videos, each
/// time from the least important on. Gives a cut for each candidate, in the order of the candidates afterwards.
pub(crate) fn cuts(percent: u8, candidates: &mut [Candidate]) -> Vec<Cut> {
    candidates.sort_unstable_by_key(|of| (of.importance, of.tie));
    let total: u64 = candidates.iter().map(|of| of.bitrate).sum();
    let goal = total.saturating_mul(percent.min(100).into()).div_ceil(100);
    let mut saved = 0;
    let is_needed = |saved: u64, is_held: bool| match is_held {
        true => saved < goal + goal / KEPT_SHARE,
        false => saved < goal,
    };
    let mut cuts = vec![Cut::Nothing; candidates.len()];
    for (cut, of) in cuts.iter_mut().zip(&*candidates) {
        let layers = of.bitrate.saturating_sub(of.lowest_bitrate);
        if layers > 0 && is_needed(saved, of.held != Cut::Nothing) {
            *cut = Cut::HigherLayers;
            saved += layers;
        }
    }
    for (cut, of) in cuts.iter_mut().zip(&*candidates) {
        if !is_needed(saved, of.held == Cut::Everything) {
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

    fn candidate(outbound: usize, area: u32, bitrate: u64, lowest_bitrate: u64) -> Candidate {
        Candidate {
            peer: 0,
            outbound,
            importance: Importance {
                is_foremost: false,
                area,
            },
            tie: outbound as u32,
            bitrate,
            lowest_bitrate,
            held: Cut::Nothing,
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
    fn figures_that_are_a_little_different_each_time_change_nothing() {
        let mut random = Seeded::new(7);
        let mut all: Vec<_> = (0..40).map(|at| candidate(at, 1, 1_000, 300)).collect();
        for percent in [30, 80, 50, 40] {
            let mut changes = 0;
            for round in 0..200 {
                all.iter_mut()
                    .for_each(|of| of.bitrate = 980 + random.below(40));
                let cuts = cut(percent, &all);
                let is_new = all.iter().zip(&cuts).any(|(of, cut)| of.held != *cut);
                changes += u32::from(is_new && round > 0);
                all.iter_mut().zip(cuts).for_each(|(of, cut)| of.held = cut);
            }
            assert!(changes <= 3, "{percent}: {changes}");
        }
        assert!(cut(0, &all).iter().all(|cut| *cut == Cut::Nothing));
    }

    #[test]
    fn the_speaker_is_left_out_last_however_small_and_then_goes_what_is_shown_small() {
        use Cut::{Everything, Nothing};
        let mut all = [1_000, 10, 500].map(|area| candidate(0, area, 1_000, 1_000));
        for (at, of) in all.iter_mut().enumerate() {
            (of.outbound, of.tie) = (at, 9 - at as u32);
        }
        all[1].importance.is_foremost = true;
        assert_eq!(cut(30, &all), [Nothing, Nothing, Everything]);
        assert_eq!(cut(60, &all), [Everything, Nothing, Everything]);
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
            let most_cut = of(Cut::Everything).map(|(of, _)| of.importance).max();
            let whole = of(Cut::Nothing).chain(of(Cut::HigherLayers));
            let least_kept = whole.map(|(of, _)| of.importance).min();
            assert!(
                most_cut
                    .zip(least_kept)
                    .is_none_or(|(cut, kept)| cut <= kept)
            );
        }
    }
}
