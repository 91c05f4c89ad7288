//! Writes `web-demo/protocol.d.ts` from the Rust types, and checks that the committed file is what they
//! say now. It never leaves the tests of this crate.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ts_rs::{Config, TS};

use crate::*;

const HEADER: &str = "\
// The messages between a page and Plenum, with every name, field and code of the WebSocket protocol.
// Written by a test from the Rust types in crates/protocol: do not edit. To renew it:
//   PLENUM_WRITE=1 cargo test -p protocol
";

#[test]
fn the_pages_declarations_are_those_of_the_rust_types() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../web-demo/protocol.d.ts");
    let generated = declarations();
    if std::env::var_os("PLENUM_WRITE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differing = generated
        .lines()
        .zip(committed.lines())
        .find(|(a, b)| a != b);
    assert!(
        generated == committed,
        "web-demo/protocol.d.ts is not what the types say now; renew it with\n    \
         PLENUM_WRITE=1 cargo test -p protocol\nfirst difference (types, file): {differing:?}",
    );
}

#[test]
fn every_type_that_the_declarations_use_is_declared_in_them() {
    let text = declarations();
    let code = text.lines().filter(|line| {
        let line = line.trim_start();
        !line.starts_with("/*") && !line.starts_with('*') && !line.starts_with("//")
    });
    for word in code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric())) {
        let is_type = word.starts_with(|c: char| c.is_ascii_uppercase());
        if is_type && word != "Array" {
            assert!(
                text.contains(&format!("export type {word} =")),
                "{word} is not declared"
            );
        }
    }
}

/// The whole file: messages first, then what they are made of.
fn declarations() -> String {
    let mut text = HEADER.to_owned();
    let client = &variants(include_str!("client.rs"), "ClientMessage");
    let server = &variants(include_str!("server.rs"), "ServerMessage");
    let change = &variants(include_str!("change.rs"), "Change");
    let room = include_str!("room.rs");
    let record = include_str!("record.rs");
    let plain = &BTreeMap::new();

    text += "\n/** What a client sends: a message, and perhaps a number that its answer or error repeats. */\n";
    text += "export type ClientRequest = ClientMessage & { request_id?: number };\n";
    declare::<ClientMessage>(&mut text, client);
    declare::<Join>(&mut text, plain);
    declare::<Resume>(&mut text, plain);
    declare::<Publish>(&mut text, plain);
    declare::<StateUpdate>(&mut text, plain);
    declare::<Viewport>(&mut text, plain);
    declare::<ServerMessage>(&mut text, server);
    declare::<Joined>(&mut text, plain);
    declare::<Waiting>(&mut text, plain);
    declare::<Resumed>(&mut text, plain);
    declare::<Answer>(&mut text, plain);
    declare::<MediaSection>(&mut text, plain);
    declare::<LayerWanted>(&mut text, plain);
    declare::<Goodbye>(&mut text, plain);
    declare::<NumberedChange>(&mut text, plain);
    declare::<Change>(&mut text, change);
    declare::<RoomInfo>(&mut text, plain);
    declare::<RoomState>(&mut text, &variants(record, "RoomState"));
    declare::<RoomSettings>(&mut text, plain);
    declare::<SessionInfo>(&mut text, plain);
    declare::<SessionState>(&mut text, &variants(record, "SessionState"));
    declare::<EndReason>(&mut text, &variants(record, "EndReason"));
    declare::<HostInfo>(&mut text, plain);
    declare::<WaitingParticipant>(&mut text, plain);
    declare::<Participant>(&mut text, plain);
    declare::<Track>(&mut text, plain);
    declare::<TrackKind>(&mut text, &variants(room, "TrackKind"));
    declare::<TrackSource>(&mut text, &variants(room, "TrackSource"));
    declare::<Live>(&mut text, plain);
    declare::<MediaType>(&mut text, &variants(room, "MediaType"));
    declare::<LiveRoom>(&mut text, plain);
    declare::<Role>(&mut text, plain);
    declare::<Identity>(&mut text, plain);
    declare::<RoomName>(&mut text, plain);
    declare::<Timestamp>(&mut text, plain);
    declare::<ErrorBody>(&mut text, plain);
    declare::<ErrorCode>(&mut text, &variants(include_str!("error.rs"), "codes!"));
    text
}

fn declare<T: TS>(text: &mut String, variants: &BTreeMap<String, String>) {
    *text += "\n";
    *text += &comment(&T::docs().unwrap_or_default(), "");
    *text += &format!("export {}\n", layout(&T::decl(&Config::new()), variants));
}

/// The doc comments of an enum's variants, which ts-rs leaves out, by their names on the wire.
pub(crate) fn variants(source: &str, name: &str) -> BTreeMap<String, String> {
    let starts = [format!("pub enum {name} {{"), format!("{name} {{")];
    let body = source
        .lines()
        .skip_while(|line| !starts.contains(&(*line).to_owned()))
        .skip(1)
        .take_while(|line| *line != "}");
    let mut found = BTreeMap::new();
    let mut docs = String::new();
    for line in body {
        if let Some(doc) = line.strip_prefix("    ///") {
            docs += doc;
        } else if line.starts_with(' ') && !line.starts_with("     ") {
            let name = line
                .trim_start()
                .split(|c: char| !c.is_alphanumeric())
                .next();
            let name = name.unwrap_or_default();
            if !docs.is_empty() {
                found.insert(
                    snake_case(name),
                    format!("{}\n", std::mem::take(&mut docs).trim()),
                );
            }
        }
    }
    assert!(!found.is_empty(), "{name} has documented variants");
    found
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(character.to_lowercase());
    }
    text
}

/// A doc comment, as many lines as it needs, at this indentation.
fn comment(docs: &str, indentation: &str) -> String {
    let words = docs
        .lines()
        .map(|line| {
            line.trim()
                .trim_start_matches("/**")
                .trim_end_matches("*/")
                .trim()
        })
        .flat_map(|line| line.strip_prefix('*').unwrap_or(line).split_whitespace())
        .collect::<Vec<_>>();
    let mut lines = vec![String::new()];
    for word in words {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && indentation.len() + line + word.chars().count() > 94 {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            *line += if line.is_empty() { "" } else { " " };
            *line += word;
        }
    }
    match lines.as_slice() {
        [line] if line.is_empty() => String::new(),
        [line] => format!("{indentation}/** {line} */\n"),
        lines => {
            let lines = lines.iter().map(|line| format!("{indentation} * {line}\n"));
            format!(
                "{indentation}/**\n{}{indentation} */\n",
                lines.collect::<String>()
            )
        }
    }
}

/// A declaration of ts-rs, which is one long line between comments, laid out to be read.
fn layout(declaration: &str, variants: &BTreeMap<String, String>) -> String {
    let tokens = tokens(declaration);
    let is_union = tokens.contains(&"|");
    let mut text = String::new();
    // For each open brace, whether its fields have a line each.
    let mut braces: Vec<bool> = Vec::new();
    for (index, &token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1).copied().unwrap_or_default();
        let depth = braces.len() * 2 + if is_union { 4 } else { 0 };
        let starts_variant = is_union && braces.is_empty() && matches!(token, "=" | "|");
        match token {
            "{" => {
                let end = tokens[index..]
                    .iter()
                    .position(|&token| token == "}")
                    .unwrap_or(0);
                let is_long = tokens[index..index + end]
                    .iter()
                    .filter(|&&t| t == ":")
                    .count()
                    > 1;
                braces.push(is_long);
                text += if is_long { "{" } else { "{ " };
                if is_long {
                    text += &format!("\n{}", " ".repeat(depth + 2));
                }
            }
            "}" => {
                braces.pop();
                text.truncate(text.trim_end().len());
                text += &if text.ends_with(';') {
                    format!("\n{}}}", " ".repeat(depth - 2))
                } else {
                    " }".into()
                };
            }
            "," if braces.last() == Some(&true) => text += &format!(";\n{}", " ".repeat(depth)),
            "," if next == "}" => {}
            "," => text += ", ",
            "&" => text += " & ",
            ":" => text += ": ",
            "=" if !is_union => text += " = ",
            "type" => text += "type ",
            _ if starts_variant => {
                let name = match next {
                    "{" => tokens.get(index + 4).copied().unwrap_or_default(),
                    name => name,
                };
                text += if token == "=" { " =\n" } else { "\n" };
                let docs = variants.get(name.trim_matches('"')).map_or("", |docs| docs);
                text += &comment(docs, "  ");
                text += "  | ";
            }
            comments if comments.starts_with("/*") => {
                let lines = comment(comments, &" ".repeat(depth));
                text += lines.trim_start();
                text += &" ".repeat(depth);
            }
            // Names of fields need no quotes.
            word if next == ":" => text += word.trim_matches('"'),
            word => text += word,
        }
    }
    text
}

/// Comments, quoted strings, words, and everything else one character a token; blanks are gone.
fn tokens(declaration: &str) -> Vec<&str> {
    let mut rest = declaration;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if first == '"' {
            rest[1..].find('"').map_or(rest.len(), |at| at + 2)
        } else if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        if !token.trim().is_empty() {
            found.push(token);
        }
        rest = after;
    }
    found
}
