//! What the engine itself costs for each forwarded packet: receiving, rewriting, sealing, handing out, without
//! a socket. Usage: forwarding [video|numbered|audio|rooms] [SUBSCRIBERS] [SECONDS OF MEDIA]
//!
//! Under `valgrind --tool=callgrind --toggle-collect='*measured*'` it gives instructions by function.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)] // An engine reads no clock; somebody must.

#[path = "../tests/client/mod.rs"]
mod client;

use std::time::{Duration, Instant};

use client::{Client, Credentials, OPUS, Section, VP8, packet, vp8_payload};
use media::{Command, Engine, Limits};
use protocol::{TrackId, TrackKind, TrackSource};

/// Packets of a picture: 2.5 Mbit/s in packets of 1,100 bytes, 30 pictures a second.
const PACKETS_OF_A_FRAME: u32 = 9;
const FRAME: Duration = Duration::from_millis(33);
const SOUND: Duration = Duration::from_millis(20);

/// A publisher with one track, and what it has sent.
struct Publisher {
    client: Client,
    kind: TrackKind,
    ssrc: u32,
    sequence_number: u16,
    frame: u32,
}

impl Publisher {
    fn track(number: u32) -> TrackId {
        TrackId::from_bits(number.into())
    }

    fn new(
        engine: &mut Engine,
        now: Instant,
        credentials: &Credentials,
        number: u32,
        kind: TrackKind,
        before: Vec<Command>,
        mut receiving: Vec<Section>,
    ) -> Self {
        let ssrc = 1_000_000 + number;
        let (source, sending) = match kind {
            TrackKind::Audio => (TrackSource::Microphone, Section::SendAudio(ssrc)),
            TrackKind::Video => (TrackSource::Camera, Section::SendVideo(ssrc)),
        };
        receiving.insert(0, sending);
        let mut commands = vec![client::publish(number, Self::track(number), source)];
        commands.extend(before);
        Self {
            client: Client::connect(engine, now, credentials, number, commands, &receiving),
            kind,
            ssrc,
            sequence_number: 0,
            frame: 0,
        }
    }

    /// The packets of the next picture, or the next one of sound, sealed.
    fn next(&mut self) -> Vec<Vec<u8>> {
        let plain: Vec<Vec<u8>> = match self.kind {
            TrackKind::Audio => vec![self.packet(OPUS, false, 960, &[3; 80])],
            TrackKind::Video => (0..PACKETS_OF_A_FRAME)
                .map(|index| {
                    let picture = self.frame as u16 & 0x7FFF;
                    let is_last = index + 1 == PACKETS_OF_A_FRAME;
                    let payload = vp8_payload(
                        picture,
                        index == 0,
                        self.frame.is_multiple_of(300),
                        if is_last { 700 } else { 1_088 },
                    );
                    self.packet(VP8, is_last, 3_000, &payload)
                })
                .collect(),
        };
        self.frame += 1;
        plain.iter().map(|plain| self.client.seal(plain)).collect()
    }

    fn packet(&mut self, payload_type: u8, marker: bool, ticks: u32, payload: &[u8]) -> Vec<u8> {
        self.sequence_number = self.sequence_number.wrapping_add(1);
        packet(
            payload_type,
            marker,
            self.sequence_number,
            self.frame * ticks,
            self.ssrc,
            payload,
        )
    }
}

/// What each publisher sends at one moment: its index, and its datagrams.
type Step = Vec<(usize, Vec<Vec<u8>>)>;

struct World {
    engine: Engine,
    now: Instant,
    publishers: Vec<Publisher>,
    step: Duration,
}

fn subscriptions(peer: u32, tracks: impl Iterator<Item = u32>) -> Vec<Command> {
    tracks
        .map(|track| client::subscribe(peer, Publisher::track(track)))
        .collect()
}

impl World {
    fn new(load: &str, subscribers: u32) -> Self {
        let now = Instant::now();
        let mut engine = client::engine(now, Limits::default());
        let credentials = Credentials::new();
        let kind = match load {
            "audio" => TrackKind::Audio,
            _ => TrackKind::Video,
        };
        let mut publishers = Vec::new();
        if load == "rooms" {
            // Rooms of four, in which each receives the pictures of the others that are there before it.
            for number in 1..=subscribers {
                let first = (number - 1) / 4 * 4 + 1;
                let before = subscriptions(number, first..number);
                let receiving = before.iter().map(|_| Section::ReceiveVideo).collect();
                publishers.push(Publisher::new(
                    &mut engine,
                    now,
                    &credentials,
                    number,
                    kind,
                    before,
                    receiving,
                ));
            }
        } else {
            publishers.push(Publisher::new(
                &mut engine,
                now,
                &credentials,
                1,
                kind,
                vec![],
                vec![],
            ));
            let section = match kind {
                // With transport-wide numbers, for feedback that does not come.
                _ if load == "numbered" => Section::ReceiveVideoWithFeedback,
                TrackKind::Audio => Section::ReceiveAudio,
                TrackKind::Video => Section::ReceiveVideo,
            };
            for number in 2..2 + subscribers {
                let before = subscriptions(number, 1..2);
                Client::connect(&mut engine, now, &credentials, number, before, &[section]);
            }
        }
        let step = match kind {
            TrackKind::Audio => SOUND,
            TrackKind::Video => FRAME,
        };
        Self {
            engine,
            now,
            publishers,
            step,
        }
    }

    /// What publishers send in the next `steps`, in order.
    fn sealed(&mut self, steps: u32) -> Vec<Step> {
        let step = |publishers: &mut Vec<Publisher>| {
            let all = publishers.iter_mut().enumerate();
            all.map(|(index, publisher)| (index, publisher.next()))
                .collect()
        };
        (0..steps).map(|_| step(&mut self.publishers)).collect()
    }
}

/// Gives the engine what publishers sent: a turn for each picture. Gives the datagrams and runs that come of it.
#[inline(never)]
fn measured(world: &mut World, steps: &mut [Step]) -> (u64, u64) {
    let (mut datagrams, mut runs) = (0, 0);
    for step in steps {
        for (publisher, frame) in step {
            let from = world.publishers[*publisher].client.address;
            for datagram in frame {
                world
                    .engine
                    .handle_datagram(world.now, from, None, datagram);
            }
            world.engine.flush(world.now, |transmit| {
                runs += 1;
                let size = transmit.segment_size.unwrap_or(transmit.contents.len());
                datagrams += transmit.contents.len().div_ceil(size) as u64;
            });
        }
        world.now += world.step;
        // Several ticks of 20 ms in one step of video would count as one: near enough.
        if world
            .engine
            .poll_timeout()
            .is_some_and(|due| due <= world.now)
        {
            world.engine.handle_timeout(world.now);
        }
        while world.engine.poll_event().is_some() {}
    }
    (datagrams, runs)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let load = arguments.next().unwrap_or_else(|| "video".into());
    let number = |argument: Option<String>, otherwise| {
        argument.map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let subscribers = number(arguments.next(), 300);
    let seconds = number(arguments.next(), 10);
    let mut world = World::new(&load, subscribers);
    let steps_a_second = (Duration::from_secs(1).as_micros() / world.step.as_micros()) as u32;
    // A picture is held back for a moment when a subscriber is new.
    let mut steps = world.sealed(steps_a_second);
    warm_up(&mut world, &mut steps);
    let mut steps = world.sealed(steps_a_second * seconds);
    let before = world.engine.statistics();
    let start = Instant::now();
    let (datagrams, runs) = measured(&mut world, &mut steps);
    let elapsed = start.elapsed();
    let after = world.engine.statistics();
    let forwarded = after.outbound_packets - before.outbound_packets;
    println!(
        "{load} to {subscribers}: {forwarded} packets forwarded of {} received, {:.0} ns each; {datagrams} datagrams, {:.1} in a run",
        after.inbound_packets - before.inbound_packets,
        elapsed.as_nanos() as f64 / forwarded as f64,
        datagrams as f64 / runs as f64,
    );
}

#[inline(never)]
fn warm_up(world: &mut World, steps: &mut [Step]) {
    // Not `measured` itself: its costs are not to be counted.
    for step in steps {
        for (publisher, frame) in step {
            let from = world.publishers[*publisher].client.address;
            for datagram in frame {
                world
                    .engine
                    .handle_datagram(world.now, from, None, datagram);
            }
        }
        world.engine.flush(world.now, |_| {});
        world.now += world.step;
        world.engine.handle_timeout(world.now);
        while world.engine.poll_event().is_some() {}
    }
}
