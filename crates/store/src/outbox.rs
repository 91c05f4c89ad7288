//! The outbox's other end: what is due to whom, and what became of it. It sends nothing.

use protocol::Timestamp;
use serde_json::Value as Json;

use crate::database::{Row, values};
use crate::error::{Error, Fault};
use crate::record::time;
use crate::store::Store;

/// Most deliveries that are handed out at once.
const MOST_DUE: i64 = 1_000;

macro_rules! delivery_columns {
    () => {
        "events.id, events.kind, events.happened_at, events.body, deliveries.target, \
         deliveries.attempts, deliveries.next_attempt_at"
    };
}

/// An event that is due to a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The event's number: it grows, and is the same for each target and each attempt.
    pub event: i64,
    /// What happened: `session_started`, `participant_joined`, ….
    pub kind: String,
    /// When it happened.
    pub at: Timestamp,
    /// What is told of it: an object with the number as `id`, `event` (the kind), `at` (in milliseconds),
    /// `room`, and `session`, `participant` or `track`.
    pub body: Json,
    /// To whom.
    pub target: String,
    /// How often it has been tried in vain.
    pub attempts: u32,
    /// When it is due.
    pub due_at: Timestamp,
}

impl Store {
    /// What is due, oldest event first.
    pub async fn events_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Delivery>, Error> {
        let rows = self
            .rows(
                concat!(
                    "SELECT ",
                    delivery_columns!(),
                    " FROM deliveries JOIN events ON events.id = deliveries.event \
                     WHERE deliveries.next_attempt_at <= $1 \
                     ORDER BY deliveries.event, deliveries.target LIMIT $2"
                ),
                values![now, i64::from(limit).min(MOST_DUE)],
            )
            .await?;
        deliveries(&rows)
    }

    /// What one target is still to be told, oldest event first, due or not: for whoever tells it in order.
    pub async fn events_of(&self, target: &str, limit: u32) -> Result<Vec<Delivery>, Error> {
        let rows = self
            .rows(
                concat!(
                    "SELECT ",
                    delivery_columns!(),
                    " FROM deliveries JOIN events ON events.id = deliveries.event \
                     WHERE deliveries.target = $1 ORDER BY deliveries.event LIMIT $2"
                ),
                values![target, i64::from(limit).min(MOST_DUE)],
            )
            .await?;
        deliveries(&rows)
    }

    /// A target has it, or it is given up: it is due to that target no more.
    pub async fn event_delivered(&self, event: i64, target: &str) -> Result<(), Error> {
        self.change(
            "DELETE FROM deliveries WHERE event = $1 AND target = $2",
            values![event, target],
        )
        .await
        .map(drop)
    }

    /// A target could not be told: it is due again then.
    pub async fn event_failed(
        &self,
        event: i64,
        target: &str,
        next_attempt: Timestamp,
    ) -> Result<(), Error> {
        self.change(
            "UPDATE deliveries SET attempts = attempts + 1, next_attempt_at = $3 \
             WHERE event = $1 AND target = $2",
            values![event, target, next_attempt],
        )
        .await
        .map(drop)
    }
}

fn deliveries(rows: &[Row]) -> Result<Vec<Delivery>, Error> {
    let delivery = |row: &Row| {
        let event = row.integer(0)?;
        let mut body: Json = serde_json::from_str(&row.text(3)?)
            .map_err(|error| Error::Unreadable(error.to_string()))?;
        body["id"] = event.into();
        Ok(Delivery {
            event,
            kind: row.text(1)?,
            at: time(row, 2)?,
            body,
            target: row.text(4)?,
            attempts: u32::try_from(row.integer(5)?).unwrap_or(u32::MAX),
            due_at: time(row, 6)?,
        })
    };
    let deliveries: Result<Vec<_>, Fault> = rows.iter().map(delivery).collect();
    deliveries.map_err(Fault::unexpected)
}
