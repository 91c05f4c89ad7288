//! A media worker: one thread with one engine and one socket. It moves datagrams, commands and events, reads
//! the clock once a turn, and decides nothing.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use media::{Command, Engine, Event, Statistics};
use tokio::sync::mpsc;

use crate::udp::{Udp, UdpStatistics};

/// Commands that may wait for a busy worker before the node waits too.
const WAITING_COMMANDS: usize = 4_096;
/// Of one turn, so that neither commands nor datagrams starve the other, or the timers.
const COMMANDS_OF_A_TURN: usize = 256;
const BATCHES_OF_A_TURN: usize = 64;
/// How old the numbers on /metrics may be.
const STATISTICS_INTERVAL: Duration = Duration::from_secs(1);

/// What a worker counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WorkerStatistics {
    pub(crate) engine: Statistics,
    pub(crate) udp: UdpStatistics,
}

impl AddAssign for WorkerStatistics {
    fn add_assign(&mut self, other: Self) {
        let (sum, other_engine) = (&mut self.engine, other.engine);
        sum.peers_connecting += other_engine.peers_connecting;
        sum.peers_connected += other_engine.peers_connected;
        sum.tracks += other_engine.tracks;
        sum.subscriptions += other_engine.subscriptions;
        sum.inbound_packets += other_engine.inbound_packets;
        sum.inbound_bytes += other_engine.inbound_bytes;
        sum.outbound_packets += other_engine.outbound_packets;
        sum.outbound_bytes += other_engine.outbound_bytes;
        sum.inbound_nacks += other_engine.inbound_nacks;
        sum.outbound_nacks += other_engine.outbound_nacks;
        sum.inbound_key_frame_requests += other_engine.inbound_key_frame_requests;
        sum.outbound_key_frame_requests += other_engine.outbound_key_frame_requests;
        sum.inbound_retransmissions += other_engine.inbound_retransmissions;
        sum.outbound_retransmissions += other_engine.outbound_retransmissions;
        sum.data_messages += other_engine.data_messages;
        for (sum, other) in sum.dropped.iter_mut().zip(other_engine.dropped) {
            *sum += other;
        }
        self.udp += other.udp;
    }
}

/// A running worker, as the others see it.
#[derive(Debug)]
pub(crate) struct MediaWorker {
    pub(crate) commands: mpsc::Sender<Command>,
    statistics: Arc<Mutex<WorkerStatistics>>,
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
        let thread_statistics = statistics.clone();
        std::thread::Builder::new()
            .name(format!("media-{number}"))
            .spawn(move || live(engine, socket, receiver, events, thread_statistics))
            .context("a thread for media")?;
        Ok(Self {
            commands,
            statistics,
        })
    }

    /// What was counted until lately.
    pub(crate) fn statistics(&self) -> WorkerStatistics {
        *self
            .statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker's whole life. Without one of its workers a server is no use to half of its rooms and does not
/// know it: then it ends, and whatever started it starts it again.
fn live(
    engine: Engine,
    socket: UdpSocket,
    commands: mpsc::Receiver<Command>,
    events: mpsc::UnboundedSender<Event>,
    statistics: Arc<Mutex<WorkerStatistics>>,
) {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let udp = Udp::new(socket)?;
            Turns {
                engine,
                udp,
                commands,
                events,
                statistics,
                statistics_due: Instant::now(),
            }
            .run()
            .await
        })
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
    udp: Udp,
    commands: mpsc::Receiver<Command>,
    events: mpsc::UnboundedSender<Event>,
    statistics: Arc<Mutex<WorkerStatistics>>,
    statistics_due: Instant,
}

/// Nobody is left who could command.
struct Deserted;

impl Turns {
    async fn run(mut self) -> io::Result<()> {
        loop {
            let Ok(command) = self.wait().await? else {
                return Ok(());
            };
            self.turn(command)?;
        }
    }

    /// Until there is something to do; a command if that is what there is.
    async fn wait(&mut self) -> io::Result<Result<Option<Command>, Deserted>> {
        let due = self
            .engine
            .poll_timeout()
            .map_or(self.statistics_due, |due| due.min(self.statistics_due));
        tokio::select! {
            command = self.commands.recv() => Ok(command.map(Some).ok_or(Deserted)),
            ready = self.udp.ready() => ready.map(|()| Ok(None)),
            () = tokio::time::sleep_until(due.into()) => Ok(Ok(None)),
        }
    }

    fn turn(&mut self, command: Option<Command>) -> io::Result<()> {
        let now = Instant::now();
        self.udp.sender().send_waiting();
        let more = std::iter::from_fn(|| self.commands.try_recv().ok());
        for command in command.into_iter().chain(more).take(COMMANDS_OF_A_TURN) {
            self.engine.handle_command(now, command);
        }
        for _ in 0..BATCHES_OF_A_TURN {
            let engine = &mut self.engine;
            let received = self.udp.receive(|sender, from, to, datagram| {
                engine.handle_datagram(now, from, to, datagram);
                if engine.wants_flush() {
                    engine.flush(now, |transmit| sender.send(transmit));
                    sender.finish();
                }
            })?;
            if !received {
                break;
            }
        }
        if self.engine.poll_timeout().is_some_and(|due| due <= now) {
            self.engine.handle_timeout(now);
        }
        let mut sender = self.udp.sender();
        self.engine.flush(now, |transmit| sender.send(transmit));
        sender.finish();
        while let Some(event) = self.engine.poll_event() {
            // The node is gone only when the process ends.
            let _ = self.events.send(event);
        }
        self.copy_statistics(now);
        Ok(())
    }

    fn copy_statistics(&mut self, now: Instant) {
        if now < self.statistics_due {
            return;
        }
        self.statistics_due = now + STATISTICS_INTERVAL;
        let statistics = WorkerStatistics {
            engine: self.engine.statistics(),
            udp: self.udp.statistics(),
        };
        *self
            .statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = statistics;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_summed() {
        // The numbers of a Statistics, as text: whatever field is added later is seen here.
        let numbers = |statistics: &WorkerStatistics| -> Vec<u64> {
            let text = format!("{statistics:?}");
            text.split(|c: char| !c.is_ascii_digit())
                .filter_map(|number| number.parse().ok())
                .collect()
        };
        let mut engine = Statistics {
            peers_connecting: 1,
            peers_connected: 1,
            tracks: 1,
            subscriptions: 1,
            inbound_packets: 1,
            inbound_bytes: 1,
            outbound_packets: 1,
            outbound_bytes: 1,
            inbound_nacks: 1,
            outbound_nacks: 1,
            inbound_key_frame_requests: 1,
            outbound_key_frame_requests: 1,
            outbound_retransmissions: 1,
            inbound_retransmissions: 1,
            data_messages: 1,
            ..Statistics::default()
        };
        engine.dropped.fill(1);
        let udp = UdpStatistics {
            received: 1,
            sent: 1,
            send_calls: 1,
            waiting: 1,
            overflowed: 1,
            failed: 1,
        };
        let one = WorkerStatistics { engine, udp };
        let mut sum = one;
        sum += one;
        assert!(
            numbers(&one).iter().all(|&number| number == 1),
            "a new field is not counted here: {one:?}"
        );
        assert!(numbers(&sum).iter().all(|&number| number == 2), "{sum:?}");
    }
}
