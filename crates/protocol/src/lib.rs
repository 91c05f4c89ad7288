//! The words that server, clients and page share: ids, and the messages on the WebSocket.
//! It holds no logic, no state and no I/O.
//!
//! `docs/protocol.md` is the same for people, with an example of each message that a test parses;
//! `web-demo/protocol.d.ts` is the same for the page, written by a test from these types.

mod change;
mod client;
#[cfg(test)]
mod documentation;
mod error;
pub mod id;
pub mod record;
mod room;
mod server;
mod time;
#[cfg(test)]
mod typescript;

pub use change::{Change, NumberedChange};
pub use client::{
    ClientMessage, ClientRequest, Join, ParseError, Publish, Resume, StateUpdate, Viewport,
    parse_client_message,
};
pub use error::{ErrorBody, ErrorCode};
pub use id::{ConnectionId, Identity, ParticipantId, PeerId, RoomId, RoomName, SessionId, TrackId};
pub use record::{EndReason, RoomSettings, RoomState, SessionState};
pub use room::{
    HostInfo, Live, LiveRoom, MediaType, Participant, Role, RoomInfo, SessionInfo, Track,
    TrackKind, TrackSource, WaitingParticipant,
};
pub use server::{
    Answer, Goodbye, Joined, LayerWanted, MediaSection, Resumed, ServerMessage, Waiting,
};
pub use time::Timestamp;
