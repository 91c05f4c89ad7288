//! A media worker: one thread with one engine and one socket. It moves datagrams, commands and events, reads
//! the clock once a turn, and decides nothing.

mod statistics;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use media::{Batch, Command, Engine, Event};
use tokio::sync::mpsc;

pub(crate) use self::statistics::WorkerStatistics;
use crate::link::{LinkReceiver, LinkSender};
use crate::load::{Load, Turn};
use crate::schedule::Schedule;
use crate::udp::{Sender, Udp, dropped_by_kernel};

/// Commands that may wait for a busy worker before the node waits too.
const WAITING_COMMANDS: usize = 4_096;
/// Of one turn, so that neither commands nor datagrams starve the other, or the timers.
const COMMANDS_OF_A_TURN: usize = 256;
const BATCHES_OF_A_TURN: usize = 64;
const LINK_BATCHES_OF_A_TURN: usize = 64;
/// How old the numbers on /metrics may be.
const STATISTICS_INTERVAL: Duration = Duration::from_secs(1);

/// A running worker, as the node knows it.
#[derive(Clone, Debug)]
pub(crate) struct WorkerHandle {
    pub(crate) commands: mpsc::Sender<Command>,
    busy_percent: Arc<AtomicU8>,
}

impl WorkerHandle {
    /// A worker that does nothing, for tests of the node.
    #[cfg(test)]
    pub(crate) fn idle(commands: mpsc::Sender<Command>) -> Self {
        let busy_percent = Arc::default();
        Self {
            commands,
            busy_percent,
        }
    }

    /// How much of its time it was at work lately, in percent.
    pub(crate) fn busy_percent(&self) -> u8 {
        self.busy_percent.load(Relaxed)
    }
}

/// The ways between a worker and the others.
#[derive(Debug)]
pub(crate) struct WorkerLinks {
    /// By a worker's number, its own included.
    pub(crate) senders: Vec<LinkSender>,
    pub(crate) receiver: LinkReceiver,
}

/// A running worker, as the others see it.
#[derive(Debug)]
pub(crate) struct MediaWorker {
    pub(crate) handle: WorkerHandle,
    statistics: Arc<Mutex<WorkerStatistics>>,
    port: u16,
}

impl MediaWorker {
    /// Start a thread for a bound socket. It ends when nobody can command it any more.
    ///
    /// Events go over a channel without a bound, so that a worker never waits for the node while the node
    /// waits for the worker. What is in it is bounded all the same: each event answers a command, ends a
    /// peer, or is limited by the engine for each track.
    pub(crate) fn start(
        number: u8,
        socket: UdpSocket,
        candidates: Vec<SocketAddr>,
        limits: media::Limits,
        links: WorkerLinks,
        events: mpsc::UnboundedSender<Event>,
    ) -> anyhow::Result<Self> {
        let (commands, receiver) = mpsc::channel(WAITING_COMMANDS);
        let statistics = Arc::new(Mutex::new(WorkerStatistics::default()));
        let config = media::Config {
            worker: number,
            candidates,
            limits,
        };
        let engine = Engine::new(Instant::now(), config).context("a media engine")?;
        let handle = WorkerHandle {
            commands,
            busy_percent: Arc::default(),
        };
        let port = socket.local_addr().context("a media port")?.port();
        let turns = Turns {
            engine,
            commands: receiver,
            events,
            links,
            statistics: statistics.clone(),
            statistics_at: Instant::now(),
            busy: Duration::ZERO,
            busy_percent: handle.busy_percent.clone(),
            load: Load::new(Instant::now()),
        };
        std::thread::Builder::new()
            .name(format!("media-{number}"))
            .spawn(move || live(turns, socket))
            .context("a thread for media")?;
        Ok(Self {
            handle,
            statistics,
            port,
        })
    }

    /// What was counted until lately, by the worker and by the kernel.
    pub(crate) fn statistics(&self) -> WorkerStatistics {
        let mut statistics = *self
            .statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        statistics.udp.kernel_dropped = dropped_by_kernel(self.port);
        statistics
    }
}

/// A worker's whole life. Without one of its workers a server is no use to half of its rooms and does not
/// know it: then it ends, and whatever started it starts it again.
fn live(turns: Turns, socket: UdpSocket) {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async { turns.run(Udp::new(socket)?).await })
    };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => {
            tracing::error!(%error, "a media worker's socket failed; the server ends")
        }
        // The panic's own message is on the standard error already.
        Err(_) => tracing::error!("a media worker panicked; the server ends"),
    }
    std::process::exit(101);
}

struct Turns {
    engine: Engine,
    commands: mpsc::Receiver<Command>,
    events: mpsc::UnboundedSender<Event>,
    links: WorkerLinks,
    statistics: Arc<Mutex<WorkerStatistics>>,
    /// When they were copied last, and how long the turns since then took.
    statistics_at: Instant,
    busy: Duration,
    busy_percent: Arc<AtomicU8>,
    load: Load,
}

/// Why a turn begins.
enum Wake {
    Command(Command),
    Batch(Batch),
    /// Datagrams have come, or something is due.
    Other,
}

/// Nobody is left who could command.
struct Deserted;

impl Turns {
    async fn run(mut self, mut udp: Udp) -> io::Result<()> {
        let mut ended = Instant::now();
        let schedule = Schedule::of_this_thread();
        loop {
            let Ok(wake) = self.wait(&udp).await? else {
                return Ok(());
            };
            let now = Instant::now();
            let idle = now.saturating_duration_since(ended);
            self.turn(now, wake, &mut udp)?;
            ended = Instant::now();
            self.busy += ended.saturating_duration_since(now);
            let turn = Turn {
                idle,
                waited: udp.take_waited(),
                is_congested: udp.is_congested(),
            };
            self.mind_load(ended, turn, &schedule);
            self.copy_statistics(now, &udp);
        }
    }

    /// Leave out as much video as there is no time for, or less again.
    fn mind_load(&mut self, now: Instant, turn: Turn, schedule: &Schedule) {
        let before = self.load.shed_percent();
        let Some(percent) = self.load.on_turn(now, turn, || schedule.wanted()) else {
            return;
        };
        if before == 0 {
            tracing::warn!(
                percent,
                "a media worker has more to do than it can, and leaves video out"
            );
        } else {
            tracing::info!(
                percent,
                "a media worker leaves out another part of the video"
            );
        }
        self.engine.set_shedding(now, percent);
    }

    /// Until there is something to do; a command or a batch if that is what there is.
    async fn wait(&mut self, udp: &Udp) -> io::Result<Result<Wake, Deserted>> {
        let due = self.statistics_at + STATISTICS_INTERVAL;
        let due = self.engine.poll_timeout().map_or(due, |at| at.min(due));
        tokio::select! {
            command = self.commands.recv() => Ok(command.map(Wake::Command).ok_or(Deserted)),
            batch = self.links.receiver.recv() => Ok(Ok(Wake::Batch(batch))),
            ready = udp.ready() => ready.map(|()| Ok(Wake::Other)),
            () = tokio::time::sleep_until(due.into()) => Ok(Ok(Wake::Other)),
        }
    }

    fn turn(&mut self, now: Instant, wake: Wake, udp: &mut Udp) -> io::Result<()> {
        udp.sender().send_waiting();
        let (command, batch) = match wake {
            Wake::Command(command) => (Some(command), None),
            Wake::Batch(batch) => (None, Some(batch)),
            Wake::Other => (None, None),
        };
        let engine = &mut self.engine;
        let senders = &self.links.senders;
        let more = std::iter::from_fn(|| self.commands.try_recv().ok());
        for command in command.into_iter().chain(more).take(COMMANDS_OF_A_TURN) {
            engine.handle_command(now, command);
        }
        let more = std::iter::from_fn(|| self.links.receiver.try_recv());
        for batch in batch.into_iter().chain(more).take(LINK_BATCHES_OF_A_TURN) {
            let mut sender = udp.sender();
            let flush = |engine: &mut Engine| flush(now, engine, senders, &mut sender);
            engine.handle_batch(now, &batch, flush);
        }
        for _ in 0..BATCHES_OF_A_TURN {
            // What has been sent in the midst of a turn has taken its time: the clock, the timers and the commands are
            // not to wait for more of it.
            let mut is_long = false;
            let received = udp.receive(|sender, from, to, datagram| {
                engine.handle_datagram(now, from, to, datagram);
                if engine.wants_flush() {
                    flush(now, engine, senders, sender);
                    is_long = true;
                }
            })?;
            if !received || is_long {
                break;
            }
        }
        flush(now, engine, senders, &mut udp.sender());
        // What is due by the clock does not delay what has come, and sees what became of it.
        if engine.is_timeout_due(now) {
            engine.handle_timeout(now);
            flush(now, engine, senders, &mut udp.sender());
        }
        while let Some(event) = engine.poll_event() {
            // The node is gone only when the process ends.
            let _ = self.events.send(event);
        }
        Ok(())
    }

    fn copy_statistics(&mut self, now: Instant, udp: &Udp) {
        let passed = now.saturating_duration_since(self.statistics_at);
        if passed < STATISTICS_INTERVAL {
            return;
        }
        self.statistics_at = now;
        let busy = std::mem::take(&mut self.busy).as_micros() * 100 / passed.as_micros().max(1);
        let busy = busy.min(100) as u8;
        self.busy_percent.store(busy, Relaxed);
        let statistics = WorkerStatistics {
            engine: self.engine.statistics(),
            udp: udp.statistics(),
            busy_percent: busy.into(),
            link_waiting_bytes: self.links.receiver.waiting_bytes() as u64,
            overloaded: u64::from(self.load.shed_percent() > 0),
            shed_percent: self.load.shed_percent().into(),
        };
        *self
            .statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = statistics;
    }
}

/// Send what waits: to the other workers first, so that they are at work while this one sends.
fn flush(now: Instant, engine: &mut Engine, links: &[LinkSender], udp: &mut Sender<'_>) {
    engine.flush_links(|worker, batch| match links.get(usize::from(worker)) {
        Some(link) => link.send(batch),
        None => Err(batch),
    });
    engine.flush(now, |transmit| udp.send(transmit));
    udp.finish();
}
