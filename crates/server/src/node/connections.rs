//! The connections that asked to join, and what is held back for each until what it promises is committed:
//! a promise, and in order all that follows for the same connection. It knows no room, and never waits.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use protocol::{ConnectionId, ErrorBody, ErrorCode, Goodbye, ServerMessage};

use super::commits::{Promised, Transaction};
use crate::outbox::{Outbox, Overflow, text_of};
use crate::websocket::Utf8Bytes;

/// A message as it goes out, and what must be known of it.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    text: Utf8Bytes,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Lets the client in, or lets it wait.
    Entry,
    Goodbye {
        code: ErrorCode,
        reconnect: bool,
    },
    /// To the request with this number.
    Other {
        request_id: Option<u32>,
    },
}

impl Prepared {
    pub(super) fn new(message: &ServerMessage) -> Self {
        let kind = match message {
            ServerMessage::Joined(_) | ServerMessage::Resumed(_) | ServerMessage::Waiting(_) => {
                Kind::Entry
            }
            ServerMessage::Goodbye(goodbye) => Kind::Goodbye {
                code: goodbye.code,
                reconnect: goodbye.reconnect,
            },
            ServerMessage::Done { request_id, .. } => Kind::Other {
                request_id: *request_id,
            },
            _ => Kind::Other { request_id: None },
        };
        Self {
            text: text_of(message),
            kind,
        }
    }

    /// What is said in its place when it could not be written down.
    fn broken(self) -> Self {
        const SENTENCE: &str = "what was asked for could not be written down";
        Self::new(&match self.kind {
            Kind::Entry => ServerMessage::Goodbye(Goodbye {
                code: ErrorCode::Internal,
                message: SENTENCE.into(),
                reconnect: true,
            }),
            Kind::Goodbye { reconnect, .. } => ServerMessage::Goodbye(Goodbye {
                code: ErrorCode::Internal,
                message: SENTENCE.into(),
                reconnect,
            }),
            Kind::Other { request_id } => ServerMessage::Error(
                ErrorBody::new(ErrorCode::Internal, SENTENCE).in_answer_to(request_id),
            ),
        })
    }
}

/// The connections that asked to join: as many as there are WebSockets at most.
#[derive(Debug)]
pub(super) struct Connections {
    all: HashMap<ConnectionId, Connection>,
    /// Who waits for which transaction: for each that holds something, the promise that is its front.
    promised: BTreeSet<(Transaction, ConnectionId)>,
    most_messages: usize,
    most_bytes: usize,
}

#[derive(Debug)]
struct Connection {
    outbox: Arc<Outbox>,
    /// Empty, or a promise is its front.
    held: VecDeque<Held>,
    held_bytes: usize,
    /// `Held::Close` is its last.
    is_closing: bool,
}

#[derive(Debug)]
enum Held {
    Promise(Promised, Prepared),
    Message(Prepared),
    Close,
}

impl Connections {
    /// No more than this is held for one connection: as much as may wait in its outbox.
    pub(super) fn new(most_messages: usize, most_bytes: usize) -> Self {
        Self {
            all: HashMap::new(),
            promised: BTreeSet::new(),
            most_messages,
            most_bytes,
        }
    }

    pub(super) fn open(&mut self, connection: ConnectionId, outbox: Arc<Outbox>) {
        let opened = Connection {
            outbox,
            held: VecDeque::new(),
            held_bytes: 0,
            is_closing: false,
        };
        self.all.insert(connection, opened);
    }

    /// It is there, and not about to be closed.
    pub(super) fn is_open(&self, connection: ConnectionId) -> bool {
        self.all
            .get(&connection)
            .is_some_and(|found| !found.is_closing)
    }

    /// It is gone, and so is what was held for it. Whether the rooms should hear of it.
    pub(super) fn remove(&mut self, connection: ConnectionId) -> bool {
        let Some(removed) = self.all.remove(&connection) else {
            return false;
        };
        if let Some(with) = removed.waits_for() {
            self.promised.remove(&(with, connection));
        }
        !removed.is_closing
    }

    /// Send a message, behind what is held. After an overflow the connection is gone, and the rooms
    /// should hear of it.
    pub(super) fn send(
        &mut self,
        connection: ConnectionId,
        message: Prepared,
    ) -> Result<(), Overflow> {
        let Some(found) = self.all.get_mut(&connection) else {
            return Ok(());
        };
        if found.is_closing {
            return Ok(());
        }
        let sent = match found.held.is_empty() {
            true => found.deliver(message),
            false => found.hold(Held::Message(message), self.most_messages, self.most_bytes),
        };
        if sent.is_err() {
            self.remove(connection);
        }
        sent
    }

    /// Send a message once its promise can be kept.
    pub(super) fn promise(
        &mut self,
        connection: ConnectionId,
        promised: Promised,
        message: Prepared,
    ) -> Result<(), Overflow> {
        let Some(found) = self.all.get_mut(&connection) else {
            return Ok(());
        };
        if found.is_closing {
            return Ok(());
        }
        if matches!(message.kind, Kind::Entry) {
            found.outbox.set_entering();
        }
        let held = Held::Promise(promised, message);
        let sent = found.hold(held, self.most_messages, self.most_bytes);
        match sent {
            Ok(()) => self
                .promised
                .extend(found.waits_for().map(|with| (with, connection))),
            Err(Overflow) => drop(self.remove(connection)),
        }
        sent
    }

    /// Close a connection, behind what is held.
    pub(super) fn close(&mut self, connection: ConnectionId) {
        let Some(found) = self.all.get_mut(&connection) else {
            return;
        };
        match found.held.is_empty() {
            true => {
                found.outbox.close();
                self.all.remove(&connection);
            }
            false if found.is_closing => {}
            false => {
                found.is_closing = true;
                found.held.push_back(Held::Close);
            }
        }
    }

    /// A transaction is committed, or refused for good: what waited for it goes out. Those whose connection
    /// ended with it come back: the rooms should hear of them.
    pub(super) fn settle(&mut self, with: Transaction, is_refused: bool) -> Vec<ConnectionId> {
        let mut ended = Vec::new();
        while let Some(&(first, connection)) = self.promised.first()
            && first <= with
        {
            self.promised.pop_first();
            let Some(found) = self.all.get_mut(&connection) else {
                continue;
            };
            match found.release(with, is_refused) {
                Released::Open => self
                    .promised
                    .extend(found.waits_for().map(|with| (with, connection))),
                Released::Closed => drop(self.all.remove(&connection)),
                Released::Broken => {
                    self.all.remove(&connection);
                    ended.push(connection);
                }
            }
        }
        ended
    }
}

/// What became of a connection when something held for it went out.
enum Released {
    Open,
    /// As it was asked for.
    Closed,
    /// By us, who could not keep a promise, or by a client too slow.
    Broken,
}

impl Connection {
    fn waits_for(&self) -> Option<Transaction> {
        match self.held.front()? {
            Held::Promise(promised, _) => Some(promised.with),
            Held::Message(_) | Held::Close => None,
        }
    }

    fn hold(&mut self, held: Held, most: usize, most_bytes: usize) -> Result<(), Overflow> {
        if let Held::Promise(_, message) | Held::Message(message) = &held {
            let is_over =
                self.held.len() >= most || self.held_bytes + message.text.len() > most_bytes;
            // One alone may be larger, as in the outbox.
            if is_over && !self.held.is_empty() {
                let sentence = "more messages wait for you than may";
                self.outbox.say_goodbye(ErrorCode::TooSlow, sentence, true);
                return Err(Overflow);
            }
            self.held_bytes += message.text.len();
        }
        self.held.push_back(held);
        Ok(())
    }

    fn deliver(&self, message: Prepared) -> Result<(), Overflow> {
        match message.kind {
            Kind::Goodbye { code, reconnect } => {
                self.outbox.push_goodbye(message.text, code, reconnect);
                return Ok(());
            }
            Kind::Entry => self.outbox.set_joined(),
            Kind::Other { .. } => {}
        }
        self.outbox.push(message.text)
    }

    fn release(&mut self, with: Transaction, is_refused: bool) -> Released {
        while let Some(next) = self.held.pop_front() {
            let message = match next {
                Held::Promise(promised, message) if promised.with > with => {
                    self.held.push_front(Held::Promise(promised, message));
                    return Released::Open;
                }
                Held::Promise(promised, message)
                    if is_refused && promised.is_own && promised.with == with =>
                {
                    let is_entry = matches!(message.kind, Kind::Entry);
                    let broken = message.broken();
                    if is_entry {
                        // They are in the rooms, but nowhere else: they had better come anew.
                        let _ = self.deliver(broken);
                        self.outbox.close();
                        return Released::Broken;
                    }
                    broken
                }
                Held::Promise(_, message) | Held::Message(message) => message,
                Held::Close => {
                    self.outbox.close();
                    return Released::Closed;
                }
            };
            self.held_bytes = self.held_bytes.saturating_sub(message.text.len());
            if self.deliver(message).is_err() {
                return match self.is_closing {
                    true => Released::Closed,
                    false => Released::Broken,
                };
            }
        }
        Released::Open
    }
}

#[cfg(test)]
mod tests;
