//! When a publisher is asked for a key frame of one layer: once for everybody who wants one, and not too often.

use std::time::{Duration, Instant};

/// How long an answer is worth waiting for: a request's way to the publisher, a picture of 15 a second, the encoder's
/// work, and the way back.
const ANSWER: Duration = Duration::from_millis(200);

/// The requests for one layer.
pub(crate) struct KeyFrameRequests {
    interval: Duration,
    last: Option<Instant>,
    is_wanted: bool,
}

impl KeyFrameRequests {
    /// At most one request in each `interval`.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            last: None,
            is_wanted: false,
        }
    }

    /// Somebody waits for a key frame.
    pub(crate) fn want(&mut self) {
        self.is_wanted = true;
    }

    /// A key frame begins: whoever waited has it.
    pub(crate) fn satisfy(&mut self) {
        self.is_wanted = false;
    }

    /// Whether one was asked for a moment ago, and may come any moment.
    pub(crate) fn is_coming(&self, now: Instant) -> bool {
        let is_young = |last: Instant| now.saturating_duration_since(last) < ANSWER;
        self.is_wanted && self.last.is_some_and(is_young)
    }

    /// Ask now? Asked again after the interval as long as no key frame comes.
    pub(crate) fn poll(&mut self, now: Instant) -> bool {
        let is_due = self
            .last
            .is_none_or(|last| now.saturating_duration_since(last) >= self.interval);
        if self.is_wanted && is_due {
            self.last = Some(now);
        }
        self.is_wanted && is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_wishes_are_one_request_and_repeated_until_fulfilled() {
        let start = crate::test_time::start();
        let interval = Duration::from_millis(500);
        let mut requests = KeyFrameRequests::new(interval);
        assert!(!requests.poll(start));
        requests.want();
        requests.want();
        assert!(requests.poll(start));
        assert!(!requests.poll(start + interval / 2));
        assert!(requests.poll(start + interval));
        requests.satisfy();
        assert!(!requests.poll(start + interval * 3));
    }

    #[test]
    fn an_answer_is_waited_for_until_it_is_there_and_not_for_long() {
        let start = crate::test_time::start();
        let mut requests = KeyFrameRequests::new(Duration::from_millis(500));
        requests.want();
        assert!(!requests.is_coming(start), "nobody was asked yet");
        assert!(requests.poll(start));
        assert!(requests.is_coming(start + ANSWER / 2));
        assert!(!requests.is_coming(start + ANSWER));
        requests.satisfy();
        assert!(!requests.is_coming(start + ANSWER / 2));
    }
}
