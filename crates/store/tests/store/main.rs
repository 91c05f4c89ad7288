//! The store, tested from outside: the same tests against SQLite and against a private PostgreSQL.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod chance;
mod events;
mod kill;
mod opening;
mod outage;
mod place;
mod postgres;
mod records;
mod recovery;
mod retention;
mod schema;
mod writing;

/// Makes of each function two tests: `sqlite::name` and `postgres::name`.
macro_rules! both {
    ($($(#[$doc:meta])* async fn $name:ident($place:ident: Place) $body:block)*) => {
        $($(#[$doc])* async fn $name($place: crate::place::Place) $body)*

        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::place::Place::sqlite()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::place::Place::postgres().await).await;
            })*
        }
    };
}
pub(crate) use both;
