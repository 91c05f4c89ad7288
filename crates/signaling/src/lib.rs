//! Who is in a room, who is live, who may do what: a pure state machine. It never reads a clock, draws a
//! random number, touches a socket or a file, or sees a packet.
//!
//! Rule of use: give every input to [`Rooms::handle`] and [`Rooms::handle_timeout`] with the time it
//! happened, carry out the effects in order, and call `handle_timeout` when [`Rooms::poll_timeout`] says.

// clippy.toml names the methods; a `for` over a hash map is named here.
#![warn(clippy::iter_over_hash_type)]

mod command;
mod effect;
mod index;
mod invariants;
mod join;
mod limits;
mod live;
mod log;
mod media_event;
mod offer;
mod participant;
mod peer;
mod publication;
mod room;
mod rooms;
mod speaking;
mod subscription;
mod turn;
mod view;

pub use command::{Claims, Command, Fresh, Join, MediaEvent, Permissions, Request};
pub use effect::{Effect, MediaEffect};
pub use limits::Limits;
pub use rooms::Rooms;
pub use view::{Counts, RoomView};
