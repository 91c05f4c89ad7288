//! What is old is forgotten, a little at a time, so that the writer never waits long. What runs or is to come
//! is never touched.

use protocol::Timestamp;

use crate::database::{Value, values};
use crate::error::{Error, Fault};
use crate::store::Store;

/// Rows deleted in one transaction, not counting those that go with them.
const SLICE: i64 = 100;

/// How much was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Sessions, with their attendance and tracks.
    pub sessions: u64,
    /// Closed rooms without sessions, with their bans.
    pub rooms: u64,
    /// Events.
    pub events: u64,
}

impl Store {
    /// Forgets sessions that ended before then, rooms that were closed before then and have no sessions
    /// left, and events of before then that are delivered; of those that are not, the ones of before
    /// `undelivered_before`.
    pub async fn prune(
        &self,
        before: Timestamp,
        undelivered_before: Timestamp,
    ) -> Result<Pruned, Error> {
        let sessions = self
            .delete(
                "DELETE FROM sessions WHERE id IN \
                 (SELECT id FROM sessions WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)",
                before,
            )
            .await?;
        let rooms = self
            .delete(
                "DELETE FROM rooms WHERE id IN (SELECT id FROM rooms WHERE closed_at < $1 \
                 AND NOT EXISTS (SELECT 1 FROM sessions WHERE room = rooms.id) LIMIT $2)",
                before,
            )
            .await?;
        let delivered = self
            .delete(
                "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE happened_at < $1 \
                 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = events.id) LIMIT $2)",
                before,
            )
            .await?;
        let given_up = self
            .delete(
                "DELETE FROM events WHERE id IN \
                 (SELECT id FROM events WHERE happened_at < $1 ORDER BY happened_at LIMIT $2)",
                undelivered_before,
            )
            .await?;
        Ok(Pruned {
            sessions,
            rooms,
            events: delivered + given_up,
        })
    }

    /// Repeats a statement that deletes a slice until it finds nothing more.
    async fn delete(&self, sql: &'static str, before: Timestamp) -> Result<u64, Error> {
        let mut sum = 0;
        loop {
            let deleted = self.change(sql, values![before, SLICE]).await?;
            if deleted == 0 {
                return Ok(sum);
            }
            sum += deleted;
        }
    }

    /// One statement that changes something, as a transaction of its own. Returns how many rows changed.
    pub(crate) async fn change(&self, sql: &'static str, values: Vec<Value>) -> Result<u64, Error> {
        let mut transaction = self.begin().await.map_err(Fault::unexpected)?;
        let changed = transaction
            .connection
            .execute(sql, values)
            .await
            .map_err(Fault::unexpected)?;
        transaction.commit().await?;
        Ok(changed)
    }
}
