//! One way of asking two databases: SQL that both understand, with `$1` for values. It knows no table.
//!
//! Both take `$1`, `RETURNING`, `ON CONFLICT` and `true`; what they do not share (`BEGIN`, how to connect)
//! is here.

use std::future::Future;
use std::time::Duration;

use protocol::{Identity, ParticipantId, Role, RoomId, RoomName, SessionId, Timestamp, TrackId};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection as _, Row as _};

use crate::error::{Error, Fault};
use crate::location::Location;

/// A statement that takes longer has failed: the connection is dropped, and opened anew.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long SQLite waits for another process that holds the file, before it says that it is locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections for reading.
const READERS: u32 = 4;

/// How long somebody who reads waits for one of them.
const READERS_PATIENCE: Duration = Duration::from_secs(3);

/// A value of a statement.
#[derive(Debug)]
pub(crate) enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
    Boolean(bool),
}

/// The values of a statement, in the order of `$1`, `$2`, ….
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(crate::database::Value::from($value)),*] };
}
pub(crate) use values;

/// A connection that writes.
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Connections that only read.
pub(crate) enum Readers {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A row of an answer.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// Binds the values to the statement and runs it; the two databases have the same words for it, but no type
/// in common.
macro_rules! run {
    ($sql:expr, $values:expr, $method:ident, $executor:expr) => {{
        let mut query = sqlx::query($sql);
        for value in $values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Integer(integer) => query.bind(integer),
                Value::Boolean(boolean) => query.bind(boolean),
            };
        }
        within_patience(query.$method($executor)).await?
    }};
}

impl Connection {
    pub(crate) async fn open(location: &Location) -> Result<Self, Fault> {
        Ok(match location {
            Location::Sqlite(directory) => {
                let options = SqliteConnectOptions::new()
                    .filename(Location::file(directory))
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(BUSY_TIMEOUT)
                    .disable_statement_logging();
                Connection::Sqlite(within_patience(SqliteConnection::connect_with(&options)).await?)
            }
            Location::Postgres(options) => {
                let options = prepared(options);
                Connection::Postgres(within_patience(PgConnection::connect_with(&options)).await?)
            }
        })
    }

    /// The rows that a statement gives.
    pub(crate) async fn rows(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, Fault> {
        refuse_nul(&values)?;
        Ok(match self {
            Connection::Sqlite(connection) => {
                let rows = run!(sql, values, fetch_all, connection);
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Connection::Postgres(connection) => {
                let rows = run!(sql, values, fetch_all, connection);
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The one row that a statement gives, if any.
    pub(crate) async fn row(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Option<Row>, Fault> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// How many rows a statement changes.
    pub(crate) async fn execute(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<u64, Fault> {
        refuse_nul(&values)?;
        Ok(match self {
            Connection::Sqlite(connection) => {
                run!(sql, values, execute, connection).rows_affected()
            }
            Connection::Postgres(connection) => {
                run!(sql, values, execute, connection).rows_affected()
            }
        })
    }

    /// Begins a transaction that may write from its first statement on.
    pub(crate) async fn begin(&mut self) -> Result<(), Fault> {
        let sql = match self {
            Connection::Sqlite(_) => "BEGIN IMMEDIATE",
            Connection::Postgres(_) => "BEGIN",
        };
        self.execute(sql, values![]).await.map(drop)
    }

    /// Says goodbye, so that the database knows at once that the connection is over.
    pub(crate) async fn close(self) {
        let closed = async {
            match self {
                Connection::Sqlite(connection) => connection.close().await,
                Connection::Postgres(connection) => connection.close().await,
            }
        };
        // It is over either way.
        let _ = within_patience(closed).await;
    }
}

impl Readers {
    /// Connects when something is read.
    pub(crate) fn of(location: &Location) -> Self {
        match location {
            Location::Sqlite(directory) => {
                let options = SqliteConnectOptions::new()
                    .filename(Location::file(directory))
                    .read_only(true)
                    .busy_timeout(BUSY_TIMEOUT)
                    .disable_statement_logging();
                let pool = SqlitePoolOptions::new()
                    .max_connections(READERS)
                    .acquire_timeout(READERS_PATIENCE);
                Readers::Sqlite(pool.connect_lazy_with(options))
            }
            Location::Postgres(options) => {
                let pool = PgPoolOptions::new()
                    .max_connections(READERS)
                    .acquire_timeout(READERS_PATIENCE);
                Readers::Postgres(pool.connect_lazy_with(prepared(options)))
            }
        }
    }

    /// The rows that a statement gives.
    pub(crate) async fn rows(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, Fault> {
        refuse_nul(&values)?;
        Ok(match self {
            Readers::Sqlite(pool) => {
                let rows = run!(sql, values, fetch_all, pool);
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Readers::Postgres(pool) => {
                let rows = run!(sql, values, fetch_all, pool);
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Readers::Sqlite(pool) => pool.close().await,
            Readers::Postgres(pool) => pool.close().await,
        }
    }
}

impl Row {
    pub(crate) fn text(&self, column: usize) -> Result<String, Fault> {
        Ok(match self {
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn optional_text(&self, column: usize) -> Result<Option<String>, Fault> {
        Ok(match self {
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn integer(&self, column: usize) -> Result<i64, Fault> {
        Ok(match self {
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn optional_integer(&self, column: usize) -> Result<Option<i64>, Fault> {
        Ok(match self {
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn boolean(&self, column: usize) -> Result<bool, Fault> {
        Ok(match self {
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
        })
    }
}

/// PostgreSQL is to notice within half a minute that a server's machine is gone, and let its lock go. (A
/// socket in the file system ignores these.)
fn prepared(options: &PgConnectOptions) -> PgConnectOptions {
    options
        .clone()
        .application_name("plenum")
        .options([
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ])
        .disable_statement_logging()
}

async fn within_patience<T>(
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(Fault::Failed(Error::Away(format!(
            "no answer within {} s",
            PATIENCE.as_secs()
        )))),
    }
}

/// PostgreSQL cannot hold it, so SQLite is not asked to.
fn refuse_nul(values: &[Value]) -> Result<(), Fault> {
    let has_nul = |value: &Value| matches!(value, Value::Text(Some(text)) if text.contains('\0'));
    if values.iter().any(has_nul) {
        return Err(Fault::Refused("a text has a NUL character".into()));
    }
    Ok(())
}

macro_rules! text {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Value {
            fn from(value: $kind) -> Self {
                Value::Text(Some(value.to_string()))
            }
        }
    )*};
}
text!(
    &str,
    &String,
    &Identity,
    &RoomName,
    RoomId,
    SessionId,
    ParticipantId,
    TrackId
);

impl From<&Role> for Value {
    fn from(role: &Role) -> Self {
        Value::Text(Some(role.0.clone()))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Value::Text(text)
    }
}

impl From<Option<&Identity>> for Value {
    fn from(identity: Option<&Identity>) -> Self {
        Value::Text(identity.map(|identity| identity.0.clone()))
    }
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Value::Integer(Some(integer))
    }
}

impl From<Option<u32>> for Value {
    fn from(integer: Option<u32>) -> Self {
        Value::Integer(integer.map(i64::from))
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        // A time that is too large is refused by the schema, as any other beyond 2^53.
        Value::Integer(Some(i64::try_from(time.0).unwrap_or(i64::MAX)))
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(time: Option<Timestamp>) -> Self {
        time.map_or(Value::Integer(None), Value::from)
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Value::Boolean(boolean)
    }
}
