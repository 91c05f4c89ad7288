//! What subscribers get of the packets of one turn: real keys, no sockets.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)] // An engine reads no clock; somebody must.

mod client;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use client::{Client, Credentials, OPUS, Section, VP8, is_rtcp, packet, vp8_payload};
use media::{Command, Engine, Event, Limits};
use protocol::{PeerId, TrackId, TrackKind, TrackSource};

const TRACK: TrackId = TrackId::from_bits(1);
const SSRC: u32 = 77;
/// After this a new subscriber's picture is held back no longer.
const SHOWN: Duration = Duration::from_millis(200);

struct Room {
    engine: Engine,
    now: Instant,
    publisher: Client,
    subscribers: Vec<Client>,
    credentials: Credentials,
    kind: TrackKind,
}

impl Room {
    fn new(kind: TrackKind, subscribers: u32) -> Self {
        let now = Instant::now();
        let mut engine = client::engine(now, Limits::default());
        let credentials = Credentials::new();
        let (source, sending) = match kind {
            TrackKind::Audio => (TrackSource::Microphone, Section::SendAudio(SSRC)),
            TrackKind::Video => (TrackSource::Camera, Section::SendVideo(SSRC)),
        };
        let publish = vec![client::publish(1, TRACK, source)];
        let publisher = Client::connect(&mut engine, now, &credentials, 1, publish, &[sending]);
        let mut room = Self {
            engine,
            now,
            publisher,
            subscribers: Vec::new(),
            credentials,
            kind,
        };
        for _ in 0..subscribers {
            room.join();
        }
        room.pass(SHOWN);
        room
    }

    fn join(&mut self) {
        let number = 2 + self.subscribers.len() as u32;
        let section = match self.kind {
            TrackKind::Audio => Section::ReceiveAudio,
            TrackKind::Video => Section::ReceiveVideo,
        };
        self.subscribers.push(Client::connect(
            &mut self.engine,
            self.now,
            &self.credentials,
            number,
            vec![client::subscribe(number, TRACK)],
            &[section],
        ));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.engine.handle_timeout(self.now);
    }

    fn publish(&mut self, plain: &[u8]) {
        self.publisher.send(&mut self.engine, self.now, plain);
    }

    fn publish_video(&mut self, sequence_number: u16, is_key_frame: bool) {
        let payload = vp8_payload(sequence_number, true, is_key_frame, 500);
        let timestamp = 3_000 * u32::from(sequence_number);
        self.publish(&packet(
            VP8,
            true,
            sequence_number,
            timestamp,
            SSRC,
            &payload,
        ));
    }

    /// What the engine hands out: for each call where to, and the datagrams.
    fn flush(&mut self) -> Vec<(SocketAddr, Vec<Vec<u8>>)> {
        let mut sent = Vec::new();
        self.engine.flush(self.now, |transmit| {
            let size = transmit.segment_size.unwrap_or(transmit.contents.len());
            let datagrams = transmit.contents.chunks(size).map(<[u8]>::to_vec);
            sent.push((transmit.to, datagrams.collect()));
        });
        self.engine.check_invariants();
        sent
    }

    /// The last byte of each packet's payload and its sequence number, as this subscriber opens them.
    fn opened(&mut self, subscriber: usize, sent: &[(SocketAddr, Vec<Vec<u8>>)]) -> Vec<(u8, u16)> {
        let client = &mut self.subscribers[subscriber];
        let address = client.address;
        let its = sent.iter().filter(|(to, _)| *to == address);
        its.flat_map(|(_, datagrams)| datagrams)
            .filter(|datagram| !is_rtcp(datagram))
            .map(|datagram| {
                let plain = client.open(datagram).expect("sealed for this subscriber");
                (
                    plain[plain.len() - 1],
                    u16::from_be_bytes([plain[2], plain[3]]),
                )
            })
            .collect()
    }
}

fn sound(number: u16) -> Vec<u8> {
    packet(
        OPUS,
        false,
        number,
        960 * u32::from(number),
        SSRC,
        &[number as u8; 80],
    )
}

#[test]
fn each_subscriber_gets_the_packets_of_a_turn_in_order_and_in_one_run() {
    let mut room = Room::new(TrackKind::Audio, 3);
    for number in 0..10 {
        room.publish(&sound(number));
    }
    let sent = room.flush();
    let to: Vec<_> = sent
        .iter()
        .map(|(to, datagrams)| (*to, datagrams.len()))
        .collect();
    let expected: Vec<_> = room
        .subscribers
        .iter()
        .map(|client| (client.address, 10))
        .collect();
    assert_eq!(to, expected);
    for subscriber in 0..3 {
        let opened = room.opened(subscriber, &sent);
        let (payloads, numbers): (Vec<u8>, Vec<u16>) = opened.into_iter().unzip();
        assert_eq!(payloads, (0..10).collect::<Vec<_>>());
        assert!(
            numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
            "{numbers:?}"
        );
    }
    assert_eq!(room.flush(), [], "and nothing twice");
}

#[test]
fn a_turn_longer_than_the_cache_loses_nothing_where_flush_is_called_when_it_is_wanted() {
    let mut room = Room::new(TrackKind::Audio, 2);
    let mut sent = Vec::new();
    let mut longest = 0;
    let mut since_flush = 0;
    for number in 0..250 {
        room.publish(&sound(number));
        since_flush += 1;
        longest = longest.max(since_flush);
        if room.engine.wants_flush() {
            sent.extend(room.flush());
            since_flush = 0;
        }
    }
    sent.extend(room.flush());
    for subscriber in 0..2 {
        let payloads: Vec<u8> = room
            .opened(subscriber, &sent)
            .into_iter()
            .map(|(last, _)| last)
            .collect();
        assert_eq!(payloads, (0..250).collect::<Vec<_>>());
    }
    assert!(longest <= 64, "{longest} packets waited for one another");
}

#[test]
fn a_newcomer_gets_no_packet_twice_whose_picture_is_shown_in_the_turn_it_came_in() {
    let mut room = Room::new(TrackKind::Video, 0);
    room.publish_video(1, true);
    room.flush();
    room.join();
    room.publish_video(2, false);
    room.flush();
    room.now += SHOWN;
    room.publish_video(3, false);
    // The picture is released now: the first two packets are in the cache, the third is still on its way.
    room.engine.handle_timeout(room.now);
    let sent = room.flush();
    let numbers: Vec<u16> = room
        .opened(0, &sent)
        .into_iter()
        .map(|(_, number)| number)
        .collect();
    let first = numbers[0];
    assert_eq!(numbers, [first, first + 1, first + 2]);
}

#[test]
fn what_ends_within_a_turn_gets_nothing_more_and_disturbs_nobody() {
    let mut room = Room::new(TrackKind::Audio, 3);
    room.publish(&sound(1));
    let peer = |number| PeerId::from_bits(number);
    room.engine
        .handle_command(room.now, Command::ClosePeer { peer: peer(2) });
    room.engine.handle_command(
        room.now,
        Command::Unsubscribe {
            peer: peer(3),
            track: TRACK,
        },
    );
    let sent = room.flush();
    assert_eq!(room.opened(1, &sent), []);
    assert_eq!(room.opened(2, &sent).len(), 1);

    room.publish(&sound(2));
    room.engine.handle_command(
        room.now,
        Command::Unpublish {
            peer: peer(1),
            track: TRACK,
        },
    );
    assert_eq!(room.flush(), []);
}

#[test]
fn a_subscriber_at_rest_is_ended_when_it_falls_silent() {
    let mut room = Room::new(TrackKind::Audio, 1);
    room.publish(&sound(1));
    room.flush();
    // Looked after now and then, it may be late by that.
    let silent = Limits::default().consent_time + Duration::from_millis(250);
    for _ in 0..silent.as_millis() / 20 + 1 {
        room.pass(Duration::from_millis(20));
    }
    let ended = std::iter::from_fn(|| room.engine.poll_event())
        .filter(|event| matches!(event, Event::PeerEnded { .. }));
    assert_eq!(ended.count(), 2);
}
