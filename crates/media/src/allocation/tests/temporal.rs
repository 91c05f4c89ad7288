//! What the allocator gives where not all frames of a picture fit: fewer of them.

use super::*;

/// A camera whose layers have three temporal layers each, with 40, 60 and 100 % of the bits up to each.
fn camera_in_time() -> Demand {
    let mut demand = camera();
    for layer in &mut demand.layers {
        layer.temporal_layers = 3;
        layer.lower = [40, 60, 100].map(|part| layer.bitrate * part / 100);
    }
    demand
}

/// A single stream of 500 kbit/s.
fn only() -> Demand {
    let mut demand = Demand {
        count: 1,
        ..camera_in_time()
    };
    demand.layers[0] = demand.layers[1];
    demand
}

type Given = (usize, Option<u8>, Reason);

fn given(kbit: u64, demand: Demand) -> Given {
    let estimate = Some(kbit * KBIT);
    let of = Allocator::default().allocate(test_time::start(), estimate, &[demand])[0];
    (of.target.unwrap(), of.temporal, of.reason)
}

#[test]
fn half_of_the_frames_come_before_a_smaller_picture_and_a_quarter_last() {
    let highest = (2, None, Reason::Largest);
    let lower = |layer, temporal| (layer, temporal, Reason::Bandwidth);
    // Of 83 % of it: 2,000, 1,200; 500, 300; 150, 90, 60 kbit/s.
    for (kbit, expected) in [
        (2_410, highest),
        (2_400, lower(2, Some(1))),
        (1_450, lower(2, Some(1))),
        (1_440, lower(1, None)),
        (603, lower(1, None)),
        (600, lower(1, Some(1))),
        (362, lower(1, Some(1))),
        (360, lower(0, None)),
        (181, lower(0, None)),
        (180, lower(0, Some(1))),
        (109, lower(0, Some(1))),
        (108, lower(0, Some(0))),
        (0, lower(0, Some(0))),
    ] {
        assert_eq!(given(kbit, camera_in_time()), expected, "{kbit} kbit/s");
    }
}

#[test]
fn a_stream_of_one_size_has_fewer_frames_where_it_does_not_fit() {
    assert_eq!(given(603, only()), (0, None, Reason::OnlyOne));
    assert_eq!(given(600, only()), (0, Some(1), Reason::Bandwidth));
    assert_eq!(given(360, only()), (0, Some(0), Reason::Bandwidth));
}

#[test]
fn what_would_save_next_to_nothing_is_left_alone() {
    let mut demand = only();
    demand.layers[0].lower = [440 * KBIT, 460 * KBIT, 0];
    assert_eq!(given(540, demand), (0, Some(0), Reason::Bandwidth));
    demand.layers[0].lower = [460 * KBIT, 480 * KBIT, 0];
    assert_eq!(given(540, demand), (0, None, Reason::OnlyOne));
}

#[test]
fn without_an_estimate_and_in_overload_there_is_every_frame() {
    let of = |demand: Demand| Allocator::default().allocate(test_time::start(), None, &[demand])[0];
    let free = of(camera_in_time());
    assert_eq!((free.target, free.temporal), (Some(2), None));
    let cut = of(Demand {
        is_cut: true,
        ..camera_in_time()
    });
    let expected = (Some(0), None, Reason::Overload);
    assert_eq!((cut.target, cut.temporal, cut.reason), expected);
}

#[test]
fn everybody_has_every_frame_of_the_lowest_layer_before_anybody_has_more() {
    let speaker = Demand {
        is_speaking: true,
        ..camera_in_time()
    };
    let demands = [camera_in_time(), speaker];
    let of = |kbit: u64| {
        let now = test_time::start();
        let given = Allocator::default().allocate(now, Some(kbit * KBIT), &demands);
        [0, 1].map(|at| (given[at].target.unwrap(), given[at].temporal))
    };
    // Of 83 % of it; both at a quarter are 120 kbit/s, whole 300.
    assert_eq!(of(100), [(0, Some(0)), (0, Some(0))]);
    assert_eq!(of(181), [(0, Some(0)), (0, Some(1))]);
    assert_eq!(of(254), [(0, Some(0)), (0, None)]);
    assert_eq!(of(362), [(0, None), (0, None)]);
    assert_eq!(of(543), [(0, None), (1, Some(1))]);
}

#[test]
fn frames_are_left_out_at_once_and_come_back_when_there_has_been_room_for_a_while() {
    let start = test_time::start();
    let mut allocator = Allocator::default();
    let mut demand = only();
    let mut at = |seconds: f64, kbit: u64| {
        let now = start + Duration::from_secs_f64(seconds);
        demand.held = allocator.allocate(now, Some(kbit * KBIT), &[demand])[0];
        (demand.held.temporal, demand.held.reason)
    };
    assert_eq!(at(0.0, 700), (None, Reason::OnlyOne));
    assert_eq!(at(1.0, 500), (None, Reason::OnlyOne), "it fits");
    assert_eq!(at(1.3, 499), (Some(1), Reason::Bandwidth));
    assert_eq!(at(2.0, 700), (Some(1), Reason::Bandwidth));
    assert_eq!(at(6.2, 700), (Some(1), Reason::Bandwidth), "too soon after");
    assert_eq!(at(6.3, 600), (Some(1), Reason::Bandwidth), "too tight");
    assert_eq!(at(6.5, 700), (Some(1), Reason::Bandwidth), "room just now");
    assert_eq!(at(7.5, 700), (None, Reason::OnlyOne));
}

#[test]
fn what_is_sought_on_the_path_is_every_frame() {
    let least = (500.0 * 1_000.0 / RISING_SHARE) as u64;
    assert!(wanted_bps(&[only()]) > least);
    assert_eq!(cost(&only()).unwrap().lowest, 500 * KBIT);
}
