//! The opened database, and the one way of writing to it. It keeps no copy of what is stored.

use std::fs::File;
use std::time::Duration;

use protocol::Timestamp;
use protocol::record::Write;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::apply::Applier;
use crate::database::{Connection, Readers, values};
use crate::error::{Error, Fault};
use crate::location::Location;
use crate::lock::{lock_database, lock_directory};
use crate::migration::migrate;

/// How long an opening waits for a server that was killed a moment ago to let the database go.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_INTERVAL: Duration = Duration::from_millis(100);

/// Most targets that events are delivered to.
pub const MOST_TARGETS: usize = 16;

/// What a server may choose of its store.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// To whom events are to be delivered: names, or URLs, at most [`MOST_TARGETS`]. A new one is told what
    /// happens from now on; what was due to one that is no longer named is forgotten. With none, no events
    /// are written.
    pub targets: Vec<String>,
}

/// Commands to be written together. After an error the *same* batch is given again, before any other: so a
/// commit whose answer was lost is recognised, and nothing is written twice.
#[derive(Debug)]
pub struct Batch {
    transactions: Vec<Vec<Write>>,
    now: Timestamp,
    /// Asked to be committed, without an answer yet.
    doubt: Option<Doubt>,
}

#[derive(Debug)]
struct Doubt {
    number: i64,
    outcomes: Vec<Outcome>,
}

impl Batch {
    /// The writes of each command, in order.
    pub fn new(now: Timestamp, transactions: Vec<Vec<Write>>) -> Self {
        Self {
            transactions,
            now,
            doubt: None,
        }
    }
}

/// What became of a command's writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of them are on the disk.
    Committed,
    /// None of them is: the schema refuses one. Why, for people.
    Refused(String),
}

/// The opened database of the one server that writes to it.
pub struct Store {
    location: Location,
    readers: Readers,
    /// The connection that writes; `None` when it is lost, or in use by somebody who gave up.
    writing: Mutex<Option<Connection>>,
    epoch: i64,
    pub(crate) has_targets: bool,
    /// Held as long as the store is open.
    _lock: Option<File>,
}

impl Store {
    /// Opens the database, alone, and brings its schema to this version.
    pub async fn open(location: Location, settings: Settings) -> Result<Self, Error> {
        if settings.targets.len() > MOST_TARGETS {
            return Err(Error::Unusable(format!(
                "events are delivered to at most {MOST_TARGETS} targets"
            )));
        }
        let lock = match &location {
            Location::Sqlite(directory) => Some(lock_patiently(directory).await?),
            Location::Postgres(_) => None,
        };
        let mut connection = connect_patiently(&location).await?;
        migrate(&mut connection).await?;
        let epoch = take_over(&mut connection, &settings)
            .await
            .map_err(Fault::unexpected)?;
        Ok(Self {
            readers: Readers::of(&location),
            writing: Mutex::new(Some(connection)),
            epoch,
            has_targets: !settings.targets.is_empty(),
            location,
            _lock: lock,
        })
    }

    /// Where the database is, without its password.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Lets the database go.
    pub async fn close(self) {
        if let Some(connection) = self.writing.into_inner() {
            connection.close().await;
        }
        self.readers.close().await;
    }

    /// Writes the commands of a batch in one transaction; one that the schema refuses is left out, alone.
    /// The outcomes are in the order of the commands.
    pub async fn write(&self, batch: &mut Batch) -> Result<Vec<Outcome>, Error> {
        let mut transaction = self.begin().await.map_err(Fault::unexpected)?;
        if let Some(doubt) = batch.doubt.take()
            && transaction.batch == doubt.number
        {
            transaction.rollback().await;
            return Ok(doubt.outcomes);
        }
        let (number, outcomes) = self
            .perform(&mut transaction, batch)
            .await
            .map_err(Fault::unexpected)?;
        batch.doubt = Some(Doubt {
            number,
            outcomes: outcomes.clone(),
        });
        transaction.commit().await?;
        batch.doubt = None;
        Ok(outcomes)
    }

    /// Notes that the server lives: what a killed server left running is later ended as of this moment, so it
    /// is to be called every 10 s at least. The [`Writer`](crate::Writer) does.
    pub async fn heartbeat(&self, now: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin().await.map_err(Fault::unexpected)?;
        transaction
            .connection
            .execute("UPDATE server SET heartbeat_at = $1", values![now])
            .await
            .map_err(Fault::unexpected)?;
        transaction.commit().await
    }

    async fn perform(
        &self,
        transaction: &mut Transaction<'_>,
        batch: &Batch,
    ) -> Result<(i64, Vec<Outcome>), Fault> {
        let connection = &mut transaction.connection;
        let mut applier = Applier::new(connection, self.has_targets, batch.now);
        let outcomes = match applier.apply_all(&batch.transactions).await {
            Ok(()) => vec![Outcome::Committed; batch.transactions.len()],
            Err(Fault::Failed(error)) => return Err(Fault::Failed(error)),
            // Rare, so the common way needs no savepoints: begin anew, with them.
            Err(Fault::Refused(_)) => {
                connection.execute("ROLLBACK", values![]).await?;
                connection.begin().await?;
                Applier::new(connection, self.has_targets, batch.now)
                    .apply_each(&batch.transactions)
                    .await?
            }
        };
        let number = transaction.batch + 1;
        connection
            .execute(
                "UPDATE server SET batch = $1, heartbeat_at = $2",
                values![number, batch.now],
            )
            .await?;
        Ok((number, outcomes))
    }

    /// Begins a transaction on the one connection that writes, which is opened anew if it was lost.
    pub(crate) async fn begin(&self) -> Result<Transaction<'_>, Fault> {
        let mut writing = self.writing.lock().await;
        let mut connection = match writing.take() {
            Some(connection) => connection,
            None => connect(&self.location).await?,
        };
        connection.begin().await?;
        let row = connection
            .row("SELECT epoch, batch FROM server", values![])
            .await?
            .ok_or_else(|| Error::Unusable("its table server is empty".into()))?;
        if row.integer(0)? != self.epoch {
            return Err(Error::TakenOver.into());
        }
        Ok(Transaction {
            batch: row.integer(1)?,
            connection,
            writing,
        })
    }

    /// The rows that a statement gives, for those who only read.
    pub(crate) async fn rows(
        &self,
        sql: &'static str,
        values: Vec<crate::database::Value>,
    ) -> Result<Vec<crate::database::Row>, Error> {
        self.readers
            .rows(sql, values)
            .await
            .map_err(Fault::unexpected)
    }
}

/// A transaction on the one connection that writes. Dropped before its end, it takes the connection with it:
/// the database then undoes what was not committed.
pub(crate) struct Transaction<'a> {
    /// The number of the last batch that was committed.
    batch: i64,
    pub(crate) connection: Connection,
    writing: MutexGuard<'a, Option<Connection>>,
}

impl Transaction<'_> {
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        self.connection
            .execute("COMMIT", values![])
            .await
            .map_err(Fault::unexpected)?;
        *self.writing = Some(self.connection);
        Ok(())
    }

    async fn rollback(mut self) {
        if self.connection.execute("ROLLBACK", values![]).await.is_ok() {
            *self.writing = Some(self.connection);
        }
    }
}

async fn connect(location: &Location) -> Result<Connection, Fault> {
    let mut connection = Connection::open(location).await?;
    match lock_database(&mut connection, location).await {
        Ok(()) => Ok(connection),
        Err(error) => {
            connection.close().await;
            Err(error.into())
        }
    }
}

async fn connect_patiently(location: &Location) -> Result<Connection, Error> {
    let until = Instant::now() + LOCK_PATIENCE;
    loop {
        match connect(location).await.map_err(Fault::unexpected) {
            Err(Error::InUse(_)) if Instant::now() < until => {
                tokio::time::sleep(LOCK_INTERVAL).await;
            }
            result => return result,
        }
    }
}

async fn lock_patiently(directory: &std::path::Path) -> Result<File, Error> {
    let until = Instant::now() + LOCK_PATIENCE;
    loop {
        match lock_directory(directory) {
            Err(Error::InUse(_)) if Instant::now() < until => {
                tokio::time::sleep(LOCK_INTERVAL).await;
            }
            result => return result,
        }
    }
}

/// Makes the database this server's: whoever had it before finds another epoch, and writes no more.
async fn take_over(connection: &mut Connection, settings: &Settings) -> Result<i64, Fault> {
    connection.begin().await?;
    let epoch = connection
        .row(
            "UPDATE server SET epoch = epoch + 1 RETURNING epoch",
            values![],
        )
        .await?
        .ok_or_else(|| Error::Unusable("its table server is empty".into()))?
        .integer(0)?;
    let known = connection
        .rows("SELECT name FROM targets", values![])
        .await?;
    for row in known {
        let name = row.text(0)?;
        if !settings.targets.contains(&name) {
            connection
                .execute("DELETE FROM targets WHERE name = $1", values![&name])
                .await?;
        }
    }
    for target in &settings.targets {
        connection
            .execute(
                "INSERT INTO targets (name) VALUES ($1) ON CONFLICT DO NOTHING",
                values![target],
            )
            .await?;
    }
    connection.execute("COMMIT", values![]).await?;
    Ok(epoch)
}
