//! The real binary, over real sockets on loopback: what a client, an operator and a script see of it. Media
//! has tests of its own.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod client;
mod limits;
mod process;
mod room;
mod room_session;
mod session;
mod start;
mod stop;
mod store;
mod token;
