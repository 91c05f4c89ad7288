//! What listeners hear of a room that is on two engines: the same few, from their first syllables on, whichever
//! engine anybody is on. Real keys, no sockets.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)] // An engine reads no clock; somebody must.

mod client;

use std::time::{Duration, Instant};

use client::{
    Client, Credentials, OPUS, Section, datagrams, engine_of, is_rtcp, packet, payload, publish,
    subscribe, with_level,
};
use media::{Batch, Command, DropReason, Engine, Limits};
use protocol::{ParticipantId, PeerId, TrackId, TrackSource};

const PACKET: Duration = Duration::from_millis(20);
const QUIET: u8 = 85;
const SPEECH: u8 = 30;
const PLACES: usize = 2;
/// As every client of these tests has it.
const GROUP: u64 = 1;

/// A packet as a listener has it: whose, of which round, under which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Heard {
    speaker: usize,
    round: u32,
    sequence_number: u16,
}

/// Two engines with two speakers each, and a listener on each who wants all four.
struct Room {
    engines: [Engine; 2],
    speakers: Vec<Client>,
    listeners: Vec<Client>,
    now: Instant,
    sent: u32,
}

fn track(speaker: usize) -> TrackId {
    TrackId::from_bits(1 + speaker as u64)
}

/// The engine of a speaker.
fn home(speaker: usize) -> usize {
    speaker / 2
}

impl Room {
    fn new() -> Self {
        let now = Instant::now();
        let limits = Limits {
            audible_tracks: PLACES,
            ..Limits::default()
        };
        let mut engines = [0, 1].map(|worker| engine_of(worker, now, limits.clone()));
        for (at, engine) in engines.iter_mut().enumerate() {
            let command = Command::SetDataWorkers {
                data_group: GROUP,
                workers: vec![1 - at as u8],
            };
            engine.handle_command(now, command);
        }
        let credentials = Credentials::new();
        let speakers = (0..4).map(|speaker| {
            let number = 1 + speaker as u32;
            let before = vec![publish(number, track(speaker), TrackSource::Microphone)];
            let engine = &mut engines[home(speaker)];
            let section = Section::SendAudio(100 + speaker as u32);
            Client::connect(engine, now, &credentials, number, before, &[section])
        });
        let speakers = speakers.collect();
        for speaker in 0..4 {
            let (from, to) = (home(speaker), 1 - home(speaker));
            let open = Command::OpenRelayedTrack {
                track: track(speaker),
                participant: ParticipantId::from_bits(1 + speaker as u64),
                source: TrackSource::Microphone,
                muted: false,
                from: from as u8,
            };
            engines[to].handle_command(now, open);
            let relay = Command::Relay {
                track: track(speaker),
                to: to as u8,
            };
            engines[from].handle_command(now, relay);
        }
        let listeners = (0..2).map(|at| {
            let number = 1_000 + at as u32;
            let all = (0..4).map(|speaker| subscribe(number, track(speaker)));
            let sections = [Section::ReceiveAudio; 4];
            let engine = &mut engines[at];
            Client::connect(engine, now, &credentials, number, all.collect(), &sections)
        });
        let listeners = listeners.collect();
        let mut room = Self {
            engines,
            speakers,
            listeners,
            now,
            sent: 0,
        };
        room.pass_on();
        room
    }

    /// What the engines have for each other, until both are silent.
    fn pass_on(&mut self) {
        for _ in 0..3 {
            for from in 0..2 {
                let mut batches: Vec<Batch> = Vec::new();
                self.engines[from].flush_links(|_, batch| {
                    batches.push(batch);
                    Ok(())
                });
                for batch in batches {
                    self.engines[1 - from].handle_batch(self.now, &batch, |_| {});
                }
            }
        }
    }

    /// One packet of each speaker, at these levels, none of those who have no level. Gives what each listener hears.
    fn round(&mut self, levels: [Option<u8>; 4]) -> [Vec<Heard>; 2] {
        for (speaker, level) in levels.into_iter().enumerate() {
            let Some(level) = level else { continue };
            let payload = [speaker as u8, (self.sent >> 8) as u8, self.sent as u8];
            let ssrc = 100 + speaker as u32;
            let (number, timestamp) = (self.sent as u16, 960 * self.sent);
            let plain = packet(OPUS, false, number, timestamp, ssrc, &payload);
            let engine = &mut self.engines[home(speaker)];
            self.speakers[speaker].send(engine, self.now, &with_level(plain, level));
        }
        self.sent += 1;
        self.now += PACKET;
        for engine in &mut self.engines {
            engine.handle_timeout(self.now);
        }
        self.pass_on();
        [0, 1].map(|at| self.hear(at))
    }

    fn hear(&mut self, at: usize) -> Vec<Heard> {
        let (engine, client) = (&mut self.engines[at], &mut self.listeners[at]);
        let mut heard = Vec::new();
        for (to, datagram) in datagrams(engine, self.now) {
            if to == client.address && !is_rtcp(&datagram) {
                heard.push(read(&client.open(&datagram).unwrap()));
            }
        }
        engine.check_invariants();
        while engine.poll_event().is_some() {}
        heard
    }

    /// So many rounds. What both hear must be the same.
    fn rounds(&mut self, count: usize, levels: [u8; 4]) -> Vec<Heard> {
        let mut all = Vec::new();
        for _ in 0..count {
            let [here, there] = self.round(levels.map(Some));
            assert_eq!(said(&here), said(&there));
            all.extend(here);
        }
        all
    }

    fn relayed(&self) -> u64 {
        let relayed = self
            .engines
            .iter()
            .map(|of| of.statistics().relayed_packets);
        relayed.sum()
    }
}

fn read(plain: &[u8]) -> Heard {
    let payload = payload(plain);
    Heard {
        speaker: payload[0].into(),
        round: u32::from(payload[1]) << 8 | u32::from(payload[2]),
        sequence_number: u16::from_be_bytes([plain[2], plain[3]]),
    }
}

/// Who said what, in an order that does not depend on whose turn it was first.
fn said(heard: &[Heard]) -> Vec<(usize, u32)> {
    let mut said: Vec<_> = heard.iter().map(|of| (of.speaker, of.round)).collect();
    said.sort_unstable();
    said
}

fn speakers(heard: &[Heard]) -> Vec<usize> {
    let mut speakers: Vec<_> = heard.iter().map(|of| of.speaker).collect();
    speakers.sort_unstable();
    speakers.dedup();
    speakers
}

#[test]
fn of_four_on_two_engines_both_listeners_hear_the_same_two_and_nothing_else_crosses() {
    let mut room = Room::new();
    // Who is heard first, before the engines have heard of each other, is not yet one choice.
    room.round([Some(QUIET); 4]);
    let heard = room.rounds(60, [QUIET; 4]);
    assert_eq!(speakers(&heard).len(), PLACES);
    assert_eq!(heard.len(), 60 * PLACES);
    let crossed = room.relayed();
    room.rounds(100, [QUIET; 4]);
    assert_eq!(room.relayed() - crossed, 100 * PLACES as u64);
    let unheard = room.engines.iter().map(|engine| {
        let statistics = engine.statistics();
        statistics.dropped_for(DropReason::Unheard)
    });
    assert!(unheard.sum::<u64>() > 300);
}

#[test]
fn who_begins_to_speak_is_heard_on_both_engines_from_before_the_first_loud_packet() {
    let mut room = Room::new();
    room.rounds(1, [QUIET; 4]);
    let heard = room.rounds(100, [QUIET; 4]);
    let silent = (0..4).filter(|speaker| !speakers(&heard).contains(speaker));
    for speaker in silent {
        let began = room.sent;
        let mut levels = [QUIET; 4];
        levels[speaker] = SPEECH;
        let heard = room.rounds(8, levels);
        let of = heard.iter().filter(|of| of.speaker == speaker);
        let rounds: Vec<u32> = of.map(|of| of.round).collect();
        assert!(rounds[0] + 5 <= began, "{began}: {rounds:?}");
        let is_whole = rounds.windows(2).all(|pair| pair[1] == pair[0] + 1);
        assert!(is_whole, "{rounds:?}");
        assert_eq!(rounds.last(), Some(&(began + 7)));
    }
}

#[test]
fn each_voice_goes_on_without_a_gap_or_a_repetition_on_either_engine() {
    let mut room = Room::new();
    let mut heard = [Vec::new(), Vec::new()];
    for turn in 0..12 {
        let mut levels = [QUIET; 4];
        levels[turn % 4] = SPEECH;
        levels[(turn + 1) % 4] = SPEECH;
        for _ in 0..80 {
            let round = room.round(levels.map(Some));
            for (all, heard) in heard.iter_mut().zip(round) {
                all.extend(heard);
            }
        }
    }
    for (heard, speaker) in heard.iter().flat_map(|of| (0..4).map(move |at| (of, at))) {
        let of: Vec<_> = heard.iter().filter(|of| of.speaker == speaker).collect();
        assert!(of.len() > 200, "{}", of.len());
        for pair in of.windows(2) {
            let following = pair[0].sequence_number.wrapping_add(1);
            assert_eq!(pair[1].sequence_number, following);
            assert!(pair[1].round > pair[0].round, "nothing is said twice");
        }
    }
}

#[test]
fn when_those_on_one_engine_fall_silent_or_leave_the_others_have_their_places() {
    let mut room = Room::new();
    let heard = room.rounds(100, [SPEECH, SPEECH, QUIET, QUIET]);
    assert_eq!(speakers(&heard[heard.len() - 20..]), [0, 1]);
    for _ in 0..150 {
        room.round([None, None, Some(QUIET), Some(SPEECH)]);
    }
    let heard = room.rounds(5, [QUIET, QUIET, QUIET, SPEECH]);
    assert_eq!(speakers(&heard).len(), 2);
    assert!(speakers(&heard).contains(&3));

    let mut room = Room::new();
    room.rounds(100, [SPEECH, SPEECH, QUIET, QUIET]);
    for peer in [1, 2].map(PeerId::from_bits) {
        room.engines[0].handle_command(room.now, Command::ClosePeer { peer });
    }
    for speaker in [0, 1] {
        let command = Command::CloseRelayedTrack {
            track: track(speaker),
        };
        room.engines[1].handle_command(room.now, command);
    }
    room.pass_on();
    let [here, there] = room.round([None, None, Some(QUIET), Some(QUIET)]);
    assert_eq!(
        (speakers(&here), speakers(&there)),
        (vec![2, 3], vec![2, 3])
    );
}

#[test]
fn what_was_said_while_muted_is_not_heard_afterwards() {
    let mut room = Room::new();
    room.rounds(20, [SPEECH, QUIET, QUIET, QUIET]);
    let mute = |room: &mut Room, muted| {
        for engine in &mut room.engines {
            let track = track(0);
            engine.handle_command(room.now, Command::SetMuted { track, muted });
        }
        room.pass_on();
    };
    mute(&mut room, true);
    let heard = room.rounds(100, [SPEECH, QUIET, QUIET, QUIET]);
    assert!(!speakers(&heard).contains(&0));
    mute(&mut room, false);
    let began = room.sent;
    let heard = room.rounds(10, [SPEECH, QUIET, QUIET, QUIET]);
    let first = heard.iter().find(|of| of.speaker == 0).unwrap();
    assert!(first.round >= began, "{first:?}");
}
