//! The schema's versions, built into the program. They only go forward, and one that was published is never
//! changed: a change is a new file.

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use crate::database::Connection;
use crate::error::Error;

/// A migration: its name, and its text for each database.
struct Version {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// All of them, in order: the first is version 1.
const VERSIONS: &[Version] = &[Version {
    name: "rooms and sessions",
    sqlite: include_str!("../migrations/sqlite/0001_rooms_and_sessions.sql"),
    postgres: include_str!("../migrations/postgres/0001_rooms_and_sessions.sql"),
}];

/// Brings the schema to this program's version. Each migration is a transaction.
pub(crate) async fn migrate(connection: &mut Connection) -> Result<(), Error> {
    let result = match connection {
        Connection::Sqlite(connection) => {
            let migrator = migrator(|version| version.sqlite);
            migrator.run_direct(None, connection, false).await
        }
        Connection::Postgres(connection) => {
            let migrator = migrator(|version| version.postgres);
            migrator.run_direct(None, connection, false).await
        }
    };
    result.map_err(|error| match error {
        MigrateError::VersionMissing(version) => Error::Newer(version),
        MigrateError::VersionMismatch(version) => Error::Unusable(format!(
            "its migration {version} is not the one that this version of Plenum has"
        )),
        MigrateError::Execute(error @ (sqlx::Error::Io(_) | sqlx::Error::Database(_))) => {
            Error::Away(error.to_string())
        }
        error => Error::Unusable(error.to_string()),
    })
}

fn migrator(text: impl Fn(&Version) -> &'static str) -> Migrator {
    let migration = |(number, version): (i64, &Version)| {
        Migration::new(
            number,
            version.name.into(),
            MigrationType::Simple,
            text(version).into_sql_str(),
            false,
        )
    };
    Migrator::with_migrations((1..).zip(VERSIONS).map(migration).collect())
}
