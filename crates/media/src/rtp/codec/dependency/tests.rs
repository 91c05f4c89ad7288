//! Descriptors as encoders write them, read back; and what no encoder writes.

use super::*;
use crate::rtp::seeded::Seeded;

/// Writes bits, the highest first.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    used: usize,
}

impl Writer {
    fn bits(&mut self, count: u32, value: u32) {
        for bit in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.len() - 1;
            self.bytes[last] |= ((value >> bit & 1) as u8) << (7 - self.used % 8);
            self.used += 1;
        }
    }

    fn below(&mut self, bound: u32, value: u32) {
        let width = bound.ilog2() + 1;
        let short = (1 << width) - bound;
        if value < short {
            self.bits(width - 1, value);
        } else {
            self.bits(width, value + short);
        }
    }
}

/// A template: spatial layer, temporal layer, one letter for each decode target as in the specification's
/// examples, the distances to the frames it leans on.
pub(crate) type Example = (u8, u8, &'static str, &'static [u32]);

/// Three temporal layers (L1T3).
pub(crate) const L1T3: &[Example] = &[
    (0, 0, "SSS", &[]),
    (0, 0, "SSS", &[4]),
    (0, 1, "-DS", &[2]),
    (0, 2, "--D", &[1]),
];

/// Two spatial layers with two temporal ones each, of which the upper leans on the lower in key pictures only
/// (L2T2_KEY).
pub(crate) const L2T2_KEY: &[Example] = &[
    (0, 0, "SSSS", &[]),
    (0, 0, "SS--", &[4]),
    (0, 1, "-D--", &[2]),
    (1, 0, "--SS", &[1]),
    (1, 0, "--SS", &[4]),
    (1, 1, "---D", &[2]),
];

fn indication(letter: char) -> u32 {
    match letter {
        '-' => 0,
        'D' => 1,
        'S' => 2,
        _ => 3,
    }
}

const ID_OFFSET: u32 = 60;

fn write_structure(out: &mut Writer, templates: &[Example]) {
    let targets = templates[0].2.len() as u32;
    out.bits(6, ID_OFFSET);
    out.bits(5, targets - 1);
    for pair in templates.windows(2) {
        out.bits(
            2,
            match (pair[1].0 > pair[0].0, pair[1].1 > pair[0].1) {
                (true, _) => 2,
                (false, true) => 1,
                (false, false) => 0,
            },
        );
    }
    out.bits(2, 3);
    for (_, _, letters, _) in templates {
        letters
            .chars()
            .for_each(|letter| out.bits(2, indication(letter)));
    }
    for (_, _, _, distances) in templates {
        for distance in *distances {
            out.bits(1, 1);
            out.bits(4, distance - 1);
        }
        out.bits(1, 0);
    }
    // One chain, which protects every target.
    out.below(targets + 1, 1);
    (0..targets).for_each(|_| out.below(1, 0));
    templates.iter().for_each(|_| out.bits(4, 1));
    let spatial_layers = templates.iter().map(|template| template.0).max();
    out.bits(1, 1);
    (0..=spatial_layers.unwrap_or(0)).for_each(|_| out.bits(32, 0x04ff_02cf));
}

/// A descriptor of a whole frame in one packet, after the template with this index.
pub(crate) fn descriptor(
    templates: &[Example],
    template: usize,
    frame_number: u16,
    with_structure: bool,
) -> Vec<u8> {
    let mut out = Writer::default();
    out.bits(2, 3);
    out.bits(6, (template as u32 + ID_OFFSET) % 64);
    out.bits(16, frame_number.into());
    if with_structure {
        out.bits(5, 0b10000);
        write_structure(&mut out, templates);
    }
    out.bytes
}

#[test]
fn a_structure_is_read_with_its_targets_and_then_frames_after_it() {
    let key = descriptor(L2T2_KEY, 0, 0x1234, true);
    let known = structure(&key).expect("has one");
    assert_eq!(known.targets, [(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(frame_number(&key), Some(0x1234));
    let read_key = read(&key, None).expect("brings its structure");
    assert_eq!((read_key.spatial, read_key.temporal), (0, 0));
    assert_eq!(read_key.indications.of(3), Indication::Switch);
    for (index, (spatial, temporal, letters, _)) in L2T2_KEY.iter().enumerate() {
        let bytes = descriptor(L2T2_KEY, index, 7, false);
        assert_eq!(structure(&bytes), None);
        assert_eq!(read(&bytes, None), None, "without a structure");
        let frame = read(&bytes, Some(&known)).expect("whole");
        assert_eq!((frame.spatial, frame.temporal), (*spatial, *temporal));
        assert!(frame.starts_frame && frame.ends_frame);
        for (target, letter) in letters.chars().enumerate() {
            let value = frame.indications.0 >> (2 * target) & 3;
            assert_eq!(value as u32, indication(letter), "{index} {target}");
        }
    }
}

#[test]
fn the_target_within_bounds_is_the_best_there_is() {
    let known = structure(&descriptor(L2T2_KEY, 0, 1, true)).expect("has one");
    for (spatial, temporal, target) in [
        (0, 0, 0),
        (0, 9, 1),
        (1, 0, 2),
        (u8::MAX, u8::MAX, 3),
        (1, 1, 3),
    ] {
        assert_eq!(known.target_within(spatial, temporal), Some(target));
    }
    assert_eq!((known.spatial_of(1), known.spatial_of(2)), (0, 1));
}

#[test]
fn the_frames_own_indications_take_the_place_of_the_templates() {
    let known = structure(&descriptor(L1T3, 0, 1, true)).expect("has one");
    let mut out = Writer::default();
    out.bits(2, 1);
    out.bits(6, ID_OFFSET + 2);
    out.bits(16, 9);
    // Active decode targets and indications of its own.
    out.bits(5, 0b01100);
    out.bits(3, 0b011);
    for value in [0, 2, 3] {
        out.bits(2, value);
    }
    let frame = read(&out.bytes, Some(&known)).expect("whole");
    assert_eq!(
        [0, 1, 2].map(|target| frame.indications.of(target)),
        [
            Indication::NotPresent,
            Indication::Switch,
            Indication::Required
        ]
    );
    assert!(!frame.starts_frame && frame.ends_frame && frame.temporal == 1);
}

#[test]
fn a_frame_number_is_written_where_it_is_read() {
    let before = descriptor(L1T3, 0, 1, true);
    let after = Renumbered::new(&before, 0xabcd);
    assert_eq!(frame_number(after.bytes()), Some(0xabcd));
    assert_eq!(after.bytes()[0], before[0]);
    assert_eq!(after.bytes()[3..], before[3..]);
    let cut_off = Renumbered::new(&before[..2], 9);
    assert_eq!(cut_off.bytes(), &before[..2]);
}

#[test]
fn what_is_cut_off_or_random_is_refused_without_a_panic() {
    let key = descriptor(L2T2_KEY, 0, 1, true);
    let known = structure(&key).expect("has one");
    for length in 4..key.len() {
        assert_eq!(structure(&key[..length]), None, "{length}");
    }
    let unknown = descriptor(L2T2_KEY, 20, 1, false);
    assert_eq!(read(&unknown, Some(&known)), None, "no such template");
    let mut random = Seeded::new(12);
    let mut told = 0;
    for _ in 0..200_000 {
        let bytes = random.mutate(&key);
        if let Some(structure) = structure(&bytes) {
            assert!(structure.templates.len() <= TEMPLATES && structure.targets.len() <= TARGETS);
            told += 1;
        }
        read(&bytes, Some(&known));
    }
    assert!(told > 10_000, "{told}");
}
