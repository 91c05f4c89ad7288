//! Feedback as another implementation reads it.

use super::*;
use crate::transport::rtcp::tests::arrivals as read;

/// The arrivals in microseconds after the first, by number; `None` for what did not come.
fn feedback(recorder: &mut ArrivalRecorder, now: Instant) -> Vec<(u16, Option<i64>)> {
    let mut out = Vec::new();
    recorder.write(now, 1, &mut out);
    read(&out)
}

#[test]
fn arrivals_and_gaps_are_told_with_their_times() {
    let start = crate::test_time::start();
    let mut recorder = ArrivalRecorder::new(start);
    let at = |milliseconds| start + Duration::from_millis(milliseconds);
    for (time, number) in [(0, 65_533), (1, 65_534), (2, 0), (40, 3), (39, 2)] {
        recorder.on_packet(at(time), 9, number);
    }
    let told = feedback(&mut recorder, at(50));
    assert_eq!(
        told,
        [
            (65_533, Some(0)),
            (65_534, Some(1_000)),
            (65_535, None),
            (0, Some(2_000)),
            (1, None),
            (2, Some(39_000)),
            (3, Some(40_000)),
        ]
    );
}

#[test]
fn the_next_feedback_begins_where_the_last_ended() {
    let start = crate::test_time::start();
    let mut recorder = ArrivalRecorder::new(start);
    recorder.on_packet(start, 9, 10);
    feedback(&mut recorder, start);
    let later = start + Duration::from_millis(300);
    recorder.on_packet(later, 9, 13);
    let told: Vec<_> = feedback(&mut recorder, later)
        .iter()
        .map(|(number, time)| (*number, time.is_some()))
        .collect();
    assert_eq!(told, [(11, false), (12, false), (13, true)]);
}

#[test]
fn long_runs_large_steps_and_every_length_read_back() {
    for count in 1..60u16 {
        let start = crate::test_time::start();
        let mut recorder = ArrivalRecorder::new(start);
        for number in 0..count {
            let time = start + Duration::from_millis(u64::from(number) * u64::from(count));
            if number % 11 != 5 {
                recorder.on_packet(time, 9, number);
            }
        }
        let told = feedback(&mut recorder, start);
        for (number, time) in told {
            let expected =
                (number % 11 != 5).then_some(i64::from(number) * i64::from(count) * 1_000);
            assert_eq!(time, expected, "{count} {number}");
        }
    }
}

#[test]
fn feedback_is_due_only_when_something_came_and_not_too_often() {
    let start = crate::test_time::start();
    let mut recorder = ArrivalRecorder::new(start);
    assert!(!recorder.is_due(start + INTERVAL));
    recorder.on_packet(start, 9, 1);
    assert!(!recorder.is_due(start) && recorder.is_due(start + INTERVAL));
}
