//! The node: one loop that owns the rooms, and carries out what they ask. It decides nothing itself but
//! which worker serves a room.

mod translate;

use std::collections::HashMap;
use std::sync::Arc;

use protocol::{ConnectionId, LiveRoom, RoomId, ServerMessage};
use signaling::{Command, Effect, MediaEffect, Request, Rooms};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::outbox::{Outbox, text_of};
use crate::placement::Placement;

/// What the node is asked.
#[derive(Debug)]
pub(crate) enum NodeCommand {
    /// A connection with a good token wants to join. What is for it goes into the outbox.
    Join {
        outbox: Arc<Outbox>,
        join: Box<signaling::Join>,
    },
    /// A connection asks for something.
    Request {
        connection: ConnectionId,
        request_id: Option<u32>,
        request: Request,
    },
    /// A connection that asked to join is closed or lost.
    Disconnected { connection: ConnectionId },
    /// Which rooms are live?
    LiveRooms(oneshot::Sender<Vec<LiveRoom>>),
    /// Say goodbye to everybody, and answer when all goodbyes are in the outboxes.
    Stop(oneshot::Sender<()>),
}

/// The rooms, and what is needed to do as they ask.
pub(crate) struct Node {
    clock: Clock,
    rooms: Rooms,
    /// As many as there are WebSockets that asked to join.
    connections: HashMap<ConnectionId, Arc<Outbox>>,
    placement: Placement,
    workers: Vec<mpsc::Sender<media::Command>>,
    metrics: Arc<Metrics>,
}

impl Node {
    pub(crate) fn new(
        rooms: Rooms,
        workers: Vec<mpsc::Sender<media::Command>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let placement = Placement::new(workers.len());
        Self {
            clock: Clock::start(),
            rooms,
            connections: HashMap::new(),
            placement,
            workers,
            metrics,
        }
    }

    /// Serve until nobody is left who could ask.
    pub(crate) async fn run(
        mut self,
        mut commands: mpsc::Receiver<NodeCommand>,
        mut events: mpsc::UnboundedReceiver<media::Event>,
    ) {
        loop {
            let due = self
                .rooms
                .poll_timeout()
                .map(|due| self.clock.instant(due).into());
            let timeout = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.handle_command(command).await,
                    None => return,
                },
                Some(event) = events.recv() => self.handle_event(event).await,
                () = timeout => {
                    let effects = self.rooms.handle_timeout(self.clock.now());
                    self.perform(effects).await;
                }
            }
            self.metrics.set_counts(self.rooms.counts());
        }
    }

    async fn handle_command(&mut self, command: NodeCommand) {
        match command {
            NodeCommand::Join { outbox, join } => {
                self.connections.insert(join.connection, outbox);
                self.handle(Command::Join(join)).await;
            }
            NodeCommand::Request {
                connection,
                request_id,
                request,
            } => {
                // Of one that the rooms closed while this was on its way.
                if self.connections.contains_key(&connection) {
                    self.handle(Command::Request {
                        connection,
                        request_id,
                        request,
                    })
                    .await;
                }
            }
            NodeCommand::Disconnected { connection } => {
                if self.connections.remove(&connection).is_some() {
                    self.handle(Command::Disconnected { connection }).await;
                }
            }
            NodeCommand::LiveRooms(answer) => {
                // Whoever asked may have gone.
                let _ = answer.send(self.rooms.live_rooms());
            }
            NodeCommand::Stop(answer) => {
                self.handle(Command::Stop).await;
                let _ = answer.send(());
            }
        }
    }

    async fn handle_event(&mut self, event: media::Event) {
        match &event {
            media::Event::PeerConnected { peer, after } => {
                tracing::debug!(%peer, ?after, "media connected");
                self.metrics.join_seconds.observe(after.as_secs_f64());
            }
            media::Event::FirstPacketSent { after, .. } => {
                self.metrics
                    .first_packet_seconds
                    .observe(after.as_secs_f64());
            }
            media::Event::PeerEnded { peer, reason } => {
                tracing::info!(%peer, reason, "media ended");
                self.placement.close_peer(*peer);
            }
            media::Event::OfferRefused { peer, reason } => {
                tracing::info!(%peer, reason, "offer refused")
            }
            _ => {}
        }
        if let Some(event) = translate::event(event) {
            self.handle(Command::Media(event)).await;
        }
    }

    async fn handle(&mut self, command: Command) {
        let effects = self.rooms.handle(self.clock.now(), command);
        self.perform(effects).await;
    }

    /// Carry out effects in order; those that follow from clients too slow for them come after.
    async fn perform(&mut self, effects: Vec<Effect>) {
        let mut effects = effects;
        while !effects.is_empty() {
            let mut too_slow = Vec::new();
            for effect in effects {
                self.perform_one(effect, &mut too_slow).await;
            }
            effects = Vec::new();
            for connection in too_slow {
                if self.connections.remove(&connection).is_some() {
                    effects.extend(
                        self.rooms
                            .handle(self.clock.now(), Command::Disconnected { connection }),
                    );
                }
            }
        }
    }

    async fn perform_one(&mut self, effect: Effect, too_slow: &mut Vec<ConnectionId>) {
        match effect {
            Effect::Send { to, message } => self.send(&to, &message, too_slow),
            Effect::Close { connection } => {
                if let Some(outbox) = self.connections.remove(&connection) {
                    outbox.close();
                }
            }
            Effect::RoomOpened { room, name } => {
                let worker = self.placement.open_room(room);
                tracing::info!(%room, worker, "room opened");
                tracing::debug!(%room, %name, "its name");
            }
            Effect::RoomClosed { room } => {
                self.placement.close_room(room);
                tracing::info!(%room, "room closed");
            }
            Effect::Media { room, effect } => self.tell_worker(room, effect).await,
        }
    }

    /// Written once, whoever many it is for.
    fn send(&self, to: &[ConnectionId], message: &ServerMessage, too_slow: &mut Vec<ConnectionId>) {
        let text = text_of(message);
        for &connection in to {
            let Some(outbox) = self.connections.get(&connection) else {
                continue;
            };
            match message {
                ServerMessage::Goodbye(goodbye) => {
                    outbox.push_goodbye(text.clone(), goodbye.code, goodbye.reconnect);
                    continue;
                }
                ServerMessage::Error(error) => self
                    .metrics
                    .refused
                    .with_label_values(&[error.code.as_str()])
                    .inc(),
                ServerMessage::Joined(_) | ServerMessage::Resumed(_) => {
                    self.handle_joined(connection, outbox)
                }
                _ => {}
            }
            if outbox.push(text.clone()).is_err() {
                too_slow.push(connection);
            }
        }
    }

    fn handle_joined(&self, connection: ConnectionId, outbox: &Outbox) {
        outbox.set_joined();
        if let Some((room, participant)) = self.rooms.participant_of(connection) {
            tracing::info!(%connection, %room, %participant, "joined");
        }
    }

    async fn tell_worker(&mut self, room: RoomId, effect: MediaEffect) {
        let Some(worker) = self.placement.worker_of(room) else {
            debug_assert!(false, "a media effect for room {room}, which is not open");
            return;
        };
        match &effect {
            MediaEffect::OpenPeer { peer, .. } => self.placement.open_peer(*peer, worker),
            MediaEffect::ClosePeer { peer } => self.placement.close_peer(*peer),
            _ => {}
        }
        // Waits while the worker is busy: clients are then read more slowly. A worker never waits for the
        // node, so the two cannot wait for each other. One that is gone takes the process with it.
        let _ = self.workers[worker]
            .send(translate::command(room, effect))
            .await;
    }
}
