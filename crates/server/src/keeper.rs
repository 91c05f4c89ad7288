//! Looks after what is stored while the server runs: forgets what is old, and looks for rooms that are stuck.
//! It changes nothing that still matters to anybody.

use std::sync::Arc;
use std::time::Duration;

use protocol::Timestamp;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

use crate::http::App;
use crate::node::{NodeCommand, Running};

const FORGETTING: Duration = Duration::from_secs(3600);
const LOOKING: Duration = Duration::from_secs(30);
/// A session that ends while we look is not stuck: looked at so often, so far apart.
const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// Webhooks are tried for a day; what is older is nobody's any more.
const EVENTS_KEPT: Duration = Duration::from_secs(2 * 24 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Look after the store for ever.
pub(crate) async fn keep(app: Arc<App>) {
    let mut forgetting = interval(FORGETTING);
    let mut looking = interval(LOOKING);
    for interval in [&mut forgetting, &mut looking] {
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    loop {
        tokio::select! {
            _ = forgetting.tick() => forget(&app).await,
            _ = looking.tick() => {
                if let Some(stuck) = stuck(&app).await {
                    let stuck = i64::try_from(stuck).unwrap_or(i64::MAX);
                    app.metrics.rooms_stuck.set(stuck);
                }
            }
        }
    }
}

async fn forget(app: &App) {
    let now = app.clock.now();
    let before = match app.config.retention_days {
        0 => Timestamp(0),
        days => earlier(now, DAY * days),
    };
    match app.store.prune(before, earlier(now, EVENTS_KEPT)).await {
        Ok(pruned) => tracing::debug!(?pruned, "forgotten"),
        // The next hour does it.
        Err(error) => tracing::warn!(%error, "what is old cannot be forgotten"),
    }
}

fn earlier(now: Timestamp, by: Duration) -> Timestamp {
    let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
    Timestamp(now.0.saturating_sub(by))
}

/// Rooms that the rooms themselves call stuck, and those whose session runs in the database alone. `None`:
/// the database does not say.
async fn stuck(app: &App) -> Option<usize> {
    let mut least = usize::MAX;
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        let stored = app.store.counts(app.clock.now()).await.ok()?;
        let stored = usize::try_from(stored.running_sessions).unwrap_or(usize::MAX);
        let (answer, answered) = oneshot::channel();
        app.node.send(NodeCommand::Running(answer)).await.ok()?;
        let Running { sessions, stuck } = answered.await.ok()?;
        least = least.min(stuck + stored.saturating_sub(sessions));
        if least == 0 {
            break;
        }
    }
    Some(least)
}
