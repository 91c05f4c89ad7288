//! Holds the limits in `docs/protocol.md` to `config/plenum.toml`, which another test holds to the code: a
//! client author reads the figures that a server has. And the tests that `docs/reliability.md` names to those
//! that there are. It starts no server.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

const PAGE: &str = include_str!("../../../docs/protocol.md");
const REFERENCE: &str = include_str!("../../../config/plenum.toml");

/// The figure that a key has, from the words of the page: "64 KiB" of `message_bytes` is 65536.
fn figure(words: &str, key: &str) -> i64 {
    let mut parts = words.split_whitespace();
    let number = parts.next().unwrap_or_default().replace(',', "");
    let number: i64 = number
        .parse()
        .unwrap_or_else(|_| panic!("{words:?} begins with a number"));
    match parts.next() {
        Some("KiB") => number * 1024,
        Some("MiB") => number * 1024 * 1024,
        Some("s") if key.ends_with("_ms") => number * 1000,
        Some("minutes") if key.ends_with("_ms") => number * 60_000,
        _ => number,
    }
}

#[test]
fn the_limits_on_the_protocol_page_are_the_configurations_defaults() {
    let reference: Table = REFERENCE.parse().unwrap();
    let limits = reference["limits"].as_table().unwrap();
    let section = PAGE
        .split("\n## Limits\n")
        .nth(1)
        .and_then(|rest| rest.split("\n## ").next());
    let mut checked = 0;
    for row in section
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
    {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, figures, keys] = cells[..] else {
            panic!("three cells: {row}")
        };
        let figures: Vec<&str> = figures.split(", ").collect();
        let keys: Vec<&str> = keys.split(", ").map(|key| key.trim_matches('`')).collect();
        assert_eq!(figures.len(), keys.len(), "a figure for each key: {row}");
        for (figure_words, key) in figures.into_iter().zip(keys) {
            let default = limits
                .get(key)
                .unwrap_or_else(|| panic!("no key {key} in [limits]"));
            assert_eq!(
                *default,
                Value::Integer(figure(figure_words, key)),
                "{key}: {row}"
            );
            checked += 1;
        }
    }
    assert!(checked > 15, "the table is read: {checked}");
}

/// What the systems before this one did wrong with people, rooms and sessions.
const FAULTS: [&str; 18] = [
    "C1", "C2", "C3", "C4", "C5", "C6", "C7", "D1", "D2", "E1", "E2", "E3", "E4", "E5", "E6", "E7",
    "E8", "E9",
];

#[test]
fn each_fault_of_the_old_systems_has_a_test_in_a_browser_and_every_test_that_is_named_is_there() {
    const PAGE: &str = include_str!("../../../docs/reliability.md");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let section = PAGE
        .split("\n## What each fault of the old systems became\n")
        .nth(1);
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut fault = "";
    let rows = section.unwrap().lines();
    for row in rows.filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [id, claim, test, file] = cells[..] else {
            panic!("four cells: {row}")
        };
        if !id.is_empty() {
            assert!(!claim.is_empty(), "what is so now: {row}");
            fault = id;
        }
        let (test, file) = (test.trim_matches('`'), file.trim_matches('`'));
        let text = std::fs::read_to_string(root.join(file));
        let text = text.unwrap_or_else(|error| panic!("{file}: {error}"));
        let declared = match file.ends_with(".rs") {
            true => format!("fn {test}("),
            false => format!("\ntest(\"{test}\", "),
        };
        assert!(text.contains(&declared), "{file} has no test {test:?}");
        files.entry(fault).or_default().push(file);
    }
    assert!(files.keys().eq(&FAULTS), "{:?}", files.keys());
    for (fault, files) in files {
        let first = files[0];
        assert!(first.starts_with("web-demo/tests/"), "{fault}: {first}");
    }
}
