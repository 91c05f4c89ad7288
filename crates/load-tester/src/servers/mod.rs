//! How the crowd speaks with a server: one trait, and an adapter for each kind of server. What is said
//! about media goes to the crowd's transports; no adapter sends or receives any.

pub mod janus;
pub mod plenum;
pub mod sdp;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;

use crate::crowd::{Crowd, Member, PublishSpec};

/// A kind of server.
#[async_trait]
pub trait Signaling: Send + Sync {
    /// The server in its own words, as `Plenum 0.1.0`. The first thing that is asked: an error says that
    /// nobody is there, or somebody else.
    async fn server(&self) -> Result<String>;

    /// Enter a room, negotiate, and return when the server has let the participant in (`note_joined`) and
    /// its media is being set up: the transports connect by themselves. A refusal is an error, in words
    /// that say what to change.
    async fn join(&self, crowd: &Crowd, joining: Joining) -> Result<Box<dyn Attendance>>;
}

/// Who joins, and what for.
#[derive(Clone, Debug)]
pub struct Joining {
    /// The participant. Its room number names the room, as `room_name` does.
    pub member: Arc<Member>,
    /// The room's name: it is made if it does not exist.
    pub room_name: String,
    /// Unlike that of any other participant.
    pub identity: String,
    /// It is to receive what the participant of this identity publishes, and nothing else. `None`: all.
    pub only: Option<String>,
    /// What it publishes from the start.
    pub publishes: Vec<PublishSpec>,
    /// It wants feedback for congestion control to be negotiated, and given.
    pub transport_cc: bool,
}

/// A participant who is in. Its transports live as long as this does.
#[async_trait]
pub trait Attendance: Send {
    /// Do what the server asks for, as new media sections, until it ends the connection, which is an error
    /// with its reason. The future is dropped when the participant is to leave, and may be at any await.
    async fn serve(&mut self) -> Result<()>;

    /// Say goodbye and end the transports.
    async fn leave(self: Box<Self>) -> Result<()>;
}

/// The address behind `http://host:port`, `ws://host:port` or the like; `default_port` if it names none.
pub async fn resolve(url: &str, default_port: u16) -> Result<SocketAddr> {
    let (scheme, rest) = url
        .split_once("://")
        .with_context(|| format!("{url} is no address: write it as http://127.0.0.1:8080"))?;
    if matches!(scheme, "https" | "wss") {
        bail!("{url}: TLS is not spoken here: name the server's own address, behind its proxy");
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let full = if has_port {
        authority.to_owned()
    } else {
        format!("{authority}:{default_port}")
    };
    let mut addresses = tokio::net::lookup_host(&full)
        .await
        .with_context(|| format!("{url}: there is no machine of the name {authority}"))?;
    let first = addresses.next();
    first.with_context(|| format!("{url}: {authority} has no address"))
}
