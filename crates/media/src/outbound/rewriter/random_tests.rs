//! Long seeded runs of the rewriter: random switches, skips, losses and overtaking, held against what must come out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::tests::{FIRST_SEQUENCE, FIRST_TIMESTAMP, VIDEO, frame, start, to};
use super::*;
use crate::rtp::seeded::Seeded;
use crate::rtp::sequence::Unwrapper;

/// One simulcast layer as a publisher sends it: numbers of its own, frames of one to four packets, every second
/// one in the upper temporal layer, which is skipped.
struct Layer {
    next: u64,
    timestamp: u32,
    picture_id: u16,
    tl0: u8,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    sequence: u64,
    timestamp: u32,
    picture: FrameNumbers,
    is_skipped: bool,
}

impl Layer {
    fn new(random: &mut Seeded) -> Self {
        Self {
            next: 65_536 + random.below(65_536),
            timestamp: random.next() as u32,
            // Close to the wrap.
            picture_id: (0x7f00 + random.below(0x200) as u16) & 0x7fff,
            tl0: random.byte(),
        }
    }

    fn frame(&mut self, random: &mut Seeded, is_skipped: bool) -> Vec<Sent> {
        self.timestamp = self.timestamp.wrapping_add(3_000);
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        if !is_skipped {
            self.tl0 = self.tl0.wrapping_add(1);
        }
        let packets = 1 + random.below(4);
        self.next += packets;
        (self.next - packets..self.next)
            .map(|sequence| Sent {
                sequence,
                timestamp: self.timestamp,
                picture: frame(self.picture_id, self.tl0),
                is_skipped,
            })
            .collect()
    }
}

/// What a whole run of `rounds` switches between three layers put out: by outbound number, counted on.
struct Outcome {
    out: BTreeMap<u64, (u8, Sent, Rewritten)>,
    /// The first outbound number of each stint.
    stints: Vec<u64>,
    /// Outbound numbers that nothing went out with, but whose source packet was sent.
    holes: Vec<u64>,
}

fn run(seed: u64, rounds: u32, loss_percent: u64, reorder: bool) -> Outcome {
    let mut random = Seeded::new(seed);
    let mut layers = [(); 3].map(|()| Layer::new(&mut random));
    let mut rewriter = Rewriter::new(FIRST_SEQUENCE, FIRST_TIMESTAMP, VIDEO);
    let mut now = start();
    let mut unwrapped = Unwrapper::default();
    let mut outcome = Outcome {
        out: BTreeMap::new(),
        stints: Vec::new(),
        holes: Vec::new(),
    };
    let mut lost = Vec::new();
    for _ in 0..rounds {
        let source = random.below(3) as u8;
        let mut packets = Vec::new();
        for index in 0..1 + random.below(20) {
            packets.extend(layers[usize::from(source)].frame(&mut random, index % 2 == 1));
        }
        // The first packet of the key frame leads; the others may overtake each other, and be lost.
        if reorder {
            for index in 1..packets.len().saturating_sub(1) {
                if random.chance(20) {
                    let other = (index + 1 + random.below(5) as usize).min(packets.len() - 1);
                    packets.swap(index, other);
                }
            }
        }
        rewriter.switch(to(source));
        for (index, packet) in packets.into_iter().enumerate() {
            now += Duration::from_micros(random.below(9_000));
            if index > 0 && random.chance(loss_percent) {
                lost.push((source, packet.sequence));
                continue;
            }
            let is_closed =
                packet.is_skipped && rewriter.skip(source, packet.sequence, &packet.picture);
            rewriter.runs.check_invariants();
            if is_closed {
                continue;
            }
            let incoming = Incoming {
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                arrival: now,
            };
            let rewritten = rewriter
                .rewrite(source, incoming, &packet.picture)
                .expect("in time");
            rewriter.runs.check_invariants();
            let number = unwrapped.unwrap(rewritten.sequence_number);
            if index == 0 {
                outcome.stints.push(number);
            }
            let before = outcome.out.insert(number, (source, packet, rewritten));
            assert!(before.is_none(), "{number} went out twice");
            // The inverse, for this packet and for those sent before it.
            for (&number, &(source, packet, rewritten)) in
                outcome.out.range(number.saturating_sub(12)..)
            {
                assert_eq!(
                    rewriter.source_of(number as u16),
                    Some((source, packet.sequence))
                );
                let again = rewriter.again(number as u16, packet.timestamp, &packet.picture);
                assert_eq!(again, Some(rewritten));
            }
        }
        // Every number between those that went out is of a packet that was lost on its way in.
        let stint = *outcome.stints.last().expect("just begun");
        let highest = *outcome.out.keys().next_back().expect("not empty");
        for number in stint..=highest {
            if !outcome.out.contains_key(&number) {
                let origin = rewriter.source_of(number as u16).expect("remembered");
                assert!(
                    lost.contains(&origin),
                    "{number} is missing, and {origin:?} was not lost"
                );
                outcome.holes.push(number);
            }
        }
    }
    outcome
}

/// The picture ids, tl0 indices and timestamps of the frames in the order of their outbound numbers.
fn check_frames(outcome: &Outcome) {
    for (before, after) in outcome.out.iter().zip(outcome.out.iter().skip(1)) {
        let (&number, (_, earlier, first)) = before;
        let (&next, (_, later, second)) = after;
        let (pictures, next_pictures) = (first.frame, second.frame);
        let picture_step = next_pictures.picture_id.wrapping_sub(pictures.picture_id) & 0x7fff;
        let tl0_step = next_pictures
            .tl0_picture_index
            .wrapping_sub(pictures.tl0_picture_index);
        let ticks = second.timestamp.wrapping_sub(first.timestamp) as i32;
        let is_switch = outcome.stints.contains(&next);
        assert!(is_switch || later.sequence > earlier.sequence);
        if next == number + 1 {
            let is_same_frame = !is_switch && earlier.timestamp == later.timestamp;
            assert_eq!(
                picture_step,
                u16::from(!is_same_frame),
                "{before:?} {after:?}"
            );
            assert_eq!(tl0_step, u8::from(!is_same_frame), "{before:?} {after:?}");
        } else {
            assert!(picture_step <= 20, "{before:?} {after:?}");
        }
        if is_switch {
            assert!((1..=9 * 90 * 100).contains(&ticks), "{before:?} {after:?}");
        } else {
            assert_eq!(
                ticks as u32,
                later.timestamp.wrapping_sub(earlier.timestamp)
            );
        }
    }
}

#[test]
fn numbers_are_unbroken_over_many_switches_and_skips() {
    let outcome = run(11, 2_000, 0, false);
    assert!(outcome.stints.len() == 2_000 && outcome.holes.is_empty());
    let first = *outcome.out.keys().next().expect("not empty");
    assert_eq!(first, 65_536 + u64::from(FIRST_SEQUENCE));
    let numbers: Vec<u64> = outcome.out.keys().copied().collect();
    assert_eq!(
        numbers,
        (first..first + numbers.len() as u64).collect::<Vec<_>>()
    );
    assert!(numbers.len() > 20_000 && outcome.out.values().all(|(_, sent, _)| !sent.is_skipped));
    check_frames(&outcome);
}

#[test]
fn every_number_is_accounted_for_when_packets_overtake_each_other() {
    for seed in 0..20 {
        let outcome = run(seed, 200, 0, true);
        assert!(outcome.holes.is_empty());
        assert!(
            outcome.out.values().any(|(_, sent, _)| sent.is_skipped),
            "some skips came too late"
        );
    }
}

#[test]
fn every_missing_number_is_that_of_a_lost_packet() {
    for seed in 20..40 {
        let outcome = run(seed, 200, 5, true);
        assert!(outcome.holes.len() > 20);
    }
    // Without reordering the frames' own numbers hold as well.
    for seed in 40..60 {
        check_frames(&run(seed, 200, 0, false));
    }
}
