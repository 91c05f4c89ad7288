//! Carries out what the rooms ask, in order: writes, messages, media. What is promised waits for its commit;
//! what ends by a client too slow is told to the rooms afterwards.

use std::collections::VecDeque;

use protocol::record::{SessionState, Write};
use protocol::{ConnectionId, ServerMessage};
use signaling::{Command, Effect};
use store::Outcome;
use tokio::sync::oneshot;

use super::Node;
use super::commits::{Promised, Settled};
use super::connections::Prepared;
use super::guard::caught;
use super::media_plane::Commands;

impl Node {
    /// Carry out the effects of one command; those that follow from clients too slow for them come after.
    pub(super) async fn perform(&mut self, effects: Vec<Effect>) {
        let ended = self.carry_out(effects).await;
        self.end(ended).await;
    }

    /// A transaction is committed, or refused for good: what was promised with it goes out.
    pub(super) async fn handle_settled(&mut self, settled: Settled<Outcome>) {
        let is_refused = match settled.outcome {
            Some(Outcome::Committed) => false,
            // The writer has logged it.
            Some(Outcome::Refused(_)) => true,
            None => {
                tracing::error!("something was not written down: the writer is gone, or was full");
                true
            }
        };
        self.metrics
            .store_commit_seconds
            .observe(settled.after.as_secs_f64());
        self.askers.settle(settled.transaction, is_refused);
        let ended = self.connections.settle(settled.transaction, is_refused);
        self.end(ended.into()).await;
        self.tell_when_stopped();
    }

    /// These connections are gone, and the rooms do not know it yet.
    async fn end(&mut self, mut ended: VecDeque<ConnectionId>) {
        while let Some(connection) = ended.pop_front() {
            let command = Command::Disconnected { connection };
            let (now, rooms) = (self.now(), &mut self.rooms);
            match caught(|| rooms.handle(now, command)) {
                Ok(effects) => ended.extend(self.carry_out(effects).await),
                Err(fault) => tracing::error!(fault, "a fault of Plenum's own"),
            }
        }
    }

    /// Carry out the effects of one command. Those whose connection ended with it come back.
    async fn carry_out(&mut self, effects: Vec<Effect>) -> VecDeque<ConnectionId> {
        let mut writes = Vec::new();
        let mut others = Vec::with_capacity(effects.len());
        for effect in effects {
            match effect {
                Effect::Write(write) => writes.push(write),
                other => others.push(other),
            }
        }
        let is_own = !writes.is_empty();
        if is_own {
            self.write(writes);
        }
        // Whatever the command promises waits for all that it wrote, and for all that was written before.
        let promised = self.commits.promised(is_own);
        let mut ended = VecDeque::new();
        for effect in others {
            self.carry_out_one(effect, promised, &mut ended).await;
        }
        ended
    }

    fn write(&mut self, writes: Vec<Write>) {
        for write in &writes {
            self.count(write);
        }
        // Nothing new begins long before it is full: `waiting_commands`. An answer that never comes is one
        // that nothing was written down.
        let outcome = self.writer.submit(writes).unwrap_or_else(|error| {
            tracing::error!(%error, "something cannot be written down");
            oneshot::channel().1
        });
        self.commits.push(outcome);
    }

    fn count(&self, write: &Write) {
        let (Write::SessionCreated(session) | Write::SessionChanged(session)) = write else {
            return;
        };
        // A live session changes when it has another host, too.
        if session.state == SessionState::Live && session.live_at == Some(self.handled_at) {
            self.metrics.sessions_started.inc();
        }
        if let Some(reason) = session.end_reason {
            let ended = &self.metrics.sessions_ended;
            ended.with_label_values(&[reason.as_str()]).inc();
        }
    }

    async fn carry_out_one(
        &mut self,
        effect: Effect,
        promised: Option<Promised>,
        ended: &mut VecDeque<ConnectionId>,
    ) {
        match effect {
            Effect::Send { to, message } => self.send(&to, &message, None, ended),
            Effect::Acknowledge { to, message } => self.send(&[to], &message, promised, ended),
            Effect::Reply { asker, result } => self.askers.reply(asker, promised, result),
            Effect::Write(_) => {}
            Effect::Close { connection } => self.connections.close(connection),
            Effect::RoomOpened { room, name } => {
                let workers = &self.workers;
                let worker = self
                    .media
                    .open_room(room, |worker| workers[worker].busy_percent());
                tracing::info!(%room, worker, "room opened");
                tracing::debug!(%room, %name, "its name");
            }
            Effect::RoomClosed { room } => {
                self.media.close_room(room);
                tracing::info!(%room, "room closed");
            }
            Effect::Media { room, effect } => {
                let workers = &self.workers;
                let busy = |worker: usize| workers[worker].busy_percent();
                let commands = self.media.carry_out(room, effect, busy);
                self.tell_workers(commands).await;
            }
        }
    }

    /// Written once, whoever many it is for.
    fn send(
        &mut self,
        to: &[ConnectionId],
        message: &ServerMessage,
        promised: Option<Promised>,
        ended: &mut VecDeque<ConnectionId>,
    ) {
        let prepared = Prepared::new(message);
        for &connection in to {
            if !self.connections.is_open(connection) {
                continue;
            }
            match message {
                ServerMessage::Error(error) => self
                    .metrics
                    .refused
                    .with_label_values(&[error.code.as_str()])
                    .inc(),
                ServerMessage::Joined(_) | ServerMessage::Resumed(_) => {
                    if let Some((room, participant)) = self.rooms.participant_of(connection) {
                        tracing::info!(%connection, %room, %participant, "joined");
                    }
                }
                _ => {}
            }
            let sent = match promised {
                Some(promised) => self
                    .connections
                    .promise(connection, promised, prepared.clone()),
                None => self.connections.send(connection, prepared.clone()),
            };
            if sent.is_err() {
                ended.push_back(connection);
            }
        }
    }

    /// Waits while a worker is busy: clients are then read more slowly. A worker never waits for the node, so
    /// the two cannot wait for each other. One that is gone takes the process with it.
    pub(super) async fn tell_workers(&mut self, commands: Commands) {
        for (worker, command) in commands {
            let _ = self.workers[worker].commands.send(command).await;
        }
    }
}
