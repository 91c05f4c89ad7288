//! Janus with its video room plugin: rooms without limits, what a participant publishes on one transport,
//! and all that it receives on another, for which Janus offers.

mod connection;
mod feeds;
mod participant;
mod rooms;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;

use super::{Attendance, Joining, Signaling, resolve};
use crate::crowd::Crowd;

use connection::Connection;
use participant::Participant;
use rooms::Rooms;

/// Janus's WebSocket without TLS.
const DEFAULT_PORT: u16 = 8188;
/// To say who it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// A Janus.
pub struct Janus {
    address: SocketAddr,
    rooms: Arc<Rooms>,
}

impl Janus {
    /// The one at `ws://host:port`.
    pub async fn at(url: &str) -> Result<Self> {
        Ok(Self {
            address: resolve(url, DEFAULT_PORT).await?,
            rooms: Arc::default(),
        })
    }
}

#[async_trait]
impl Signaling for Janus {
    async fn server(&self) -> Result<String> {
        let mut connection = Connection::open(self.address, PATIENCE).await?;
        let version = connection.version().await?;
        // Without the plugin nothing else will work: better said now.
        connection.begin_session().await?;
        connection.attach().await?;
        connection.close().await?;
        Ok(format!("Janus {version}"))
    }

    async fn join(&self, crowd: &Crowd, joining: Joining) -> Result<Box<dyn Attendance>> {
        let participant =
            Participant::join(self.address, self.rooms.clone(), crowd, joining).await?;
        Ok(Box::new(participant))
    }
}
