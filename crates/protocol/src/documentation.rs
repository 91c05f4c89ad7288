//! Holds `docs/protocol.md` to the Rust types: every example is read by them, and nothing that can be
//! said is left out. It never leaves the tests of this crate.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::typescript::variants;
use crate::*;

const PAGE: &str = include_str!("../../../docs/protocol.md");

/// A fenced block of JSON, with the word after `json` that says what it is.
struct Example {
    kind: &'static str,
    text: &'static str,
    value: Value,
}

fn examples() -> Vec<Example> {
    let blocks = PAGE.split("```").skip(1).step_by(2);
    let examples = blocks.filter_map(|block| {
        let (fence, text) = block.split_once('\n').unwrap();
        let kind = fence.strip_prefix("json")?.trim();
        let value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in:\n{text}"));
        Some(Example { kind, text, value })
    });
    examples.collect()
}

/// Whether everything in the example is in what the types made of it: a misspelt field is not.
fn is_within(example: &Value, read: &Value) -> bool {
    match (example, read) {
        (Value::Object(example), Value::Object(read)) => {
            let known = |(key, value)| read.get(key).is_some_and(|read| is_within(value, read));
            example.iter().all(known)
        }
        (Value::Array(example), Value::Array(read)) => {
            let mut pairs = example.iter().zip(read);
            example.len() == read.len() && pairs.all(|(example, read)| is_within(example, read))
        }
        _ => example == read,
    }
}

/// The value of `type` of each example of this kind.
fn types_shown(kind: &str) -> BTreeSet<String> {
    let shown = examples()
        .into_iter()
        .filter(|example| example.kind == kind);
    shown
        .map(|example| example.value["type"].as_str().unwrap().to_owned())
        .collect()
}

fn types_of(source: &str, name: &str) -> BTreeSet<String> {
    variants(source, name).into_keys().collect()
}

#[test]
fn every_example_is_read_and_no_field_of_it_is_unknown() {
    for Example {
        kind,
        text,
        mut value,
    } in examples()
    {
        let read = match kind {
            "client" => {
                let request =
                    parse_client_message(text).unwrap_or_else(|e| panic!("{e} in:\n{text}"));
                value.as_object_mut().unwrap().remove("request_id");
                serde_json::to_value(request.message).unwrap()
            }
            "server" => {
                let message: ServerMessage = serde_json::from_str(text).unwrap();
                serde_json::to_value(message).unwrap()
            }
            "live_rooms" => {
                let rooms: Vec<LiveRoom> = serde_json::from_str(text).unwrap();
                serde_json::to_value(rooms).unwrap()
            }
            // Not of this crate: that they are JSON was seen.
            "claims" | "http" => continue,
            other => panic!("an example says who says it, not {other:?}:\n{text}"),
        };
        assert!(
            is_within(&value, &read),
            "a field is unknown in:\n{text}\nread as {read:#}"
        );
    }
}

#[test]
fn every_message_has_an_example() {
    assert_eq!(
        types_shown("client"),
        types_of(include_str!("client.rs"), "ClientMessage")
    );
    assert_eq!(
        types_shown("server"),
        types_of(include_str!("server.rs"), "ServerMessage")
    );
}

#[test]
fn every_change_has_an_example() {
    let changes = examples()
        .into_iter()
        .filter(|example| example.value["type"] == "change");
    let shown = changes.map(|change| change.value["change"]["type"].as_str().unwrap().to_owned());
    assert_eq!(
        shown.collect::<BTreeSet<_>>(),
        types_of(include_str!("change.rs"), "Change")
    );
}

#[test]
fn every_error_code_has_its_row_with_its_meaning_and_its_hint() {
    let meanings = variants(include_str!("error.rs"), "codes!");
    let rows = ErrorCode::ALL.iter().map(|code| {
        let meaning = meanings[code.as_str()].trim();
        format!("| `{code}` | {meaning} | {} |\n", code.hint())
    });
    let table = format!(
        "| code | meaning | what to do |\n|---|---|---|\n{}",
        rows.collect::<String>()
    );
    let shown = PAGE
        .split("<!-- errors -->\n\n")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next());
    let shown = format!("{}\n", shown.unwrap_or_default());
    assert!(
        shown == table,
        "after <!-- errors --> docs/protocol.md must have this table:\n{table}"
    );
}
