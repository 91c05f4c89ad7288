//! How many layers of a track its publisher should send: up to the largest that somebody watches. More are
//! wanted at once; fewer only after a while, for an encoder takes time to begin anew.

use std::time::{Duration, Instant};

/// Without a viewer for so long a layer is wanted no longer.
const UNWATCHED: Duration = Duration::from_secs(2);
/// What forgot to say that something changed is found out in this time.
const INTERVAL: Duration = Duration::from_secs(1);

/// What the publisher of a track was told.
#[derive(Debug)]
pub(crate) struct Watched {
    /// Who watches what has changed.
    pub(crate) is_dirty: bool,
    looked: Option<Instant>,
    /// Layers, from the lowest.
    told: usize,
    fewer: Option<Fewer>,
}

/// Fewer layers are watched than the publisher was told.
#[derive(Clone, Copy, Debug)]
struct Fewer {
    since: Instant,
    /// The most of them that were watched since.
    most: usize,
}

impl Watched {
    /// Until told otherwise a publisher sends everything.
    pub(crate) fn new() -> Self {
        Self {
            is_dirty: false,
            looked: None,
            told: usize::MAX,
            fewer: None,
        }
    }

    /// Whether to look who watches what.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let is_old = |looked: Instant| now.saturating_duration_since(looked) >= INTERVAL;
        self.is_dirty || self.looked.is_none_or(is_old)
    }

    /// Who watches what is known now.
    pub(crate) fn note_looked(&mut self, now: Instant) {
        self.is_dirty = false;
        self.looked = Some(now);
    }

    /// How many of `count` layers the publisher sends, as far as it does as told.
    pub(crate) fn told(&self, count: usize) -> usize {
        self.told.min(count)
    }

    /// So many layers of `count` are watched. Gives how many the publisher is to send, if that has changed.
    pub(crate) fn update(&mut self, now: Instant, watched: usize, count: usize) -> Option<usize> {
        self.note_looked(now);
        let told = self.told(count);
        if watched >= told {
            self.fewer = None;
            self.told = watched;
            return (watched > told).then_some(watched);
        }
        let fewer = self.fewer.get_or_insert(Fewer {
            since: now,
            most: watched,
        });
        fewer.most = fewer.most.max(watched);
        let Fewer { since, most } = *fewer;
        if now.saturating_duration_since(since) < UNWATCHED {
            return None;
        }
        self.fewer = None;
        self.told = most;
        Some(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the publisher is told when so many layers of three are watched, each a second after the other.
    fn told(watched: &[usize]) -> Vec<Option<usize>> {
        let start = crate::test_time::start();
        let mut state = Watched::new();
        let seconds = (0..).map(Duration::from_secs);
        seconds
            .zip(watched)
            .map(|(second, watched)| state.update(start + second, *watched, 3))
            .collect()
    }

    #[test]
    fn a_publisher_whose_every_layer_is_watched_is_told_nothing() {
        assert_eq!(told(&[3, 3, 3, 3]), [None; 4]);
    }

    #[test]
    fn fewer_are_wanted_after_a_while_and_more_at_once() {
        assert_eq!(told(&[0, 0, 0, 0, 2]), [None, None, Some(0), None, Some(2)]);
    }

    #[test]
    fn of_what_was_watched_meanwhile_the_most_counts() {
        assert_eq!(told(&[0, 1, 0, 0, 0]), [None, None, Some(1), None, None]);
        assert_eq!(told(&[0, 1, 0, 0, 0, 0])[5], Some(0));
    }

    #[test]
    fn who_looks_away_for_a_moment_is_not_noticed() {
        assert_eq!(told(&[3, 0, 3, 0, 3, 0, 3]), [None; 7]);
    }
}
