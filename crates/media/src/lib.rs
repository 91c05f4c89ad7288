//! Terminates each peer's WebRTC and forwards RTP: a sans-I/O engine. It never reads a clock, touches a
//! socket, or knows a room, a name or a permission: only peers, tracks and subscriptions.
//!
//! Rule of use, for each turn of the thread that owns an engine: give it every datagram and command with
//! the one `now` of the turn, send what [`Engine::flush`] hands out, call [`Engine::handle_timeout`] if it
//! [is due](Engine::is_timeout_due), send what comes of that, and drain [`Engine::poll_event`]. After each datagram,
//! [`Engine::wants_flush`] says whether sending should not wait for the rest. [`Engine::poll_timeout`] says how long
//! the thread may sleep.

// The clients of `tests/client` speak to this crate from outside.
#[cfg(test)]
extern crate self as media;

mod allocation;
mod bandwidth;
mod codec;
mod command;
mod config;
mod delivery;
mod demux;
mod engine;
mod event;
mod extension;
mod feedback;
mod forwarded;
mod inbound;
mod limits;
mod link;
mod negotiation;
mod outbound;
mod overload;
mod pacing;
mod peer;
mod router;
mod rtp;
mod sdp;
mod statistics;
#[cfg(test)]
mod test_time;
mod transmit;
mod transport;
mod turn;
mod upkeep;

pub use allocation::{ForwardedTrack, Forwarding, LayerReport, Reason};
pub use command::Command;
pub use config::Config;
pub use engine::{Engine, SetupError};
pub use event::Event;
pub use limits::Limits;
pub use link::Batch;
pub use statistics::{DropReason, PathStatistics, Statistics};
pub use transmit::Transmit;
