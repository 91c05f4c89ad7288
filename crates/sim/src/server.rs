//! One life of the server, from its start to its crash: the real rooms, the media plane, and what waits to
//! be written. It decides nothing but when something may go out, as the real node does.

use std::collections::{BTreeSet, VecDeque};

use protocol::record::Write;
use protocol::{ConnectionId, PeerId, ServerMessage, Timestamp};
use signaling::{Command, Effect, Limits, MediaEffect, Rooms};

use crate::bug::Planted;
use crate::gate::{Gate, Out};
use crate::media_plane::MediaPlane;
use crate::store::Store;

/// One life of the server.
#[derive(Debug)]
pub(crate) struct Server {
    /// Which life this is; what was meant for another one never arrives.
    pub(crate) life: u64,
    pub(crate) rooms: Rooms,
    pub(crate) media: MediaPlane,
    gate: Gate,
    /// Asked for, and not committed.
    waiting: VecDeque<Vec<Write>>,
    /// Transactions asked for so far.
    asked: u64,
    /// Transactions of which the node knows that they are committed.
    committed: u64,
    /// Whom the node would send something.
    connections: BTreeSet<ConnectionId>,
}

/// What comes of a turn.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// In this order.
    pub(crate) out: Vec<Out>,
    /// Offers that the media plane has begun to answer.
    pub(crate) offers: Vec<PeerId>,
}

impl Server {
    /// A start: whatever was left running is ended first.
    pub(crate) fn start(life: u64, limits: Limits, store: &mut Store) -> Self {
        let stored = store.recover();
        Self {
            life,
            rooms: Rooms::restore(limits, stored),
            media: MediaPlane::default(),
            gate: Gate::default(),
            waiting: VecDeque::new(),
            asked: 0,
            committed: 0,
            connections: BTreeSet::new(),
        }
    }

    /// A connection asks to join: from now on something may be sent to it.
    pub(crate) fn meet(&mut self, connection: ConnectionId) {
        self.connections.insert(connection);
    }

    /// Whether the node would hear this connection.
    pub(crate) fn knows(&self, connection: ConnectionId) -> bool {
        self.connections.contains(&connection)
    }

    /// A connection is lost. Whether the rooms must be told.
    pub(crate) fn lose(&mut self, connection: ConnectionId) -> bool {
        self.gate.forget(connection);
        self.connections.remove(&connection)
    }

    /// The effects of a command, or of what was due.
    pub(crate) fn decide(
        &mut self,
        now: Timestamp,
        command: Option<Command>,
        planted: &mut Planted,
    ) -> Vec<Effect> {
        let mut effects = match command {
            Some(command) => self.rooms.handle(now, command),
            None => self.rooms.handle_timeout(now),
        };
        planted.spoil(&mut effects);
        effects
    }

    /// Carries out the effects of one command.
    pub(crate) fn perform(&mut self, effects: Vec<Effect>, planted: &mut Planted) -> Turn {
        let mut turn = Turn::default();
        let mut writes = Vec::new();
        for effect in &effects {
            if let Effect::Write(write) = effect {
                writes.push(write.clone());
            }
        }
        if !writes.is_empty() {
            self.asked += 1;
            self.waiting.push_back(writes);
        }
        for effect in effects {
            self.perform_one(effect, planted, &mut turn);
        }
        turn
    }

    fn perform_one(&mut self, effect: Effect, planted: &mut Planted, turn: &mut Turn) {
        match effect {
            Effect::Send { to, message } => {
                assert!(!to.is_empty(), "a message is to somebody");
                let once: BTreeSet<&ConnectionId> = to.iter().collect();
                assert_eq!(once.len(), to.len(), "and to nobody twice");
                for to in to {
                    self.send(to, false, message.clone(), 0, turn);
                }
            }
            Effect::Acknowledge { to, message } => {
                let ticket = match planted.is_hasty() {
                    true => 0,
                    false => self.asked,
                };
                self.send(to, true, message, ticket, turn);
            }
            Effect::Reply { asker, result } => {
                let ticket = match planted.is_hasty() {
                    true => 0,
                    false => self.asked,
                };
                let reply = Out::Reply(asker, result);
                turn.out
                    .extend(self.gate.pass(reply, ticket, self.committed));
            }
            Effect::Close { connection } => {
                let was_open = self.connections.remove(&connection);
                assert!(was_open, "only an open connection is closed");
                let close = Out::Close(connection);
                turn.out.extend(self.gate.pass(close, 0, self.committed));
            }
            Effect::RoomClosed { room } => self.media.close_room(room),
            Effect::Media { room, effect } => {
                self.media.perform(room, &effect);
                if let MediaEffect::Offer { peer, .. } = effect {
                    turn.offers.push(peer);
                }
            }
            Effect::Write(_) | Effect::RoomOpened { .. } => {}
        }
    }

    fn send(
        &mut self,
        to: ConnectionId,
        is_promise: bool,
        message: ServerMessage,
        ticket: u64,
        turn: &mut Turn,
    ) {
        assert!(
            self.connections.contains(&to),
            "nothing is sent to a connection that is closed: {message:?}"
        );
        let message = Out::Message {
            to,
            is_promise,
            message,
        };
        turn.out
            .extend(self.gate.pass(message, ticket, self.committed));
    }

    /// The database commits the oldest `most` of what waits. How many are committed after it, in all.
    pub(crate) fn commit(&mut self, store: &mut Store, most: usize) -> u64 {
        let many = most.min(self.waiting.len());
        for transaction in self.waiting.drain(..many) {
            store.commit(&transaction);
        }
        self.asked - self.waiting.len() as u64
    }

    /// The node learns that so many are committed: what waited for it goes out.
    pub(crate) fn learn(&mut self, committed: u64) -> Vec<Out> {
        self.committed = self.committed.max(committed);
        self.gate.release(self.committed)
    }

    /// Transactions asked for, and not committed.
    pub(crate) fn uncommitted(&self) -> usize {
        self.waiting.len()
    }

    /// Everything asked for is committed, and everything that waited for it is out.
    pub(crate) fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.gate.is_empty()
    }
}
