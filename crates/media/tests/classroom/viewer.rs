//! A viewer behind a path that carries only so much: what arrives is told, what is missing is asked for, and each
//! picture is decoded if it is whole, and all that it leans on was. A key frame is asked for as Chromium does: when
//! nothing could be decoded for three seconds, though something came.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::publisher::Mark;
use super::{Random, Weather};
use crate::client::{Client, VP8};
use crate::path::transport_number;

const DELAY_MS: u64 = 20;
/// What waits at the bottleneck at most, in bytes.
const QUEUE: usize = 100_000;
const FEEDBACK_MS: u64 = 50;
const NACK_MS: u64 = 100;
const NACKS: u8 = 10;
/// Without a picture for so long a key frame is asked for, at first and later.
const FIRST_WAIT_MS: u64 = 200;
const WAIT_MS: u64 = 3_000;
/// Nothing came for so long: then there is nothing to wait for.
const INACTIVE_MS: u64 = 5_000;

/// A picture that is not decoded yet.
struct Frame {
    parts: BTreeSet<u16>,
    mark: Mark,
    /// Its outbound picture id.
    picture: u16,
}

/// A track as this viewer has it.
#[derive(Default)]
pub struct Screen {
    ssrc: u32,
    highest: Option<u64>,
    /// How often each was asked for, and when next.
    missing: BTreeMap<u64, (u8, u64)>,
    frames: BTreeMap<(u8, u32), Frame>,
    last: Option<(Mark, u16)>,
    /// When its pictures were decoded.
    pub decoded_ms: Vec<u64>,
    packet_ms: u64,
    asked_ms: u64,
    pub requests: u64,
}

pub struct Viewer {
    pub client: Client,
    credit: f64,
    queue: VecDeque<Vec<u8>>,
    queued: usize,
    on_the_way: VecDeque<(u64, Vec<u8>)>,
    pub screens: BTreeMap<u8, Screen>,
    /// It tells what came. One that does not is sent everything.
    pub tells: bool,
    /// What came since the last feedback, by its transport-wide number, and the last of it that was told.
    arrivals: BTreeMap<u64, u64>,
    told: u64,
    feedbacks: u8,
}

impl Viewer {
    pub fn new(client: Client) -> Self {
        Self {
            client,
            credit: 0.0,
            queue: VecDeque::new(),
            queued: 0,
            on_the_way: VecDeque::new(),
            screens: BTreeMap::new(),
            tells: true,
            arrivals: BTreeMap::new(),
            told: (1 << 16) - 1,
            feedbacks: 0,
        }
    }

    /// Something is sent to it.
    pub fn send(&mut self, datagram: &[u8]) {
        if self.queued + datagram.len() <= QUEUE {
            self.queued += datagram.len();
            self.queue.push_back(datagram.to_vec());
        }
    }

    pub fn carry(&mut self, ms: u64, weather: Weather, random: &mut Random) {
        let step = weather.path_kbps as f64 / 8.0 * super::STEP_MS as f64;
        self.credit = (self.credit + step).min(step + 1_500.0);
        while let Some(first) = self.queue.front() {
            if self.credit < first.len() as f64 {
                break;
            }
            self.credit -= first.len() as f64;
            self.queued -= first.len();
            let datagram = self.queue.pop_front().unwrap();
            if !random.chance(weather.outbound_loss) {
                self.on_the_way.push_back((ms + DELAY_MS, datagram));
            }
        }
        while self.on_the_way.front().is_some_and(|(at, _)| *at <= ms) {
            let (_, datagram) = self.on_the_way.pop_front().unwrap();
            if datagram[0] >> 6 == 2 && !(192..=223).contains(&datagram[1]) {
                self.receive(ms, &datagram);
            }
        }
    }

    fn receive(&mut self, ms: u64, datagram: &[u8]) {
        let plain = self.client.open(datagram).expect("sealed for it");
        if let Some(number) = transport_number(&plain) {
            self.arrivals.insert(extend(self.told, number), ms);
        }
        let words = match plain[0] & 0x10 {
            0 => 0,
            _ => 1 + usize::from(u16::from_be_bytes([plain[14], plain[15]])),
        };
        let payload = &plain[12 + 4 * words..];
        let number = u16::from_be_bytes([plain[2], plain[3]]);
        let ssrc = u32::from_be_bytes([plain[8], plain[9], plain[10], plain[11]]);
        let (number, payload) = match plain[1] & 0x7F {
            VP8 => (number, payload),
            _ if payload.len() < 2 => return,
            _ => (u16::from_be_bytes([payload[0], payload[1]]), &payload[2..]),
        };
        let mark = Mark::read(payload);
        let of_ssrc = || {
            let mut screens = self.screens.iter();
            screens
                .find(|(_, screen)| screen.ssrc == ssrc)
                .map(|(track, _)| *track)
        };
        let Some(track) = mark.map(|mark| mark.track).or_else(of_ssrc) else {
            return;
        };
        let screen = self.screens.entry(track).or_default();
        if plain[1] & 0x7F == VP8 {
            screen.ssrc = ssrc;
        }
        screen.receive(ms, number, mark, payload);
    }

    /// What it tells and asks now.
    pub fn take(&mut self, ms: u64) -> Vec<Vec<u8>> {
        let mut said = Vec::new();
        if self.tells && ms.is_multiple_of(FEEDBACK_MS) {
            said.extend(self.feedback());
        }
        for screen in self.screens.values_mut() {
            screen.ask(ms, &mut said);
        }
        said.iter()
            .map(|plain| self.client.seal_rtcp(plain))
            .collect()
    }

    /// Which packets have come and when, and which have not.
    fn feedback(&mut self) -> Option<Vec<u8>> {
        let (&last, _) = self.arrivals.last_key_value()?;
        // What came late was told to be missing.
        self.arrivals.retain(|number, _| *number > self.told);
        let (first, first_ms) = (self.told + 1, *self.arrivals.first_key_value()?.1);
        let count = (last - first + 1) as u16;
        let mut feedback = vec![0x8F, 205, 0, 0, 0, 0, 0, 9, 0, 0, 0, 9];
        feedback.extend_from_slice(&(first as u16).to_be_bytes());
        feedback.extend_from_slice(&count.to_be_bytes());
        let reference = first_ms / 64;
        feedback.extend_from_slice(&(reference as u32).to_be_bytes()[1..]);
        feedback.push(self.feedbacks);
        self.feedbacks = self.feedbacks.wrapping_add(1);
        let numbers: Vec<u64> = (first..=last).collect();
        for seven in numbers.chunks(7) {
            let bits = seven
                .iter()
                .enumerate()
                .fold(0xC000u16, |bits, (at, number)| {
                    let symbol = u16::from(self.arrivals.contains_key(number)) * 2;
                    bits | symbol << (12 - 2 * at)
                });
            feedback.extend_from_slice(&bits.to_be_bytes());
        }
        let mut before = (reference * 64) as i64;
        for at in self.arrivals.values() {
            let ticks = (*at as i64 - before) * 4;
            before = *at as i64;
            feedback.extend_from_slice(&(ticks as i16).to_be_bytes());
        }
        while !feedback.len().is_multiple_of(4) {
            feedback.push(0);
        }
        let words = (feedback.len() / 4 - 1) as u16;
        feedback[2..4].copy_from_slice(&words.to_be_bytes());
        self.arrivals.clear();
        self.told = last;
        Some(feedback)
    }
}

impl Screen {
    fn receive(&mut self, ms: u64, number: u16, mark: Option<Mark>, payload: &[u8]) {
        self.packet_ms = ms;
        let highest = *self.highest.get_or_insert((1 << 16) + u64::from(number));
        let number = extend(highest, number);
        for missing in highest + 1..number {
            self.missing.insert(missing, (0, ms));
        }
        self.missing.remove(&number);
        self.highest = Some(highest.max(number));
        let Some(mark) = mark else { return };
        let frame = self
            .frames
            .entry((mark.layer, mark.frame))
            .or_insert_with(|| Frame {
                parts: BTreeSet::new(),
                mark,
                picture: u16::from_be_bytes([payload[2] & 0x7F, payload[3]]),
            });
        frame.parts.insert(mark.index);
        self.decode(ms);
    }

    fn decode(&mut self, ms: u64) {
        loop {
            let last = self.last;
            let is_decodable = |frame: &&Frame| {
                if frame.parts.len() < usize::from(frame.mark.count) {
                    return false;
                }
                let Some((mark, picture)) = last else {
                    return frame.mark.is_key_frame;
                };
                let step = frame.picture.wrapping_sub(picture) & 0x7FFF;
                let follows = step == 1
                    && frame.mark.layer == mark.layer
                    && frame.mark.frame == mark.frame + 1;
                follows || (frame.mark.is_key_frame && (1..0x4000).contains(&step))
            };
            let Some(frame) = self.frames.values().find(is_decodable) else {
                return;
            };
            let (mark, picture) = (frame.mark, frame.picture);
            self.last = Some((mark, picture));
            self.decoded_ms.push(ms);
            // What is older is never decoded.
            self.frames.retain(|_, frame| {
                (1..0x4000).contains(&(frame.picture.wrapping_sub(picture) & 0x7FFF))
            });
        }
    }

    fn ask(&mut self, ms: u64, said: &mut Vec<Vec<u8>>) {
        let mut numbers = Vec::new();
        self.missing.retain(|number, (tries, next_ms)| {
            if *next_ms <= ms {
                *next_ms = ms + NACK_MS;
                *tries += 1;
                numbers.push(*number as u16);
            }
            *tries <= NACKS
        });
        let ssrc = self.ssrc.to_be_bytes();
        for numbers in numbers.chunks(100) {
            let mut nack = vec![0x81, 205, 0, 2 + numbers.len() as u8, 0, 0, 0, 9];
            nack.extend_from_slice(&ssrc);
            for number in numbers {
                nack.extend_from_slice(&number.to_be_bytes());
                nack.extend_from_slice(&[0, 0]);
            }
            said.push(nack);
        }
        let wait_ms = match self.decoded_ms.is_empty() {
            true => FIRST_WAIT_MS,
            false => WAIT_MS,
        };
        let since_ms = self
            .decoded_ms
            .last()
            .map_or(0, |at| *at)
            .max(self.asked_ms);
        let is_active = self.ssrc != 0 && ms < self.packet_ms + INACTIVE_MS;
        if is_active && ms >= since_ms + wait_ms {
            self.asked_ms = ms;
            self.requests += 1;
            let mut request = vec![0x81, 206, 0, 2, 0, 0, 0, 9];
            request.extend_from_slice(&ssrc);
            said.push(request);
        }
    }

    /// The longest time from then to now in which nothing could be decoded.
    pub fn longest_standstill(&self, from_ms: u64, to_ms: u64) -> u64 {
        let mut before = from_ms;
        let mut longest = 0;
        let since = self.decoded_ms.iter().filter(|at| **at > from_ms);
        for at in since.copied().chain([to_ms]) {
            longest = longest.max(at - before);
            before = at;
        }
        longest
    }
}

/// The number nearest to another of which these are the lowest bits.
fn extend(near: u64, number: u16) -> u64 {
    let ahead = number.wrapping_sub(near as u16) as i16;
    near.wrapping_add_signed(ahead.into())
}
