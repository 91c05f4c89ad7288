//! The rewriter's conversations: packets in, exact numbers out.

use std::time::Duration;

use super::*;
use crate::rtp::codec::PictureId;

pub(super) const FIRST_SEQUENCE: u16 = 65_000;
pub(super) const FIRST_TIMESTAMP: u32 = 4_000_000_000;
pub(super) const VIDEO: u32 = 90_000;

#[allow(clippy::disallowed_methods, reason = "any moment will do")]
pub(super) fn start() -> Instant {
    crate::test_time::start()
}

/// To a source whose clock is that of the track.
pub(super) fn to(source: u8) -> Switch {
    Switch {
        source,
        to_track: 0,
        newest: None,
    }
}

/// A rewriter with a clock, to be spoken to in short sentences.
struct Desk {
    rewriter: Rewriter,
    now: Instant,
}

impl Desk {
    fn new() -> Self {
        let mut rewriter = Rewriter::new(FIRST_SEQUENCE, FIRST_TIMESTAMP, VIDEO);
        rewriter.switch(to(0));
        Self {
            rewriter,
            now: start(),
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }

    fn give(&mut self, source: u8, sequence: u64, timestamp: u32) -> Option<Rewritten> {
        let rewritten = self.rewriter.rewrite(
            source,
            Incoming {
                sequence,
                timestamp,
                arrival: self.now,
            },
            &NONE,
        );
        self.rewriter.runs.check_invariants();
        rewritten
    }

    /// The outbound sequence number, counted from the first.
    fn number(&mut self, source: u8, sequence: u64) -> Option<u16> {
        self.give(source, sequence, 0)
            .map(|rewritten| rewritten.sequence_number.wrapping_sub(FIRST_SEQUENCE))
    }

    fn skip(&mut self, source: u8, sequence: u64) -> bool {
        let closed = self.rewriter.skip(source, sequence, &NONE);
        self.rewriter.runs.check_invariants();
        closed
    }

    fn source_of(&self, number: u16) -> Option<(u8, u64)> {
        self.rewriter.source_of(FIRST_SEQUENCE.wrapping_add(number))
    }

    fn picture(&mut self, source: u8, sequence: u64, descriptor: &FrameNumbers) -> (u16, u8) {
        let incoming = Incoming {
            sequence,
            timestamp: 0,
            arrival: self.now,
        };
        let numbers = self
            .rewriter
            .rewrite(source, incoming, descriptor)
            .expect("forwarded")
            .frame;
        (numbers.picture_id, numbers.tl0_picture_index)
    }
}

/// A frame without numbers of its own.
pub(super) const NONE: FrameNumbers = FrameNumbers {
    picture_id: None,
    tl0_picture_index: None,
    frame_number: None,
    closes_gaps: false,
};

/// A frame of VP8.
pub(super) fn frame(picture_id: u16, tl0: u8) -> FrameNumbers {
    numbered(picture_id, 0x7fff, tl0)
}

fn short_frame(picture_id: u8, tl0: u8) -> FrameNumbers {
    numbered(picture_id.into(), 0x7f, tl0)
}

fn numbered(value: u16, mask: u16, tl0: u8) -> FrameNumbers {
    FrameNumbers {
        picture_id: Some(PictureId { value, mask }),
        tl0_picture_index: Some(tl0),
        frame_number: None,
        closes_gaps: true,
    }
}

#[test]
fn the_first_packet_gets_the_first_numbers() {
    let mut desk = Desk::new();
    let expected = Rewritten {
        sequence_number: FIRST_SEQUENCE,
        timestamp: FIRST_TIMESTAMP,
        frame: Numbers::default(),
    };
    assert_eq!(desk.give(0, 70_000, 123), Some(expected));
}

#[test]
fn nothing_is_forwarded_before_the_first_switch() {
    let mut rewriter = Rewriter::new(1, 2, VIDEO);
    assert_eq!(
        rewriter.rewrite(
            0,
            Incoming {
                sequence: 70_000,
                timestamp: 0,
                arrival: start()
            },
            &NONE
        ),
        None
    );
    assert!(rewriter.skip(0, 70_001, &NONE));
    assert_eq!(rewriter.source_of(1), None);
    assert_eq!(rewriter.timestamp(0, 0), None);
}

#[test]
fn a_late_packet_finds_its_place_kept_and_a_duplicate_its_own() {
    let mut desk = Desk::new();
    assert_eq!(desk.number(0, 100), Some(0));
    assert_eq!(desk.number(0, 103), Some(3));
    assert_eq!(desk.number(0, 101), Some(1));
    assert_eq!(desk.number(0, 103), Some(3));
    assert_eq!(desk.number(0, 102), Some(2));
    assert_eq!(desk.number(0, 104), Some(4));
}

#[test]
fn what_was_sent_before_the_switch_and_what_others_send_is_refused() {
    let mut desk = Desk::new();
    desk.number(0, 100);
    assert_eq!(desk.number(0, 99), None);
    assert_eq!(desk.number(1, 101), None);
    desk.rewriter.switch(to(1));
    assert_eq!(desk.number(0, 101), None, "the switch is asked for");
    assert_eq!(desk.number(1, 5_000), Some(1));
    assert_eq!(desk.number(1, 4_999), None);
    assert_eq!(desk.number(0, 101), None);
}

#[test]
fn a_break_in_one_source_leaves_no_gap() {
    let mut desk = Desk::new();
    desk.number(0, 100);
    desk.number(0, 101);
    desk.rewriter.switch(to(0));
    assert_eq!(desk.number(0, 900), Some(2));
    assert_eq!(desk.number(0, 102), None, "from before the break");
    assert_eq!(desk.number(0, 101), None);
}

#[test]
fn a_packet_later_than_the_history_is_refused() {
    let mut desk = Desk::new();
    desk.number(0, 10_000);
    desk.number(0, 10_002 + 1_023);
    assert_eq!(desk.number(0, 10_002), Some(2));
    assert_eq!(desk.number(0, 10_001), None);
}

#[test]
fn numbers_close_over_skipped_packets() {
    let mut desk = Desk::new();
    desk.number(0, 100);
    assert!(desk.skip(0, 101) && desk.skip(0, 102));
    assert_eq!(desk.number(0, 103), Some(1));
    assert_eq!(desk.number(0, 101), None, "it has no number");
    assert!(desk.skip(0, 101), "nor is it missing one");
    assert!(desk.skip(0, 105));
    assert_eq!(desk.number(0, 106), Some(3), "104 may still come");
    assert_eq!(desk.number(0, 104), Some(2));
    assert_eq!(
        [0, 1, 2, 3, 4].map(|number| desk.source_of(number)),
        [
            Some((0, 100)),
            Some((0, 103)),
            Some((0, 104)),
            Some((0, 106)),
            None
        ]
    );
}

#[test]
fn a_late_skip_closes_while_nothing_later_is_out() {
    let mut desk = Desk::new();
    desk.number(0, 100);
    for sequence in [104, 102, 103, 107, 105] {
        assert!(desk.skip(0, sequence));
    }
    assert_eq!(desk.number(0, 108), Some(3), "101 and 106 may still come");
    assert_eq!(desk.number(0, 106), Some(2));
    assert_eq!(desk.number(0, 101), Some(1));
}

#[test]
fn a_promised_number_cannot_be_skipped() {
    let mut desk = Desk::new();
    desk.number(0, 100);
    desk.number(0, 102);
    assert!(!desk.skip(0, 101));
    assert!(!desk.skip(0, 102));
    assert_eq!(desk.source_of(1), Some((0, 101)));
    assert_eq!(desk.number(0, 101), Some(1));
    assert_eq!(desk.number(0, 103), Some(3));
}

#[test]
fn skips_at_the_end_of_a_source_do_not_reach_into_the_next() {
    let mut desk = Desk::new();
    desk.number(0, 100);
    desk.skip(0, 103);
    desk.skip(0, 105);
    desk.rewriter.switch(to(1));
    assert!(desk.skip(1, 70_000), "before its first packet");
    assert_eq!(desk.number(1, 70_001), Some(1));
    assert!(desk.skip(0, 106));
    assert_eq!(desk.number(1, 70_002), Some(2));
    assert_eq!(desk.source_of(1), Some((1, 70_001)));
}

#[test]
fn once_a_switch_is_asked_for_the_old_source_is_over() {
    let mut desk = Desk::new();
    desk.number(0, 100);
    desk.number(0, 102);
    assert!(desk.rewriter.timestamp(0, 0).is_some());
    desk.rewriter.switch(to(1));
    assert!(
        desk.skip(0, 101),
        "nobody is to forward it because its number is promised"
    );
    assert_eq!(desk.rewriter.timestamp(0, 0), None);
    assert_eq!(desk.rewriter.timestamp(1, 0), None, "not known yet");
}

#[test]
fn the_memory_of_skips_is_bounded() {
    let mut desk = Desk::new();
    for sequence in 0..1_000 {
        let sequence = 70_000 + sequence * 2;
        desk.number(0, sequence);
        assert!(desk.skip(0, sequence + 1));
    }
    assert_eq!(desk.source_of(999), Some((0, 71_998)));
    assert_eq!(
        desk.source_of(937),
        Some((0, 71_874)),
        "the oldest of 63 closed runs"
    );
    assert_eq!(desk.source_of(936), None);
    assert_eq!(desk.number(0, 71_872), None);
    assert_eq!(desk.number(0, 71_874), Some(937));
}

#[test]
fn only_numbers_that_went_out_have_a_source() {
    let mut desk = Desk::new();
    assert_eq!(desk.source_of(0), None);
    desk.number(0, 10_000);
    assert_eq!(desk.source_of(0), Some((0, 10_000)));
    assert_eq!(desk.source_of(1), None);
    assert_eq!(desk.source_of(u16::MAX), None);
    desk.number(0, 11_024);
    assert_eq!(desk.source_of(0), None, "too old");
    assert_eq!(
        desk.source_of(1),
        Some((0, 10_001)),
        "lost on its way in: the receiver may still want it"
    );
}

#[test]
fn a_packet_sent_again_is_the_one_that_was_sent() {
    let mut desk = Desk::new();
    let mut sent = Vec::new();
    for (source, sequence, timestamp, picture) in [
        (0, 100, 5_000, frame(7, 1)),
        (0, 101, 8_000, frame(8, 2)),
        (1, 70_000, 9, frame(900, 77)),
    ] {
        desk.wait(33);
        desk.rewriter.switch(to(source));
        let incoming = Incoming {
            sequence,
            timestamp,
            arrival: desk.now,
        };
        let rewritten = desk
            .rewriter
            .rewrite(source, incoming, &picture)
            .expect("forwarded");
        sent.push((source, sequence, timestamp, picture, rewritten));
    }
    for (source, sequence, timestamp, picture, rewritten) in sent {
        assert_eq!(
            desk.rewriter.source_of(rewritten.sequence_number),
            Some((source, sequence))
        );
        let again = desk
            .rewriter
            .again(rewritten.sequence_number, timestamp, &picture);
        assert_eq!(again, Some(rewritten));
    }
    assert_eq!(
        desk.rewriter
            .again(FIRST_SEQUENCE.wrapping_add(3), 0, &NONE),
        None
    );
}

/// How far the outbound timestamp goes when the second of two packets arrives so much later, from another source.
fn advance(milliseconds: u64, to_track: u32, timestamps: [u32; 2]) -> u32 {
    let mut desk = Desk::new();
    let before = desk
        .give(0, 100, timestamps[0])
        .expect("forwarded")
        .timestamp;
    desk.wait(milliseconds);
    desk.rewriter.switch(Switch { to_track, ..to(1) });
    let after = desk
        .give(1, 9_000, timestamps[1])
        .expect("forwarded")
        .timestamp;
    assert_eq!(desk.rewriter.timestamp(0, 0), None);
    after.wrapping_sub(before)
}

#[test]
fn a_switch_is_exact_where_the_sources_are_aligned() {
    // 5,000,000 of the new source is 2,000 of the track, which is that of the old.
    let to_track = 2_000_u32.wrapping_sub(5_000_000);
    assert_eq!(advance(50, to_track, [1_000, 5_000_000]), 1_000);
    assert_eq!(advance(50, to_track, [1_000, 5_006_000]), 7_000);
}

#[test]
fn the_same_moment_of_both_sources_is_one_tick_later_and_nothing_stays_of_it() {
    let mut desk = Desk::new();
    for (old, new) in [(2_000, 2_000), (5_000, 2_000)] {
        let before = desk.give(0, 100, old).expect("forwarded").timestamp;
        let moment = desk.rewriter.timestamp(0, old).expect("forwarded");
        desk.rewriter.switch(to(1));
        let first = desk.give(1, 9_000, new).expect("forwarded").timestamp;
        let second = desk
            .give(1, 9_001, new + 3_000)
            .expect("forwarded")
            .timestamp;
        assert!(
            first.wrapping_sub(before) <= 3,
            "{}",
            first.wrapping_sub(before)
        );
        assert!(second.wrapping_sub(first) as i32 > 0);
        let third = desk
            .give(1, 9_002, new + 6_000)
            .expect("forwarded")
            .timestamp;
        assert_eq!(third.wrapping_sub(moment), new + 6_000 - old);
        desk = Desk::new();
    }
}

#[test]
fn a_claimed_time_against_the_clock_is_not_believed() {
    assert_eq!(advance(50, 0, [1_000, 4_000_000_000]), 4_500);
    assert_eq!(advance(50, 0, [1_000, 5_000_000]), 4_500);
    assert_eq!(advance(50, 0, [5_000_000, 1_000]), 4_500);
    assert_eq!(advance(5_000, 0, [1_000, 2_000]), 450_000);
    assert_eq!(
        advance(0, 0, [1_000, 4_000_000_000]),
        1,
        "two frames have two timestamps"
    );
    assert_eq!(
        advance(100_000_000, 0, [1_000, 5]),
        i32::MAX as u32,
        "further would read as a step back"
    );
}

#[test]
fn after_a_claim_that_is_not_believed_the_track_has_another_clock() {
    let mut desk = Desk::new();
    desk.give(0, 100, 1_000);
    desk.wait(50);
    let to_track = 700_000_000;
    desk.rewriter.switch(Switch { to_track, ..to(1) });
    let first = desk.give(1, 500, 9).expect("forwarded").timestamp;
    desk.wait(40);
    desk.rewriter.switch(to(2));
    let same_clock = desk.give(2, 900, 700_000_009 + 3_000).expect("forwarded");
    assert_eq!(same_clock.timestamp.wrapping_sub(first), 3_000);
}

#[test]
fn a_first_picture_from_what_was_kept_is_drawn_together_up_to_the_present() {
    let mut desk = Desk::new();
    let key = 4_000_000_u32;
    desk.rewriter.switch(Switch {
        newest: Some(key + 90_000),
        ..to(0)
    });
    let out: Vec<u32> = (0..=31)
        .map(|frame| desk.give(0, 100 + u64::from(frame), key + frame * 3_000))
        .map(|sent| sent.expect("forwarded").timestamp)
        .collect();
    assert_eq!(out[0], FIRST_TIMESTAMP);
    assert!(out.is_sorted_by(|a, b| a < b));
    assert_eq!(out[30] - out[0], 90_000 / 32);
    assert_eq!(out[31] - out[30], 3_000, "from then on as it comes");
    assert_eq!(desk.rewriter.timestamp(0, key + 90_000), Some(out[30]));
    let again = desk
        .rewriter
        .again(FIRST_SEQUENCE.wrapping_add(3), key + 9_000, &NONE);
    assert_eq!(again.expect("remembered").timestamp, out[3]);
    assert_eq!(
        desk.give(0, 103, key + 9_000).expect("a copy").timestamp,
        out[3]
    );
}

#[test]
fn a_source_is_aligned_with_itself() {
    let mut desk = Desk::new();
    let before = desk.give(0, 100, 1_000).expect("forwarded").timestamp;
    desk.wait(2_000);
    desk.rewriter.switch(to(0));
    let after = desk
        .give(0, 300, 1_000 + 180_123)
        .expect("forwarded")
        .timestamp;
    assert_eq!(after.wrapping_sub(before), 180_123);
}

#[test]
fn time_is_counted_from_the_first_packet_of_the_newest_frame() {
    let mut desk = Desk::new();
    desk.give(0, 100, 1_000);
    desk.wait(30);
    let newest = desk.give(0, 102, 3_700).expect("forwarded").timestamp;
    desk.wait(10);
    desk.give(0, 103, 3_700);
    desk.give(0, 101, 1_000);
    desk.wait(10);
    desk.rewriter.switch(to(1));
    let strange = 2_000_000_000;
    let after = desk.give(1, 500, strange).expect("forwarded").timestamp;
    assert_eq!(after.wrapping_sub(newest), 1_800);
}

#[test]
fn picture_numbers_go_on_across_a_switch_and_their_wraps() {
    let mut desk = Desk::new();
    assert_eq!(desk.picture(0, 100, &frame(0x7ffe, 254)), (0x7ffe, 254));
    assert_eq!(desk.picture(0, 102, &frame(0x7fff, 255)), (0x7fff, 255));
    assert_eq!(desk.picture(0, 101, &frame(0x7ffe, 254)), (0x7ffe, 254));
    desk.rewriter.switch(to(1));
    assert_eq!(desk.picture(1, 500, &frame(33, 9)), (0, 0));
    assert_eq!(desk.picture(1, 501, &frame(34, 9)), (1, 0));
    desk.rewriter.switch(to(0));
    assert_eq!(desk.picture(0, 900, &frame(0x7fff, 3)), (2, 1));
    assert_eq!(desk.picture(0, 901, &frame(0, 4)), (3, 2));
}

#[test]
fn picture_numbers_of_7_bits_go_on_in_7_bits() {
    let mut desk = Desk::new();
    assert_eq!(desk.picture(0, 100, &frame(300, 1)), (300, 1));
    desk.rewriter.switch(to(1));
    assert_eq!(desk.picture(1, 500, &short_frame(120, 5)), (301 & 0x7f, 2));
    for step in 1..200 {
        let expected = ((301 + step) & 0x7f, 2);
        assert_eq!(
            desk.picture(
                1,
                500 + u64::from(step),
                &short_frame((120 + step) as u8 & 0x7f, 5)
            ),
            expected
        );
    }
    desk.rewriter.switch(to(0));
    assert_eq!(
        desk.picture(0, 900, &frame(7, 1)),
        (((301 + 199) & 0x7f) + 1, 3)
    );
}

#[test]
fn picture_ids_close_over_skipped_frames_once_for_each() {
    let mut desk = Desk::new();
    desk.picture(0, 100, &frame(10, 1));
    // Frame 12 in two packets and the last packet of frame 11, out of order.
    for (sequence, picture_id) in [(104, 12), (103, 12), (102, 11)] {
        assert!(desk.rewriter.skip(0, sequence, &frame(picture_id, 1)));
        desk.rewriter.runs.check_invariants();
    }
    assert_eq!(desk.picture(0, 105, &frame(13, 2)), (11, 2));
    assert_eq!(desk.source_of(2), Some((0, 105)));
    assert!(
        desk.rewriter.skip(0, 106, &NONE),
        "a packet of padding has no picture"
    );
    assert_eq!(desk.picture(0, 107, &frame(14, 3)), (12, 3));
    assert_eq!(
        desk.picture(0, 101, &frame(10, 1)),
        (10, 1),
        "a late packet gets its own frame's"
    );
}

#[test]
fn the_rest_of_a_frame_that_began_to_go_out_takes_no_picture_id_along() {
    let mut desk = Desk::new();
    desk.picture(0, 100, &frame(10, 1));
    assert!(desk.rewriter.skip(0, 101, &frame(10, 1)));
    assert_eq!(desk.picture(0, 102, &frame(11, 2)), (11, 2));
}
