//! The database, read from outside the server: whether it has what the ledger has, and nothing that must not
//! be. It writes nothing.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{Row, Sqlite, Transaction};

use crate::ledger::Fact;

pub(crate) struct Database(SqlitePool);

impl Database {
    /// The file in a data directory, read-only.
    pub(crate) async fn open(data: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(data.join("plenum.db"));
        let options = options.read_only(true);
        let pool = SqlitePoolOptions::new().max_connections(1);
        Self(pool.connect_with(options).await.unwrap())
    }

    /// What is wrong, in words: nothing, if all is as it must be. `killed_at` and `started_at` in
    /// milliseconds since 1970; sessions made after the start are none of the past.
    pub(crate) async fn disagrees(
        &self,
        facts: &[Fact],
        killed_at: i64,
        started_at: i64,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        // One moment of the database, while the server writes on.
        let mut view = self.0.begin().await.unwrap();
        for fact in facts {
            if !is_written(&mut view, fact).await {
                wrong.push(format!("acknowledged, and not in the database: {fact:?}"));
            }
        }
        for (what, query) in WRONG {
            let found = count(&mut view, query, started_at, killed_at).await;
            if found != 0 {
                wrong.push(format!("{what}: {found}"));
            }
        }
        wrong
    }

    /// The whole file, as SQLite checks it.
    pub(crate) async fn integrity(&self) -> String {
        let row = sqlx::query("PRAGMA integrity_check")
            .fetch_one(&self.0)
            .await;
        row.unwrap().get(0)
    }

    /// Lets go of the file: the server finds it as if nobody had looked.
    pub(crate) async fn close(self) {
        self.0.close().await;
    }

    pub(crate) async fn rows(&self, table: &'static str) -> i64 {
        let query = match table {
            "sessions" => "SELECT count(*) FROM sessions",
            "attendance" => "SELECT count(*) FROM attendance",
            _ => "SELECT count(*) FROM rooms",
        };
        sqlx::query(query).fetch_one(&self.0).await.unwrap().get(0)
    }
}

/// What must not be, and how many of it there are. `?1` is when the server was last started, `?2` when it
/// was killed before that.
const WRONG: &[(&str, &str)] = &[
    (
        "sessions of the past that run",
        "SELECT count(*) FROM sessions WHERE state IN ('lobby', 'live') AND created_at < ?1",
    ),
    (
        "attendance that is open in a session that does not run",
        "SELECT count(*) FROM attendance JOIN sessions ON sessions.id = session
         WHERE left_at IS NULL AND state <> 'live'",
    ),
    (
        "tracks that are open in a session that does not run",
        "SELECT count(*) FROM tracks JOIN sessions ON sessions.id = session
         WHERE unpublished_at IS NULL AND state <> 'live'",
    ),
    (
        "rooms with two running sessions",
        "SELECT count(*) FROM (SELECT 1 FROM sessions WHERE state IN ('lobby', 'live')
         GROUP BY room HAVING count(*) > 1)",
    ),
    (
        "owners with two open rooms",
        "SELECT count(*) FROM (SELECT 1 FROM rooms WHERE closed_at IS NULL AND owner IS NOT NULL
         GROUP BY owner HAVING count(*) > 1)",
    ),
    (
        "people counted twice at one time",
        "SELECT count(*) FROM attendance one JOIN attendance other
         ON one.session = other.session AND one.identity = other.identity
         AND one.participant < other.participant
         AND one.joined_at < coalesce(other.left_at, 9e15)
         AND other.joined_at < coalesce(one.left_at, 9e15)
         WHERE one.joined_at > ?2 - 60000",
    ),
    (
        "sessions that ended with a server, and after it",
        "SELECT count(*) FROM sessions WHERE end_reason = 'server_lost' AND ended_at > ?2 + 50",
    ),
    (
        "people who stayed longer than a server that was killed",
        "SELECT count(*) FROM attendance JOIN sessions ON sessions.id = session
         WHERE end_reason = 'server_lost' AND left_at > ended_at",
    ),
];

async fn count(
    view: &mut Transaction<'_, Sqlite>,
    query: &'static str,
    started_at: i64,
    killed_at: i64,
) -> i64 {
    let query = sqlx::query(query).bind(started_at).bind(killed_at);
    query.fetch_one(&mut **view).await.unwrap().get(0)
}

async fn is_written(view: &mut Transaction<'_, Sqlite>, fact: &Fact) -> bool {
    let query = match fact {
        Fact::RoomMade { room } => {
            sqlx::query("SELECT count(*) FROM rooms WHERE id = ?1").bind(room)
        }
        Fact::SessionStarted { session, .. } => {
            sqlx::query("SELECT count(*) FROM sessions WHERE id = ?1 AND live_at IS NOT NULL")
                .bind(session)
        }
        Fact::Joined {
            session,
            participant,
        } => sqlx::query("SELECT count(*) FROM attendance WHERE session = ?1 AND participant = ?2")
            .bind(session)
            .bind(participant),
        Fact::Left { participant } => sqlx::query(
            "SELECT count(*) = 0 FROM attendance WHERE participant = ?1 AND left_at IS NULL",
        )
        .bind(participant),
        Fact::SessionEnded { session } => {
            sqlx::query("SELECT count(*) FROM sessions WHERE id = ?1 AND state = 'ended'")
                .bind(session)
        }
    };
    let found: i64 = query.fetch_one(&mut **view).await.unwrap().get(0);
    found == 1
}
