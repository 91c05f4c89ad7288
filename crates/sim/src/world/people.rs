//! What people do in a world: they come, take part, lose their connection, refresh, open a second tab and
//! leave. Mostly they are sane, and now and then they are not.

use protocol::{ClientMessage, ConnectionId, ErrorCode, Role, ServerMessage};
use signaling::Claims;

use super::network::Said;
use super::{Event, World};
use crate::choices;
use crate::tab::{Learned, State};

impl World {
    /// Somebody will do something, when they have thought.
    pub(super) fn think(&mut self, tab: usize) {
        if !self.is_calm {
            let thinking = self.seed.below(self.plan.thinking) + 10;
            self.after(thinking, Event::Act { tab });
        }
    }

    pub(super) fn act(&mut self, tab: usize) {
        if self.is_calm {
            return;
        }
        match self.tabs[tab].state {
            State::Out if !self.tabs[tab].wants_in => {
                if self.seed.once_in(2) {
                    self.come(tab);
                }
            }
            State::Out => {}
            State::Connecting | State::Asked => self.maybe_cut(tab),
            State::Waiting | State::In if self.seed.percent(self.plan.cuts) => {
                self.lose_interest_or_connection(tab);
            }
            State::Waiting | State::In => {
                let fresh_key = self.draw();
                let messages = choices::messages(&mut self.seed, &mut self.tabs[tab], fresh_key);
                for message in messages {
                    self.send(tab, message);
                }
            }
        }
        self.think(tab);
    }

    /// Somebody goes to a room: to their own, if they have one, more often than to others.
    fn come(&mut self, tab: usize) {
        let own = self.own_place(tab).filter(|_| self.seed.percent(60));
        let any = self.seed.below(self.plan.places.len() as u64) as usize;
        let place = own.unwrap_or(any);
        let state = &mut self.tabs[tab];
        if state.place != place {
            state.forget_everything();
        }
        state.place = place;
        state.wants_in = true;
        self.connect(tab);
    }

    fn maybe_cut(&mut self, tab: usize) {
        if self.seed.percent(self.plan.cuts / 3)
            && let Some(connection) = self.tabs[tab].connection
        {
            self.cut(connection);
        }
    }

    /// The network goes, or the page is refreshed, or the tab is closed.
    fn lose_interest_or_connection(&mut self, tab: usize) {
        let Some(connection) = self.tabs[tab].connection else {
            return;
        };
        match self.seed.below(6) {
            0 | 1 => {
                self.close_from_client(connection);
                self.tabs[tab].lose_connection();
                self.tabs[tab].forget_the_room();
                self.connect(tab);
            }
            2 => {
                // The page vanishes, and the server hears of it or not.
                match self.seed.once_in(2) {
                    true => self.close_from_client(connection),
                    false => self.vanish(connection),
                }
                self.tabs[tab].lose_connection();
                self.tabs[tab].wants_in = false;
                self.tabs[tab].forget_everything();
            }
            _ => self.cut(connection),
        }
    }

    /// A connection is cut, and its client will never notice.
    fn vanish(&mut self, connection: ConnectionId) {
        if let Some(link) = self.links.get_mut(&connection) {
            link.is_open_at_client = false;
        }
        self.cut(connection);
    }

    pub(super) fn connect(&mut self, tab: usize) {
        if !self.tabs[tab].wants_in || self.tabs[tab].state != State::Out {
            return;
        }
        self.tabs[tab].state = State::Connecting;
        let connection = self.open_link(tab);
        self.tabs[tab].connection = Some(connection);
    }

    /// The server took the connection, or it is down.
    pub(super) fn connected(&mut self, connection: ConnectionId) {
        let life = self.life();
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        let tab = link.tab;
        if self.tabs[tab].connection != Some(connection) || !link.is_open_at_client {
            return;
        }
        let Some(life) = life.filter(|_| link.cut_at.is_none()) else {
            link.is_open_at_client = false;
            self.tabs[tab].lose_connection();
            return self.connect_later(tab);
        };
        link.life = life;
        self.tabs[tab].state = State::Asked;
        let mut claims = self.claims(tab);
        if self.seed.once_in(25) {
            claims.permissions.publish = false;
        }
        if self.seed.once_in(15) {
            claims.name = format!("{} anew", claims.name);
        }
        let said = Said::Join {
            request_id: 0,
            claims: Box::new(claims),
            resume: self.tabs[tab].resume(),
            state: choices::state(&mut self.seed),
            subscribe_automatically: !self.seed.once_in(6),
        };
        self.say(connection, said);
    }

    fn connect_later(&mut self, tab: usize) {
        let wait = match self.is_calm {
            true => 250,
            false => 250 + self.seed.below(4_000),
        };
        self.after(wait, Event::Connect { tab });
    }

    fn claims(&self, tab: usize) -> Claims {
        let tab = &self.tabs[tab];
        let person = &tab.person;
        Claims {
            identity: person.identity.clone(),
            name: format!("Name of {}", person.identity),
            role: Role(person.role.into()),
            avatar_url: None,
            room: self.plan.places[tab.place].name.clone(),
            permissions: person.permissions(),
        }
    }

    /// A tab says something, if it is connected.
    pub(super) fn send(&mut self, tab: usize, message: ClientMessage) {
        let Some(connection) = self.tabs[tab].connection else {
            return;
        };
        match &message {
            ClientMessage::Leave => self.tabs[tab].wants_in = false,
            ClientMessage::GoLive { key } | ClientMessage::OpenLobby { key }
                if self.is_stale(key) =>
            {
                return;
            }
            _ => {}
        }
        let request_id = self.tabs[tab].number(&message);
        self.say(
            connection,
            Said::Message {
                request_id,
                message,
            },
        );
    }

    /// What the server said arrives.
    pub(super) fn hear(&mut self, connection: ConnectionId, message: ServerMessage) {
        let Some(link) = self.links.get(&connection) else {
            return;
        };
        let (tab, life) = (link.tab, link.life);
        let is_heard = link.is_open_at_client && self.tabs[tab].connection == Some(connection);
        if !self.carries(connection) || !is_heard {
            return;
        }
        match &message {
            ServerMessage::Joined(_) => self.counted.joined += 1,
            ServerMessage::Resumed(_) => self.counted.resumed += 1,
            ServerMessage::Waiting(_) => self.counted.waiting += 1,
            ServerMessage::Done { .. } => self.counted.done += 1,
            _ => {}
        }
        match self.tabs[tab].hear(message) {
            None => {}
            Some(Learned::Ready(to_repeat)) => {
                for message in to_repeat {
                    self.send(tab, message);
                }
            }
            Some(Learned::Key { key, session }) => {
                let view = self.tabs[tab].view.as_ref();
                if let Some(room) = view.map(|view| view.room.id) {
                    self.key_gave(life, room, key, session);
                }
            }
            Some(Learned::Refused(code)) => {
                self.trace
                    .note(self.now, format_args!("tab {tab} is refused: {code}"));
                self.give_up_connection(tab);
                self.tabs[tab].wants_in = false;
            }
            Some(Learned::Goodbye(goodbye)) => {
                let may_come_again = match goodbye.code {
                    ErrorCode::SessionEnded => self.seed.once_in(2),
                    _ => goodbye.reconnect,
                };
                self.tabs[tab].wants_in = may_come_again && !self.is_calm || goodbye.reconnect;
            }
        }
    }

    /// A tab closes a connection that serves nothing.
    pub(super) fn give_up_connection(&mut self, tab: usize) {
        if let Some(connection) = self.tabs[tab].connection {
            self.close_from_client(connection);
            self.tabs[tab].lose_connection();
        }
    }

    /// A client sees that its connection is over, and comes back if it wants to be in.
    pub(super) fn client_notices(&mut self, connection: ConnectionId) {
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        let was_open = std::mem::replace(&mut link.is_open_at_client, false);
        let tab = link.tab;
        if was_open && self.tabs[tab].connection == Some(connection) {
            self.tabs[tab].lose_connection();
            self.connect_later(tab);
        }
    }
}
