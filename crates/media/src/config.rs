//! How an engine is set up.

use std::net::SocketAddr;

use crate::Limits;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// This engine's number, from 0: it is part of each ICE username, so that a worker knows its own.
    pub worker: u8,
    /// The host candidates of every answer: where clients reach this engine's socket. Not empty.
    pub candidates: Vec<SocketAddr>,
    /// What a stranger may make grow, and how far.
    pub limits: Limits,
}
