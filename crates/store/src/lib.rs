//! What survives a restart: rooms, sessions, attendance, tracks, bans, and the outbox of events, in SQLite or
//! PostgreSQL. It decides nothing, and never knows signaling, media or a socket but its database's.
//!
//! One server at a time opens a [`Store`], calls [`Store::recover`], and then gives what is to be written to
//! the one [`Writer`]. Whatever the writer says is [`Outcome::Committed`] is on the disk. The schema itself
//! (`migrations/`) refuses wrong states, and such a command alone fails.
//!
//! Times are given by the caller; a time earlier than one before it (a clock that was set back between two
//! runs) is taken as that one, so that no clock makes a write fail.

mod apply;
mod database;
mod error;
mod event;
mod latency;
mod location;
mod lock;
mod migration;
mod outbox;
mod read;
mod record;
mod recover;
mod retention;
mod store;
mod writer;

pub use error::Error;
pub use latency::Latency;
pub use location::Location;
pub use outbox::Delivery;
pub use read::{Counts, ListedRoom};
pub use retention::Pruned;
pub use store::{Batch, MOST_TARGETS, Outcome, Settings, Store};
pub use writer::{Figures, Health, MOST_WAITING, Monitor, SubmitError, Writer};
