//! Faults that are no packet's: how many, and the first few in words. It is shared by all participants.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Enough to understand what is wrong.
const TOLD: usize = 10;

/// Faults that are no packet's.
#[derive(Clone, Default)]
pub(super) struct Failures(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    first: Vec<String>,
    count: u64,
}

impl Failures {
    pub(super) fn add(&self, failure: impl Into<String>) {
        let mut inner = self.lock();
        inner.count += 1;
        if inner.first.len() < TOLD {
            inner.first.push(failure.into());
        }
    }

    pub(super) fn first(&self) -> Vec<String> {
        self.lock().first.clone()
    }

    pub(super) fn count(&self) -> u64 {
        self.lock().count
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
