//! Headless participants on the full `webrtc` crate: an outside witness of what the server does. It
//! imports nothing of the server, and never trusts it: everything received is counted and checked.

mod order;
pub mod payload;
mod reception;
mod room;

pub use order::OrderLog;
pub use reception::Reception;
pub use room::RoomView;
