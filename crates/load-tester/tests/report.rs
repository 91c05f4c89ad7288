//! What `plenum-load` says and ends with, without any server: its help, its refusals, its tables.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::process::{Command, Output};

const TESTER: &str = env!("CARGO_BIN_EXE_plenum-load");
/// A report that the crate's own tests hold to the letter.
const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/tests/golden.json");

fn tester(words: &str) -> (Output, String, String) {
    let words = words.split_whitespace();
    let output = Command::new(TESTER).args(words).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    (output, said, complained)
}

#[test]
fn help_shows_examples_and_what_each_exit_code_means() {
    let (output, help, _) = tester("run --help");
    assert_eq!(output.status.code(), Some(0));
    for words in [
        "plenum-load run --scenario fanout --url http://127.0.0.1:8080 --subscribers 100",
        "3  the run is invalid",
        "late-join",
        "joins_per_address_per_second",
    ] {
        assert!(help.contains(words), "{words}\n{help}");
    }
}

#[test]
fn every_scenario_is_listed() {
    let (output, list, _) = tester("list");
    assert_eq!(output.status.code(), Some(0));
    let names: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let expected = [
        "fanout",
        "rooms",
        "audio",
        "classroom",
        "churn",
        "late-join",
        "storm",
        "ramp",
    ];
    assert_eq!(names, expected);
}

#[test]
fn what_cannot_be_done_ends_with_1_and_a_sentence_and_not_with_the_2_of_lost_packets() {
    for (words, sentence) in [
        ("", "Usage"),
        ("run", "--scenario"),
        ("run --scenario conference", "[possible values: fanout"),
        (
            "run --scenario fanout --rooms 2",
            "--rooms says nothing in the scenario fanout",
        ),
        ("run --scenario fanout --key K", "--secret"),
        (
            "run --scenario fanout --pid 4194304 --url http://127.0.0.1:9",
            "127.0.0.1:9",
        ),
        ("compare", "REPORTS"),
        (
            "compare /nowhere/report.json",
            "cannot read /nowhere/report.json",
        ),
    ] {
        let (output, _, complaint) = tester(words);
        assert_eq!(output.status.code(), Some(1), "{words}: {complaint}");
        assert!(complaint.contains(sentence), "{words}: {complaint}");
        assert!(!complaint.contains("panicked"), "{words}: {complaint}");
    }
}

#[test]
fn reports_are_compared_in_markdown() {
    let (output, table, _) = tester(&format!("compare {REPORT} {REPORT}"));
    assert_eq!(output.status.code(), Some(0));
    for line in [
        "**fanout**: subscribers 10, media video",
        "| | Plenum 0.1.0 |",
        "| valid runs | 2 of 2 |",
        "| server CPU, µs per forwarded packet | 3.50 |",
    ] {
        assert!(table.lines().any(|found| found == line), "{line}\n{table}");
    }
}
