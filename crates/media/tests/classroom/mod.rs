//! Publishers and viewers in memory, whose engine gets its turns late, and between whom packets, feedback and requests
//! are delayed and lost. Everything is decided by a seed. What a viewer sees is in `viewer`.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)] // An engine reads no clock; somebody must.

pub mod publisher;
pub mod viewer;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use media::{Command, Config, Engine, Event, Limits};
use protocol::{PeerId, TrackId, TrackSource, Viewport};

use crate::client::{Client, Credentials, Section};
use publisher::{Encoding, Publisher};
use viewer::Viewer;

/// Milliseconds between two looks at everything.
const STEP_MS: u64 = 5;

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn one_of(&mut self, values: &[u64]) -> u64 {
        values[self.below(values.len() as u64) as usize]
    }
}

/// What goes wrong at present.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The engine's turns are so far apart at most, in milliseconds.
    pub turn_ms: u64,
    /// Percent of what publishers send that is lost, and of what viewers are sent, tell and ask.
    pub inbound_loss: u64,
    pub outbound_loss: u64,
    pub feedback_loss: u64,
    /// Of each viewer's path.
    pub path_kbps: u64,
    /// How long a publisher's page takes to do what it is told, in milliseconds.
    pub page_ms: u64,
}

pub const CALM: Weather = Weather {
    turn_ms: STEP_MS,
    inbound_loss: 0,
    outbound_loss: 0,
    feedback_loss: 0,
    path_kbps: 20_000,
    page_ms: 100,
};

/// All who are there.
pub struct Classroom {
    pub engine: Engine,
    began: Instant,
    pub ms: u64,
    next_turn_ms: u64,
    pub publishers: Vec<Publisher>,
    pub viewers: Vec<Viewer>,
    pub weather: Weather,
    pub random: Random,
    /// What waits for the engine's next turn.
    inbound: Vec<(SocketAddr, Vec<u8>)>,
}

impl Classroom {
    pub fn new(seed: u64, publishers: u8, viewers: u8, encoding: Encoding) -> Self {
        let began = Instant::now();
        let config = Config {
            worker: 0,
            candidates: vec!["192.0.2.1:7882".parse().unwrap()],
            // Nobody proves that they are there.
            limits: Limits {
                consent_time: Duration::from_secs(3_600),
                ..Limits::default()
            },
        };
        let mut engine = Engine::new(began, config).unwrap();
        let credentials = Credentials::new();
        let tracks = || (0..publishers).map(|number| TrackId::from_bits(number.into()));
        let publishers: Vec<Publisher> = (0..publishers)
            .map(|number| {
                let publish = Command::Publish {
                    peer: PeerId::from_bits(u64::from(number) + 1),
                    track: TrackId::from_bits(number.into()),
                    mid: "0".into(),
                    source: TrackSource::Camera,
                    muted: false,
                };
                let peer = u32::from(number) + 1;
                let sections = [encoding.section(number)];
                let before = vec![publish];
                let client =
                    Client::connect(&mut engine, began, &credentials, peer, before, &sections);
                Publisher::new(client, number, encoding)
            })
            .collect();
        let viewers = (0..viewers)
            .map(|number| {
                let number = u32::from(number) + 100;
                let peer = PeerId::from_bits(number.into());
                let before = tracks().map(|track| Command::Subscribe { peer, track });
                let sections = vec![Section::ReceiveVideoWithFeedback; publishers.len()];
                let before = before.collect();
                Viewer::new(Client::connect(
                    &mut engine,
                    began,
                    &credentials,
                    number,
                    before,
                    &sections,
                ))
            })
            .collect();
        Self {
            engine,
            began,
            ms: 0,
            next_turn_ms: 0,
            publishers,
            viewers,
            weather: CALM,
            random: Random(seed),
            inbound: Vec::new(),
        }
    }

    fn now(&self) -> Instant {
        self.began + Duration::from_millis(self.ms)
    }

    /// Time passes.
    pub fn run(&mut self, ms: u64) {
        for _ in 0..ms / STEP_MS {
            self.ms += STEP_MS;
            self.step();
        }
    }

    fn step(&mut self) {
        let (ms, weather) = (self.ms, self.weather);
        for publisher in &mut self.publishers {
            for datagram in publisher.take(ms) {
                if !self.random.chance(weather.inbound_loss) {
                    self.inbound.push((publisher.client.address, datagram));
                }
            }
        }
        for viewer in &mut self.viewers {
            viewer.carry(ms, weather, &mut self.random);
            for datagram in viewer.take(ms) {
                if !self.random.chance(weather.feedback_loss) {
                    self.inbound.push((viewer.client.address, datagram));
                }
            }
        }
        if ms >= self.next_turn_ms {
            self.turn();
            let late_ms = match self.random.chance(10) {
                true => self.random.below(weather.turn_ms),
                false => 0,
            };
            self.next_turn_ms = ms + STEP_MS + late_ms;
        }
    }

    /// A turn of the engine: everything in it happens at the same time.
    fn turn(&mut self) {
        let now = self.now();
        for (from, mut datagram) in std::mem::take(&mut self.inbound) {
            self.engine.handle_datagram(now, from, None, &mut datagram);
            if self.engine.wants_flush() {
                self.flush(now);
            }
        }
        if self.engine.poll_timeout().is_some_and(|due| due <= now) {
            self.engine.handle_timeout(now);
        }
        self.flush(now);
        while let Some(event) = self.engine.poll_event() {
            if let Event::LayersWanted { track, layers } = event {
                let number = (0..self.publishers.len())
                    .find(|number| TrackId::from_bits(*number as u64) == track);
                let wanted = layers.iter().map(|layer| layer.wanted).collect();
                let at_ms = self.ms + self.random.below(self.weather.page_ms);
                self.publishers[number.unwrap()].tell(at_ms, wanted);
            }
        }
        self.engine.check_invariants();
    }

    fn flush(&mut self, now: Instant) {
        let Self {
            engine,
            publishers,
            viewers,
            ..
        } = self;
        engine.flush(now, |transmit| {
            let size = transmit.segment_size.unwrap_or(transmit.contents.len());
            for datagram in transmit.contents.chunks(size) {
                let mut of_publishers = publishers.iter_mut();
                let mut of_viewers = viewers.iter_mut();
                if let Some(viewer) = of_viewers.find(|of| of.client.address == transmit.to) {
                    viewer.send(datagram);
                } else if let Some(publisher) =
                    of_publishers.find(|of| of.client.address == transmit.to)
                {
                    publisher.receive(datagram);
                }
            }
        });
    }

    /// A viewer shows a track so large, or not at all.
    pub fn show(&mut self, viewer: usize, track: usize, size: Option<(u16, u16)>) {
        let (width, height) = size.unwrap_or((0, 0));
        let viewport = Viewport {
            track_id: TrackId::from_bits(track as u64),
            width,
            height,
            visible: size.is_some(),
        };
        let command = Command::SetViewport {
            peer: self.viewers[viewer].client.peer,
            viewports: vec![viewport],
        };
        let now = self.now();
        self.engine.handle_command(now, command);
    }

    /// The worker leaves out so much.
    pub fn shed(&mut self, percent: u8) {
        let now = self.now();
        self.engine.set_shedding(now, percent);
    }
}
