//! A worker that has more to do than it can: sound goes on, pictures are left out whole, and come back.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)] // An engine reads no clock; somebody must.

mod client;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use client::{
    Client, Credentials, OPUS, Section, VP8, datagrams, is_rtcp, packet, publish_in, subscribe,
    vp8_payload,
};
use media::{Command, Engine, Limits};
use protocol::{TrackId, TrackSource, Viewport};

const MICROPHONE: TrackId = TrackId::from_bits(0);
const CAMERA: TrackId = TrackId::from_bits(1);
/// The SSRCs of both.
const SOUND: u32 = 100;
const PICTURE: u32 = 200;
const SUBSCRIBERS: u32 = 8;
/// Packets of a frame.
const PACKETS: u16 = 3;

struct Room {
    engine: Engine,
    now: Instant,
    publisher: Client,
    subscribers: Vec<Client>,
    sequence_number: u16,
    frames: u16,
    sounds: u16,
}

/// What one subscriber got: sequence number, and what it is of.
#[derive(Default)]
struct Got {
    /// Sequence number and frame of each.
    video: Vec<(u16, u8)>,
    sounds: usize,
}

impl Room {
    fn new() -> Self {
        let now = Instant::now();
        let mut engine = client::engine(now, Limits::default());
        let credentials = Credentials::new();
        let publish = vec![
            publish_in(0, 1, MICROPHONE, TrackSource::Microphone),
            publish_in(1, 1, CAMERA, TrackSource::Camera),
        ];
        let sections = [Section::SendAudio(SOUND), Section::SendVideo(PICTURE)];
        let publisher = Client::connect(&mut engine, now, &credentials, 1, publish, &sections);
        let subscribers = (10..10 + SUBSCRIBERS).map(|number| {
            let both = [MICROPHONE, CAMERA].map(|track| subscribe(number, track));
            let sections = [Section::ReceiveAudio, Section::ReceiveVideo];
            Client::connect(
                &mut engine,
                now,
                &credentials,
                number,
                both.into(),
                &sections,
            )
        });
        let subscribers = subscribers.collect();
        let mut room = Self {
            engine,
            now,
            publisher,
            subscribers,
            sequence_number: 0,
            frames: 0,
            sounds: 0,
        };
        room.pass(Duration::from_millis(200));
        room
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.engine.handle_timeout(self.now);
    }

    fn publish(&mut self, plain: &[u8]) {
        self.publisher.send(&mut self.engine, self.now, plain);
    }

    /// Some packets of a frame, and a packet of sound.
    fn send(&mut self, packets: std::ops::Range<u16>, is_key_frame: bool) {
        for at in packets {
            let mut payload = vp8_payload(self.frames, at == 0, is_key_frame, 300);
            *payload.last_mut().unwrap() = self.frames as u8;
            let timestamp = 3_000 * u32::from(self.frames);
            let number = self.sequence_number;
            self.sequence_number += 1;
            let is_last = at + 1 == PACKETS;
            self.publish(&packet(VP8, is_last, number, timestamp, PICTURE, &payload));
            self.frames += u16::from(is_last);
        }
        self.sounds += 1;
        let timestamp = 960 * u32::from(self.sounds);
        self.publish(&packet(
            OPUS,
            false,
            self.sounds,
            timestamp,
            SOUND,
            &[5; 60],
        ));
    }

    fn frame(&mut self, is_key_frame: bool) {
        self.send(0..PACKETS, is_key_frame);
    }

    fn got(&mut self, all: &mut [Got]) {
        let mut sent: BTreeMap<_, Vec<Vec<u8>>> = BTreeMap::new();
        for (to, datagram) in datagrams(&mut self.engine, self.now) {
            sent.entry(to).or_default().push(datagram);
        }
        for (client, got) in self.subscribers.iter_mut().zip(all) {
            for datagram in sent.remove(&client.address).unwrap_or_default() {
                if is_rtcp(&datagram) {
                    continue;
                }
                let plain = client.open(&datagram).unwrap();
                let number = u16::from_be_bytes([plain[2], plain[3]]);
                match plain[1] & 0x7F {
                    OPUS => got.sounds += 1,
                    _ => got.video.push((number, plain[plain.len() - 1])),
                }
            }
        }
        self.engine.check_invariants();
        self.pass(Duration::from_millis(33));
    }

    /// A subscriber, from 0, shows the picture so large.
    fn show(&mut self, subscriber: u32, width: u16, height: u16) {
        let viewport = Viewport {
            track_id: CAMERA,
            width,
            height,
            visible: true,
        };
        let command = Command::SetViewport {
            peer: self.subscribers[subscriber as usize].peer,
            viewports: vec![viewport],
        };
        self.engine.handle_command(self.now, command);
    }

    fn run(&mut self, frames: u16, all: &mut [Got]) {
        for _ in 0..frames {
            self.frame(false);
            self.got(all);
        }
    }
}

fn nothing() -> Vec<Got> {
    (0..SUBSCRIBERS).map(|_| Got::default()).collect()
}

#[test]
fn sound_goes_on_and_pictures_are_left_out_whole_and_come_back_from_a_key_frame_on() {
    let mut room = Room::new();
    let mut all = nothing();
    room.frame(true);
    room.got(&mut all);
    room.run(5, &mut all);
    assert!(
        all.iter()
            .all(|got| got.video.len() == 6 * usize::from(PACKETS))
    );

    // In the middle of a frame.
    room.send(0..1, false);
    room.got(&mut all);
    room.engine.set_shedding(room.now, 50);
    room.send(1..PACKETS, false);
    room.got(&mut all);
    room.run(20, &mut all);
    let is_cut = |got: &&Got| got.video.len() == 7 * usize::from(PACKETS);
    let is_whole = |got: &&Got| got.video.len() == 27 * usize::from(PACKETS);
    assert_eq!(
        all.iter().filter(is_cut).count(),
        4,
        "after the frame that had begun"
    );
    assert_eq!(all.iter().filter(is_whole).count(), 4);
    let statistics = room.engine.statistics();
    assert_eq!(
        (statistics.overload_frames, statistics.overload_packets),
        (80, 240)
    );

    room.engine.set_shedding(room.now, 0);
    room.run(2, &mut all);
    assert_eq!(all.iter().filter(is_cut).count(), 0);
    // What is kept since the last key frame is shown again, from that one on.
    let again = |got: &&Got| got.video.get(7 * usize::from(PACKETS)).unwrap().1 == 0;
    assert_eq!(all.iter().filter(again).count(), 4);
    room.frame(true);
    room.got(&mut all);
    room.run(3, &mut all);
    for got in &all {
        assert_eq!(got.sounds, 34, "no packet of sound was left out");
        let last: Vec<u8> = got
            .video
            .iter()
            .rev()
            .take(12)
            .map(|(_, frame)| *frame)
            .collect();
        assert_eq!((last[0], last[11]), (32, 29));
        for pair in got.video.windows(2) {
            assert_eq!(pair[1].0, pair[0].0.wrapping_add(1), "numbers have no gap");
        }
        for frame in got.video.chunks(PACKETS.into()) {
            assert!(
                frame.iter().all(|(_, of)| *of == frame[0].1),
                "whole frames"
            );
        }
    }
}

#[test]
fn whoever_shows_it_small_does_without_it_first() {
    let mut room = Room::new();
    for subscriber in 0..SUBSCRIBERS {
        match subscriber % 2 {
            0 => room.show(subscriber, 1_280, 720),
            _ => room.show(subscriber, 160, 90),
        }
    }
    let mut all = nothing();
    room.frame(true);
    room.got(&mut all);
    room.engine.set_shedding(room.now, 50);
    room.run(10, &mut all);
    for (subscriber, got) in all.iter().enumerate() {
        let frames = if subscriber % 2 == 0 { 11 } else { 1 };
        assert_eq!(got.video.len(), frames * usize::from(PACKETS));
    }
}

#[test]
fn whoever_comes_while_there_is_no_time_does_without_too_and_all_of_it_can_be_left_out() {
    let mut room = Room::new();
    let mut all = nothing();
    room.engine.set_shedding(room.now, 100);
    room.frame(true);
    room.got(&mut all);
    let asked = |room: &Room| room.engine.statistics().outbound_key_frame_requests;
    let before = asked(&room);
    room.run(60, &mut all);
    assert!(
        all.iter()
            .all(|got| got.video.is_empty() && got.sounds == 61)
    );
    assert_eq!(asked(&room), before, "nobody is to see it");
    room.engine.set_shedding(room.now, 0);
    for _ in 0..50 {
        room.pass(Duration::from_millis(20));
    }
    assert!(asked(&room) > before, "too much came since the last one");
    room.frame(true);
    room.got(&mut all);
    assert!(
        all.iter()
            .all(|got| got.video.len() == usize::from(PACKETS))
    );
}
