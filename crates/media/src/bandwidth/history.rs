//! What was lately sent to one peer under which transport-wide number: a ring of sixteen bytes a packet, empty
//! until the first is sent. It knows nothing of what the packets carried.

/// Packets remembered at first; the ring doubles while feedback is slower than that.
const FIRST_SIZE: usize = 128;
/// Packets remembered at most: 2 s at 10 Mbit/s. 32 KiB.
const LARGEST_SIZE: usize = 2_048;
/// Feedback later than this is of no use, nor is the correction of feedback that called a packet missing: such
/// places are taken again before the ring grows.
const REMEMBERED_US: u64 = 2_000_000;
const CORRECTED_US: u64 = 300_000;

/// What is known of a packet's fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unknown,
    ReportedMissing,
    Received,
}

/// A packet that was sent.
#[derive(Clone, Copy, Debug)]
struct Entry {
    sent_us: u64,
    bytes: u16,
    cluster: u8,
    fate: Fate,
}

/// A packet of which feedback has told something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reported {
    /// When it was sent, in microseconds.
    pub(super) sent_us: u64,
    pub(super) bytes: u16,
    /// The probe it belonged to; 0 is none.
    pub(super) cluster: u8,
    /// Earlier feedback had called it missing.
    pub(super) was_missing: bool,
}

/// The packets from `oldest` to before `next`.
#[derive(Default)]
pub(super) struct History {
    entries: Vec<Entry>,
    oldest: u64,
    next: u64,
}

impl History {
    /// Note a packet that goes out now. Gives its number.
    pub(super) fn record(&mut self, now_us: u64, bytes: usize, cluster: u8) -> u16 {
        if (self.next - self.oldest) as usize == self.entries.len() {
            self.make_room(now_us);
        }
        let number = self.next;
        let place = self.place(number);
        self.entries[place] = Entry {
            sent_us: now_us,
            bytes: bytes.min(usize::from(u16::MAX)) as u16,
            cluster,
            fate: Fate::Unknown,
        };
        self.next += 1;
        number as u16
    }

    #[cold]
    fn make_room(&mut self, now_us: u64) {
        const EMPTY: Entry = Entry {
            sent_us: 0,
            bytes: 0,
            cluster: 0,
            fate: Fate::Received,
        };
        let size = self.entries.len();
        let is_of_use = |entry: &Entry| {
            let age_us = now_us.saturating_sub(entry.sent_us);
            match entry.fate {
                Fate::Unknown => age_us < REMEMBERED_US,
                Fate::ReportedMissing => age_us < CORRECTED_US,
                Fate::Received => false,
            }
        };
        if size > 0 && (size == LARGEST_SIZE || !is_of_use(&self.entries[self.place(self.oldest)]))
        {
            self.oldest += 1;
            return;
        }
        let mut larger = vec![EMPTY; (size * 2).max(FIRST_SIZE)];
        let mask = larger.len() - 1;
        for number in self.oldest..self.next {
            larger[number as usize & mask] = self.entries[self.place(number)];
        }
        self.entries = larger;
    }

    /// The sizes are powers of two.
    fn place(&self, number: u64) -> usize {
        number as usize & (self.entries.len() - 1)
    }

    /// Feedback says this of a number. `None` if nothing of that number is remembered, or nothing is new.
    pub(super) fn report(&mut self, number: u16, is_received: bool) -> Option<Reported> {
        let back = (self.next as u16).wrapping_sub(number);
        let number = self.next.checked_sub(u64::from(back))?;
        if back == 0 || number < self.oldest {
            return None;
        }
        let place = self.place(number);
        let entry = &mut self.entries[place];
        let was_missing = entry.fate == Fate::ReportedMissing;
        if entry.fate == Fate::Received || (was_missing && !is_received) {
            return None;
        }
        entry.fate = if is_received {
            Fate::Received
        } else {
            Fate::ReportedMissing
        };
        Some(Reported {
            sent_us: entry.sent_us,
            bytes: entry.bytes,
            cluster: entry.cluster,
            was_missing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::seeded::Seeded;

    #[test]
    fn a_packet_is_found_by_its_number_once_for_each_news_of_it() {
        let mut history = History::default();
        assert_eq!(history.record(5, 100, 0), 0);
        assert_eq!(history.record(6, 200, 3), 1);
        let expected = Reported {
            sent_us: 6,
            bytes: 200,
            cluster: 3,
            was_missing: false,
        };
        assert_eq!(history.report(1, false), Some(expected));
        assert_eq!(history.report(1, false), None);
        let late = Reported {
            was_missing: true,
            ..expected
        };
        assert_eq!(history.report(1, true), Some(late));
        assert_eq!(history.report(1, true), None);
        assert_eq!(history.report(1, false), None);
    }

    #[test]
    fn numbers_that_were_never_sent_are_unknown() {
        let mut history = History::default();
        assert_eq!(history.report(0, true), None);
        for _ in 0..10 {
            history.record(0, 1, 0);
        }
        for number in 10..=u16::MAX {
            assert_eq!(history.report(number, true), None, "{number}");
        }
    }

    #[test]
    fn a_peer_that_reports_nothing_makes_it_grow_to_its_limit_and_no_further() {
        assert_eq!(size_of::<Entry>(), 16);
        let mut history = History::default();
        assert_eq!(history.entries.capacity(), 0);
        for sent in 0..200_000 {
            history.record(sent, 1_200, 0);
        }
        assert_eq!(history.entries.len(), LARGEST_SIZE);
        assert!(history.report((200_000u64 - 1) as u16, true).is_some());
    }

    #[test]
    fn a_peer_that_reports_in_time_keeps_it_small() {
        let mut history = History::default();
        for sent in 0..200_000u64 {
            let number = history.record(sent * 1_000, 1_200, 0);
            if sent >= 100 {
                assert!(history.report(number.wrapping_sub(100), true).is_some());
            }
        }
        assert_eq!(history.entries.len(), FIRST_SIZE);
    }

    #[test]
    fn what_is_found_is_what_was_sent_across_wraps_and_growth() {
        let mut random = Seeded::new(4);
        let mut history = History::default();
        let mut next = 0u64;
        for _ in 0..300_000 {
            let number = history.record(next * 700, (next % 1_000) as usize, (next % 7) as u8);
            assert_eq!(number, next as u16);
            next += 1;
            let asked = next - 1 - random.below(3_000).min(next - 1);
            if let Some(found) = history.report(asked as u16, random.chance(80)) {
                assert_eq!(found.sent_us, asked * 700);
                assert_eq!(u64::from(found.bytes), asked % 1_000);
                assert_eq!(u64::from(found.cluster), asked % 7);
            }
        }
    }
}
