//! Headless participants on the full `webrtc` crate: an outside witness of what the server does. It
//! imports nothing of the server, and never trusts it: everything received is counted and checked.

mod event;
pub mod http;
mod interceptors;
mod media;
mod options;
mod order;
mod participant;
pub mod payload;
mod peer;
mod publication;
mod reception;
mod relay;
mod room;
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
pub use relay::Relay;
pub use room::RoomView;
