//! Whether a decoder can decode what is left: every frame that goes out has the frames it leans on out before it,
//! whatever the bounds do, and its numbers are unbroken.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Decision, LayerSelector};
use super::*;
use crate::codec::Codec;
use crate::outbound::rewriter::{Incoming, Rewriter, Rewritten, Switch};
use crate::rtp::codec::dependency::{
    self,
    tests::{Example, L1T3, L2T2_KEY, descriptor},
};
use crate::rtp::seeded::Seeded;

const PACKETS: u64 = 3;

/// A frame as a publisher sends it, in three packets.
#[derive(Clone)]
struct Sent {
    first_sequence: u64,
    timestamp: u32,
    spatial: u8,
    temporal: u8,
    /// The frames it leans on, by their index.
    references: Vec<usize>,
    payload: Vec<u8>,
    dependency: Option<Vec<u8>>,
}

/// Frames of VP8 in the order 0 2 1 2 of temporal layers, or 0 1: each leans on the last of the lowest layer, and
/// unless it is in sync on the last ones of the others up to its own.
struct Vp8 {
    random: Seeded,
    order: &'static [u8],
    last: [Option<usize>; 3],
    frames: Vec<Sent>,
    picture_id: u16,
    tl0: u8,
}

impl Vp8 {
    fn new(random: Seeded, order: &'static [u8]) -> Self {
        Self {
            random,
            order,
            last: [None; 3],
            frames: Vec::new(),
            picture_id: 0x7fc0,
            tl0: 250,
        }
    }

    fn next(&mut self) -> usize {
        let index = self.frames.len();
        let temporal = self.order[index % self.order.len()];
        let is_key = index == 0;
        let is_sync = temporal > 0 && self.random.chance(25);
        let references: Vec<usize> = match (is_key, is_sync) {
            (true, _) => Vec::new(),
            (_, true) => self.last[0].into_iter().collect(),
            _ => (0..=temporal)
                .filter_map(|layer| self.last[usize::from(layer)])
                .collect(),
        };
        // It says so too where it just happens to lean on the lowest layer alone.
        let is_sync = temporal > 0
            && references
                .iter()
                .all(|&reference| self.frames[reference].temporal == 0);
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        self.tl0 = self.tl0.wrapping_add(u8::from(temporal == 0));
        let [high, low] = self.picture_id.to_be_bytes();
        let layer = temporal << 6 | u8::from(is_sync) << 5;
        let header = u8::from(!is_key);
        self.frames.push(Sent {
            first_sequence: 70_000 + index as u64 * PACKETS,
            timestamp: (index as u32).wrapping_mul(3_000).wrapping_sub(100_000),
            spatial: 0,
            temporal,
            references,
            payload: vec![0x90, 0xe0, 0x80 | high, low, self.tl0, layer, header],
            dependency: None,
        });
        if is_key {
            self.last = [None; 3];
        }
        self.last[usize::from(temporal)] = Some(index);
        index
    }
}

/// Frames after templates, by the index of the template at each step; the first comes once.
fn described(
    templates: &'static [Example],
    key: &[usize],
    period: &[usize],
    count: usize,
) -> Vec<Sent> {
    let mut frames: Vec<Sent> = Vec::new();
    let (mut picture, mut below) = (0, u8::MAX);
    for index in 0..count {
        let template = match index.checked_sub(key.len()) {
            None => key[index],
            Some(after) => period[after % period.len()],
        };
        let (spatial, temporal, _, distances) = templates[template];
        picture += u32::from(spatial <= below);
        below = spatial;
        let number = (index as u16).wrapping_sub(50);
        frames.push(Sent {
            first_sequence: 70_000 + index as u64 * PACKETS,
            timestamp: picture.wrapping_mul(3_000).wrapping_sub(100_000),
            spatial,
            temporal,
            references: distances
                .iter()
                .filter_map(|distance| index.checked_sub(*distance as usize))
                .collect(),
            payload: vec![if index == 0 { 0x08 } else { 0x10 }, 0x0a],
            dependency: Some(descriptor(templates, template, number, index == 0)),
        });
    }
    frames
}

/// What one subscriber gets.
struct Viewer {
    selector: LayerSelector,
    rewriter: Rewriter,
    structure: Option<Structure>,
    codec: Codec,
    /// By outbound number: the frame, and which packet of it; nothing for an empty packet.
    out: BTreeMap<u16, Option<(usize, u64)>>,
    rewritten: Vec<(usize, Rewritten, bool)>,
}

impl Viewer {
    fn new(codec: Codec) -> Self {
        let mut selector = LayerSelector::new();
        selector.set_target(Some(0));
        Self {
            selector,
            rewriter: Rewriter::new(100, 0, 90_000),
            structure: None,
            codec,
            out: BTreeMap::new(),
            rewritten: Vec::new(),
        }
    }

    /// One packet of a frame, as `outbound::track` has it. True if its content went out.
    fn give(&mut self, index: usize, sent: &Sent, packet: u64) -> bool {
        let dependency = sent.dependency.as_deref();
        let own = dependency.and_then(dependency::structure);
        if own.is_some() {
            self.structure = own;
        }
        let mut payload = sent.payload.clone();
        if packet > 0 && self.codec == Codec::Vp8 {
            payload[0] &= !0x10;
        } else if packet > 0 {
            payload[0] = 0x10;
        }
        let frame = Frame::read(self.codec, &payload, dependency, self.structure.as_ref());
        match self.selector.on_packet(0, frame.starts_key_frame) {
            Decision::Drop => return false,
            Decision::Switch => self.rewriter.switch(Switch {
                source: 0,
                to_track: 0,
                newest: None,
            }),
            Decision::Forward => {}
        }
        let sequence = sent.first_sequence + packet;
        let lot = self
            .selector
            .on_frame(sent.timestamp, &frame, self.structure.as_ref());
        let is_empty = lot == Lot::Dropped;
        if is_empty && self.rewriter.skip(0, sequence, &frame.numbers) {
            return false;
        }
        let incoming = Incoming {
            sequence,
            timestamp: sent.timestamp,
            arrival: crate::test_time::start(),
        };
        let numbers = match is_empty {
            true => Default::default(),
            false => frame.numbers,
        };
        let Some(rewritten) = self.rewriter.rewrite(0, incoming, &numbers) else {
            return false;
        };
        let content = (!is_empty).then_some((index, packet));
        let before = self.out.insert(rewritten.sequence_number, content);
        assert!(before.is_none_or(|before| before == content));
        if !is_empty {
            let ends = packet == PACKETS - 1;
            let marker = ends && (sent.dependency.is_none() || lot == Lot::Topmost);
            self.rewritten.push((index, rewritten, marker));
        }
        let again = self
            .rewriter
            .again(rewritten.sequence_number, sent.timestamp, &numbers);
        assert_eq!(again, Some(rewritten));
        !is_empty
    }
}

/// Every frame of which content went out has everything it leans on out as well, but for what never came.
fn check_decodable(frames: &[Sent], viewer: &Viewer, lost: &BTreeSet<usize>) -> BTreeSet<usize> {
    let out: BTreeSet<usize> = viewer
        .out
        .values()
        .flatten()
        .map(|(index, _)| *index)
        .collect();
    for index in &out {
        for reference in &frames[*index].references {
            assert!(
                out.contains(reference) || lost.contains(reference),
                "{index} went out and leans on {reference}, which did not"
            );
        }
    }
    out
}

/// Without loss and reordering everything is unbroken.
fn check_numbers(frames: &[Sent], viewer: &Viewer) {
    let numbers: Vec<u16> = viewer
        .rewritten
        .iter()
        .map(|(_, sent, _)| sent.sequence_number)
        .collect();
    let first = numbers[0];
    let expected: Vec<u16> = (0..numbers.len() as u16)
        .map(|step| first.wrapping_add(step))
        .collect();
    assert_eq!(numbers, expected);
    for pair in viewer.rewritten.windows(2) {
        let [(index, first, _), (next, second, _)] = pair else {
            unreachable!("windows of two");
        };
        let step = second.frame.picture_id.wrapping_sub(first.frame.picture_id) & 0x7fff;
        assert_eq!(step, u16::from(index != next), "{index} {next}");
        let lowest = index != next && frames[*next].temporal == 0;
        let tl0_step = second
            .frame
            .tl0_picture_index
            .wrapping_sub(first.frame.tl0_picture_index);
        assert_eq!(tl0_step, u8::from(lowest));
    }
}

#[test]
fn vp8_stays_decodable_and_unbroken_over_random_bounds() {
    let mut raised = 0;
    for seed in 0..40 {
        let mut random = Seeded::new(seed);
        let order: &[u8] = if seed % 2 == 0 {
            &[0, 2, 1, 2]
        } else {
            &[0, 1]
        };
        let mut source = Vp8::new(Seeded::new(seed + 1_000), order);
        let mut viewer = Viewer::new(Codec::Vp8);
        let (mut bound, mut waited) = (2, 0);
        for _ in 0..1_000 {
            // In the middle of a frame as well.
            let change = random.chance(4).then(|| random.below(PACKETS));
            let index = source.next();
            let sent = source.frames[index].clone();
            let mut content = [false; PACKETS as usize];
            for packet in 0..PACKETS {
                if change == Some(packet) {
                    let wanted = random.below(4) as u8;
                    let highest = (wanted < 3).then_some(wanted);
                    viewer.selector.set_temporal(highest);
                    raised += u32::from(wanted > bound);
                    (bound, waited) = (wanted, 0);
                }
                content[packet as usize] = viewer.give(index, &sent, packet);
            }
            assert!(
                content == [true; 3] || content == [false; 3],
                "whole or not at all"
            );
            // The bound holds from the next frame on; and what is within it comes within a few syncs.
            waited += 1;
            if waited > 1 && sent.temporal > bound {
                assert_eq!(content, [false; 3]);
            }
            if sent.temporal == 0 || (waited > 150 && sent.temporal <= bound) {
                assert_eq!(content, [true; 3], "seed {seed}, frame {index}");
            }
        }
        check_decodable(&source.frames, &viewer, &BTreeSet::new());
        check_numbers(&source.frames, &viewer);
    }
    assert!(raised > 200);
}

#[test]
fn vp8_stays_decodable_when_packets_overtake_each_other_and_are_lost() {
    let mut empty = 0;
    for seed in 0..200 {
        let mut random = Seeded::new(seed);
        let order: &[u8] = if seed % 2 == 0 {
            &[0, 2, 1, 2]
        } else {
            &[0, 1]
        };
        let mut source = Vp8::new(Seeded::new(seed + 1_000), order);
        let mut packets = Vec::new();
        let mut lost = BTreeSet::new();
        for _ in 0..400 {
            let index = source.next();
            let is_key = index == 0;
            // A whole frame behind the next ones, a packet behind others, or one that never comes.
            let frame_late = u64::from(!is_key && random.chance(15)) * random.below(12);
            for packet in 0..PACKETS {
                if !is_key && random.chance(3) {
                    lost.insert(index);
                    continue;
                }
                let late = frame_late + u64::from(!is_key && random.chance(10)) * random.below(8);
                packets.push((index as u64 * PACKETS + packet + late, index, packet));
            }
        }
        packets.sort_by_key(|(due, ..)| *due);
        let mut viewer = Viewer::new(Codec::Vp8);
        for (_, index, packet) in packets {
            if random.chance(2) {
                let wanted = random.below(4) as u8;
                viewer.selector.set_temporal((wanted < 3).then_some(wanted));
            }
            viewer.give(index, &source.frames[index], packet);
        }
        let out = check_decodable(&source.frames, &viewer, &lost);
        assert!(out.len() > 100);
        empty += viewer
            .out
            .values()
            .filter(|content| content.is_none())
            .count();
    }
    assert!(empty > 0, "some numbers were promised");
}

/// Run frames that are described past a viewer whose bounds change.
fn run_described(seed: u64, frames: &[Sent], bounds: &[(u8, u8)]) -> Viewer {
    let mut random = Seeded::new(seed);
    let mut viewer = Viewer::new(Codec::Av1 { profile: 0 });
    for (index, sent) in frames.iter().enumerate() {
        if random.chance(5) {
            let (spatial, temporal) = bounds[random.below(bounds.len() as u64) as usize];
            viewer
                .selector
                .set_spatial((spatial < 9).then_some(spatial));
            viewer
                .selector
                .set_temporal((temporal < 9).then_some(temporal));
        }
        let content = [0, 1, 2].map(|packet| viewer.give(index, sent, packet));
        assert!(content == [true; 3] || content == [false; 3]);
    }
    viewer
}

#[test]
fn described_temporal_layers_stay_decodable_over_random_bounds() {
    let frames = described(L1T3, &[0], &[3, 2, 3, 1], 2_000);
    for seed in 0..20 {
        let viewer = run_described(seed, &frames, &[(9, 0), (9, 1), (9, 2), (9, 9)]);
        let out = check_decodable(&frames, &viewer, &BTreeSet::new());
        assert!((600..1_950).contains(&out.len()), "{}", out.len());
        let numbers = viewer
            .rewritten
            .iter()
            .map(|(_, sent, _)| sent.sequence_number);
        assert!(
            numbers
                .zip(100..)
                .all(|(number, expected)| number == expected)
        );
        // Distances between frames are as they were.
        for (index, sent, _) in &viewer.rewritten {
            let number = (*index as u16).wrapping_sub(50);
            let first = viewer.rewritten[0].1.frame.frame_number;
            assert_eq!(
                sent.frame.frame_number.wrapping_sub(first),
                number.wrapping_add(50)
            );
        }
    }
}

#[test]
fn described_spatial_layers_stay_decodable_and_the_last_of_a_picture_is_marked() {
    let mut frames = Vec::new();
    // A key picture now and then, from which the upper layer can begin.
    for part in 0..20 {
        let mut group = described(L2T2_KEY, &[0, 3], &[2, 5, 1, 4], 90);
        for (index, sent) in group.iter_mut().enumerate() {
            let at = part * 90 + index;
            sent.first_sequence = 70_000 + at as u64 * PACKETS;
            sent.timestamp = sent.timestamp.wrapping_add(part as u32 * 300_000);
            sent.references
                .iter_mut()
                .for_each(|reference| *reference += part * 90);
        }
        frames.extend(group);
    }
    for seed in 0..20 {
        let viewer = run_described(seed, &frames, &[(0, 9), (9, 9), (1, 0), (0, 0)]);
        let out = check_decodable(&frames, &viewer, &BTreeSet::new());
        assert!((400..1_750).contains(&out.len()), "{}", out.len());
        let upper = out
            .iter()
            .filter(|index| frames[**index].spatial == 1)
            .count();
        assert!(upper > 50, "{upper}");
        // Where the upper layer is not sent, the lower one ends the picture.
        for (index, _, marker) in &viewer.rewritten {
            let ends_alone = frames[*index].spatial == 0 && *marker;
            if ends_alone {
                assert!(!out.contains(&(index + 1)) || frames[index + 1].spatial == 0);
            }
        }
    }
}

#[test]
fn without_bounds_everything_goes_out() {
    let frames = described(L2T2_KEY, &[0, 3], &[2, 5, 1, 4], 200);
    let viewer = run_described(1, &frames, &[(9, 9)]);
    assert_eq!(viewer.rewritten.len(), 600);
}

#[test]
fn a_switching_point_of_vp9_opens_every_layer_and_the_bound_of_size_waits_for_a_key_picture() {
    let mut selector = LayerSelector::new();
    selector.set_temporal(Some(0));
    selector.set_spatial(Some(0));
    selector.set_target(Some(0));
    let mut timestamp = 0;
    let mut give = |selector: &mut LayerSelector, first: u8, layers: u8| {
        let payload = [first, 0x12, layers, 0x00, 0x82];
        let frame = Frame::read(Codec::Vp9 { profile: 0 }, &payload, None, None);
        if layers >> 1 & 7 == 0 {
            timestamp += 3_000;
        }
        match selector.on_packet(0, frame.starts_key_frame) {
            Decision::Drop => Lot::Dropped,
            _ => selector.on_frame(timestamp, &frame, None),
        }
    };
    let (key, delta) = (0xa8, 0xe8);
    let layers =
        |temporal: u8, up: bool, spatial: u8| temporal << 5 | u8::from(up) << 4 | spatial << 1;
    assert_eq!(give(&mut selector, key, layers(0, false, 0)), Lot::Topmost);
    assert_eq!(give(&mut selector, key, layers(0, false, 1)), Lot::Dropped);
    assert_eq!(
        give(&mut selector, delta, layers(2, false, 0)),
        Lot::Dropped
    );
    assert_eq!(selector.needs_key_frame(), None);
    selector.set_temporal(None);
    selector.set_spatial(None);
    assert_eq!(give(&mut selector, delta, layers(2, true, 0)), Lot::Dropped);
    assert_eq!(
        (selector.needs_key_frame(), selector.wants_key_frame()),
        (Some(0), None),
        "for the larger size alone"
    );
    assert_eq!(give(&mut selector, delta, layers(0, true, 0)), Lot::Topmost);
    assert_eq!(give(&mut selector, delta, layers(0, true, 1)), Lot::Dropped);
    assert_eq!(
        give(&mut selector, delta, layers(2, false, 0)),
        Lot::Topmost
    );
    assert_eq!(
        give(&mut selector, key, layers(0, false, 0)),
        Lot::Forwarded
    );
    assert_eq!(
        give(&mut selector, key, layers(0, false, 1)),
        Lot::Forwarded
    );
    assert_eq!(
        give(&mut selector, delta, layers(0, false, 0)),
        Lot::Forwarded
    );
    assert_eq!(
        (selector.needs_key_frame(), selector.spatial()),
        (None, None)
    );
    selector.set_spatial(Some(0));
    assert_eq!(
        give(&mut selector, delta, layers(0, false, 1)),
        Lot::Forwarded,
        "the picture was begun with it"
    );
    assert_eq!(
        give(&mut selector, delta, layers(1, false, 0)),
        Lot::Topmost
    );
    assert_eq!(
        give(&mut selector, delta, layers(1, false, 1)),
        Lot::Dropped
    );
}

#[test]
fn more_spatial_layers_need_a_key_frame_and_fewer_do_not() {
    let frames = described(L2T2_KEY, &[0, 3], &[2, 5, 1, 4], 80);
    let mut viewer = Viewer::new(Codec::Av1 { profile: 0 });
    viewer.selector.set_spatial(Some(0));
    let mut needed = Vec::new();
    for (index, sent) in frames.iter().enumerate() {
        match index {
            20 => viewer.selector.set_spatial(None),
            40 => viewer.selector.set_spatial(Some(0)),
            60 => viewer.selector.set_spatial(Some(1)),
            _ => {}
        }
        (0..PACKETS).for_each(|packet| {
            viewer.give(index, sent, packet);
        });
        needed.push(viewer.selector.needs_key_frame().is_some());
        assert_eq!(viewer.selector.spatial(), Some(0));
    }
    let expected: Vec<bool> = (0..80).map(|at| at / 20 % 2 == 1).collect();
    assert_eq!(needed, expected);
}
