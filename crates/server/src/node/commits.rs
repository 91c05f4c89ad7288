//! The transactions that were asked for and are not committed yet, in order, and who waits for them. It
//! writes nothing itself, and promises nothing itself.

use std::collections::VecDeque;
use std::future::pending;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// The number of a transaction: they are committed in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Transaction(u64);

#[cfg(test)]
impl Transaction {
    pub(super) fn numbered(number: u64) -> Self {
        Self(number)
    }
}

/// What a promise waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Promised {
    /// The last transaction asked for until then.
    pub(super) with: Transaction,
    /// It is the command's own. Another's may be refused, and the promise still be kept.
    pub(super) is_own: bool,
}

/// What became of a transaction.
#[derive(Debug)]
pub(super) struct Settled<Outcome> {
    pub(super) transaction: Transaction,
    /// `None`: whoever writes is gone.
    pub(super) outcome: Option<Outcome>,
    pub(super) after: Duration,
}

/// The transactions that are not committed yet.
#[derive(Debug)]
pub(super) struct Commits<Outcome> {
    last: Transaction,
    waiting: VecDeque<(Instant, oneshot::Receiver<Outcome>)>,
}

impl<Outcome> Commits<Outcome> {
    pub(super) fn new() -> Self {
        Self {
            last: Transaction(0),
            waiting: VecDeque::new(),
        }
    }

    /// One more was asked for.
    pub(super) fn push(&mut self, outcome: oneshot::Receiver<Outcome>) {
        self.last.0 += 1;
        self.waiting.push_back((Instant::now(), outcome));
    }

    /// What a promise made now has to wait for, if it has to.
    pub(super) fn promised(&self, is_own: bool) -> Option<Promised> {
        let promised = Promised {
            with: self.last,
            is_own,
        };
        (!self.waiting.is_empty()).then_some(promised)
    }

    /// How many are not committed.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Waits until the next one is committed, or refused for good. Given up, it loses nothing.
    pub(super) async fn next(&mut self) -> Settled<Outcome> {
        let number = self.last.0 + 1 - self.waiting.len() as u64;
        let Some((since, outcome)) = self.waiting.front_mut() else {
            return pending().await;
        };
        let outcome = outcome.await.ok();
        let after = since.elapsed();
        self.waiting.pop_front();
        Settled {
            transaction: Transaction(number),
            outcome,
            after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn transactions_are_settled_in_their_order_and_nothing_is_lost_when_waiting_is_given_up()
    {
        let mut commits = Commits::new();
        assert_eq!(
            commits.promised(true),
            None,
            "nothing is asked for: nothing is waited for"
        );
        let (first, outcome) = oneshot::channel();
        commits.push(outcome);
        let (second, outcome) = oneshot::channel();
        commits.push(outcome);
        let with = commits.promised(true).map(|promised| promised.with);
        assert_eq!(with, Some(Transaction(2)));

        second.send("second").unwrap();
        let early = tokio::time::timeout(Duration::from_millis(10), commits.next()).await;
        assert!(early.is_err(), "{early:?}: the first is not committed");
        drop(first);
        let settled = commits.next().await;
        assert_eq!(
            (settled.transaction, settled.outcome),
            (Transaction(1), None)
        );
        let settled = commits.next().await;
        assert_eq!(
            (settled.transaction, settled.outcome),
            (Transaction(2), Some("second"))
        );
        assert_eq!((commits.len(), commits.promised(true)), (0, None));
    }
}
