//! A place for a database of one test, and a way to it that does not lead through the store.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use store::{Location, Settings, Store};

use crate::postgres::Postgres;

/// Where the database of one test is.
pub(crate) struct Place {
    pub(crate) location: Location,
    directory: PathBuf,
    url: Option<String>,
}

/// A connection to a test's database, past the store.
pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self::at(fresh_directory(), None)
    }

    pub(crate) async fn postgres() -> Self {
        Self::in_postgres(Postgres::shared()).await
    }

    pub(crate) async fn in_postgres(postgres: &Postgres) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let database = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let options: PgConnectOptions = postgres.url("postgres").parse().unwrap();
        let mut raw = Raw::Postgres(options.connect().await.unwrap());
        raw.execute(&format!("CREATE DATABASE {database}"))
            .await
            .unwrap();
        Self::at(fresh_directory(), Some(postgres.url(&database)))
    }

    /// In this directory, or at this URL.
    pub(crate) fn at(directory: PathBuf, url: Option<String>) -> Self {
        Self {
            location: Location::of(&directory, url.as_deref()).unwrap(),
            directory,
            url,
        }
    }

    /// For somebody in another process: what `at` takes.
    pub(crate) fn address(&self) -> (String, Option<String>) {
        (
            self.directory.to_str().unwrap().to_owned(),
            self.url.clone(),
        )
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.url.is_some()
    }

    /// The store, with one target to be told of events.
    pub(crate) async fn open(&self) -> Store {
        let targets = vec!["hook".to_owned()];
        Store::open(self.location.clone(), Settings { targets })
            .await
            .unwrap()
    }

    pub(crate) async fn raw(&self) -> Raw {
        match &self.url {
            None => {
                let file = self.directory.join("plenum.db");
                let options = SqliteConnectOptions::new()
                    .filename(file)
                    .foreign_keys(true);
                Raw::Sqlite(options.connect().await.unwrap())
            }
            Some(url) => {
                let options: PgConnectOptions = url.parse().unwrap();
                Raw::Postgres(options.connect().await.unwrap())
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Raw {
    /// Runs statements; the error is what the database says.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<(), String> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        let result = match self {
            Raw::Sqlite(connection) => sql.execute(connection).await.map(drop),
            Raw::Postgres(connection) => sql.execute(connection).await.map(drop),
        };
        result.map_err(|error| error.to_string())
    }

    /// The texts in the first column.
    pub(crate) async fn texts(&mut self, sql: &str) -> Vec<String> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            Raw::Sqlite(connection) => {
                let rows = sql.fetch_all(connection).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
            Raw::Postgres(connection) => {
                let rows = sql.fetch_all(connection).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// The number in the only row and column.
    pub(crate) async fn number(&mut self, sql: &str) -> i64 {
        let texts = self.texts(&format!("SELECT CAST(({sql}) AS TEXT)")).await;
        texts[0].parse().unwrap()
    }
}

fn fresh_directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("plenum-store-{}-{number}", std::process::id()))
}
