//! Which packets of one inbound stream are missing, and when to ask the publisher for them again.

use std::ops::Range;
use std::time::{Duration, Instant};

/// Where packets overtake each other a gap is not asked about at once: what is late comes by itself. For as long
/// as such packets have been late, but not longer than this.
const LONGEST_WAIT: Duration = Duration::from_millis(40);
/// The round trip to the publisher, before a retransmission has shown it.
const ASSUMED_ROUND_TRIP: Duration = Duration::from_millis(80);
const SHORTEST_RETRY: Duration = Duration::from_millis(40);
const LONGEST_RETRY: Duration = Duration::from_millis(500);
const TRIES: u8 = 8;
/// A picture stands still for as long as it misses a packet: after this a key frame is the shorter way.
const PATIENCE: Duration = Duration::from_secs(1);
/// More missing packets than this are no loss to repair but a break; a key frame mends it.
const MISSING: usize = 256;
/// How far before the first packet one is still taken that was overtaken: the packets of a first picture.
const BEFORE_THE_FIRST: u64 = 32;

struct Missing {
    sequence: u64,
    noticed: Instant,
    next_request: Instant,
    first_request: Option<Instant>,
    tries: u8,
}

/// The missing packets of one stream.
#[derive(Default)]
pub(crate) struct MissingPackets {
    highest: Option<u64>,
    lowest: u64,
    missing: Vec<Missing>,
    /// How long after its gap a reordered packet came, of late.
    reordering: Duration,
    /// From a request to its retransmission, smoothed.
    round_trip: Option<Duration>,
}

/// What a packet meant for the gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// In order.
    New,
    /// Something before it is missing.
    AfterGap,
    /// It fills a gap.
    Recovered,
    /// It was here before, or was given up.
    Old,
    /// So much is missing that a key frame must mend it.
    Broken,
}

impl MissingPackets {
    /// A packet has come, by itself or as the retransmission that was asked for.
    pub(crate) fn on_packet(
        &mut self,
        now: Instant,
        sequence: u64,
        is_retransmission: bool,
    ) -> Arrival {
        let Some(highest) = self.highest else {
            self.highest = Some(sequence);
            self.lowest = sequence;
            return Arrival::New;
        };
        if sequence < self.lowest && self.lowest - sequence <= BEFORE_THE_FIRST {
            // Overtaken by what was taken for the first. What lies between is on its way, or will be asked for.
            self.miss(now, sequence + 1..self.lowest);
            self.lowest = sequence;
            return Arrival::Recovered;
        }
        if sequence <= highest {
            let Some(place) = self
                .missing
                .iter()
                .position(|missing| missing.sequence == sequence)
            else {
                return Arrival::Old;
            };
            let missing = self.missing.swap_remove(place);
            match is_retransmission {
                true => self.measure_round_trip(now, &missing),
                false => self.measure_reordering(now, &missing),
            }
            return Arrival::Recovered;
        }
        self.highest = Some(sequence);
        let gap = sequence - highest - 1;
        if self.missing.len() as u64 + gap > MISSING as u64 {
            self.missing.clear();
            return Arrival::Broken;
        }
        if gap > 0 {
            self.reordering -= self.reordering / 16;
            self.miss(now, highest + 1..sequence);
            return Arrival::AfterGap;
        }
        Arrival::New
    }

    fn miss(&mut self, now: Instant, sequences: Range<u64>) {
        let next_request = now + self.reordering;
        self.missing.extend(sequences.map(|sequence| Missing {
            sequence,
            noticed: now,
            next_request,
            first_request: None,
            tries: 0,
        }));
    }

    /// Which request is answered nobody can tell: most likely the first. Where it is a later one, what is measured
    /// is too long; so the estimate follows a short time sooner than a long one.
    fn measure_round_trip(&mut self, now: Instant, missing: &Missing) {
        let Some(first) = missing.first_request else {
            return;
        };
        let measured = now.saturating_duration_since(first);
        self.round_trip = Some(match self.round_trip {
            None => measured,
            Some(known) if measured < known => known - (known - measured) / 4,
            Some(known) => known + (measured - known) / 8,
        });
    }

    fn measure_reordering(&mut self, now: Instant, missing: &Missing) {
        let late = now.saturating_duration_since(missing.noticed);
        self.reordering = self.reordering.max(late.min(LONGEST_WAIT));
    }

    /// Between two requests for one packet: a round trip, and a quarter for what it varies by.
    fn retry(&self) -> Duration {
        let round_trip = self.round_trip.unwrap_or(ASSUMED_ROUND_TRIP);
        (round_trip + round_trip / 4).clamp(SHORTEST_RETRY, LONGEST_RETRY)
    }

    /// The packets to ask for now. Those asked for in vain are given up; true if there were such.
    pub(crate) fn due(&mut self, now: Instant, requests: &mut Vec<u16>) -> bool {
        let before = self.missing.len();
        let retry = self.retry();
        self.missing.retain_mut(|missing| {
            if missing.next_request > now {
                return true;
            }
            let waited = now.saturating_duration_since(missing.noticed);
            if missing.tries == TRIES || missing.tries >= 2 && waited >= PATIENCE {
                return false;
            }
            missing.tries += 1;
            missing.first_request.get_or_insert(now);
            missing.next_request = now + retry;
            requests.push(missing.sequence as u16);
            true
        });
        requests
            .sort_unstable_by_key(|sequence| sequence.wrapping_sub(requests_origin(self.highest)));
        self.missing.len() < before
    }

    /// Whether anything is missing.
    pub(crate) fn is_empty(&self) -> bool {
        self.missing.is_empty()
    }
}

/// Half a turn behind the highest: from there on 16-bit numbers are in order.
fn requests_origin(highest: Option<u64>) -> u16 {
    (highest.unwrap_or(0) as u16).wrapping_sub(1 << 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(missing: &mut MissingPackets, now: Instant) -> Vec<u16> {
        let mut requests = Vec::new();
        missing.due(now, &mut requests);
        requests
    }

    /// From now until the packet is given up or `end` has passed: how often it is asked for.
    fn requests(missing: &mut MissingPackets, mut now: Instant, end: Instant) -> Vec<Instant> {
        let mut requests = Vec::new();
        while now < end && !missing.is_empty() {
            if !due(missing, now).is_empty() {
                requests.push(now);
            }
            now += Duration::from_millis(1);
        }
        requests
    }

    #[test]
    fn a_gap_is_asked_for_at_once_and_again_until_it_is_filled() {
        let start = crate::test_time::start();
        let mut missing = MissingPackets::default();
        missing.on_packet(start, 65_534, false);
        assert_eq!(missing.on_packet(start, 65_535, false), Arrival::New);
        assert_eq!(missing.on_packet(start, 65_539, false), Arrival::AfterGap);
        assert_eq!(due(&mut missing, start), [0, 1, 2]);
        assert_eq!(due(&mut missing, start), [0u16; 0]);
        assert_eq!(missing.on_packet(start, 65_537, true), Arrival::Recovered);
        assert_eq!(missing.on_packet(start, 65_537, true), Arrival::Old);
        let again = start + ASSUMED_ROUND_TRIP * 5 / 4;
        assert_eq!(due(&mut missing, again), [0, 2]);
    }

    #[test]
    fn a_packet_is_asked_for_once_a_round_trip_as_retransmissions_show_it() {
        let round_trip = Duration::from_millis(240);
        let mut now = crate::test_time::start();
        let mut missing = MissingPackets::default();
        missing.on_packet(now, 0, false);
        // The first is asked for as if the publisher were near; its answer tells otherwise.
        let mut asked = 0;
        for sequence in (2..40).step_by(2) {
            missing.on_packet(now, sequence, false);
            asked = requests(&mut missing, now, now + round_trip).len();
            now += round_trip;
            let arrival = missing.on_packet(now, sequence - 1, true);
            assert_eq!(arrival, Arrival::Recovered);
        }
        assert_eq!(asked, 1);
        assert_eq!(missing.retry(), round_trip + round_trip / 4);
    }

    #[test]
    fn what_the_first_packet_overtook_is_taken_and_what_lies_between_is_asked_for() {
        let now = crate::test_time::start();
        let mut missing = MissingPackets::default();
        missing.on_packet(now, 100, false);
        assert_eq!(missing.on_packet(now, 97, false), Arrival::Recovered);
        assert_eq!(missing.on_packet(now, 97, false), Arrival::Old);
        assert_eq!(due(&mut missing, now), [98, 99]);
        let long_before = 97 - BEFORE_THE_FIRST - 1;
        assert_eq!(missing.on_packet(now, long_before, false), Arrival::Old);
    }

    #[test]
    fn what_comes_late_by_itself_is_waited_for() {
        let mut now = crate::test_time::start();
        let late = Duration::from_millis(30);
        let mut missing = MissingPackets::default();
        missing.on_packet(now, 0, false);
        missing.on_packet(now, 2, false);
        missing.on_packet(now + late, 1, false);
        now += late;
        missing.on_packet(now, 4, false);
        let asked = requests(&mut missing, now, now + LONGEST_WAIT);
        assert!(asked[0] > now + late / 2, "{:?}", asked[0] - now);
    }

    #[test]
    fn what_is_asked_for_in_vain_is_given_up() {
        let start = crate::test_time::start();
        let mut missing = MissingPackets::default();
        missing.on_packet(start, 10, false);
        missing.on_packet(start, 12, false);
        let asked = requests(&mut missing, start, start + 2 * PATIENCE);
        assert_eq!(asked.len(), usize::from(TRIES));
        assert!(missing.is_empty());
    }

    #[test]
    fn where_the_publisher_is_far_a_key_frame_comes_before_the_last_try() {
        let start = crate::test_time::start();
        let mut missing = MissingPackets {
            round_trip: Some(Duration::from_millis(400)),
            ..MissingPackets::default()
        };
        missing.on_packet(start, 10, false);
        missing.on_packet(start, 12, false);
        let asked = requests(&mut missing, start, start + 3 * PATIENCE);
        assert_eq!(asked.len(), 2);
        assert!(missing.is_empty(), "given up");
    }

    #[test]
    fn a_long_break_is_not_repaired_packet_by_packet() {
        let now = crate::test_time::start();
        let mut missing = MissingPackets::default();
        missing.on_packet(now, 10, false);
        assert_eq!(missing.on_packet(now, 1_000, false), Arrival::Broken);
        assert!(missing.is_empty());
    }
}
