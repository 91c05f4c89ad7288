//! The wall clock made monotonic: read once at the start, and moved on by the monotonic clock from there, so
//! that a corrected system time never makes participants away, or tokens of the wire run backwards.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use protocol::Timestamp;

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    instant: Instant,
    timestamp: Timestamp,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            instant: Instant::now(),
            timestamp: Timestamp(0) + since_1970,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.timestamp + self.instant.elapsed()
    }

    /// When it will be, or was, this late.
    pub(crate) fn instant(&self, timestamp: Timestamp) -> Instant {
        self.instant + timestamp.since(self.timestamp).min(FAR)
    }
}

/// An `Instant` has an end: a stray far time must not reach it.
const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_same_on_both_clocks() {
        let clock = Clock::start();
        let later = clock.timestamp + Duration::from_millis(1_500);
        assert_eq!(
            clock.instant(later),
            clock.instant + Duration::from_millis(1_500)
        );
        assert!(clock.instant(Timestamp(u64::MAX)) > clock.instant);
    }
}
