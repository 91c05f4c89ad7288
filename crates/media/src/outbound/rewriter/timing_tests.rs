//! Long seeded runs over layers that take the same pictures and have clocks of their own: whatever is switched,
//! and whatever is shown late, timestamps follow the moments at which the pictures were taken.

use std::collections::VecDeque;
use std::time::Duration;

use super::tests::{FIRST_SEQUENCE, FIRST_TIMESTAMP, NONE, VIDEO, start};
use super::*;
use crate::rtp::seeded::Seeded;

const LAYERS: usize = 3;
/// Ticks between two pictures, of which every layer has each: 30 a second.
const PICTURE: u32 = 3_000;
/// Packets of a picture.
const PACKETS: u64 = 3;

/// How well the layers' clocks are known: ticks that the alignment of each switch may be off.
#[derive(Clone, Copy)]
struct Knowledge {
    error: u64,
    /// Of 100 switches, those with no idea of it: their alignment is any number.
    unknown: u64,
}

struct Run {
    rewriter: Rewriter,
    random: Seeded,
    clocks: [u32; LAYERS],
    sequences: [u64; LAYERS],
    picture: u32,
    newest_out: Option<u32>,
    /// Outbound time less the time of taking, of the last picture that was not catching up.
    delay: Option<u32>,
    worst: u32,
    inverse_checked: u32,
    /// The last packets that went out, the newest first.
    sent: VecDeque<(usize, u64, u32, Rewritten)>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Seeded::new(seed);
        let clocks = [(); LAYERS].map(|()| random.next() as u32);
        let sequences = [(); LAYERS].map(|()| 65_536 + random.below(65_536));
        Self {
            rewriter: Rewriter::new(FIRST_SEQUENCE, FIRST_TIMESTAMP, VIDEO),
            random,
            clocks,
            sequences,
            picture: 0,
            newest_out: None,
            delay: None,
            worst: 0,
            inverse_checked: 0,
            sent: VecDeque::new(),
        }
    }

    fn timestamp(&self, layer: usize, picture: u32) -> u32 {
        self.clocks[layer].wrapping_add(picture.wrapping_mul(PICTURE))
    }

    /// To a layer, from a key frame so many pictures ago.
    fn switch(&mut self, layer: usize, late: u32, knowledge: Knowledge) {
        let error = self.random.below(2 * knowledge.error + 1) as u32;
        let known = self.clocks[0]
            .wrapping_sub(self.clocks[layer])
            .wrapping_add(error)
            .wrapping_sub(knowledge.error as u32);
        let to_track = match self.random.chance(knowledge.unknown) {
            true => self.random.next() as u32,
            false => known,
        };
        self.rewriter.switch(Switch {
            source: layer as u8,
            to_track,
            newest: (late > 0).then(|| self.timestamp(layer, self.picture)),
        });
        for ago in (0..=late).rev() {
            self.forward(layer, self.picture - ago, Duration::ZERO, false);
        }
    }

    /// The packets of a picture, of which one may come late.
    fn forward(&mut self, layer: usize, picture: u32, jitter: Duration, is_present: bool) {
        let taken = Duration::from_micros(u64::from(picture) * u64::from(PICTURE) * 100 / 9);
        let now = Duration::from_micros(u64::from(self.picture) * u64::from(PICTURE) * 100 / 9);
        let first = self.sequences[layer] + u64::from(picture) * PACKETS;
        let timestamp = self.timestamp(layer, picture);
        let mut outbound = None;
        for sequence in first..first + PACKETS {
            let incoming = Incoming {
                sequence,
                timestamp,
                arrival: start_of_all() + taken.max(now) + jitter,
            };
            let sent = self.rewriter.rewrite(layer as u8, incoming, &NONE);
            self.rewriter.runs.check_invariants();
            let sent = sent.expect("of the stint");
            assert_eq!(*outbound.get_or_insert(sent.timestamp), sent.timestamp);
            self.sent.push_front((layer, sequence, timestamp, sent));
            self.sent.truncate(200);
        }
        let outbound = outbound.expect("a picture has packets");
        if let Some(newest) = self.newest_out {
            assert!(
                outbound.wrapping_sub(newest) as i32 > 0,
                "picture {picture}: {outbound} after {newest}"
            );
        }
        self.newest_out = Some(outbound);
        if is_present {
            let delay = outbound.wrapping_sub(picture.wrapping_mul(PICTURE));
            if let Some(before) = self.delay {
                let step = delay.wrapping_sub(before) as i32;
                self.worst = self.worst.max(step.unsigned_abs());
            }
            self.delay = Some(delay);
        }
        self.check_inverse();
    }

    /// A packet of the last pictures, of whatever stint, is asked for again.
    fn check_inverse(&mut self) {
        let ago = self.random.below(self.sent.len() as u64) as usize;
        let (layer, sequence, timestamp, sent) = self.sent[ago];
        let number = sent.sequence_number;
        assert_eq!(
            self.rewriter.source_of(number),
            Some((layer as u8, sequence))
        );
        assert_eq!(self.rewriter.again(number, timestamp, &NONE), Some(sent));
        self.inverse_checked += 1;
    }
}

fn start_of_all() -> Instant {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(start)
}

/// Switches between layers, from key frames up to `late` pictures old, and gives the run.
fn run(seed: u64, switches: u32, late: u64, knowledge: Knowledge) -> Run {
    let mut run = Run::new(seed);
    run.picture = 100;
    for _ in 0..switches {
        let layer = run.random.below(LAYERS as u64) as usize;
        let kept = match run.random.chance(50) {
            true => run.random.below(late + 1) as u32,
            false => 0,
        };
        run.switch(layer, kept, knowledge);
        for number in 0..run.random.below(60) {
            run.picture += 1;
            let jitter = Duration::from_micros(run.random.below(80_000));
            let picture = run.picture;
            // A replay has caught up two pictures after it.
            run.forward(layer, picture, jitter, number > 2);
        }
        run.picture += 1;
    }
    assert!(run.inverse_checked > switches);
    run
}

#[test]
fn where_clocks_are_known_no_switch_moves_a_picture_by_a_tick() {
    for seed in 0..20 {
        let known = Knowledge {
            error: 0,
            unknown: 0,
        };
        let run = run(seed, 300, 60, known);
        assert_eq!(run.worst, 0, "seed {seed}");
    }
}

#[test]
fn errors_of_the_clocks_do_not_add_up() {
    for seed in 20..40 {
        let known = Knowledge {
            error: 900,
            unknown: 0,
        };
        let run = run(seed, 300, 60, known);
        let delay = run.delay.expect("pictures went out");
        let first = FIRST_TIMESTAMP.wrapping_sub(100 * PICTURE);
        let drift = delay.wrapping_sub(first) as i32;
        assert!(drift.abs() <= 3 * 900 + 61 * 3_000 / 31, "{drift}");
        assert!(run.worst <= 4 * 900 + 2, "seed {seed}: {}", run.worst);
    }
}

#[test]
fn where_nothing_is_known_the_clock_on_the_wall_tells_it_but_for_the_jitter() {
    for seed in 40..60 {
        let known = Knowledge {
            error: 0,
            unknown: 30,
        };
        let run = run(seed, 300, 60, known);
        assert!(run.worst <= 90_000, "seed {seed}: {}", run.worst);
    }
}
