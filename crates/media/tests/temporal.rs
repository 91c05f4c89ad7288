//! Temporal layers of a stream for a subscriber whose path does not carry all of them: real keys, a path in memory.

#![allow(clippy::unwrap_used)]

mod client;
mod path;

use client::Section;
use media::{Command, Event, ForwardedTrack, Reason};
use path::World;
use protocol::PeerId;

/// Of 30 frames in a second.
const BITRATE: usize = 500_000;

/// A frame as the subscriber got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    at_ms: u64,
    picture_id: u16,
    tl0: u8,
    temporal: u8,
    is_sync: bool,
    is_key_frame: bool,
}

/// What came, frame by frame.
fn frames(world: &World) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for (at_ms, payload) in &world.payloads {
        let frame = Frame {
            at_ms: *at_ms,
            picture_id: u16::from_be_bytes([payload[2] & 0x7F, payload[3]]),
            tl0: payload[4],
            temporal: payload[5] >> 6,
            is_sync: payload[5] & 0x20 != 0,
            is_key_frame: payload[6] & 1 == 0,
        };
        let is_begun = |last: &Frame| last.picture_id == frame.picture_id;
        if !frames.last().is_some_and(is_begun) {
            assert_eq!(payload[0] & 0x10, 0x10, "a frame has its beginning");
            frames.push(frame);
        }
    }
    frames
}

/// Each frame comes with what it leans on, under numbers without a gap.
fn check_decodable(frames: &[Frame]) {
    // Whether the last frames of the middle and the lowest layer are of the present group of four.
    let mut has_middle = false;
    for pair in frames.windows(2) {
        let (before, frame) = (pair[0], pair[1]);
        let step = frame.picture_id.wrapping_sub(before.picture_id) & 0x7FFF;
        assert_eq!(step, 1, "{before:?} {frame:?}");
        let tl0_step = frame.tl0.wrapping_sub(before.tl0);
        assert_eq!(
            tl0_step,
            u8::from(frame.temporal == 0),
            "{before:?} {frame:?}"
        );
        match frame.temporal {
            0 => has_middle = false,
            1 => has_middle = true,
            _ => assert!(
                frame.is_sync || has_middle,
                "{frame:?} leans on a frame that is not there"
            ),
        }
    }
}

/// How many frames of each temporal layer came in a second, since some time.
fn rates(frames: &[Frame], since_ms: u64, until_ms: u64) -> [u64; 3] {
    let mut counts = [0; 3];
    for frame in frames
        .iter()
        .filter(|frame| (since_ms..until_ms).contains(&frame.at_ms))
    {
        counts[usize::from(frame.temporal)] += 1;
    }
    counts.map(|count| count * 1_000 / (until_ms - since_ms))
}

fn forwarded(world: &mut World) -> ForwardedTrack {
    let peer = PeerId::from_bits(2);
    world
        .engine
        .handle_command(world.now, Command::Explain { request: 1, peer });
    let told = std::iter::from_fn(|| world.engine.poll_event()).find_map(|event| match event {
        Event::Explained { forwarding, .. } => forwarding,
        _ => None,
    });
    told.unwrap().tracks.remove(0)
}

#[test]
fn behind_a_narrow_path_there_are_fewer_frames_and_with_room_for_them_all_again_without_a_key_frame()
 {
    let mut world = World::new(Section::ReceiveVideoWithFeedback, 3e6);
    world.has_temporal_layers = true;
    world.run(4, BITRATE);
    let wide = forwarded(&mut world);
    assert_eq!((wide.temporal, wide.reason), (None, Reason::OnlyOne));
    // 40 and 60 % of the bits.
    let lower = &wide.layers[0].temporal_bps;
    assert!((170_000..240_000).contains(&lower[0]), "{lower:?}");
    assert!((260_000..340_000).contains(&lower[1]), "{lower:?}");
    let asked = world.engine.statistics().outbound_key_frame_requests;

    world.bytes_per_ms = 400e3 / 8_000.0;
    world.run(8, BITRATE);
    let narrow = forwarded(&mut world);
    assert!(matches!(narrow.temporal, Some(0 | 1)), "{narrow:?}");
    assert_eq!(narrow.reason, Reason::Bandwidth);
    assert_eq!((narrow.layer, narrow.target), (Some(0), Some(0)));
    let all = frames(&world);
    let few = rates(&all, 8_000, 12_000);
    assert!((6..=8).contains(&few[0]) && few[2] == 0, "{few:?}");

    world.bytes_per_ms = 3e6 / 8_000.0;
    world.run(15, BITRATE);
    let again = forwarded(&mut world);
    assert_eq!((again.temporal, again.reason), (None, Reason::OnlyOne));
    let all = frames(&world);
    let full = rates(&all, 25_000, 27_000);
    assert_eq!(full.iter().sum::<u64>().min(29), 29, "{full:?}");
    check_decodable(&all);
    let statistics = world.engine.statistics();
    assert_eq!(world.gaps(), 0);
    assert_eq!(statistics.paths.pictures_broken_off, 0);
    assert_eq!(statistics.outbound_key_frame_requests, asked);
    assert_eq!(all.iter().filter(|frame| frame.is_key_frame).count(), 1);
}
