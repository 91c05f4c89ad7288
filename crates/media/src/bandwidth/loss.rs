//! The loss-based part of the estimate (draft-ietf-rmcat-gcc-02, section 6): more than a tenth lost is too much
//! sent, whatever the delays say; a few in a hundred are the path's own.

use super::estimator::LEAST_BPS;

/// Losses are judged over this many packets and this long at least, so that chance weighs little.
const PACKETS: u32 = 40;
const PERIOD_US: u64 = 300_000;
/// Or, where little is sent, over so long.
const LONGEST_US: u64 = 1_500_000;
const FEWEST_PACKETS: u32 = 10;

const LITTLE: f64 = 0.02;
const MUCH: f64 = 0.10;
/// How a limit is lifted, each period; and how far above the estimate it is none any longer.
const LIFT: f64 = 1.05;
const NO_LIMIT: f64 = 1.5;
/// After sending so much less it is looked whether that has helped. Where the path's capacity is the cause, as
/// much arrives as before, and the losses shrink accordingly; where they are the path's own, they do not, and
/// sending still less is of no use.
const FALLEN_ENOUGH: f64 = 0.7;
/// A path that loses more than this by itself is none.
const MOST_OWN: f64 = 0.5;
/// The path's own losses have grown by so much: look again.
const GROWN: f64 = 2.0;
/// The weight of the past.
const SMOOTHING: f64 = 0.5;

/// Losses, and the limit they set.
#[derive(Default)]
pub(super) struct LossControl {
    packets: u32,
    missing: u32,
    began_us: u64,
    smoothed: Option<f64>,
    limit_bps: Option<f64>,
    /// Where the present fall began: the limit, and the share that was lost.
    fell_from: Option<(f64, f64)>,
}

impl LossControl {
    pub(super) fn on_received(&mut self, was_missing: bool) {
        // What was called missing and came after all is no loss.
        if was_missing && self.missing > 0 {
            self.missing -= 1;
        } else {
            self.packets += 1;
        }
    }

    pub(super) fn on_missing(&mut self) {
        self.packets += 1;
        self.missing += 1;
    }

    /// Judge, if enough came together. `estimate_bps` is what the delays allow; `has_queue`:
    /// they say that the path is full, and losses are no accident.
    pub(super) fn update(&mut self, now_us: u64, estimate_bps: f64, has_queue: bool) {
        let passed = now_us.saturating_sub(self.began_us);
        let is_enough = (self.packets >= PACKETS && passed >= PERIOD_US)
            || (self.packets >= FEWEST_PACKETS && passed >= LONGEST_US);
        if !is_enough {
            return;
        }
        let share = f64::from(self.missing) / f64::from(self.packets);
        let smoothed = self.smoothed.map_or(share, |smoothed| {
            SMOOTHING * smoothed + (1.0 - SMOOTHING) * share
        });
        self.smoothed = Some(smoothed);
        self.packets = 0;
        self.missing = 0;
        self.began_us = now_us;
        if share.min(smoothed) > MUCH {
            self.fall(estimate_bps, smoothed, has_queue);
        } else if smoothed < LITTLE {
            self.fell_from = None;
            self.limit_bps = self
                .limit_bps
                .map(|limit| limit * LIFT)
                .filter(|limit| *limit < estimate_bps * NO_LIMIT);
        }
    }

    fn fall(&mut self, estimate_bps: f64, lost: f64, has_queue: bool) {
        let limit = self
            .limit_bps
            .map_or(estimate_bps, |limit| limit.min(estimate_bps));
        let (from_bps, lost_then) = *self.fell_from.get_or_insert((limit, lost));
        if limit <= from_bps * FALLEN_ENOUGH {
            let if_full = (1.0 - (1.0 - lost_then) * from_bps / limit).max(0.0);
            let is_own = !has_queue
                && lost_then < MOST_OWN
                && ((if_full + lost_then) / 2.0..lost_then * GROWN).contains(&lost);
            if is_own {
                return;
            }
            self.fell_from = Some((limit, lost));
        }
        // Below what the estimate never falls under a limit changes nothing, but would take minutes to be lifted.
        self.limit_bps = Some((limit * (1.0 - 0.5 * lost)).max(LEAST_BPS));
    }

    /// What may be sent for the losses' sake; `None` is anything.
    pub(super) fn limit_bps(&self) -> Option<f64> {
        self.limit_bps
    }

    /// A probe has shown that more arrives.
    pub(super) fn lift_to(&mut self, bps: f64) {
        self.limit_bps = self.limit_bps.filter(|limit| *limit > bps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::seeded::Seeded;

    fn run(control: &mut LossControl, percent: u64, seconds: u64) -> Option<f64> {
        let mut random = Seeded::new(percent);
        let from = control.began_us;
        for step in 0..seconds * 200 {
            if random.chance(percent) {
                control.on_missing();
            } else {
                control.on_received(false);
            }
            control.update(from + step * 5_000, 1e6, false);
        }
        control.limit_bps()
    }

    #[test]
    fn two_in_a_hundred_set_no_limit_and_fifteen_lower_it_until_they_end() {
        let mut control = LossControl::default();
        assert_eq!(run(&mut control, 2, 60), None);
        let low = run(&mut control, 15, 5).unwrap();
        assert!(low < 0.8e6, "{low}");
        assert_eq!(run(&mut control, 0, 60), None);
    }

    #[test]
    fn losses_that_do_not_shrink_with_what_is_sent_take_a_third_and_no_more() {
        let mut control = LossControl::default();
        let low = run(&mut control, 20, 60).unwrap();
        assert!((0.5e6..0.75e6).contains(&low), "{low}");
    }

    #[test]
    fn a_path_that_drops_what_it_cannot_carry_is_found_without_delays() {
        let mut control = LossControl::default();
        let mut random = Seeded::new(3);
        for step in 0..6_000 {
            let sent = control.limit_bps().unwrap_or(2e6);
            let lost_percent = (100.0 * (1.0 - 0.3e6 / sent)).max(0.0) as u64;
            match random.chance(lost_percent) {
                true => control.on_missing(),
                false => control.on_received(false),
            }
            control.update(step * 5_000, 2e6, false);
        }
        let found = control.limit_bps().unwrap();
        assert!((0.2e6..0.45e6).contains(&found), "{found}");
    }

    #[test]
    fn after_a_minute_in_which_all_was_lost_the_limit_is_gone_within_two() {
        let mut control = LossControl::default();
        assert_eq!(run(&mut control, 100, 60), Some(LEAST_BPS));
        assert_eq!(run(&mut control, 0, 120), None);
    }

    #[test]
    fn what_came_late_is_no_loss() {
        let mut control = LossControl::default();
        for step in 0..1_000u64 {
            control.on_missing();
            control.on_received(true);
            control.update(step * 5_000, 1e6, false);
        }
        assert_eq!(control.limit_bps(), None);
    }
}
