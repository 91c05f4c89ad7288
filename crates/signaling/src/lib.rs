//! Who is in a room, who is live, who may do what: a pure state machine. It never reads a clock, draws a
//! random number, touches a socket or a file, or sees a packet.
//!
//! Rule of use: give every input to [`Rooms::handle`] and [`Rooms::handle_timeout`] with the time it
//! happened, carry out the effects in order, and call `handle_timeout` when [`Rooms::poll_timeout`] says.

// clippy.toml names the methods; a `for` over a hash map is named here.
#![warn(clippy::iter_over_hash_type)]

mod api;
mod book;
mod command;
mod effect;
mod entrance;
mod fault;
mod host;
mod index;
mod invariants;
mod join;
mod leaving;
mod limits;
mod live;
mod log;
mod media_event;
mod moderation;
mod offer;
mod participant;
mod peer;
mod people;
mod presence;
mod publication;
mod recent;
mod requests;
mod room;
mod rooms;
mod session;
mod sessions;
mod speaking;
mod subscription;
mod turn;
mod upkeep;
mod view;
mod waiting;

pub use api::{ApiCommand, ApiReply, ApiRequest, ApiResult, AskerId, Caller, RoomDetails, RoomRef};
pub use command::{Claims, Command, Fresh, Join, MediaEvent, Permissions, Request, Start};
pub use effect::{Effect, MediaEffect};
pub use limits::Limits;
pub use recent::{LogHead, Recorded};
pub use rooms::Rooms;
pub use view::{Counts, RoomView};
