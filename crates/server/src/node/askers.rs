//! Those who ask over HTTP, and the answers held back until what they promise is committed. It decides no
//! answer but that there are too many.

use std::collections::{HashMap, VecDeque};

use protocol::{ErrorBody, ErrorCode};
use signaling::{ApiResult, AskerId};
use tokio::sync::oneshot;

use super::commits::{Promised, Transaction};

/// Requests that wait for an answer. While the database is away clients give up and ask again, and the
/// answers to both are held.
const MOST_ASKERS: usize = 16_384;

/// Those who ask over HTTP.
#[derive(Debug, Default)]
pub(super) struct Askers {
    waiting: HashMap<AskerId, oneshot::Sender<ApiResult>>,
    next: u64,
    /// In the order of the transactions.
    held: VecDeque<(Promised, AskerId, ApiResult)>,
}

impl Askers {
    /// A number for whoever asks; `None` if there are too many, who are told so.
    pub(super) fn open(&mut self, answer: oneshot::Sender<ApiResult>) -> Option<AskerId> {
        if self.waiting.len() >= MOST_ASKERS {
            self.waiting.retain(|_, answer| !answer.is_closed());
            let waiting = &self.waiting;
            self.held
                .retain(|(_, asker, _)| waiting.contains_key(asker));
        }
        if self.waiting.len() >= MOST_ASKERS {
            let sentence = "too many requests wait for an answer";
            let _ = answer.send(Err(ErrorBody::new(ErrorCode::Unavailable, sentence)));
            return None;
        }
        let asker = AskerId(self.next);
        self.next += 1;
        self.waiting.insert(asker, answer);
        Some(asker)
    }

    /// Answer now, or once the promise can be kept.
    pub(super) fn reply(&mut self, asker: AskerId, promised: Option<Promised>, result: ApiResult) {
        match promised {
            Some(promised) => self.held.push_back((promised, asker, result)),
            None => self.answer(asker, result),
        }
    }

    /// A transaction is committed, or refused for good: what waited for it is answered.
    pub(super) fn settle(&mut self, with: Transaction, is_refused: bool) {
        while let Some((promised, asker, result)) = self
            .held
            .pop_front_if(|(promised, ..)| promised.with <= with)
        {
            let is_broken = is_refused && promised.is_own && promised.with == with;
            let result = match is_broken && result.is_ok() {
                true => Err(ErrorBody::new(
                    ErrorCode::Internal,
                    "what was asked for could not be written down",
                )),
                false => result,
            };
            self.answer(asker, result);
        }
    }

    fn answer(&mut self, asker: AskerId, result: ApiResult) {
        if let Some(answer) = self.waiting.remove(&asker) {
            // Whoever asked may have gone.
            let _ = answer.send(result);
        }
    }
}
