//! Whether the database does its part, as operators ask for it. It tries nothing itself: it looks at the
//! writer.

use std::time::Duration;

use store::{Health, Monitor};

use crate::clock::Clock;

/// A database that is away for longer is told to whoever sends clients here.
const PATIENCE: Duration = Duration::from_secs(5);

/// For how long the database has taken nothing.
pub(crate) fn away_for(monitor: &Monitor, clock: &Clock) -> Duration {
    let since_failure = match &*monitor.health().borrow() {
        Health::Well { .. } => Duration::ZERO,
        Health::Away { since, .. } => clock.now().since(*since),
    };
    // One that does not even say that it fails.
    let trying_for = monitor.figures().trying_for.unwrap_or_default();
    let is_hanging = trying_for > PATIENCE;
    since_failure.max(if is_hanging {
        trying_for
    } else {
        Duration::ZERO
    })
}

/// Why no new clients should be sent here, if they should not.
pub(crate) fn check(monitor: &Monitor, clock: &Clock, most_waiting: usize) -> Result<(), String> {
    let away = away_for(monitor, clock);
    if away > PATIENCE {
        return Err(format!(
            "the database has been away for {} s",
            away.as_secs()
        ));
    }
    let waiting = monitor.figures().waiting;
    if waiting >= most_waiting {
        return Err(format!("{waiting} commands wait for the database"));
    }
    Ok(())
}
