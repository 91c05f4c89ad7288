//! What listeners get of sound: RED, silence, and the loudest of a room. Real keys, no sockets.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)] // An engine reads no clock; somebody must.

mod client;

use std::time::{Duration, Instant};

use client::{
    Client, Credentials, ITS_OPUS, ITS_RED, OPUS, RED, Section, datagrams, is_rtcp, packet,
    payload, publish, subscribe, with_level,
};
use media::{Command, DropReason, Engine, Limits};
use protocol::{TrackId, TrackSource};

const PACKET: Duration = Duration::from_millis(20);
const QUIET: u8 = 85;
const SPEECH: u8 = 30;

/// A packet as a listener has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Heard {
    speaker: usize,
    payload_type: u8,
    marker: bool,
    sequence_number: u16,
    timestamp: u32,
    payload: Vec<u8>,
}

/// People who send sound, and listeners who get all of it.
struct Room {
    engine: Engine,
    now: Instant,
    speakers: Vec<Client>,
    listeners: Vec<Client>,
    /// Of each listener, by the order in which they were first heard, the SSRCs of the speakers.
    ssrcs: Vec<Vec<u32>>,
    sent: u32,
}

impl Room {
    fn new(speakers: &[Section], listeners: &[Section], audible_tracks: usize) -> Self {
        let now = Instant::now();
        let limits = Limits {
            audible_tracks,
            ..Limits::default()
        };
        let mut engine = client::engine(now, limits);
        let credentials = Credentials::new();
        let mut connect = |number: u32, before: Vec<Command>, sections: &[Section]| {
            Client::connect(&mut engine, now, &credentials, number, before, sections)
        };
        // Each speaker's track has the speaker's number.
        let track = |number: u32| TrackId::from_bits(number.into());
        let speaking = (1..).zip(speakers).map(|(number, section)| {
            let before = vec![publish(number, track(number), TrackSource::Microphone)];
            connect(number, before, &[*section])
        });
        let speaking: Vec<Client> = speaking.collect();
        let listening = (1_000..).zip(listeners).map(|(number, section)| {
            let of = (1..).zip(speakers);
            let before = of.map(|(speaker, _)| subscribe(number, track(speaker)));
            connect(number, before.collect(), &vec![*section; speakers.len()])
        });
        let listening = listening.collect();
        Self {
            engine,
            now,
            speakers: speaking,
            listeners: listening,
            ssrcs: vec![Vec::new(); listeners.len()],
            sent: 0,
        }
    }

    fn say(&mut self, speaker: usize, plain: &[u8]) {
        self.speakers[speaker].send(&mut self.engine, self.now, plain);
    }

    /// What a listener gets at the end of this turn, of whom in the order in which it first heard them.
    fn hear(&mut self, listener: usize) -> Vec<Heard> {
        let client = &mut self.listeners[listener];
        let ssrcs = &mut self.ssrcs[listener];
        let mut heard = Vec::new();
        for (to, datagram) in datagrams(&mut self.engine, self.now) {
            if to == client.address && !is_rtcp(&datagram) {
                heard.push(read(&client.open(&datagram).unwrap(), ssrcs));
            }
        }
        self.engine.check_invariants();
        while self.engine.poll_event().is_some() {}
        heard
    }

    /// One packet of each speaker, at these levels: its payload is the number of the round.
    fn round(&mut self, levels: &[u8]) -> Vec<Heard> {
        for (speaker, level) in levels.iter().enumerate() {
            let payload = [speaker as u8, (self.sent >> 8) as u8, self.sent as u8];
            let plain = packet(
                OPUS,
                false,
                self.sent as u16,
                960 * self.sent,
                100 + speaker as u32,
                &payload,
            );
            self.say(speaker, &with_level(plain, *level));
        }
        self.sent += 1;
        self.now += PACKET;
        self.engine.handle_timeout(self.now);
        self.hear(0)
    }
}

fn read(plain: &[u8], ssrcs: &mut Vec<u32>) -> Heard {
    let word = |at: usize| u32::from_be_bytes(plain[at..at + 4].try_into().unwrap());
    let ssrc = word(8);
    let speaker = ssrcs.iter().position(|known| *known == ssrc);
    let speaker = speaker.unwrap_or_else(|| {
        ssrcs.push(ssrc);
        ssrcs.len() - 1
    });
    Heard {
        speaker,
        payload_type: plain[1] & 0x7F,
        marker: plain[1] & 0x80 != 0,
        sequence_number: word(0) as u16,
        timestamp: word(4),
        payload: payload(plain).to_vec(),
    }
}

/// RED with one earlier packet.
fn red(earlier: &[u8], newest: &[u8]) -> Vec<u8> {
    let header = [
        0x80 | OPUS,
        960u16.to_be_bytes()[0] << 2 | 0x0F,
        0x00,
        earlier.len() as u8,
        OPUS,
    ];
    [&header[..], earlier, newest].concat()
}

#[test]
fn red_goes_on_to_those_who_read_it_and_is_taken_off_for_the_others() {
    let mut room = Room::new(
        &[Section::SendRed(100)],
        &[Section::ReceiveRed, Section::ReceiveAudio],
        16,
    );
    let payload = red(&[1; 7], &[2; 9]);
    for (sequence_number, listener) in [(1, 0), (2, 1)] {
        let plain = packet(RED, false, sequence_number, 960, 100, &payload);
        room.say(0, &plain);
        let heard = room.hear(listener);
        assert_eq!(heard.len(), 1);
        let mut renumbered = payload.clone();
        (renumbered[0], renumbered[4]) = (0x80 | ITS_OPUS, ITS_OPUS);
        let expected = match listener {
            0 => (ITS_RED, renumbered),
            _ => (OPUS, vec![2; 9]),
        };
        assert_eq!((heard[0].payload_type, heard[0].payload.clone()), expected);
    }
    // A sender may go back to Opus at any time.
    room.say(0, &packet(OPUS, false, 3, 1_920, 100, &[3; 5]));
    let heard = room.hear(0);
    assert_eq!(
        (heard[0].payload_type, &heard[0].payload[..]),
        (ITS_OPUS, &[3; 5][..])
    );
}

#[test]
fn red_that_does_not_add_up_is_dropped_and_counted_and_what_follows_is_heard() {
    let mut room = Room::new(&[Section::SendRed(100)], &[Section::ReceiveAudio], 16);
    let mut broken = red(&[1; 7], &[2; 9]);
    broken[3] = 200;
    room.say(0, &packet(RED, false, 1, 960, 100, &broken));
    assert_eq!(room.hear(0), []);
    let dropped = room
        .engine
        .statistics()
        .dropped_for(DropReason::RedMalformed);
    assert_eq!(dropped, 1);
    room.say(0, &packet(RED, false, 2, 960, 100, &red(&[], &[2; 9])));
    assert_eq!(room.hear(0)[0].payload, [2; 9]);
}

#[test]
fn silence_by_dtx_keeps_its_gaps_in_time_and_makes_none_in_numbers() {
    let mut room = Room::new(&[Section::SendAudio(100)], &[Section::ReceiveAudio], 16);
    // Speech, then a packet of comfort noise every 400 ms, then speech with the marker (RFC 7587 section 4.2).
    let timestamps = [0, 960, 1_920, 21_120, 40_320, 44_160, 45_120];
    let mut heard = Vec::new();
    for (number, timestamp) in timestamps.into_iter().enumerate() {
        let is_silence = (3..5).contains(&number);
        let payload = if is_silence { vec![0xF8] } else { vec![9; 60] };
        let plain = packet(
            OPUS,
            number == 5,
            7 + number as u16,
            timestamp,
            100,
            &payload,
        );
        room.say(0, &plain);
        heard.extend(room.hear(0));
    }
    assert_eq!(heard.len(), timestamps.len());
    let first = heard[0].clone();
    for (number, packet) in heard.iter().enumerate() {
        let sequence_number = packet.sequence_number.wrapping_sub(first.sequence_number);
        let timestamp = packet.timestamp.wrapping_sub(first.timestamp);
        assert_eq!(
            (sequence_number, timestamp),
            (number as u16, timestamps[number])
        );
        assert_eq!(packet.marker, number == 5);
    }
}

#[test]
fn who_begins_to_speak_is_heard_from_before_the_first_loud_packet() {
    let mut room = Room::new(
        &[Section::SendAudio(100), Section::SendAudio(101)],
        &[Section::ReceiveAudio],
        1,
    );
    for _ in 0..100 {
        let heard = room.round(&[QUIET, QUIET]);
        assert!(
            heard.iter().all(|packet| packet.payload[0] == 0),
            "{heard:?}"
        );
    }
    let began = room.sent;
    let mut heard = Vec::new();
    for _ in 0..5 {
        heard.extend(room.round(&[QUIET, SPEECH]));
    }
    let rounds: Vec<u32> = heard
        .iter()
        .filter(|packet| packet.payload[0] == 1)
        .map(|packet| u32::from(packet.payload[2]))
        .collect();
    assert!(
        rounds[0] + 5 <= began,
        "some moments before {began}: {rounds:?}"
    );
    assert!(
        rounds.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{rounds:?}"
    );
    assert_eq!(rounds.last(), Some(&(began + 4)));
    let unheard = room.engine.statistics().dropped_for(DropReason::Unheard);
    assert!(unheard > 90, "{unheard}");
}

#[test]
fn each_voice_goes_on_without_a_gap_or_a_repetition_however_often_it_is_heard_again() {
    let mut room = Room::new(
        &[Section::SendAudio(100), Section::SendAudio(101)],
        &[Section::ReceiveAudio],
        1,
    );
    let mut heard = Vec::new();
    for _ in 0..6 {
        for levels in [[SPEECH, QUIET], [QUIET, SPEECH]] {
            (0..100).for_each(|_| heard.extend(room.round(&levels)));
        }
    }
    for speaker in 0..2 {
        let of: Vec<_> = heard
            .iter()
            .filter(|packet| packet.speaker == speaker)
            .collect();
        assert!(of.len() > 500, "{}", of.len());
        for pair in of.windows(2) {
            let [one, next] = pair else { continue };
            assert_eq!(next.sequence_number, one.sequence_number.wrapping_add(1));
            let rounds = |packet: &Heard| {
                u32::from(u16::from_be_bytes([packet.payload[1], packet.payload[2]]))
            };
            let passed = rounds(next)
                .checked_sub(rounds(one))
                .filter(|passed| *passed > 0);
            let passed = passed.expect("nothing is said twice");
            let ticks = next.timestamp.wrapping_sub(one.timestamp);
            // After more than a second in silence the clock says how much time has passed, else the sender.
            assert!(
                ticks.abs_diff(960 * passed) <= 960 * 12,
                "{ticks} for {passed}"
            );
            assert!(passed > 1 || ticks == 960);
        }
    }
}
