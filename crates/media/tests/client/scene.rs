//! An engine for a test, and what is asked of it in most of them.

use std::net::SocketAddr;
use std::time::Instant;

use media::{Command, Config, Engine, Limits};
use protocol::{PeerId, TrackId, TrackSource};

/// The engine of the first worker, without anybody.
pub fn engine(now: Instant, limits: Limits) -> Engine {
    engine_of(0, now, limits)
}

/// The engine of a worker, without anybody.
pub fn engine_of(worker: u8, now: Instant, limits: Limits) -> Engine {
    let config = Config {
        worker,
        candidates: vec!["192.0.2.1:7882".parse().unwrap()],
        limits,
    };
    Engine::new(now, config).unwrap()
}

/// The client of this number publishes a track, unmuted, in the first section of its offer.
pub fn publish(number: u32, track: TrackId, source: TrackSource) -> Command {
    publish_in(0, number, track, source)
}

/// The same in a section further down.
pub fn publish_in(section: usize, number: u32, track: TrackId, source: TrackSource) -> Command {
    Command::Publish {
        peer: PeerId::from_bits(number.into()),
        track,
        mid: section.to_string(),
        source,
        muted: false,
    }
}

/// The client of this number receives a track.
pub fn subscribe(number: u32, track: TrackId) -> Command {
    Command::Subscribe {
        peer: PeerId::from_bits(number.into()),
        track,
    }
}

/// What the engine has for everybody, in order: where to, and each datagram by itself, whatever run it is in.
pub fn datagrams(engine: &mut Engine, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut sent = Vec::new();
    engine.flush(now, |transmit| {
        let size = transmit.segment_size.unwrap_or(transmit.contents.len());
        let each = transmit.contents.chunks(size).map(<[u8]>::to_vec);
        sent.extend(each.map(|datagram| (transmit.to, datagram)));
    });
    sent
}
