//! The network between tabs and the server: each connection keeps its order, each has its own delay, and
//! any may be cut so that neither side hears of it at first. It reads no message.

use std::time::Duration;

use protocol::{ClientMessage, ConnectionId, Resume, ServerMessage, StateUpdate, Timestamp};
use signaling::Claims;

use super::{Event, World};

/// The longest silence before a side counts the other as lost, in milliseconds.
const SILENCE: u64 = 15_000;

/// A connection of a tab.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) tab: usize,
    /// Which life of the server it is with.
    pub(super) life: u64,
    /// Nothing arrives from then on, on either side.
    pub(super) cut_at: Option<Timestamp>,
    pub(super) is_open_at_client: bool,
    up_at: Timestamp,
    down_at: Timestamp,
}

/// What a client says.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// `join`, with what its token says.
    Join {
        request_id: u32,
        claims: Box<Claims>,
        resume: Option<Resume>,
        state: StateUpdate,
        subscribe_automatically: bool,
    },
    /// Any other message.
    Message {
        request_id: u32,
        message: ClientMessage,
    },
    /// The closing of the connection.
    Close,
}

impl World {
    /// A tab opens a connection.
    pub(super) fn open_link(&mut self, tab: usize) -> ConnectionId {
        let connection = ConnectionId::from_bits(self.draw());
        let link = Link {
            tab,
            life: 0,
            cut_at: None,
            is_open_at_client: true,
            up_at: self.now,
            down_at: self.now,
        };
        self.links.insert(connection, link);
        let delay = self.delay();
        self.after(delay, Event::Connected { connection });
        connection
    }

    pub(super) fn say(&mut self, connection: ConnectionId, said: Said) {
        let at = self.now + Duration::from_millis(self.delay());
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        link.up_at = link.up_at.max(at);
        let at = link.up_at;
        self.at(at, Event::Up { connection, said });
    }

    pub(super) fn tell(&mut self, connection: ConnectionId, message: ServerMessage) {
        let at = self.down_time(connection);
        let message = Box::new(message);
        self.at(
            at,
            Event::Down {
                connection,
                message,
            },
        );
    }

    /// The server closes a connection, behind what was sent to it.
    pub(super) fn close_from_server(&mut self, connection: ConnectionId) {
        let at = self.down_time(connection);
        self.at(at, Event::ClientNotices { connection });
    }

    /// A client closes its connection, behind what it said.
    pub(super) fn close_from_client(&mut self, connection: ConnectionId) {
        if let Some(link) = self.links.get_mut(&connection) {
            link.is_open_at_client = false;
        }
        self.say(connection, Said::Close);
    }

    /// The network loses a connection: what is under way is lost, and both sides learn it in their time.
    pub(super) fn cut(&mut self, connection: ConnectionId) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        if link.cut_at.is_some() {
            return;
        }
        link.cut_at = Some(now);
        let (client, server) = (self.notice(), self.notice());
        self.after(client, Event::ClientNotices { connection });
        self.after(server, Event::ServerNotices { connection });
    }

    /// Whether what was under way arrives.
    pub(super) fn carries(&self, connection: ConnectionId) -> bool {
        let link = self.links.get(&connection);
        link.is_some_and(|link| link.cut_at.is_none())
    }

    /// A way through the network, in milliseconds.
    pub(super) fn delay(&mut self) -> u64 {
        match self.is_calm {
            true => 1,
            false => self.seed.below(self.plan.delay) + 1,
        }
    }

    /// How long a side takes to notice a loss.
    fn notice(&mut self) -> u64 {
        match self.seed.below(3) {
            0 => 1,
            1 => self.seed.below(2_000),
            _ => self.seed.below(SILENCE),
        }
    }

    fn down_time(&mut self, connection: ConnectionId) -> Timestamp {
        let at = self.now + Duration::from_millis(self.delay());
        match self.links.get_mut(&connection) {
            Some(link) => {
                link.down_at = link.down_at.max(at);
                link.down_at
            }
            None => at,
        }
    }
}
