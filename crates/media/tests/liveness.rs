//! No picture stands still for good: whatever became of packets, feedback, requests, paths and the engine's own turns,
//! each goes on when that is over; and behind a path that is too narrow for all of them each still goes on now and then.

#![allow(clippy::unwrap_used)]

mod classroom;
mod client;
mod path;

use classroom::publisher::Encoding;
use classroom::{CALM, Classroom, Weather};

/// 120 and 480 kbit/s.
const USUAL: Encoding = Encoding {
    layers: &[(450, 3_000), (1_800, 14_000)],
};
/// A lowest layer of 500 kbit/s.
const LARGE: Encoding = Encoding {
    layers: &[(1_900, 12_000), (5_600, 40_000)],
};
/// One layer of 1 Mbit/s, and key frames that take 2.5 seconds of 480 kbit/s.
const SCREEN: Encoding = Encoding {
    layers: &[(3_800, 150_000)],
};

/// The longest standstill of each picture between then and now.
fn standstills(room: &Classroom, from_ms: u64) -> Vec<Vec<u64>> {
    let screens = room.viewers.iter().map(|viewer| {
        let screens = viewer.screens.values();
        screens
            .map(|screen| screen.longest_standstill(from_ms, room.ms))
            .collect()
    });
    screens.collect()
}

/// Bad weather of any kind, for some time each.
fn storm(room: &mut Classroom, seconds: u64) {
    const SIZES: [Option<(u16, u16)>; 4] =
        [None, Some((320, 180)), Some((1280, 720)), Some((640, 360))];
    for _ in 0..seconds * 2 {
        let random = &mut room.random;
        room.weather = Weather {
            turn_ms: random.one_of(&[5, 50, 300, 1_000, 4_000]),
            inbound_loss: random.one_of(&[0, 0, 2, 20, 60]),
            outbound_loss: random.one_of(&[0, 0, 2, 20, 60]),
            feedback_loss: random.one_of(&[0, 0, 10, 50, 100]),
            path_kbps: random.one_of(&[60, 300, 600, 2_000, 20_000]),
            page_ms: random.one_of(&[100, 3_000]),
        };
        if random.chance(30) {
            let percent = random.one_of(&[0, 30, 60, 100]) as u8;
            room.shed(percent);
        }
        for viewer in 0..room.viewers.len() {
            let track = room.random.below(room.publishers.len() as u64) as usize;
            let size = SIZES[room.random.below(4) as usize];
            room.show(viewer, track, size);
        }
        room.run(500);
    }
}

#[test]
fn after_any_trouble_each_picture_goes_on() {
    for seed in 0..24 {
        let mut room = Classroom::new(seed, 3, 2, USUAL);
        room.run(2_000);
        storm(&mut room, 12);
        room.weather = CALM;
        room.shed(0);
        for viewer in 0..2 {
            for track in 0..3 {
                room.show(viewer, track, Some((640, 360)));
            }
        }
        room.run(12_000);
        let all = standstills(&room, room.ms - 4_000);
        for viewer in all {
            assert_eq!(viewer.len(), 3, "seed {seed}");
            assert!(
                viewer.iter().all(|ms| *ms < 1_000),
                "seed {seed}: {viewer:?}"
            );
        }
    }
}

#[test]
fn behind_a_path_too_narrow_for_all_each_picture_goes_on_now_and_then() {
    for seed in 0..3 {
        let mut room = Classroom::new(seed, 5, 1, LARGE);
        room.run(1_000);
        room.weather.path_kbps = 500;
        room.run(60_000);
        let all = standstills(&room, 10_000);
        assert_eq!(all[0].len(), 5);
        assert!(all[0].iter().all(|ms| *ms < 8_000), "seed {seed}: {all:?}");
    }
}

#[test]
fn a_key_frame_that_takes_longer_than_others_may_wait_is_finished() {
    let mut room = Classroom::new(1, 1, 1, SCREEN);
    room.run(1_000);
    room.weather.path_kbps = 500;
    room.run(60_000);
    let all = standstills(&room, 10_000);
    assert!(all[0].iter().all(|ms| *ms < 8_000), "{all:?}");
}

#[test]
fn a_viewer_whose_picture_broke_is_heard_while_a_larger_one_is_awaited_in_vain() {
    let mut room = Classroom::new(1, 1, 1, USUAL);
    room.publishers[0].is_deaf_above = true;
    room.viewers[0].tells = false;
    room.run(3_000);
    // For longer than packets are kept that could be sent again.
    room.weather.outbound_loss = 100;
    room.run(7_000);
    room.weather = CALM;
    room.run(8_000);
    let all = standstills(&room, room.ms - 2_000);
    assert!(all[0][0] < 500, "{all:?}");
    let before = room.viewers[0].screens[&0].longest_standstill(3_000, room.ms);
    assert!(before > 2_000, "it was broken for {before} ms");
}
