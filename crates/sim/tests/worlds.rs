//! Two hundred worlds, each from its seed: in all of them everything is as it must be. And faults planted on
//! purpose, each of which a world must find. It starts nothing outside.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sim::{Bug, Counted, run};

/// Runs these worlds on all cores, and adds up how much happened in them.
fn all(first: u64, last: u64) -> Counted {
    let next = AtomicU64::new(first);
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let mut counted = Counted::default();
    thread::scope(|scope| {
        let some = || {
            let mut counted = Counted::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= last {
                    return counted;
                }
                match run(seed, None) {
                    Ok(report) => counted += report.counted,
                    Err(failure) => panic!("\n{failure}"),
                }
            }
        };
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(some)).collect();
        for thread in threads {
            counted += thread
                .join()
                .expect("a world in which all is as it must be");
        }
    });
    counted
}

#[test]
fn in_two_hundred_worlds_everything_is_as_it_must_be() {
    let counted = all(0, 200);
    // Worlds in which nothing happens prove nothing.
    assert!(counted.commands > 100_000, "{counted}");
    assert!(counted.crashes > 200 && counted.lost > 500, "{counted}");
    assert!(counted.resumed > 500 && counted.waiting > 500, "{counted}");
    assert!(
        counted.done > 2_000 && counted.promises > 20_000,
        "{counted}"
    );
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_another() {
    for seed in 0..5 {
        let (once, again) = (run(seed, None).unwrap(), run(seed, None).unwrap());
        assert_eq!(once, again);
        assert_ne!(once.hash, run(seed + 5, None).unwrap().hash);
    }
}

/// The first world that finds a planted fault, which must be one of the first few.
fn caught(bug: Bug, claims: &[&str]) {
    let failure = (0..30).find_map(|seed| run(seed, Some(bug)).err());
    let failure = failure.expect("a planted fault is found");
    let is_named = claims.iter().any(|claim| failure.claim.contains(claim));
    assert!(is_named, "{bug:?} is found for another reason:\n{failure}");
    assert!(!failure.trace.is_empty() && !failure.commands.is_empty());
}

#[test]
fn attendance_that_is_never_closed_is_found() {
    caught(
        Bug::ForgetsToCloseAttendance,
        &[
            "no attendance is open in a session that is over",
            "nobody is counted twice at one time",
            "what is acknowledged is committed: Left",
        ],
    );
}

#[test]
fn an_acknowledgement_that_goes_out_before_its_commit_is_found() {
    caught(
        Bug::AcknowledgesBeforeTheCommit,
        &["what is acknowledged is committed"],
    );
}

#[test]
fn a_change_that_a_resume_forgets_is_found() {
    caught(
        Bug::ForgetsAChangeOfAResume,
        &[
            "no change is missed, and none told twice",
            "everybody knows",
        ],
    );
}

#[test]
fn the_commands_of_a_failure_can_be_given_to_the_rooms_again() {
    let find = |seed| run(seed, Some(Bug::ForgetsAChangeOfAResume)).err();
    let failure = (0..30).find_map(find).expect("a planted fault is found");
    let mut lines = 0;
    // The rooms themselves are faultless: the fault was planted behind them.
    let replayed = sim::replay(&failure.commands_as_lines(), |_| lines += 1);
    assert_eq!(replayed, Ok(failure.commands.len()));
    assert!(lines > failure.commands.len(), "effects are shown too");
}
