//! Holds the limits in `docs/protocol.md` to `config/plenum.toml`, which another test holds to the code: a
//! client author reads the figures that a server has. It starts no server.

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
