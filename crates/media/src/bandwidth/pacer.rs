//! Keeps what goes to one peer from filling the queue before its bottleneck: video may go out while there is
//! budget, which a picture's burst rarely exhausts. Sound never asks. It holds no packets, only a number.

/// The budget grows a little faster than the estimate, so that what waits is sent some time; but a publisher who
/// sends one layer, and more than the path carries, must not fill it.
const FACTOR: f64 = 1.2;
/// The same while video has waited for long: then more comes than the path carries, and all of the budget is used all
/// the time. Not below the estimate, a queue before the bottleneck would never be gone.
const BEHIND_FACTOR: f64 = 0.9;
/// The same before the estimate is one: most paths carry more than that by far, and a first picture is worth a queue
/// of a moment.
const START_FACTOR: f64 = 3.0;
/// What may go at once: so many seconds' worth of the estimate. A key frame of five usual pictures' size is a
/// sixth of a second.
const BURST_SECONDS: f64 = 0.2;
/// Sound does not ask, and may take more than there is. A packet of video goes so often all the same: a picture that
/// waits until nobody speaks stands still.
const VIDEO_US: u64 = 50_000;
/// Nothing is paced below this: what is less is a picture as small as there is, and to hold it back helps nobody.
const LEAST_BPS: f64 = 400_000.0;

/// A budget of bytes.
#[derive(Default)]
pub(super) struct Pacer {
    budget: f64,
    filled_us: u64,
    /// When video last might go, and whether a packet of it may for having waited so long.
    allowed_us: u64,
    is_its_turn: bool,
    is_behind: bool,
}

impl Pacer {
    /// Whether a packet of video may go out now. One that may goes whole, and the next waits the longer.
    pub(super) fn may_send(&mut self, now_us: u64, estimate_bps: f64) -> bool {
        let factor = match self.is_behind {
            true => BEHIND_FACTOR,
            false => FACTOR,
        };
        self.has_budget(now_us, estimate_bps, factor)
    }

    /// Whether video has waited for long.
    pub(super) fn set_behind(&mut self, is_behind: bool) {
        self.is_behind = is_behind;
    }

    /// The same while the estimate is only a guess.
    pub(super) fn may_start(&mut self, now_us: u64, estimate_bps: f64) -> bool {
        self.has_budget(now_us, estimate_bps, START_FACTOR)
    }

    fn has_budget(&mut self, now_us: u64, estimate_bps: f64, factor: f64) -> bool {
        if now_us > self.filled_us {
            let bytes_per_second = estimate_bps.max(LEAST_BPS) / 8.0;
            let passed = (now_us - self.filled_us) as f64 / 1e6;
            let burst = bytes_per_second * BURST_SECONDS;
            // Sound goes on whatever the budget; what it owes is forgotten at some point, for video to go as well.
            self.budget = (self.budget.max(-burst) + passed * bytes_per_second * factor).min(burst);
            self.filled_us = now_us;
            self.is_its_turn = now_us >= self.allowed_us + VIDEO_US;
        }
        let may_go = self.budget > 0.0 || self.is_its_turn;
        if may_go {
            self.allowed_us = now_us;
        }
        may_go
    }

    pub(super) fn on_sent(&mut self, bytes: usize) {
        self.budget -= bytes as f64;
        self.is_its_turn = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pacer: &mut Pacer, now_us: u64, bps: f64) -> usize {
        let mut bytes = 0;
        while pacer.may_send(now_us, bps) && bytes < 10_000_000 {
            pacer.on_sent(1_000);
            bytes += 1_000;
        }
        bytes
    }

    #[test]
    fn a_burst_goes_at_once_and_then_a_little_more_than_the_estimate() {
        let mut pacer = Pacer::default();
        // 2 Mbit/s are 250,000 bytes a second: 50,000 at once.
        assert_eq!(sent(&mut pacer, 10_000_000, 2e6), 50_000);
        let later: usize = (1..=100)
            .map(|step| sent(&mut pacer, 10_000_000 + step * 5_000, 2e6))
            .sum();
        assert!((149_000..=151_000).contains(&later), "{later}");
    }

    #[test]
    fn a_start_is_a_burst_and_then_three_times_the_guess() {
        let mut pacer = Pacer::default();
        let mut sent = 0;
        for now_us in (10_000_000..10_100_000).step_by(5_000) {
            while pacer.may_start(now_us, 1.5e6) {
                pacer.on_sent(1_000);
                sent += 1_000;
            }
        }
        // 37,500 bytes, and 95 ms of 562.5 bytes each.
        assert!((90_000..=92_000).contains(&sent), "{sent}");
    }

    #[test]
    fn a_slow_path_still_gets_a_few_packets_at_once() {
        assert_eq!(sent(&mut Pacer::default(), 10_000_000, 100e3), 10_000);
    }

    #[test]
    fn where_sound_takes_more_than_there_is_a_little_video_goes_all_the_same() {
        let mut pacer = Pacer::default();
        let mut packets = 0;
        for step in 0..2_000 {
            // 1.6 Mbit/s of sound.
            pacer.on_sent(1_000);
            let may_go = pacer.may_send(1_000_000 + step * 5_000, 100e3);
            packets += i32::from(may_go);
            pacer.on_sent(if may_go { 1_000 } else { 0 });
        }
        assert!((190..=220).contains(&packets), "{packets} in ten seconds");
    }

    #[test]
    fn what_sound_owes_does_not_stop_video_for_long() {
        let mut pacer = Pacer::default();
        pacer.may_send(1_000_000, 1e6);
        pacer.on_sent(1_000_000);
        assert!(!pacer.may_send(1_000_001, 1e6));
        assert!(pacer.may_send(1_300_001, 1e6));
    }
}
