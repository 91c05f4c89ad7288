//! Which packets of one inbound stream are missing, and when to ask the publisher for them again.

use std::time::{Duration, Instant};

/// A gap is not asked about at once: a reordered packet comes by itself.
const FIRST_WAIT: Duration = Duration::from_millis(10);
/// Between two requests for the same packet: about a round trip.
const RETRY: Duration = Duration::from_millis(80);
const TRIES: u8 = 8;
/// More missing packets than this are no loss to repair but a break; a key frame mends it.
const MISSING: usize = 256;

struct Missing {
    sequence: u64,
    next_request: Instant,
    tries: u8,
}

/// The missing packets of one stream.
#[derive(Default)]
pub(crate) struct MissingPackets {
    highest: Option<u64>,
    missing: Vec<Missing>,
}

/// What a packet meant for the gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// In order, or later than expected: gaps may have opened.
    New,
    /// It fills a gap.
    Recovered,
    /// It was here before, or was given up.
    Old,
    /// So much is missing that a key frame must mend it.
    Broken,
}

impl MissingPackets {
    /// A packet has come.
    pub(crate) fn on_packet(&mut self, now: Instant, sequence: u64) -> Arrival {
        let Some(highest) = self.highest else {
            self.highest = Some(sequence);
            return Arrival::New;
        };
        if sequence <= highest {
            let Some(place) = self
                .missing
                .iter()
                .position(|missing| missing.sequence == sequence)
            else {
                return Arrival::Old;
            };
            self.missing.swap_remove(place);
            return Arrival::Recovered;
        }
        self.highest = Some(sequence);
        let gap = sequence - highest - 1;
        if self.missing.len() as u64 + gap > MISSING as u64 {
            self.missing.clear();
            return Arrival::Broken;
        }
        self.missing
            .extend((highest + 1..sequence).map(|sequence| Missing {
                sequence,
                next_request: now + FIRST_WAIT,
                tries: 0,
            }));
        Arrival::New
    }

    /// The packets to ask for now. Those asked for in vain are given up; true if there were such.
    pub(crate) fn due(&mut self, now: Instant, requests: &mut Vec<u16>) -> bool {
        let before = self.missing.len();
        self.missing.retain_mut(|missing| {
            if missing.next_request > now {
                return true;
            }
            if missing.tries == TRIES {
                return false;
            }
            missing.tries += 1;
            missing.next_request = now + RETRY;
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

    #[test]
    fn a_gap_is_asked_for_after_a_moment_and_again_until_it_is_filled() {
        let start = crate::test_time::start();
        let mut missing = MissingPackets::default();
        missing.on_packet(start, 65_534);
        assert_eq!(missing.on_packet(start, 65_538), Arrival::New);
        assert_eq!(due(&mut missing, start), [0u16; 0]);
        let later = start + FIRST_WAIT;
        assert_eq!(due(&mut missing, later), [65_535, 0, 1]);
        assert_eq!(due(&mut missing, later), [0u16; 0]);
        assert_eq!(missing.on_packet(later, 65_536), Arrival::Recovered);
        assert_eq!(missing.on_packet(later, 65_536), Arrival::Old);
        assert_eq!(due(&mut missing, later + RETRY), [65_535, 1]);
    }

    #[test]
    fn what_is_asked_for_in_vain_is_given_up() {
        let start = crate::test_time::start();
        let mut missing = MissingPackets::default();
        missing.on_packet(start, 10);
        missing.on_packet(start, 12);
        let mut now = start + FIRST_WAIT;
        for _ in 0..TRIES {
            assert_eq!(due(&mut missing, now), [11]);
            now += RETRY;
        }
        assert!(missing.due(now, &mut Vec::new()));
        assert!(missing.is_empty());
    }

    #[test]
    fn a_long_break_is_not_repaired_packet_by_packet() {
        let now = crate::test_time::start();
        let mut missing = MissingPackets::default();
        missing.on_packet(now, 10);
        assert_eq!(missing.on_packet(now, 1_000), Arrival::Broken);
        assert!(missing.is_empty());
    }
}
