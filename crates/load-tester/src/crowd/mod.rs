//! Hundreds to thousands of clients on a few threads: each with a UDP socket, ICE, DTLS and SRTP of its
//! own. What they send is marked, every packet that they receive is opened and checked. It speaks with no
//! server: whoever does says here what was negotiated.

mod clock;
mod content;
mod dtls;
mod ice;
mod judge;
mod member;
mod receiving;
mod sending;
mod socket;
mod srtp;
mod track_number;
mod transport;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;
use tokio::sync::{oneshot, watch};

pub(crate) use judge::{Window, judge};
pub use member::Member;
pub(crate) use receiving::{Pictures, SecondCount};
pub use transport::{Extensions, Layer, Local, Payload, PublishSpec, Receiving, Remote, Sending};

/// Leads clients elsewhere, as through a relay: gives the address that they use in place of the server's.
pub type Detour = Arc<dyn Fn(SocketAddr) -> SocketAddr + Send + Sync>;

/// Commands take this long at most to reach every thread: counting begins and ends later by it, so that
/// all threads agree on which packets are counted.
const AGREEMENT: Duration = Duration::from_millis(100);
/// And this long to be answered, on however busy a machine: a run is to end with an error and not to wait
/// for ever for a thread of its own.
const ANSWER: Duration = Duration::from_secs(60);

/// How a crowd works.
#[derive(Clone)]
pub struct CrowdOptions {
    /// Threads that receive; at least one.
    pub receive_threads: usize,
    /// Let the kernel hand over packets in bundles.
    pub gro: bool,
    /// What random choices begin from.
    pub seed: u64,
    /// Clients use other addresses than the server gives.
    pub detour: Option<Detour>,
}

/// Clients, and the threads that serve them.
pub struct Crowd {
    identity: Arc<dtls::Identity>,
    receivers: Vec<receiving::Handle>,
    sender: sending::Handle,
    options: CrowdOptions,
    next_transport: AtomicU64,
    next_member: AtomicU32,
    /// Of the sockets opened so far.
    ports: Mutex<HashSet<u16>>,
}

/// What all threads counted.
pub(crate) struct Counted {
    pub(crate) accounts: Vec<receiving::AccountReport>,
    pub(crate) tracks: Vec<sending::TrackReport>,
    pub(crate) damaged: u64,
    pub(crate) srtp_profiles: BTreeSet<&'static str>,
    pub(crate) delay_us: Histogram<u64>,
    /// Of sound alone.
    pub(crate) sound_delay_us: Histogram<u64>,
    pub(crate) pictures: Pictures,
    pub(crate) lag_us: Histogram<u64>,
}

impl Crowd {
    /// Start the threads.
    pub fn start(options: CrowdOptions) -> Result<Self> {
        socket::raise_limit();
        let identity = Arc::new(dtls::Identity::generate()?);
        let sender = sending::start(options.seed)?;
        let threads = options.receive_threads.max(1);
        let receivers = (0..threads)
            .map(|_| receiving::start(identity.clone(), sender.clone()))
            .collect::<Result<_>>()?;
        Ok(Self {
            identity,
            receivers,
            sender,
            options,
            next_transport: AtomicU64::new(0),
            next_member: AtomicU32::new(0),
            ports: Mutex::default(),
        })
    }

    /// Somebody new, whose joining begins now. `only`: to receive what this one publishes, and nothing else.
    pub fn member(&self, room: u32, subscribes: bool, only: Option<u32>) -> Arc<Member> {
        let id = self.next_member.fetch_add(1, Ordering::Relaxed);
        Arc::new(Member::new(id, room, subscribes).choosy(only))
    }

    /// A transport of a participant, by the network interface that leads to this server.
    pub fn open(&self, member: Arc<Member>, server: SocketAddr) -> Result<Transport> {
        let socket = Arc::new(socket::Socket::open(server, self.options.gro)?);
        self.ports().insert(socket.local().port());
        let id = self.next_transport.fetch_add(1, Ordering::Relaxed);
        // ICE: 4 characters and 22 at least. Not secret from anybody here.
        let local = Local {
            ufrag: format!("load{id}"),
            password: format!("{:032x}", rand::random::<u128>()),
            fingerprint: self.identity.fingerprint.clone(),
            address: socket.local(),
        };
        let (state, connected) = watch::channel(State::Connecting);
        let receiver = self.receivers[id as usize % self.receivers.len()].clone();
        receiver.tell(receiving::Command::Open(Box::new(receiving::Opening {
            id,
            member,
            socket,
            ufrag: local.ufrag.clone(),
            password: local.password.clone(),
            state,
        })));
        Ok(Transport {
            id,
            local,
            state: connected,
            receiver,
            detour: self.options.detour.clone(),
        })
    }

    /// Threads that send and receive.
    pub(crate) fn threads(&self) -> usize {
        1 + self.receivers.len()
    }

    fn ports(&self) -> MutexGuard<'_, HashSet<u16>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Datagrams that the kernel has dropped at each of our sockets that is open now.
    pub(crate) fn socket_drops(&self) -> HashMap<u16, u64> {
        let mut drops = socket::drops();
        let ports = self.ports();
        drops.retain(|port, _| ports.contains(port));
        drops
    }

    /// Count from a moment on that is about to come, which is returned. What was counted is forgotten.
    pub(crate) fn begin_counting(&self) -> Instant {
        let from = Instant::now() + AGREEMENT;
        let from_us = clock::microseconds(from);
        self.sender.tell(sending::Command::Begin(from_us));
        for receiver in &self.receivers {
            receiver.tell(receiving::Command::Begin(from_us));
        }
        from
    }

    /// Count no packet that is sent from this moment on, which must be `AGREEMENT` ahead or more to be
    /// exact, and is otherwise moved there. Returned is when that is.
    pub(crate) fn end_counting(&self, until: Instant) -> Instant {
        let until = until.max(Instant::now() + AGREEMENT);
        let until_us = clock::microseconds(until);
        self.sender.tell(sending::Command::End(until_us));
        for receiver in &self.receivers {
            receiver.tell(receiving::Command::End(until_us));
        }
        until
    }

    /// What came since this was last asked.
    pub(crate) async fn second(&self) -> Result<SecondCount> {
        let mut sum = SecondCount::default();
        for receiver in &self.receivers {
            sum += receiver.ask(receiving::Command::Second).await?;
        }
        Ok(sum)
    }

    /// What was counted.
    pub(crate) async fn counted(&self) -> Result<Counted> {
        let (reply, tracks) = oneshot::channel();
        self.sender.tell(sending::Command::Report(reply));
        let sent = answered(tracks).await?;
        let mut counted = Counted {
            accounts: Vec::new(),
            tracks: sent.tracks,
            damaged: 0,
            srtp_profiles: BTreeSet::new(),
            delay_us: crate::measurements::histogram(),
            sound_delay_us: crate::measurements::histogram(),
            pictures: Pictures::default(),
            lag_us: sent.lag_us,
        };
        for receiver in &self.receivers {
            let received = receiver.ask(receiving::Command::Report).await?;
            counted.accounts.extend(received.accounts);
            counted.damaged += received.damaged;
            counted.srtp_profiles.extend(received.srtp_profiles);
            // Both have the same bounds.
            let _ = counted.delay_us.add(&received.delay_us);
            let _ = counted.sound_delay_us.add(&received.sound_delay_us);
            counted.pictures += received.pictures;
            let _ = counted.lag_us.add(&received.lag_us);
        }
        Ok(counted)
    }
}

/// What a thread answers.
async fn answered<T>(answer: oneshot::Receiver<T>) -> Result<T> {
    let answer = tokio::time::timeout(ANSWER, answer).await;
    let answer = answer.context("a thread of the generator does not answer")?;
    answer.context("a thread of the generator has ended")
}

/// What has become of a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// ICE and DTLS are under way.
    Connecting,
    /// Media flows, with this SRTP profile.
    Connected(&'static str),
    /// It has ended, for this reason.
    Failed(String),
}

/// One ICE, DTLS and SRTP connection of a participant. Dropped, it ends.
pub struct Transport {
    id: u64,
    local: Local,
    state: watch::Receiver<State>,
    receiver: receiving::Handle,
    detour: Option<Detour>,
}

impl Transport {
    /// What our side is called.
    pub fn local(&self) -> &Local {
        &self.local
    }

    /// What the server's side is called: it connects, if it was not told before.
    pub fn connect(&self, mut remote: Remote) {
        if let Some(detour) = &self.detour {
            for address in &mut remote.addresses {
                *address = detour(*address);
            }
        }
        self.tell(receiving::Command::Connect(self.id, Box::new(remote)));
    }

    /// What packets are to be received, in place of what was said before.
    pub fn set_receiving(&self, receiving: Receiving) {
        self.tell(receiving::Command::Receive(self.id, receiving));
    }

    /// What is sent as soon as the transport is connected. Said once.
    pub fn set_sending(&self, sending: Vec<Sending>) {
        self.tell(receiving::Command::Send(self.id, sending));
    }

    /// What has become of it.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits until it is connected, with which SRTP profile; an error if it fails or has ended.
    pub async fn connected(&self) -> Result<&'static str> {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| *state != State::Connecting).await;
        match settled.as_deref() {
            Ok(State::Connected(profile)) => Ok(profile),
            Ok(State::Failed(reason)) => Err(anyhow!("{reason}")),
            _ => Err(anyhow!("the receiving thread has ended")),
        }
    }

    /// Waits until it has ended by itself, and tells why.
    pub async fn ended(&self) -> String {
        let mut state = self.state.clone();
        let ended = state
            .wait_for(|state| matches!(state, State::Failed(_)))
            .await;
        match ended.as_deref() {
            Ok(State::Failed(reason)) => reason.clone(),
            _ => "the receiving thread has ended".to_owned(),
        }
    }

    fn tell(&self, command: receiving::Command) {
        self.receiver.tell(command);
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.receiver.tell(receiving::Command::Close(self.id));
    }
}
