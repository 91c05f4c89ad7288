//! A world from one seed: the real rooms, a store that crashes, people who are mostly sane, a network that
//! delays and cuts, and the clock. It never reads a clock, opens a socket or draws chance from outside.
//!
//! [`run`] is one world from its beginning to its end; what was found comes back as a [`Failure`].

mod bug;
mod choices;
mod gate;
mod media_plane;
mod plan;
mod promises;
mod replay;
mod run;
mod seed;
mod server;
mod store;
mod tab;
mod trace;
mod view;
mod world;

pub use bug::Bug;
pub use replay::replay;
pub use run::{Failure, Report, run};
pub use world::Counted;
