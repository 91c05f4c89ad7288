//! The sending thread: every packet of every publisher leaves here, when it is due. How late each one was
//! is recorded. It receives nothing: what servers ask of publishers is told by the receiving threads.

mod packet;
mod track;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::oneshot;

use track::Track;

use super::socket::Socket;
use super::srtp::Sealer;
use super::track_number::TrackNumber;
use super::{Member, Sending};
use crate::measurements::histogram;

/// Frames that are sent before it is looked again at what the thread is told: with more to send than it can
/// it would otherwise hear nothing any more, not even that it is to stop.
const FRAMES_AT_ONCE: usize = 64;
/// What is later than this is not made up for: a camera that cannot keep up drops frames.
const LATEST: Duration = Duration::from_secs(1);
/// Nothing is due.
const IDLE: Duration = Duration::from_secs(1);

/// What the sending thread is told and asked.
pub(crate) enum Command {
    Start(Box<Start>),
    Stop(u64),
    /// The server asks for a key frame of this SSRC.
    KeyFrame(u64, u32),
    /// And for these packets of it again.
    Again(u64, u32, Vec<u16>),
    /// Count what is sent from this moment of `clock` on.
    Begin(u64),
    /// And before this one.
    End(u64),
    Report(oneshot::Sender<Report>),
}

/// A transport that is connected and has something to send.
pub(crate) struct Start {
    pub(crate) id: u64,
    pub(crate) member: Arc<Member>,
    pub(crate) socket: Arc<Socket>,
    pub(crate) address: SocketAddr,
    pub(crate) sealer: Sealer,
    pub(crate) sending: Vec<Sending>,
}

/// What was sent.
pub(crate) struct Report {
    pub(crate) tracks: Vec<TrackReport>,
    pub(crate) lag_us: Histogram<u64>,
}

/// What was sent of one stream while packets were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrackReport {
    pub(crate) track: TrackNumber,
    pub(crate) is_audio: bool,
    /// Counters of the first and the last packet.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// It was sent before counting began.
    pub(crate) was_there: bool,
    /// It has not been stopped.
    pub(crate) is_there: bool,
    pub(crate) smallest_bytes: usize,
    pub(crate) largest_bytes: usize,
}

/// How to reach the sending thread.
#[derive(Clone)]
pub(crate) struct Handle(mpsc::Sender<Command>);

impl Handle {
    pub(crate) fn tell(&self, command: Command) {
        // A thread that has ended has nobody left to send to.
        let _ = self.0.send(command);
    }
}

/// Start the sending thread. It ends when nobody can reach it any more.
pub(super) fn start(seed: u64) -> Result<Handle> {
    let (commands, inbox) = mpsc::channel();
    let thread = Thread {
        inbox,
        outlets: HashMap::new(),
        due: BinaryHeap::new(),
        window: Window::default(),
        stopped: Vec::new(),
        lag_us: histogram(),
        random: SmallRng::seed_from_u64(seed),
    };
    std::thread::Builder::new()
        .name("sending".to_owned())
        .spawn(move || thread.run())
        .context("no thread to send")?;
    Ok(Handle(commands))
}

/// Which packets are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    from_us: u64,
    until_us: u64,
}

impl Default for Window {
    /// None are.
    fn default() -> Self {
        Self {
            from_us: u64::MAX,
            until_us: u64::MAX,
        }
    }
}

impl Window {
    pub(super) fn has(&self, sent_at_us: u64) -> bool {
        (self.from_us..self.until_us).contains(&sent_at_us)
    }
}

/// A transport's way out.
pub(super) struct Outlet {
    socket: Arc<Socket>,
    address: SocketAddr,
    sealer: Sealer,
    /// What is sealed and about to leave.
    buffer: Vec<u8>,
    tracks: Vec<Track>,
}

struct Thread {
    inbox: mpsc::Receiver<Command>,
    outlets: HashMap<u64, Outlet>,
    /// When, and which track of which transport.
    due: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    window: Window,
    /// Tracks that ended while packets were counted.
    stopped: Vec<TrackReport>,
    lag_us: Histogram<u64>,
    random: SmallRng,
}

impl Thread {
    fn run(mut self) {
        loop {
            let next = self.due.peek().map(|Reverse((due, ..))| *due);
            let wait = next.map_or(IDLE, |due| due.saturating_duration_since(Instant::now()));
            match self.inbox.recv_timeout(wait) {
                Ok(command) => self.carry_out(command),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            while let Ok(command) = self.inbox.try_recv() {
                self.carry_out(command);
            }
            self.send_due();
        }
    }

    fn send_due(&mut self) {
        for _ in 0..FRAMES_AT_ONCE {
            let Some(Reverse((due, id, at))) = self.due.peek().copied() else {
                return;
            };
            let now = Instant::now();
            if due > now {
                return;
            }
            self.due.pop();
            // A transport that was stopped has left its entry behind.
            let Some(outlet) = self.outlets.get_mut(&id) else {
                continue;
            };
            let mut tracks = std::mem::take(&mut outlet.tracks);
            if let Some(track) = tracks.get_mut(at) {
                track.send(now, outlet, &self.window);
                let late = now.saturating_duration_since(due);
                self.lag_us.saturating_record(late.as_micros() as u64);
                let next = due + track.interval();
                let next = if late > LATEST { now } else { next };
                self.due.push(Reverse((next, id, at)));
            }
            outlet.tracks = tracks;
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Start(start) => self.start(*start),
            Command::Stop(id) => {
                if let Some(outlet) = self.outlets.remove(&id) {
                    let reports = outlet.tracks.iter().flat_map(Track::reports);
                    let ended = reports.map(|report| TrackReport {
                        is_there: false,
                        ..report
                    });
                    self.stopped.extend(ended);
                }
            }
            Command::KeyFrame(id, ssrc) => {
                if let Some(outlet) = self.outlets.get_mut(&id) {
                    for track in &mut outlet.tracks {
                        track.want_key_frame(ssrc);
                    }
                }
            }
            Command::Again(id, ssrc, numbers) => {
                if let Some(outlet) = self.outlets.get_mut(&id) {
                    let mut tracks = std::mem::take(&mut outlet.tracks);
                    for track in &mut tracks {
                        track.send_again(ssrc, &numbers, outlet);
                    }
                    outlet.tracks = tracks;
                }
            }
            Command::Begin(from_us) => {
                self.window = Window {
                    from_us,
                    until_us: u64::MAX,
                };
                self.stopped.clear();
                self.lag_us.reset();
                for outlet in self.outlets.values_mut() {
                    outlet.tracks.iter_mut().for_each(Track::begin_counting);
                }
            }
            Command::End(until_us) => self.window.until_us = until_us,
            Command::Report(reply) => {
                let present = self.outlets.values().flat_map(|outlet| &outlet.tracks);
                let present = present.flat_map(Track::reports);
                // Whoever asked may have gone.
                let _ = reply.send(Report {
                    tracks: self.stopped.iter().copied().chain(present).collect(),
                    lag_us: self.lag_us.clone(),
                });
            }
        }
    }

    /// Each track begins somewhere in its interval, as cameras that know nothing of each other.
    fn start(&mut self, start: Start) {
        let now = Instant::now();
        let sending = start.sending.into_iter().enumerate();
        let tracks: Vec<Track> = sending
            .map(|(at, sending)| Track::new(now, &start.member, at, sending))
            .collect();
        for (at, track) in tracks.iter().enumerate() {
            let offset = track.interval().mul_f64(self.random.random::<f64>());
            self.due.push(Reverse((now + offset, start.id, at)));
        }
        self.outlets.insert(
            start.id,
            Outlet {
                socket: start.socket,
                address: start.address,
                sealer: start.sealer,
                buffer: Vec::new(),
                tracks,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use rtc::crypto::RTCCryptoProvider;
    use rtc::crypto::providers::RingProvider;
    use rtc::srtp::config::Config;

    use super::*;
    use crate::command_line::{Codec, Video};
    use crate::crowd::{Extensions, Layer, PublishSpec, clock};

    fn sealer() -> Sealer {
        let mut config = Config::default();
        let material = vec![7; config.keying_material_len()];
        config
            .set_session_keys_from_keying_material(&material, true)
            .unwrap();
        Sealer::new(&config, RingProvider::new().crypto()).unwrap()
    }

    /// A camera whose pictures follow each other by a nanosecond.
    fn too_much(server: &UdpSocket) -> Start {
        let address = server.local_addr().unwrap();
        let spec = PublishSpec::Video(Video {
            bitrate: 1_000_000,
            packet_bytes: 1_000,
            frames_per_second: 1_000_000_000,
            key_frame_interval: Duration::from_secs(10),
            codec: Codec::Vp8,
            simulcast: false,
        });
        Start {
            id: 1,
            member: Arc::new(Member::new(0, 0, false)),
            socket: Arc::new(Socket::open(address, false).unwrap()),
            address,
            sealer: sealer(),
            sending: vec![Sending {
                spec,
                mid: "0".to_owned(),
                payload_type: 96,
                rtx_payload_type: None,
                extensions: Extensions::default(),
                layers: Layer::of(&spec),
            }],
        }
    }

    #[tokio::test]
    async fn a_thread_with_more_to_send_than_it_can_hears_what_it_is_told() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sending = start(1).unwrap();
        sending.tell(Command::Begin(clock::microseconds(Instant::now())));
        sending.tell(Command::Start(Box::new(too_much(&server))));
        // It is under way.
        server
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        server.recv(&mut [0; 2_048]).unwrap();
        let (reply, report) = oneshot::channel();
        sending.tell(Command::Stop(1));
        sending.tell(Command::Report(reply));
        let report = tokio::time::timeout(Duration::from_secs(30), report).await;
        let tracks = report.expect("no answer").unwrap().tracks;
        assert!(!tracks[0].is_there, "it was told to stop");
    }
}
