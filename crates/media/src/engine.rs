//! The engine: which packet goes where.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::{Command, Config, Event, Statistics, Transmit};

/// An engine could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No candidate was given.
    #[error("an engine needs at least one candidate address")]
    NoCandidate,
    /// The cryptographic provider failed.
    #[error("the DTLS certificate could not be made: {0}")]
    Certificate(String),
}

/// All peers, tracks and subscriptions of one worker.
pub struct Engine {
    statistics: Statistics,
}

impl Engine {
    /// An engine without peers, with a new DTLS certificate.
    pub fn new(_now: Instant, _config: Config) -> Result<Self, SetupError> {
        Ok(Self { statistics: Statistics::default() })
    }

    /// A datagram has arrived. `to` is the local address it was sent to, where known.
    pub fn handle_datagram(&mut self, _now: Instant, _from: SocketAddr, _to: Option<IpAddr>, _datagram: &mut [u8]) {}

    /// Do what a command asks.
    pub fn handle_command(&mut self, _now: Instant, _command: Command) {}

    /// Do what is due.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// When `handle_timeout` is next due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// What has happened since.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// Hand out what is to be sent. Called at the end of each turn.
    pub fn flush(&mut self, _now: Instant, _send: impl FnMut(Transmit<'_>)) {}

    /// What was counted so far.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }
}
