//! Sequence numbers without end, from the 16 bits on the wire. Knows only numbers: never which are missing.

/// Where the count starts: one turn above zero, so that packets from before the first never underflow.
const FIRST_TURN: u64 = 1 << 16;

/// Extends 16-bit sequence numbers to 64 bits, across wraps and reordering.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unwrapper {
    highest: Option<u64>,
}

impl Unwrapper {
    /// The extended number of a packet that arrived. The first is `65,536 + sequence_number`.
    pub(crate) fn unwrap(&mut self, sequence_number: u16) -> u64 {
        let extended = self.extend(sequence_number);
        if self.highest.is_none_or(|highest| extended > highest) {
            self.highest = Some(extended);
        }
        extended
    }

    /// What `unwrap` would give, without taking note of it: for numbers that others report.
    pub(crate) fn extend(&self, sequence_number: u16) -> u64 {
        match self.highest {
            None => FIRST_TURN + u64::from(sequence_number),
            Some(highest) => {
                // Within half a turn of the highest, either way (RFC 3550, appendix A.1).
                let ahead = sequence_number.wrapping_sub(highest as u16) as i16;
                // Cannot wrap: the first is at least one turn, a step back at most half of one.
                highest.wrapping_add_signed(i64::from(ahead))
            }
        }
    }
}

/// Whether RTP timestamp `a` comes after `b`, less than half a turn ahead.
pub(crate) const fn is_newer_timestamp(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::seeded::Seeded;

    #[test]
    fn the_first_packet_leaves_room_for_those_sent_before_it() {
        let mut unwrapper = Unwrapper::default();
        assert_eq!(unwrapper.highest, None);
        assert_eq!(unwrapper.unwrap(3), 65_539);
        assert_eq!(unwrapper.unwrap(65_535), 65_535);
        assert_eq!(unwrapper.unwrap(4), 65_540);
        assert_eq!(unwrapper.highest, Some(65_540));
    }

    #[test]
    fn the_deepest_step_back_is_half_a_turn_below_the_first() {
        let mut unwrapper = Unwrapper::default();
        unwrapper.unwrap(0);
        assert_eq!(unwrapper.unwrap(32_768), 32_768);
        assert_eq!(unwrapper.highest, Some(65_536));
    }

    #[test]
    fn extending_a_reported_number_changes_nothing() {
        let mut unwrapper = Unwrapper::default();
        unwrapper.unwrap(10);
        assert_eq!(unwrapper.extend(500), 66_036);
        assert_eq!(unwrapper.highest, Some(65_546));
    }

    #[test]
    fn a_million_reordered_packets_unwrap_to_what_they_were() {
        let mut random = Seeded::new(1);
        let mut unwrapper = Unwrapper::default();
        let mut next = 65_536 + 60_000_u64;
        for _ in 0..1_000_000 {
            next += random.below(3);
            let sent = next - random.below(1_000);
            assert_eq!(unwrapper.unwrap(sent as u16), sent);
        }
        assert!(next > 10 * 65_536, "it went around several times");
    }

    #[test]
    fn a_newer_timestamp_is_told_across_the_wrap() {
        assert!(is_newer_timestamp(1, u32::MAX));
        assert!(!is_newer_timestamp(u32::MAX, 1) && !is_newer_timestamp(7, 7));
    }
}
