//! A receiving thread: waits for any of its clients' sockets, takes what is there in batches, and lets each
//! client look at it. It decides nothing about what a client got.

mod account;
mod arrivals;
mod client;
mod feedback;
mod frames;
mod header;
mod stream;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::io::IoSliceMut;
use std::ops::AddAssign;
use std::os::fd::AsRawFd;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use quinn_udp::RecvMeta;
use tokio::sync::{oneshot, watch};

pub(crate) use account::Account;
use client::Client;
pub(crate) use frames::Pictures;

use super::dtls::Identity;
use super::socket::{BATCH_SIZE, Socket};
use super::track_number::TrackNumber;
use super::{Member, Receiving, Remote, Sending, State, answered, clock, sending};
use crate::measurements::histogram;

/// Room for a datagram, and for a bundle of them where the kernel may make such (GRO).
const DATAGRAM: usize = 2_048;
const BUNDLE: usize = 65_536;
/// Sockets in one look: all of them, so that how long a look takes says how long a packet may wait.
const MOST_EVENTS: usize = 32_768;
/// From one look to the next: what comes meanwhile wakes nobody. Woken for each packet, a thread on the same
/// machine costs the sender's core a microsecond for each, which no viewer elsewhere would.
const PAUSE: Duration = Duration::from_micros(200);
/// Never a socket's.
const WAKER: Token = Token(usize::MAX);

/// What a receiving thread is told and asked.
pub(crate) enum Command {
    Open(Box<Opening>),
    Connect(u64, Box<Remote>),
    Receive(u64, Receiving),
    Send(u64, Vec<Sending>),
    Close(u64),
    /// Count what is sent from this moment of `clock` on.
    Begin(u64),
    /// And before this one.
    End(u64),
    Second(oneshot::Sender<SecondCount>),
    Report(oneshot::Sender<Report>),
}

/// A new client.
pub(crate) struct Opening {
    pub(crate) id: u64,
    pub(crate) member: Arc<Member>,
    pub(crate) socket: Arc<Socket>,
    pub(crate) ufrag: String,
    pub(crate) password: String,
    pub(crate) state: watch::Sender<State>,
}

/// What came in a while.
pub(crate) struct SecondCount {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) delay_us: Histogram<u64>,
}

impl Default for SecondCount {
    fn default() -> Self {
        Self {
            packets: 0,
            bytes: 0,
            delay_us: histogram(),
        }
    }
}

impl AddAssign for SecondCount {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        // Both have the same bounds.
        let _ = self.delay_us.add(&other.delay_us);
    }
}

/// What a receiving thread counted.
pub(crate) struct Report {
    pub(crate) accounts: Vec<AccountReport>,
    pub(crate) damaged: u64,
    /// In use since the thread began.
    pub(crate) srtp_profiles: BTreeSet<&'static str>,
    pub(crate) delay_us: Histogram<u64>,
    /// Of sound alone.
    pub(crate) sound_delay_us: Histogram<u64>,
    pub(crate) pictures: Pictures,
    pub(crate) lag_us: Histogram<u64>,
}

/// What one participant got of one stream.
#[derive(Clone, Debug)]
pub(crate) struct AccountReport {
    pub(crate) member: u32,
    pub(crate) track: TrackNumber,
    pub(crate) account: Account,
}

/// Which packets are counted: those sent from the first moment on and before the second.
#[derive(Clone, Copy, Debug)]
struct Counting {
    from_us: u64,
    until_us: u64,
}

/// What all clients of a thread write into.
struct Desk {
    counting: Option<Counting>,
    second: SecondCount,
    /// Of the seconds before.
    delay_us: Histogram<u64>,
    sound_delay_us: Histogram<u64>,
    pictures: Pictures,
    damaged: u64,
    srtp_profiles: BTreeSet<&'static str>,
    /// Of clients that have ended since counting began.
    accounts: Vec<AccountReport>,
    sender: sending::Handle,
    identity: Arc<Identity>,
}

fn is_passing(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, Interrupted};
    matches!(kind, ConnectionRefused | Interrupted)
}

/// How to reach a receiving thread.
#[derive(Clone)]
pub(crate) struct Handle {
    commands: mpsc::Sender<Command>,
    waker: Arc<Waker>,
}

impl Handle {
    pub(crate) fn tell(&self, command: Command) {
        // A thread that has ended has nobody left to serve.
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }

    pub(crate) async fn ask<T>(&self, question: fn(oneshot::Sender<T>) -> Command) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.tell(question(reply));
        answered(answer).await
    }
}

/// Start a receiving thread. It ends when nobody can reach it any more.
pub(super) fn start(identity: Arc<Identity>, sender: sending::Handle) -> Result<Handle> {
    let poll = Poll::new().context("no epoll")?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
    let (commands, inbox) = mpsc::channel();
    let thread = Thread {
        poll,
        inbox,
        clients: HashMap::new(),
        timers: BinaryHeap::new(),
        desk: Desk {
            counting: None,
            second: SecondCount::default(),
            delay_us: histogram(),
            sound_delay_us: histogram(),
            pictures: Pictures::default(),
            damaged: 0,
            srtp_profiles: BTreeSet::new(),
            accounts: Vec::new(),
            sender,
            identity,
        },
        lag_us: histogram(),
        buffers: vec![0; BATCH_SIZE * BUNDLE],
    };
    std::thread::Builder::new()
        .name("receiving".to_owned())
        .spawn(move || thread.run())
        .context("no thread to receive")?;
    Ok(Handle { commands, waker })
}

struct Thread {
    poll: Poll,
    inbox: mpsc::Receiver<Command>,
    clients: HashMap<u64, Client>,
    timers: BinaryHeap<Reverse<(Instant, u64)>>,
    desk: Desk,
    lag_us: Histogram<u64>,
    buffers: Vec<u8>,
}

impl Thread {
    fn run(mut self) {
        let mut events = Events::with_capacity(MOST_EVENTS);
        loop {
            let next = self.timers.peek().map(|Reverse((due, _))| *due);
            let wait = next.map(|due| due.saturating_duration_since(Instant::now()));
            if let Err(error) = self.poll.poll(&mut events, wait)
                && error.kind() != std::io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "epoll has failed");
                return;
            }
            let began = Instant::now();
            for event in &events {
                if event.token() != WAKER {
                    self.receive(event.token().0 as u64);
                }
            }
            loop {
                match self.inbox.try_recv() {
                    Ok(command) => self.carry_out(command),
                    Err(mpsc::TryRecvError::Empty) => break,
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
            self.handle_timeouts();
            if self.desk.counting.is_some() {
                self.lag_us
                    .saturating_record(began.elapsed().as_micros() as u64);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// All that has come to one client. epoll tells of a socket once, so it is emptied.
    fn receive(&mut self, id: u64) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let room = if client.takes_bundles {
            BUNDLE
        } else {
            DATAGRAM
        };
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        loop {
            let mut chunks = self.buffers.chunks_exact_mut(room);
            let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
                std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
            let count = match client.socket.receive(&mut slices, &mut metas) {
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                // An ICMP answer to something sent, or a signal: what came after it is still there.
                Err(error) if is_passing(error.kind()) => continue,
                Err(_) => break,
            };
            let now = Instant::now();
            let now_us = clock::microseconds(now);
            let today = SystemTime::now().duration_since(UNIX_EPOCH);
            for (buffer, meta) in slices.iter_mut().zip(&metas[..count]) {
                // The kernel says when it came: that it waited for us is no delay of the server's.
                let arrival = meta.timestamp.zip(today.as_ref().ok());
                let waited = arrival.and_then(|(came, today)| today.checked_sub(came));
                let waited_us = waited.unwrap_or_default().as_micros() as u64;
                let came_us = now_us.saturating_sub(waited_us);
                for datagram in buffer[..meta.len].chunks_mut(meta.stride.max(1)) {
                    client.handle_datagram(now, came_us, meta.addr, datagram, &mut self.desk);
                }
            }
            if count < BATCH_SIZE {
                break;
            }
        }
        Self::schedule(&mut self.timers, id, client);
    }

    fn carry_out(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Open(opening) => self.open(now, *opening),
            Command::Connect(id, remote) => self.with(id, |client, _| client.connect(now, *remote)),
            Command::Receive(id, receiving) => {
                self.with(id, |client, _| client.set_receiving(&receiving));
            }
            Command::Send(id, sending) => {
                self.with(id, |client, desk| client.set_sending(sending, desk));
            }
            Command::Close(id) => self.close(now, id),
            Command::Begin(from_us) => self.begin(from_us),
            Command::End(until_us) => {
                if let Some(counting) = &mut self.desk.counting {
                    counting.until_us = until_us;
                }
            }
            // Whoever asked may have gone.
            Command::Second(reply) => {
                let second = std::mem::take(&mut self.desk.second);
                let _ = self.desk.delay_us.add(&second.delay_us);
                let _ = reply.send(second);
            }
            Command::Report(reply) => {
                let _ = reply.send(self.report());
            }
        }
    }

    fn open(&mut self, now: Instant, opening: Opening) {
        let id = opening.id;
        let fd = opening.socket.udp().as_raw_fd();
        let registered = self.poll.registry().register(
            &mut SourceFd(&fd),
            Token(id as usize),
            Interest::READABLE,
        );
        if let Err(error) = registered {
            let reason = format!("the socket cannot be watched: {error}");
            opening.state.send_replace(State::Failed(reason));
            return;
        }
        self.clients.insert(id, Client::new(now, opening));
    }

    fn with(&mut self, id: u64, act: impl FnOnce(&mut Client, &mut Desk)) {
        if let Some(client) = self.clients.get_mut(&id) {
            act(client, &mut self.desk);
            Self::schedule(&mut self.timers, id, client);
        }
    }

    fn close(&mut self, now: Instant, id: u64) {
        let Some(mut client) = self.clients.remove(&id) else {
            return;
        };
        client.close(now);
        self.desk.sender.tell(sending::Command::Stop(id));
        if self.desk.counting.is_some() {
            self.desk.accounts.extend(client.reports());
        }
        let fd = client.socket.udp().as_raw_fd();
        let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
    }

    fn begin(&mut self, from_us: u64) {
        self.desk.counting = Some(Counting {
            from_us,
            until_us: u64::MAX,
        });
        self.desk.second = SecondCount::default();
        self.desk.delay_us.reset();
        self.desk.sound_delay_us.reset();
        self.desk.pictures = Pictures::default();
        self.desk.damaged = 0;
        self.desk.accounts.clear();
        self.lag_us.reset();
        for client in self.clients.values_mut() {
            client.forget_accounts();
        }
    }

    fn report(&mut self) -> Report {
        let second = std::mem::take(&mut self.desk.second);
        let _ = self.desk.delay_us.add(&second.delay_us);
        let present = self.clients.values().flat_map(Client::reports);
        Report {
            accounts: self.desk.accounts.iter().cloned().chain(present).collect(),
            damaged: self.desk.damaged,
            srtp_profiles: self.desk.srtp_profiles.clone(),
            delay_us: self.desk.delay_us.clone(),
            sound_delay_us: self.desk.sound_delay_us.clone(),
            pictures: self.desk.pictures,
            lag_us: self.lag_us.clone(),
        }
    }

    fn handle_timeouts(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((due, id))) = self.timers.peek().copied()
            && due <= now
        {
            self.timers.pop();
            // A timer that was set anew in the meantime is another one.
            if let Some(client) = self.clients.get_mut(&id)
                && client.timer == Some(due)
            {
                client.timer = None;
                client.handle_timeout(now, &mut self.desk);
                Self::schedule(&mut self.timers, id, client);
            }
        }
    }

    fn schedule(timers: &mut BinaryHeap<Reverse<(Instant, u64)>>, id: u64, client: &mut Client) {
        let Some(due) = client.poll_timeout() else {
            return;
        };
        if client.timer.is_none_or(|set| due < set) {
            client.timer = Some(due);
            timers.push(Reverse((due, id)));
        }
    }
}
