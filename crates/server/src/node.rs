//! The node: one loop that owns the rooms, and carries out what they ask. It decides nothing itself but
//! which worker serves a room, and that nothing begins while too much waits for the database.

mod askers;
mod commits;
mod connections;
mod explaining;
mod guard;
mod media_plane;
mod perform;
mod relays;
mod translate;

use std::sync::Arc;

use protocol::{
    ConnectionId, ErrorBody, ErrorCode, LiveRoom, PeerId, RoomId, ServerMessage, Timestamp,
    TrackKind,
};
use signaling::{ApiCommand, ApiRequest, ApiResult, Caller, Command, Effect, Request, Rooms};
use store::{Outcome, Writer};
use tokio::sync::{mpsc, oneshot};

use self::askers::Askers;
use self::commits::Commits;
use self::connections::Connections;
use self::explaining::Explaining;
pub(crate) use self::explaining::Explanation;
use self::guard::{Guard, caught};
use self::media_plane::MediaPlane;
use crate::clock::Clock;
use crate::config::Config;
use crate::media_worker::WorkerHandle;
use crate::metrics::Metrics;
use crate::outbox::Outbox;

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
    /// Somebody asks over HTTP. Whoever goes away before the answer loses the answer alone.
    Api {
        caller: Caller,
        request: Box<ApiRequest>,
        answer: oneshot::Sender<ApiResult>,
    },
    /// What is a peer sent, and why?
    Explain {
        peer: PeerId,
        answer: oneshot::Sender<Explanation>,
    },
    /// Which rooms are live?
    LiveRooms(oneshot::Sender<Vec<LiveRoom>>),
    /// How many sessions run, and how many rooms are stuck?
    Running(oneshot::Sender<Running>),
    /// Say goodbye to everybody, end what runs, and answer when that is written down.
    Stop(oneshot::Sender<()>),
}

/// What runs, as the rooms know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    /// Sessions in the lobby or live.
    pub(crate) sessions: usize,
    /// Rooms that cannot go on by themselves: always 0.
    pub(crate) stuck: usize,
}

/// The rooms, and what is needed to do as they ask.
pub(crate) struct Node {
    clock: Clock,
    /// When the command was given whose effects are being carried out.
    handled_at: Timestamp,
    rooms: Rooms,
    connections: Connections,
    askers: Askers,
    explaining: Explaining,
    writer: Writer,
    commits: Commits<Outcome>,
    most_commits: usize,
    guard: Guard,
    media: MediaPlane,
    workers: Vec<WorkerHandle>,
    metrics: Arc<Metrics>,
    /// Asked to stop: told when everything is committed.
    stopping: Option<oneshot::Sender<()>>,
}

impl Node {
    pub(crate) fn new(
        config: &Config,
        clock: Clock,
        rooms: Rooms,
        writer: Writer,
        workers: Vec<WorkerHandle>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let limits = &config.limits;
        Self {
            clock,
            handled_at: clock.now(),
            rooms,
            connections: Connections::new(limits.outbox_messages, limits.outbox_bytes),
            askers: Askers::default(),
            explaining: Explaining::default(),
            writer,
            commits: Commits::new(),
            most_commits: limits.waiting_commands,
            guard: Guard::new(&config.data_dir),
            media: MediaPlane::new(workers.len(), config.room_peers_per_worker),
            workers,
            metrics,
            stopping: None,
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
                settled = self.commits.next() => self.handle_settled(settled).await,
                () = timeout => self.handle_timeout().await,
            }
            self.metrics.set_counts(self.rooms.counts());
        }
    }

    async fn handle_command(&mut self, command: NodeCommand) {
        match command {
            NodeCommand::Join { outbox, join } => {
                self.connections.open(join.connection, outbox);
                match self.may_begin() {
                    Ok(()) => self.handle(Command::Join(join)).await,
                    Err(error) => self.refuse(join.connection, join.request_id, error).await,
                }
            }
            NodeCommand::Request {
                connection,
                request_id,
                request,
            } => {
                // Of one that the rooms closed while this was on its way.
                if !self.connections.is_open(connection) {
                    return;
                }
                if begins_something(&request)
                    && let Err(error) = self.may_begin()
                {
                    return self.refuse(connection, request_id, error).await;
                }
                self.handle(Command::Request {
                    connection,
                    request_id,
                    request,
                })
                .await;
            }
            NodeCommand::Disconnected { connection } => {
                if self.connections.remove(connection) {
                    self.handle(Command::Disconnected { connection }).await;
                }
            }
            NodeCommand::Api {
                caller,
                request,
                answer,
            } => {
                if let Err(error) = self.may_begin() {
                    // Whoever asked may have gone.
                    let _ = answer.send(Err(error));
                    return;
                }
                let Some(asker) = self.askers.open(answer) else {
                    return;
                };
                let command = ApiCommand {
                    asker,
                    caller,
                    request: *request,
                };
                self.handle(Command::Api(Box::new(command))).await;
            }
            NodeCommand::Explain { peer, answer } => self.explain(peer, answer).await,
            NodeCommand::LiveRooms(answer) => {
                let _ = answer.send(self.rooms.live_rooms());
            }
            NodeCommand::Running(answer) => {
                let _ = answer.send(Running {
                    sessions: self.rooms.counts().running_sessions,
                    stuck: self.rooms.stuck(),
                });
            }
            NodeCommand::Stop(answer) => {
                self.handle(Command::Stop).await;
                self.stopping = Some(answer);
                self.tell_when_stopped();
            }
        }
    }

    /// Asks the worker of a peer; whoever asks too much is not answered.
    async fn explain(&mut self, peer: PeerId, answer: oneshot::Sender<Explanation>) {
        let Some(worker) = self.media.worker_of(peer) else {
            // It has ended meanwhile.
            let _ = answer.send(None);
            return;
        };
        if let Some(request) = self.explaining.open(answer) {
            let command = media::Command::Explain { request, peer };
            self.tell_workers(vec![(worker, command)]).await;
        }
    }

    /// Whether something may begin that has to be written down.
    fn may_begin(&self) -> Result<(), ErrorBody> {
        if self.stopping.is_some() {
            let sentence = "the server is being stopped";
            return Err(ErrorBody::new(ErrorCode::Unavailable, sentence));
        }
        if self.commits.len() >= self.most_commits {
            let sentence = "the database is away, and too much waits for it";
            return Err(ErrorBody::new(ErrorCode::Unavailable, sentence));
        }
        Ok(())
    }

    async fn refuse(&mut self, to: ConnectionId, request_id: Option<u32>, error: ErrorBody) {
        let message = ServerMessage::Error(error.in_answer_to(request_id));
        self.perform(vec![Effect::Send {
            to: vec![to],
            message,
        }])
        .await;
    }

    async fn handle_event(&mut self, event: media::Event) {
        if let media::Event::Explained {
            request,
            forwarding,
        } = event
        {
            return self.explaining.answer(request, forwarding);
        }
        match &event {
            media::Event::PeerConnected { peer, after } => {
                tracing::debug!(%peer, ?after, "media connected");
                self.metrics.join_seconds.observe(after.as_secs_f64());
            }
            media::Event::FirstPacketSent { after, kind, .. } => {
                let seconds = after.as_secs_f64();
                self.metrics.first_packet_seconds.observe(seconds);
                if *kind == TrackKind::Video {
                    self.metrics.first_key_frame_seconds.observe(seconds);
                }
            }
            media::Event::PeerEnded { peer, reason } => {
                tracing::info!(%peer, reason, "media ended");
                let commands = self.media.peer_ended(*peer);
                self.tell_workers(commands).await;
            }
            media::Event::PublicationRefused { track, .. } => {
                let commands = self.media.track_ended(*track);
                self.tell_workers(commands).await;
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

    /// The time for one command, which its effects bear.
    fn now(&mut self) -> Timestamp {
        self.handled_at = self.clock.now();
        self.handled_at
    }

    async fn handle(&mut self, command: Command) {
        let room = self.rooms.room_for(&command);
        let asker = match &command {
            Command::Api(command) => Some(command.asker),
            _ => None,
        };
        let (now, rooms) = (self.now(), &mut self.rooms);
        match caught(|| rooms.handle(now, command)) {
            Ok(effects) => {
                let room = room.or_else(|| opened_in(&effects));
                self.perform(effects).await;
                let sound = room.map_or(Ok(()), |room| self.guard.check(&self.rooms, room));
                if let (Err(fault), Some(room)) = (sound, room) {
                    self.close_faulty(room, &fault).await;
                }
            }
            Err(fault) => {
                if let Some(asker) = asker {
                    let error = ErrorBody::new(ErrorCode::Internal, "a fault of the server's own");
                    self.askers.reply(asker, None, Err(error));
                }
                match room {
                    Some(room) => self.close_faulty(room, &fault).await,
                    None => self.close_all_faulty(&fault).await,
                }
            }
        }
    }

    async fn handle_timeout(&mut self) {
        let (now, rooms) = (self.now(), &mut self.rooms);
        match caught(|| rooms.handle_timeout(now)) {
            Ok(effects) => self.perform(effects).await,
            Err(fault) => self.close_all_faulty(&fault).await,
        }
    }

    /// Something in a room is not as it must be: this room ends, and nothing else does.
    async fn close_faulty(&mut self, room: RoomId, fault: &str) {
        tracing::error!(%room, fault, "the room is closed: this is a fault of Plenum's own");
        self.metrics.faults.inc();
        let now = self.now();
        let (head, recent) = (self.rooms.log_head(room), self.rooms.recent_commands(room));
        self.guard.write_down(now, room, head, &recent);
        let rooms = &mut self.rooms;
        match caught(|| rooms.close_faulty(now, room)) {
            Ok(effects) => self.perform(effects).await,
            Err(fault) => {
                tracing::error!(%room, fault, "what was left of the room cannot be ended")
            }
        }
    }

    /// Something is wrong in a room, and it is not known in which.
    async fn close_all_faulty(&mut self, fault: &str) {
        let rooms = &self.rooms;
        let is_faulty = |room: &RoomId| caught(|| rooms.check_invariants_of(*room)).is_err();
        let faulty: Vec<RoomId> = rooms.ids().filter(is_faulty).collect();
        if faulty.is_empty() {
            tracing::error!(
                fault,
                "a command was not carried out: this is a fault of Plenum's own"
            );
            self.metrics.faults.inc();
        }
        for room in faulty {
            self.close_faulty(room, fault).await;
        }
    }

    fn tell_when_stopped(&mut self) {
        if self.commits.len() == 0
            && let Some(answer) = self.stopping.take()
        {
            let _ = answer.send(());
        }
    }
}

fn opened_in(effects: &[Effect]) -> Option<RoomId> {
    effects.iter().find_map(|effect| match effect {
        Effect::RoomOpened { room, .. } => Some(*room),
        _ => None,
    })
}

/// What begins something that is to be written down, and may as well begin a little later. What ends
/// something is never refused.
fn begins_something(request: &Request) -> bool {
    match request {
        Request::Publish { .. }
        | Request::OpenLobby(_)
        | Request::GoLive(_)
        | Request::Admit { .. }
        | Request::SetLocked { .. }
        | Request::HandOver { .. } => true,
        Request::Offer { .. }
        | Request::Unpublish { .. }
        | Request::Mute { .. }
        | Request::UpdateState(_)
        | Request::SetSubscription { .. }
        | Request::SetViewport { .. }
        | Request::LiveStatus
        | Request::Leave
        | Request::EndSession { .. }
        | Request::Deny { .. }
        | Request::Remove { .. }
        | Request::AskToUnmute { .. }
        | Request::LowerHand { .. } => false,
    }
}

#[cfg(test)]
mod tests;
