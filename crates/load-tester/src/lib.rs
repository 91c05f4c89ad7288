//! Headless participants on the full `webrtc` crate: an outside witness of what the server does. It
//! imports nothing of the server, and never trusts it: everything received is counted and checked.

pub mod command_line;
pub mod crowd;
mod event;
pub mod http;
mod interceptors;
pub mod measurements;
mod media;
mod options;
mod order;
mod participant;
pub mod payload;
mod peer;
mod publication;
mod reception;
mod relay;
pub mod report;
mod room;
pub mod scenario;
pub mod servers;
mod session;
mod socket;
mod tasks;
mod websocket;

pub use event::{DataMessage, Event};
pub use options::{AnswerFilter, ParticipantOptions, PublishOptions};
pub use order::OrderLog;
pub use participant::{Participant, Refused, Timings};
pub use publication::Publication;
pub use reception::Reception;
pub use relay::{Conditions, Relay};
pub use room::RoomView;
