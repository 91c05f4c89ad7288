//! A publisher, and a subscriber behind a path in memory that carries only so much. Its client tells what arrives.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)] // An engine reads no clock; somebody must.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::client::{
    self, Client, Credentials, Section, TRANSPORT_NUMBER, VP8, datagrams, is_rtcp, packet, payload,
    vp8_payload,
};
use media::{Engine, Limits};
use protocol::{TrackId, TrackSource};

const TRACK: TrackId = TrackId::from_bits(1);
const SSRC: u32 = 77;
const STEP: Duration = Duration::from_millis(1);
/// From the server to the client.
const DELAY_MS: u64 = 20;
const FEEDBACK_MS: u64 = 50;
const FRAME_MS: u64 = 33;

/// A publisher, and a subscriber behind a bottleneck.
pub struct World {
    pub engine: Engine,
    pub now: Instant,
    ms: u64,
    publisher: Client,
    subscriber: Client,
    sequence_number: u16,
    frames: u16,
    /// What is published has three temporal layers, and key frames only where they are asked for.
    pub has_temporal_layers: bool,
    key_frames: u64,
    /// Of the bottleneck.
    pub bytes_per_ms: f64,
    credit: f64,
    queue: VecDeque<Vec<u8>>,
    on_the_way: VecDeque<(u64, Vec<u8>)>,
    pub tells: bool,
    pub arrivals: Vec<(u16, u64)>,
    told: u8,
    /// Of packets with media: their numbers, and how long each was on its way at most.
    pub received: Vec<u16>,
    /// When each of them came, and its payload.
    pub payloads: Vec<(u64, Vec<u8>)>,
    pub retransmissions: u64,
    pub longest_queue: usize,
}

impl World {
    pub fn new(section: Section, bps: f64) -> Self {
        let now = Instant::now();
        let mut engine = client::engine(now, Limits::default());
        let credentials = Credentials::new();
        let publish = vec![client::publish(1, TRACK, TrackSource::Camera)];
        let sending = [Section::SendVideo(SSRC)];
        let publisher = Client::connect(&mut engine, now, &credentials, 1, publish, &sending);
        let subscribe = vec![client::subscribe(2, TRACK)];
        let subscriber = Client::connect(&mut engine, now, &credentials, 2, subscribe, &[section]);
        Self {
            engine,
            now,
            ms: 0,
            publisher,
            subscriber,
            sequence_number: 0,
            frames: 0,
            has_temporal_layers: false,
            key_frames: 0,
            bytes_per_ms: bps / 8_000.0,
            credit: 0.0,
            queue: VecDeque::new(),
            on_the_way: VecDeque::new(),
            tells: true,
            arrivals: Vec::new(),
            told: 0,
            received: Vec::new(),
            payloads: Vec::new(),
            retransmissions: 0,
            longest_queue: 0,
        }
    }

    /// Video of this bitrate is published for so long.
    pub fn run(&mut self, seconds: u64, bps: usize) {
        for _ in 0..seconds * 1_000 {
            self.ms += 1;
            self.now += STEP;
            if self.ms.is_multiple_of(FRAME_MS) {
                self.publish(bps / 8 * FRAME_MS as usize / 1_000);
            }
            if self
                .engine
                .poll_timeout()
                .is_some_and(|due| due <= self.now)
            {
                self.engine.handle_timeout(self.now);
            }
            self.flush();
            self.carry();
            if self.tells && self.ms.is_multiple_of(FEEDBACK_MS) {
                self.tell();
            }
        }
        while self.engine.poll_event().is_some() {}
    }

    /// A picture; a key frame where the engine asked for one lately, which it may twice a second.
    pub fn publish(&mut self, bytes: usize) {
        self.frames += 1;
        let asked = self.engine.statistics().outbound_key_frame_requests;
        let is_asked = std::mem::replace(&mut self.key_frames, asked) != asked;
        let (is_key_frame, bytes) = match self.has_temporal_layers {
            true => (is_asked || self.frames == 1, self.bytes_in_time(bytes)),
            false => (self.frames % 30 == 1, bytes),
        };
        let packets = bytes.div_ceil(1_100).max(1);
        for index in 0..packets {
            let (is_first, length) = (index == 0, (bytes / packets).max(20));
            let payload = match self.has_temporal_layers {
                true => layered_payload(self.frames, is_first, is_key_frame, length),
                false => vp8_payload(self.frames & 0x7FFF, is_first, is_key_frame, length),
            };
            self.sequence_number = self.sequence_number.wrapping_add(1);
            let timestamp = u32::from(self.frames) * 3_000;
            let is_last = index + 1 == packets;
            let plain = packet(
                VP8,
                is_last,
                self.sequence_number,
                timestamp,
                SSRC,
                &payload,
            );
            self.publisher.send(&mut self.engine, self.now, &plain);
        }
    }

    /// Of a frame in its temporal layer: 40 % of the bits are the lowest layer's, a quarter of the frames.
    fn bytes_in_time(&self, usual: usize) -> usize {
        match TEMPORAL[usize::from(self.frames - 1) % TEMPORAL.len()] {
            0 => usual * 8 / 5,
            _ => usual * 4 / 5,
        }
    }

    pub fn flush(&mut self) {
        let to = self.subscriber.address;
        let sent = datagrams(&mut self.engine, self.now).into_iter();
        let its = sent.filter(|(address, _)| *address == to);
        self.queue.extend(its.map(|(_, datagram)| datagram));
        self.engine.check_invariants();
        let queued = self.queue.iter().map(Vec::len).sum();
        self.longest_queue = self.longest_queue.max(queued);
    }

    fn carry(&mut self) {
        self.credit = (self.credit + self.bytes_per_ms).min(self.bytes_per_ms + 1_500.0);
        while let Some(first) = self.queue.front() {
            if self.credit < first.len() as f64 {
                break;
            }
            self.credit -= first.len() as f64;
            let datagram = self.queue.pop_front().unwrap();
            self.on_the_way.push_back((self.ms + DELAY_MS, datagram));
        }
        while self
            .on_the_way
            .front()
            .is_some_and(|(at, _)| *at <= self.ms)
        {
            let (_, datagram) = self.on_the_way.pop_front().unwrap();
            self.receive(&datagram);
        }
    }

    fn receive(&mut self, datagram: &[u8]) {
        if is_rtcp(datagram) {
            return;
        }
        let plain = self.subscriber.open(datagram).expect("sealed for it");
        if let Some(number) = transport_number(&plain) {
            self.arrivals.push((number, self.ms));
        }
        if plain[1] & 0x7F == VP8 {
            self.received.push(u16::from_be_bytes([plain[2], plain[3]]));
            self.payloads.push((self.ms, payload(&plain).to_vec()));
        } else {
            self.retransmissions += 1;
        }
    }

    /// Tell what arrived since the last time: nothing is lost here, so it is one run without a gap.
    pub fn tell(&mut self) {
        let (Some(&(first, _)), count) = (self.arrivals.first(), self.arrivals.len()) else {
            return;
        };
        let mut feedback = vec![0x8F, 205, 0, 0, 0, 0, 0, 9, 0, 0, 0, 9];
        feedback.extend_from_slice(&first.to_be_bytes());
        feedback.extend_from_slice(&(count as u16).to_be_bytes());
        feedback.extend_from_slice(&[0, 0, 0, self.told]);
        self.told = self.told.wrapping_add(1);
        feedback.extend_from_slice(&(2 << 13 | count as u16).to_be_bytes());
        // The reference is 0, and the first difference as far from it as two bytes say: the clock goes on in 8 s.
        let reference = self.arrivals[0].1 / 64;
        feedback[16..19].copy_from_slice(&(reference as u32).to_be_bytes()[1..]);
        let mut before = reference * 64;
        for (_, at) in self.arrivals.drain(..) {
            let ticks = (at - before) * 4;
            before = at;
            feedback.extend_from_slice(&(ticks as u16).to_be_bytes());
        }
        while !feedback.len().is_multiple_of(4) {
            feedback.push(0);
        }
        let words = (feedback.len() / 4 - 1) as u16;
        feedback[2..4].copy_from_slice(&words.to_be_bytes());
        self.subscriber
            .send_rtcp(&mut self.engine, self.now, &feedback);
    }

    pub fn estimate(&self) -> f64 {
        let paths = self.engine.statistics().paths;
        assert_eq!(paths.estimated, 1);
        paths.estimated_bps as f64
    }

    pub fn gaps(&self) -> usize {
        let is_gap = |pair: &&[u16]| pair[1] != pair[0].wrapping_add(1);
        self.received.windows(2).filter(is_gap).count()
    }
}

/// The temporal layers of four frames in turn.
const TEMPORAL: [u8; 4] = [0, 2, 1, 2];

/// The payload of one packet of a VP8 frame in three temporal layers (RFC 7741 section 4.2). Each frame leans on the
/// last of the lowest layer, and every fourth on that of the middle one as well: the others are in sync (Y).
fn layered_payload(number: u16, is_first: bool, is_key_frame: bool, bytes: usize) -> Vec<u8> {
    let at = number - 1;
    let temporal = TEMPORAL[usize::from(at) % TEMPORAL.len()];
    let is_sync = matches!(at % 4, 1 | 2);
    let tl0 = (at / 4) as u8;
    let [high, low] = (number & 0x7FFF).to_be_bytes();
    let first = if is_first { 0x90 } else { 0x80 };
    let layer = temporal << 6 | u8::from(is_sync) << 5;
    let header = u8::from(!is_key_frame);
    let mut payload = vec![first, 0xE0, 0x80 | high, low, tl0, layer, header];
    payload.resize(bytes, 7);
    payload
}

/// The transport-wide number of a packet with one-byte extensions (RFC 8285 section 4.2).
pub fn transport_number(plain: &[u8]) -> Option<u16> {
    if plain[0] & 0x10 == 0 || plain[12..14] != [0xBE, 0xDE] {
        return None;
    }
    let words = usize::from(u16::from_be_bytes([plain[14], plain[15]]));
    let mut rest = &plain[16..16 + 4 * words];
    while let [head, tail @ ..] = rest {
        if *head == 0 {
            rest = tail;
            continue;
        }
        let (value, after) = tail.split_at(usize::from(head & 0x0F) + 1);
        if head >> 4 == TRANSPORT_NUMBER {
            return Some(u16::from_be_bytes([value[0], value[1]]));
        }
        rest = after;
    }
    None
}
