//! What is believed of a peer that says nothing, of one that speaks of itself, and of one that lies.

mod simulation;

use super::*;
use crate::inbound::ArrivalRecorder;
use crate::rtp::seeded::Seeded;

fn enabled() -> (Instant, Bandwidth) {
    let start = crate::test_time::start();
    let mut bandwidth = Bandwidth::new(start);
    bandwidth.enable();
    (start, bandwidth)
}

#[test]
fn a_peer_without_feedback_is_unlimited_and_unnumbered() {
    let start = crate::test_time::start();
    let mut bandwidth = Bandwidth::new(start);
    bandwidth.set_wanted_bps(10_000_000);
    for step in 0..10_000 {
        let now = start + Duration::from_millis(step);
        assert_eq!(bandwidth.number(now, 1_200), None);
        assert!(bandwidth.may_send(now));
        assert_eq!(bandwidth.poll_probe(now), None);
    }
    assert_eq!(bandwidth.estimate_bps(), None);
    assert!(bandwidth.path.is_none());
}

#[test]
fn a_peer_that_negotiated_feedback_and_sends_none_is_held_to_nothing() {
    let (start, mut bandwidth) = enabled();
    assert_eq!(bandwidth.estimate_bps(), Some(1_500_000));
    for step in 0..3_000 {
        let now = start + Duration::from_millis(step);
        assert!(bandwidth.may_send(now), "nothing is held back");
        bandwidth.number(now, 1_200);
        bandwidth.handle_timeout(now);
    }
    assert_eq!(bandwidth.estimate_bps(), None);
}

#[test]
fn a_receivers_estimate_counts_until_it_is_repeated_no_longer() {
    let start = crate::test_time::start();
    let mut bandwidth = Bandwidth::new(start);
    bandwidth.on_receiver_estimate(start, 700_000);
    assert_eq!(bandwidth.estimate_bps(), Some(700_000));
    let mut sent = 0;
    while bandwidth.may_send(start + Duration::from_secs(1)) {
        bandwidth.number(start + Duration::from_secs(1), 1_000);
        sent += 1;
    }
    assert!((6..20).contains(&sent), "{sent}");
    bandwidth.handle_timeout(start + Duration::from_secs(7));
    assert_eq!(bandwidth.estimate_bps(), None);
}

#[test]
fn feedback_that_stops_halves_the_estimate_each_second() {
    let (start, mut bandwidth) = enabled();
    let number = bandwidth.number(start, 1_200).unwrap();
    let mut recorder = ArrivalRecorder::new(start);
    recorder.on_packet(start, 1, number);
    let mut packet = Vec::new();
    recorder.write(start, 1, &mut packet);
    bandwidth.on_feedback(start, &TransportFeedback::parse(&packet).unwrap());
    for step in 1..=3_500 {
        let now = start + Duration::from_millis(step);
        bandwidth.number(now, 1_200);
        bandwidth.handle_timeout(now);
    }
    assert_eq!(bandwidth.estimate_bps(), Some(1_500_000 / 8));
}

#[test]
fn the_receivers_clock_is_followed_across_its_wraps() {
    let mut clock = ReceiverClock::default();
    assert_eq!(clock.reference_us(0xFF_FFFF), 0xFF_FFFF * 64_000);
    assert_eq!(clock.reference_us(1), 0x100_0001 * 64_000);
    assert_eq!(clock.reference_us(0xFF_FFFE), 0xFF_FFFE * 64_000);
}

#[test]
fn no_feedback_makes_it_panic_grow_or_leave_its_bounds() {
    let (start, mut bandwidth) = enabled();
    bandwidth.set_wanted_bps(u64::MAX);
    let mut random = Seeded::new(21);
    let mut now = start;
    let mut number = 0;
    for _ in 0..200_000 {
        now += Duration::from_micros(random.below(3_000));
        if bandwidth.poll_probe(now).is_some() || random.chance(70) {
            number = bandwidth.number(now, random.below(1_500) as usize).unwrap();
        }
        bandwidth.may_send(now);
        bandwidth.handle_timeout(now);
        if random.chance(10) {
            bandwidth.on_receiver_estimate(now, random.next() >> random.below(64));
        }
        // A whole header about the last packets, and anything behind it.
        let mut packet = vec![0x8F, 205, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2];
        let base = number.wrapping_sub(random.below(40) as u16);
        packet.extend_from_slice(&base.to_be_bytes());
        packet.extend_from_slice(&(random.below(60) as u16).to_be_bytes());
        let rest = random.bytes(24);
        packet.extend_from_slice(&rest);
        let feedback = TransportFeedback::parse(&packet);
        if let Some(feedback) = feedback {
            bandwidth.on_feedback(now, &feedback);
        }
        if let Some(path) = &bandwidth.path {
            let bps = path.estimator.bps();
            assert!((50_000.0..=200e6).contains(&bps), "{bps}");
        }
    }
    assert!(size_of::<Path>() + size_of::<Bandwidth>() < 2_048);
}
