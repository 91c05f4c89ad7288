//! What the allocator gives for what: examples, and what must hold for anything.

use super::*;
use crate::rtp::seeded::Seeded;
use crate::test_time;

mod scalable;
mod temporal;

const KBIT: u64 = 1_000;

fn size(width: u16, height: u16) -> Size {
    Size { width, height }
}

/// A camera in three layers of 150, 500 and 2,000 kbit/s, all of them sent, shown as large as can be.
fn camera() -> Demand {
    let layer = |(bitrate, size)| LayerFigures {
        is_active: true,
        bitrate,
        size,
        ..LayerFigures::default()
    };
    let figures = [
        (150 * KBIT, size(320, 180)),
        (500 * KBIT, size(640, 360)),
        (2_000 * KBIT, size(1280, 720)),
        (0, size(0, 0)),
    ];
    Demand {
        is_muted: false,
        is_speaking: false,
        is_screen: false,
        is_cut: false,
        shown: Shown::At(size(1280, 720)),
        count: 3,
        layers: figures.map(layer),
        held: Allotment::default(),
    }
}

fn microphone() -> Demand {
    let mut demand = Demand {
        shown: Shown::Unknown,
        count: 1,
        ..camera()
    };
    demand.layers[0].bitrate = 40 * KBIT;
    demand
}

fn first(estimate: Option<u64>, demands: &[Demand]) -> Vec<(Option<usize>, Reason)> {
    let allotments = Allocator::default().allocate(test_time::start(), estimate, demands);
    allotments.iter().map(|of| (of.target, of.reason)).collect()
}

fn bitrate(demands: &[Demand], allotments: &[Allotment]) -> u64 {
    let rates = demands.iter().zip(allotments);
    rates
        .filter_map(|(demand, of)| {
            let layer = &demand.layers[of.target?];
            let lower = |temporal: u8| layer.lower_rates()[usize::from(temporal)];
            Some(of.temporal.map_or(layer.bitrate, lower))
        })
        .sum()
}

#[test]
fn without_an_estimate_each_gets_what_fills_its_place() {
    let small = Demand {
        shown: Shown::At(size(300, 170)),
        ..camera()
    };
    let unknown = Demand {
        shown: Shown::Unknown,
        ..camera()
    };
    let hidden = Demand {
        shown: Shown::Hidden,
        ..camera()
    };
    let muted = Demand {
        is_muted: true,
        ..camera()
    };
    let unsent = Demand {
        count: 0,
        ..camera()
    };
    let demands = [
        camera(),
        small,
        unknown,
        hidden,
        muted,
        unsent,
        microphone(),
    ];
    let expected = [
        (Some(2), Reason::Largest),
        (Some(0), Reason::Viewport),
        (Some(2), Reason::Largest),
        (None, Reason::Hidden),
        (None, Reason::Muted),
        (None, Reason::Waiting),
        (Some(0), Reason::OnlyOne),
    ];
    assert_eq!(first(None, &demands), expected);
}

#[test]
fn of_what_the_server_saves_on_there_is_the_lowest_layer_that_is_sent() {
    let mut demand = Demand {
        is_cut: true,
        ..camera()
    };
    assert_eq!(first(None, &[demand])[0], (Some(0), Reason::Overload));
    demand.layers[0].is_active = false;
    assert_eq!(first(None, &[demand])[0], (Some(1), Reason::Overload));
}

#[test]
fn where_the_right_layer_is_not_sent_there_is_the_next_smaller_or_else_a_larger_one() {
    let with = |active: [bool; 3]| {
        let mut demand = Demand {
            shown: Shown::At(size(640, 360)),
            ..camera()
        };
        for (layer, is_active) in demand.layers.iter_mut().zip(active) {
            layer.is_active = is_active;
        }
        first(None, &[demand])[0]
    };
    assert_eq!(with([true, true, true]), (Some(1), Reason::Viewport));
    assert_eq!(with([true, false, true]), (Some(0), Reason::LayerIdle));
    assert_eq!(with([false, false, true]), (Some(2), Reason::LayerIdle));
    assert_eq!(with([false, false, false]), (Some(1), Reason::LayerIdle));
}

#[test]
fn sound_comes_first_then_the_speaker_then_what_is_shown_largest() {
    let small = Demand {
        shown: Shown::At(size(640, 360)),
        ..camera()
    };
    let speaker = Demand {
        is_speaking: true,
        ..small
    };
    let demands = [small, camera(), speaker, microphone()];
    let targets = |kbit: u64| {
        let given = first(Some(kbit * KBIT), &demands);
        given.iter().map(|of| of.0.unwrap()).collect::<Vec<_>>()
    };
    // Of 83 % of it, the lowest of all take 490 kbit/s.
    assert_eq!(targets(0), [0, 0, 0, 0], "never less than the lowest");
    assert_eq!(targets(1_100), [0, 0, 1, 0], "the speaker");
    assert_eq!(targets(1_500), [0, 1, 1, 0], "then the largest");
    assert_eq!(targets(3_400), [0, 2, 1, 0]);
    assert_eq!(targets(4_000), [1, 2, 1, 0]);
}

#[test]
fn it_goes_down_at_once_and_up_when_there_has_been_room_for_a_while() {
    let start = test_time::start();
    let mut allocator = Allocator::default();
    let mut demand = camera();
    let mut at = |seconds: f64, kbit: u64| {
        let now = start + Duration::from_secs_f64(seconds);
        demand.held = allocator.allocate(now, Some(kbit * KBIT), &[demand])[0];
        (demand.held.target.unwrap(), demand.held.reason)
    };
    assert_eq!(at(0.0, 3_000), (2, Reason::Largest), "at first at once");
    assert_eq!(at(1.0, 2_000), (2, Reason::Largest), "it fits");
    assert_eq!(at(1.3, 1_999), (1, Reason::Bandwidth));
    assert_eq!(at(2.0, 3_000), (1, Reason::Bandwidth));
    assert_eq!(at(6.0, 3_000), (1, Reason::Bandwidth), "too soon after");
    assert_eq!(at(6.2, 2_100), (1, Reason::Bandwidth), "too tight");
    assert_eq!(at(6.4, 3_000), (1, Reason::Bandwidth), "room just now");
    assert_eq!(at(7.4, 3_000), (2, Reason::Largest));
}

#[test]
fn a_larger_place_is_filled_at_once_if_it_fits() {
    let start = test_time::start();
    let mut allocator = Allocator::default();
    let mut demand = Demand {
        shown: Shown::At(size(320, 180)),
        ..camera()
    };
    demand.held = allocator.allocate(start, Some(3_000 * KBIT), &[demand])[0];
    demand.shown = Shown::At(size(1280, 720));
    let given = allocator.allocate(start, Some(3_000 * KBIT), &[demand])[0];
    assert_eq!((given.target, given.reason), (Some(2), Reason::Largest));
}

#[test]
fn a_screen_comes_before_cameras_however_large_they_are_shown() {
    let screen = Demand {
        is_screen: true,
        shown: Shown::At(size(640, 360)),
        ..camera()
    };
    let of = |kbit: u64| {
        let given = first(Some(kbit * KBIT), &[camera(), screen]);
        [given[0].0, given[1].0].map(Option::unwrap)
    };
    // Of 83 % of it; the lowest of both take 300 kbit/s.
    assert_eq!(of(700), [0, 0]);
    assert_eq!(of(800), [0, 1]);
    assert_eq!(of(1_300), [1, 1]);
}

/// Up to a dozen subscriptions of any kind.
fn any_demands(random: &mut Seeded) -> Vec<Demand> {
    let demand = |random: &mut Seeded| {
        let mut demand = Demand {
            is_muted: random.chance(10),
            is_speaking: random.chance(20),
            shown: match random.below(10) {
                0 => Shown::Hidden,
                1 => Shown::Unknown,
                _ => Shown::At(size(random.below(2_000) as u16, random.below(1_200) as u16)),
            },
            count: random.below(MAX_LAYERS as u64 + 1) as usize,
            ..camera()
        };
        for layer in &mut demand.layers {
            layer.is_active = random.chance(80);
            layer.bitrate = random.below(3_000) * KBIT;
            layer.temporal_layers = random.below(5) as usize;
            let parts = [30 + random.below(30), 60 + random.below(30), 90];
            layer.lower = parts.map(|part| layer.bitrate * part / 100);
        }
        demand
    };
    (0..random.below(12)).map(|_| demand(random)).collect()
}

#[test]
fn no_more_is_given_than_the_estimate_unless_only_the_lowest_are_left() {
    for seed in 0..5_000 {
        let mut random = Seeded::new(seed);
        let mut demands = any_demands(&mut random);
        let mut allocator = Allocator::default();
        let mut now = test_time::start();
        let least = Allocator::default().allocate(now, Some(0), &demands);
        let least: Vec<_> = least.iter().map(|of| (of.target, of.temporal)).collect();
        for _ in 0..20 {
            let estimate = random.below(12_000) * KBIT;
            let given = allocator.allocate(now, Some(estimate), &demands);
            let is_least = given
                .iter()
                .map(|of| (of.target, of.temporal))
                .eq(least.iter().copied());
            let sum = bitrate(&demands, &given);
            assert!(
                sum <= estimate || is_least,
                "seed {seed}: {sum} of {estimate}"
            );
            for (demand, given) in demands.iter_mut().zip(given) {
                let is_silent = demand.is_muted || demand.shown == Shown::Hidden;
                assert_eq!(given.target.is_none(), is_silent || demand.count == 0);
                demand.held = given;
            }
            now += Duration::from_millis(random.below(3_000));
        }
    }
}

#[test]
fn what_is_more_important_is_never_lowered_for_what_is_less() {
    for seed in 0..5_000 {
        let mut random = Seeded::new(seed);
        // Alike but for how large they are shown, so that one can be compared with the other.
        let alike = |random: &mut Seeded| Demand {
            is_speaking: random.chance(20),
            is_screen: random.chance(20),
            shown: Shown::At(size(1_000 + random.below(999) as u16, 900)),
            ..camera()
        };
        let demands: Vec<Demand> = (0..8).map(|_| alike(&mut random)).collect();
        let given = first(Some(random.below(20_000) * KBIT), &demands);
        let rank = |index: usize| importance(&demands[index]);
        for (more, less) in (0..8).flat_map(|a| (0..8).map(move |b| (a, b))) {
            if rank(more) > rank(less) {
                assert!(given[more].0 >= given[less].0, "seed {seed}");
            }
        }
    }
}

#[test]
fn under_a_steady_estimate_with_noise_nothing_flaps() {
    for seed in 0..300 {
        let mut random = Seeded::new(seed);
        let mut demands = any_demands(&mut random);
        let steady = random.below(12_000) * KBIT;
        let mut allocator = Allocator::default();
        let mut now = test_time::start();
        // For each subscription whether its last change was a rise, and how often that turned.
        let mut turns = vec![(None, 0); demands.len()];
        // Five minutes.
        for _ in 0..1_200 {
            let noise = 91 + random.below(19);
            let given = allocator.allocate(now, Some(steady * noise / 100), &demands);
            for ((demand, given), turns) in demands.iter_mut().zip(given).zip(&mut turns) {
                let rank = |of: Allotment| Some(Step::rank(of.target?, of.temporal));
                let before = rank(demand.held);
                if before.is_some() && rank(given) != before {
                    let is_rise = rank(given) > before;
                    turns.1 += u32::from(turns.0.is_some_and(|rise| rise != is_rise));
                    turns.0 = Some(is_rise);
                }
                demand.held = given;
            }
            now += INTERVAL;
        }
        // Down from what was too much at first, up into the room that is left, once down for somebody else.
        assert!(
            turns.iter().all(|turns| turns.1 <= 2),
            "seed {seed}: {turns:?}"
        );
    }
}
