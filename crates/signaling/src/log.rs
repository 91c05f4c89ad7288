//! A room's changes, numbered from 1 without a gap: the last ones, for those who come back. It never
//! looks into a change.

use std::collections::VecDeque;

use protocol::{Change, NumberedChange};

/// A room's changes.
#[derive(Debug, Default)]
pub(crate) struct ChangeLog {
    last: u64,
    kept: VecDeque<NumberedChange>,
}

impl ChangeLog {
    /// Gives a change its number, and keeps it while it is one of the last `limit`.
    pub(crate) fn record(&mut self, change: Change, limit: usize) -> NumberedChange {
        self.last += 1;
        let numbered = NumberedChange {
            number: self.last,
            change,
        };
        self.kept.push_back(numbered.clone());
        while self.kept.len() > limit {
            self.kept.pop_front();
        }
        numbered
    }

    /// Nobody is left who could come back: nothing is kept. The numbers go on.
    pub(crate) fn forget(&mut self) {
        self.kept = VecDeque::new();
    }

    /// The number of the last change; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The changes after number `seen`, oldest first; `None` if not all of them are kept, or `seen` is
    /// a number that was never given.
    pub(crate) fn since(&self, seen: u64) -> Option<Vec<NumberedChange>> {
        let missed = self.last.checked_sub(seen)?;
        let skipped = self.kept.len().checked_sub(usize::try_from(missed).ok()?)?;
        Some(self.kept.iter().skip(skipped).cloned().collect())
    }

    pub(crate) fn check_invariants(&self, limit: usize) {
        assert!(
            self.kept.len() <= limit,
            "the log of changes is within its limit"
        );
        for (index, kept) in self.kept.iter().rev().enumerate() {
            assert_eq!(
                kept.number,
                self.last - index as u64,
                "the numbers have no gap"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::ParticipantId;

    use super::*;

    fn log_of(changes: u64, limit: usize) -> ChangeLog {
        let mut log = ChangeLog::default();
        for bits in 0..changes {
            let participant_id = ParticipantId::from_bits(bits);
            log.record(Change::CeasedToBeLive { participant_id }, limit);
            log.check_invariants(limit);
        }
        log
    }

    fn numbers(changes: Vec<NumberedChange>) -> Vec<u64> {
        changes.iter().map(|change| change.number).collect()
    }

    #[test]
    fn the_changes_after_a_number_are_exactly_those() {
        let log = log_of(5, 3);
        assert_eq!(log.since(2).map(numbers), Some(vec![3, 4, 5]));
        assert_eq!(log.since(4).map(numbers), Some(vec![5]));
        assert_eq!(log.since(5).map(numbers), Some(vec![]));
    }

    #[test]
    fn what_is_no_longer_kept_or_was_never_given_is_not_there() {
        let log = log_of(5, 3);
        assert_eq!(log.since(1), None);
        assert_eq!(log.since(0), None);
        assert_eq!(log.since(6), None);
        assert_eq!(log.since(u64::MAX), None);
    }
}
