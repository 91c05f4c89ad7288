//! What a subscriber gets whose path is narrow, and who tells what arrives: real keys, a path in memory.

#![allow(clippy::unwrap_used)]

mod client;
mod path;

use std::time::Duration;

use client::Section;
use media::DropReason;
use path::World;

#[test]
fn a_wide_path_is_found_by_probes_and_holds_nothing_back() {
    let mut world = World::new(Section::ReceiveVideoWithFeedback, 20e6);
    world.run(5, 1_000_000);
    let statistics = world.engine.statistics();
    assert!(world.estimate() > 2.2e6, "{}", world.estimate());
    assert!((1..10).contains(&statistics.paths.probes), "{statistics:?}");
    assert!(world.retransmissions > 0);
    assert_eq!(statistics.paths.probe_packets, world.retransmissions);
    assert_eq!(statistics.paths.paced_packets, 0);
    assert_eq!(world.gaps(), 0);
}

#[test]
fn a_narrow_path_gets_no_more_than_it_carries_and_an_unbroken_stream() {
    let mut world = World::new(Section::ReceiveVideoWithFeedback, 600e3);
    world.run(3, 2_500_000);
    world.longest_queue = 0;
    world.run(10, 2_500_000);
    let statistics = world.engine.statistics();
    assert!(
        (0.2e6..0.9e6).contains(&world.estimate()),
        "{}",
        world.estimate()
    );
    assert!(statistics.paths.pictures_broken_off > 0);
    assert!(statistics.dropped_for(DropReason::PathFull) > 0);
    // 600 kbit/s for half a second are 37,500 bytes.
    assert!(world.longest_queue < 37_500, "{}", world.longest_queue);
    assert_eq!(world.gaps(), 0, "what is dropped leaves no gap");
    assert!(world.received.len() > 300, "{}", world.received.len());
}

#[test]
fn a_client_that_tells_nothing_gets_everything() {
    for section in [Section::ReceiveVideo, Section::ReceiveVideoWithFeedback] {
        let mut world = World::new(section, 20e6);
        world.tells = false;
        world.run(10, 8_000_000);
        let statistics = world.engine.statistics();
        assert_eq!(statistics.paths.estimated, 0);
        assert_eq!(statistics.paths.paced_packets, 0);
        assert_eq!(statistics.paths.probes, 0);
        assert_eq!(world.gaps(), 0);
        let is_numbered = !world.arrivals.is_empty();
        assert_eq!(
            is_numbered,
            matches!(section, Section::ReceiveVideoWithFeedback)
        );
    }
}

#[test]
fn forged_feedback_harms_nobody() {
    let mut world = World::new(Section::ReceiveVideoWithFeedback, 20e6);
    for round in 0..200u16 {
        world.run(0, 0);
        world.arrivals = (0..50)
            .map(|step| {
                (
                    round.wrapping_mul(977).wrapping_add(step),
                    u64::from(round) * 60,
                )
            })
            .collect();
        world.now += Duration::from_millis(50);
        world.tell();
        world.publish(2_000);
        world.engine.handle_timeout(world.now);
        world.flush();
    }
    let paths = world.engine.statistics().paths;
    assert!(
        paths.estimated == 0 || paths.estimated_bps >= 50_000,
        "{paths:?}"
    );
}
