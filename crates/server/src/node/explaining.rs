//! Those who ask over HTTP why somebody gets what they get, until the media worker has answered. It knows no
//! reason.

use std::collections::BTreeMap;

use media::Forwarding;
use tokio::sync::oneshot;

/// Questions that wait for a worker: whoever asks gives up after a few seconds.
const MOST_QUESTIONS: usize = 1_024;

/// What goes to whoever asks: `None` if there is no such peer.
pub(crate) type Explanation = Option<Forwarding>;

/// Questions that wait, by their number.
#[derive(Debug, Default)]
pub(super) struct Explaining {
    waiting: BTreeMap<u64, oneshot::Sender<Explanation>>,
    next: u64,
}

impl Explaining {
    /// A number for a question; `None` if there are too many.
    pub(super) fn open(&mut self, answer: oneshot::Sender<Explanation>) -> Option<u64> {
        if self.waiting.len() >= MOST_QUESTIONS {
            self.waiting.retain(|_, answer| !answer.is_closed());
        }
        if self.waiting.len() >= MOST_QUESTIONS {
            return None;
        }
        let request = self.next;
        self.next += 1;
        self.waiting.insert(request, answer);
        Some(request)
    }

    /// A worker has answered.
    pub(super) fn answer(&mut self, request: u64, explanation: Explanation) {
        if let Some(answer) = self.waiting.remove(&request) {
            // Whoever asked may have gone.
            let _ = answer.send(explanation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_gave_up_make_room_for_others() {
        let mut explaining = Explaining::default();
        let open: Vec<_> = (0..MOST_QUESTIONS)
            .map(|_| {
                let (answer, answered) = oneshot::channel();
                explaining.open(answer).map(|_| answered)
            })
            .collect();
        assert!(open.iter().all(Option::is_some));
        assert_eq!(explaining.open(oneshot::channel().0), None);
        drop(open);
        assert!(explaining.open(oneshot::channel().0).is_some());
    }

    #[test]
    fn each_question_gets_its_own_answer() {
        let mut explaining = Explaining::default();
        let (first, mut first_answer) = oneshot::channel();
        let (second, mut second_answer) = oneshot::channel();
        explaining.open(first);
        let request = explaining.open(second).unwrap();
        explaining.answer(request, None);
        assert_eq!(second_answer.try_recv(), Ok(None));
        assert!(first_answer.try_recv().is_err());
    }
}
