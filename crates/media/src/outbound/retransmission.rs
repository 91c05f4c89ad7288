//! How often a subscriber may have packets again: each at most once a round trip and a few times in all, and
//! all of them a fifth of what is sent, so that repairs do not drown what they repair.

use std::time::{Duration, Instant};

/// Before the first reception report.
const ASSUMED_ROUND_TRIP: Duration = Duration::from_millis(50);
const SHORTEST_ROUND_TRIP: Duration = Duration::from_millis(10);
/// Packets whose repetitions are remembered.
const REMEMBERED: usize = 128;
/// The share of what is sent, as its divisor.
const SHARE: usize = 5;
/// What may be repeated at once, in bytes: a key frame's worth.
const BURST: usize = 128 * 1024;

#[derive(Clone, Copy)]
struct Repeated {
    sequence_number: u16,
    times: u8,
    last: Instant,
}

/// The limit of one outbound track.
#[repr(C)] // What each packet needs comes first: see `Peer`.
pub(crate) struct RetransmissionLimit {
    budget: usize,
    times: u8,
    round_trip: Duration,
    is_round_trip_known: bool,
    repeated: Vec<Repeated>,
    oldest: usize,
}

impl RetransmissionLimit {
    /// Each packet at most `times`.
    pub(crate) fn new(times: u8) -> Self {
        Self {
            times,
            round_trip: ASSUMED_ROUND_TRIP,
            is_round_trip_known: false,
            repeated: Vec::new(),
            oldest: 0,
            budget: BURST,
        }
    }

    /// Bytes went out for the first time.
    pub(crate) fn on_sent(&mut self, bytes: usize) {
        self.budget = (self.budget + bytes / SHARE).min(BURST);
    }

    /// The round trip to the subscriber, as one report tells it.
    pub(crate) fn on_round_trip(&mut self, told: Duration) {
        let smoothed = match self.is_round_trip_known {
            true => self.round_trip - self.round_trip / 8 + told / 8,
            false => told,
        };
        self.is_round_trip_known = true;
        self.round_trip = smoothed.max(SHORTEST_ROUND_TRIP);
    }

    /// May this packet go out again now? If so, it counts. A receiver asks once in what it takes for a round
    /// trip, and its request may come a little early: it would be refused for a whole one.
    pub(crate) fn allows(&mut self, now: Instant, sequence_number: u16) -> bool {
        if let Some(known) = self
            .repeated
            .iter_mut()
            .find(|known| known.sequence_number == sequence_number)
        {
            let is_allowed = known.times < self.times
                && now.saturating_duration_since(known.last) >= self.round_trip * 3 / 4;
            if is_allowed {
                known.times += 1;
                known.last = now;
            }
            return is_allowed;
        }
        let first = Repeated {
            sequence_number,
            times: 1,
            last: now,
        };
        if self.repeated.len() < REMEMBERED {
            self.repeated.push(first);
        } else {
            self.repeated[self.oldest] = first;
            self.oldest = (self.oldest + 1) % REMEMBERED;
        }
        true
    }

    /// Take these bytes from the budget, if it has them.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let is_enough = bytes <= self.budget;
        if is_enough {
            self.budget -= bytes;
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_repeated_once_a_round_trip_and_five_times_in_all() {
        let mut now = crate::test_time::start();
        let mut limit = RetransmissionLimit::new(5);
        limit.on_round_trip(Duration::from_millis(100));
        let mut repeated = 0;
        for _ in 0..100 {
            repeated += u32::from(limit.allows(now, 7));
            now += Duration::from_millis(20);
        }
        assert_eq!(repeated, 5);
        assert!(limit.allows(now, 8));
    }

    #[test]
    fn a_request_that_comes_a_little_early_is_served() {
        let now = crate::test_time::start();
        let mut limit = RetransmissionLimit::new(5);
        limit.on_round_trip(Duration::from_millis(100));
        assert!(limit.allows(now, 7));
        assert!(!limit.allows(now + Duration::from_millis(50), 7));
        assert!(limit.allows(now + Duration::from_millis(80), 7));
    }

    #[test]
    fn repairs_are_a_fifth_of_what_is_sent() {
        let mut limit = RetransmissionLimit::new(5);
        assert!(limit.take(BURST));
        assert!(!limit.take(1_000));
        for _ in 0..5 {
            limit.on_sent(1_000);
        }
        assert!(limit.take(1_000) && !limit.take(1));
    }
}
