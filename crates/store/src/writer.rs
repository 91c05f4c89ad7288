//! The one task that writes: it takes commands in order, commits whatever waits together, and tries again for
//! as long as the database is away. It never drops a command that it took, and never does one twice.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::Timestamp;
use protocol::record::Write;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::error::Error;
use crate::latency::Latency;
use crate::store::{Batch, Outcome, Store};

/// Most commands that wait: with a database that is away, memory must not grow for ever.
pub const MOST_WAITING: usize = 100_000;

/// Most commands in one transaction: many share one wait for the disk, and none waits long for the others.
const MOST_IN_A_BATCH: usize = 1_000;

/// Between two attempts.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// Half of the ten seconds that a killed server's sessions may be ended too early.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// Gives writes to the one task that commits them.
pub struct Writer {
    queue: mpsc::Sender<Entry>,
    monitor: Monitor,
    task: JoinHandle<()>,
}

/// Why a command cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// [`MOST_WAITING`] commands wait already.
    #[error("too many writes wait for the database")]
    Full,
    /// The task has ended.
    #[error("the store is closed")]
    Stopped,
}

/// Whether the database takes what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Well {
        /// Since then.
        since: Timestamp,
    },
    /// It does not: commands wait.
    Away {
        /// Since then.
        since: Timestamp,
        /// The latest error, for people.
        reason: String,
    },
}

/// What the writer has done, and what it has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Commands that are not committed yet.
    pub waiting: usize,
    /// For how long the oldest batch of them has been tried.
    pub trying_for: Option<Duration>,
    /// Commands that were committed.
    pub committed: u64,
    /// Commands that the schema refused.
    pub refused: u64,
    /// Commands that found no place ([`SubmitError::Full`]).
    pub turned_away: u64,
    /// Transactions.
    pub batches: u64,
    /// Attempts, heartbeats too, that failed because the database was away.
    pub failed_attempts: u64,
    /// From a command's submission to its commit.
    pub latency: Latency,
}

/// Looks at the writer from outside.
#[derive(Clone)]
pub struct Monitor {
    health: watch::Receiver<Health>,
    progress: Arc<Mutex<Progress>>,
}

struct Entry {
    writes: Vec<Write>,
    submitted: Instant,
    outcome: oneshot::Sender<Outcome>,
}

#[derive(Default)]
struct Progress {
    figures: Figures,
    trying_since: Option<Instant>,
}

impl Writer {
    /// Starts the task. `clock` says what time it is, for heartbeats and events.
    pub fn start(store: Arc<Store>, clock: impl Fn() -> Timestamp + Send + 'static) -> Self {
        let (queue, entries) = mpsc::channel(MOST_WAITING);
        let (health, watched) = watch::channel(Health::Well { since: clock() });
        let monitor = Monitor {
            health: watched,
            progress: Arc::default(),
        };
        let mut heartbeat = interval(HEARTBEAT_INTERVAL);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let task = Task {
            store,
            clock,
            entries,
            heartbeat,
            health,
            progress: monitor.progress.clone(),
        };
        Self {
            queue,
            monitor,
            task: tokio::spawn(task.run()),
        }
    }

    /// Takes the writes of a command, to be committed behind all that were taken before. The answer comes
    /// when they are; one without writes is answered behind those before it. An answer that never comes
    /// (the sender is gone) means: not known to be written.
    pub fn submit(&self, writes: Vec<Write>) -> Result<oneshot::Receiver<Outcome>, SubmitError> {
        let (outcome, answer) = oneshot::channel();
        let entry = Entry {
            writes,
            submitted: Instant::now(),
            outcome,
        };
        // Held meanwhile, so that nothing is committed before it is counted.
        let mut progress = self.monitor.progress();
        match self.queue.try_send(entry) {
            Ok(()) => progress.figures.waiting += 1,
            Err(TrySendError::Full(_)) => {
                progress.figures.turned_away += 1;
                return Err(SubmitError::Full);
            }
            Err(TrySendError::Closed(_)) => return Err(SubmitError::Stopped),
        }
        Ok(answer)
    }

    /// To look at it from outside.
    pub fn monitor(&self) -> Monitor {
        self.monitor.clone()
    }

    /// Writes what waits, and ends. Returns how many commands could not be written with this much patience:
    /// 0 unless the database is away.
    pub async fn stop(self, patience: Duration) -> usize {
        drop(self.queue);
        let mut task = self.task;
        if tokio::time::timeout(patience, &mut task).await.is_err() {
            task.abort();
            // The connection is let go before the store can be closed.
            let _ = task.await;
        }
        self.monitor.figures().waiting
    }
}

impl Monitor {
    /// Whether the database takes what is written, and each change of that.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// What the writer has done, and what it has to do.
    pub fn figures(&self) -> Figures {
        let progress = self.progress();
        Figures {
            trying_for: progress.trying_since.map(|since| since.elapsed()),
            ..progress.figures.clone()
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // Plain numbers: whoever panicked left nothing half done.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Task<C> {
    store: Arc<Store>,
    clock: C,
    entries: mpsc::Receiver<Entry>,
    heartbeat: Interval,
    health: watch::Sender<Health>,
    progress: Arc<Mutex<Progress>>,
}

impl<C: Fn() -> Timestamp> Task<C> {
    async fn run(mut self) {
        let mut taken = Vec::new();
        loop {
            tokio::select! {
                biased;
                _ = self.heartbeat.tick() => {
                    let result = self.store.heartbeat((self.clock)()).await;
                    self.note(result.as_ref().err());
                }
                count = self.entries.recv_many(&mut taken, MOST_IN_A_BATCH) => {
                    if count == 0 {
                        return;
                    }
                    self.commit(std::mem::take(&mut taken)).await;
                }
            }
        }
    }

    /// Commits these commands, however long it takes.
    async fn commit(&mut self, mut entries: Vec<Entry>) {
        let count = entries.len();
        self.progress().trying_since = Some(Instant::now());
        let transactions: Vec<_> = entries
            .iter_mut()
            .map(|entry| std::mem::take(&mut entry.writes))
            .collect();
        let outcomes = if transactions.iter().all(Vec::is_empty) {
            vec![Outcome::Committed; count]
        } else {
            self.write(Batch::new((self.clock)(), transactions)).await
        };
        {
            let mut progress = self.progress();
            progress.trying_since = None;
            progress.figures.waiting -= count;
            progress.figures.batches += 1;
            for (entry, outcome) in entries.iter().zip(&outcomes) {
                progress.figures.latency.observe(entry.submitted.elapsed());
                match outcome {
                    Outcome::Committed => progress.figures.committed += 1,
                    Outcome::Refused(_) => progress.figures.refused += 1,
                }
            }
        }
        for (entry, outcome) in entries.into_iter().zip(outcomes) {
            if let Outcome::Refused(reason) = &outcome {
                tracing::error!(reason, "the database refuses what was to be written");
            }
            // Whoever does not wait for it any more need not be told.
            let _ = entry.outcome.send(outcome);
        }
    }

    async fn write(&mut self, mut batch: Batch) -> Vec<Outcome> {
        let mut backoff = FIRST_BACKOFF;
        loop {
            match self.store.write(&mut batch).await {
                Ok(outcomes) => {
                    self.note(None);
                    return outcomes;
                }
                Err(error) => {
                    self.note(Some(&error));
                }
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(LONGEST_BACKOFF);
        }
    }

    /// Tells of the database's going and coming.
    fn note(&self, error: Option<&Error>) {
        self.progress().figures.failed_attempts += u64::from(error.is_some());
        let now = (self.clock)();
        self.health
            .send_if_modified(|health| match (&*health, error) {
                (Health::Well { .. }, None) => false,
                (Health::Away { since, .. }, None) => {
                    let away = now.since(*since);
                    tracing::info!(away_ms = away.as_millis(), "the database is back");
                    *health = Health::Well { since: now };
                    true
                }
                (Health::Well { .. }, Some(error)) => {
                    tracing::error!(%error, "writes wait");
                    let reason = error.to_string();
                    *health = Health::Away { since: now, reason };
                    true
                }
                (Health::Away { since, .. }, Some(error)) => {
                    let (since, reason) = (*since, error.to_string());
                    *health = Health::Away { since, reason };
                    true
                }
            });
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
