//! The boundaries that ARCHITECTURE.md draws, kept by machine: who may import whom, who may name what, and
//! how long a file may get. It starts no server.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

/// Which sibling a crate may import, in tests too, and why no other.
const SIBLINGS: &[(&str, &[&str], &str)] = &[
    (
        "protocol",
        &[],
        "the words on the wire belong to everybody, so they know nobody",
    ),
    (
        "signaling",
        &["protocol"],
        "who may see what is decided without ever seeing a packet",
    ),
    (
        "media",
        &["protocol"],
        "which packet goes where is decided without knowing a room",
    ),
    (
        "store",
        &["protocol"],
        "it keeps what it is told, and nothing in it decides what that is",
    ),
    (
        "sim",
        &["protocol", "signaling"],
        "a world without a socket, a file or a clock, so that a seed is a run",
    ),
    (
        "load-tester",
        &["protocol"],
        "an outside witness shares nothing with the server but the words on the wire",
    ),
    (
        "server",
        &["protocol", "signaling", "media", "store", "load-tester"],
        "the rim holds all together",
    ),
];

/// Dependencies that only some crates may have, and why.
const OWNERS: &[(&[&str], &[&str], &str)] = &[
    (
        &[
            "tokio",
            "mio",
            "async-std",
            "smol",
            "futures-util",
            "tokio-tungstenite",
        ],
        &["server", "store", "load-tester"],
        "a state machine waits for nothing: its caller does",
    ),
    (
        &["socket2", "quinn-udp", "if-addrs", "rlimit"],
        &["server", "load-tester"],
        "sockets are opened at the rim, and by those who knock at it",
    ),
    (
        &["axum", "hyper", "hyper-util", "rust-embed", "toml"],
        &["server"],
        "HTTP, tokens and settings are the rim's",
    ),
    (
        &["clap", "jsonwebtoken"],
        &["server", "load-tester"],
        "a library has no command line, and signs and verifies nothing",
    ),
    (
        &["sqlx", "rusqlite"],
        &["store", "server"],
        "one crate knows the database's words; the tests of the rim hold its lock",
    ),
    (
        &["prometheus"],
        &["server"],
        "everybody counts in plain numbers; the rim publishes them",
    ),
    (
        &["rand", "getrandom", "fastrand"],
        &["server", "load-tester", "media"],
        "signaling is given its ids and secrets, so that a run can be repeated",
    ),
    (
        &["rtc"],
        &["media", "load-tester"],
        "WebRTC ends in media, and nobody else sees a packet",
    ),
    (
        &["webrtc"],
        &["load-tester"],
        "the full peer connection is shaped for a client, and costs five times as much",
    ),
];

/// Words that the sources of a crate never have, tests left out, and why.
const ABSENT_WORDS: &[(&[&str], &[&str], &str)] = &[
    (
        &["protocol", "signaling", "media"],
        &["Instant::now", "SystemTime::now"],
        "time is an argument: the rim reads the clock, once a turn",
    ),
    (
        &["protocol", "signaling", "media"],
        &[
            "UdpSocket",
            "TcpStream",
            "TcpListener",
            "std::fs",
            "thread::spawn",
            "thread::sleep",
        ],
        "sockets, files and threads are the rim's",
    ),
    (
        &["protocol", "signaling"],
        &["rtc::", "PacketBuffer"],
        "no packet is known here",
    ),
];

/// The one folder of `media` that names the stack's types: the stack may change, and nothing else does.
const STACK_FOLDER: &str = "crates/media/src/transport/";

const MOST_LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The names of all crates.
fn crates() -> Vec<String> {
    let entries = fs::read_dir(root().join("crates")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn manifest(name: &str) -> Table {
    let path = root().join("crates").join(name).join("Cargo.toml");
    fs::read_to_string(path).unwrap().parse().unwrap()
}

/// Everything that a crate depends on: by itself, in tests, in its build, on some platforms.
fn dependencies(manifest: &Table) -> Vec<String> {
    let mut names = Vec::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else {
            continue;
        };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                names.extend(table.iter().map(|(name, value)| {
                    let renamed = value.get("package").and_then(|package| package.as_str());
                    renamed.unwrap_or(name).to_owned()
                }));
            }
            "target" => names.extend(
                table
                    .values()
                    .filter_map(|value| value.as_table())
                    .flat_map(dependencies),
            ),
            _ => {}
        }
    }
    names
}

/// The files below a folder with this ending, as paths from the root with their text.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !["node_modules", "target", "output"].contains(&name.as_str()) {
                folders.push(path);
            } else if name.ends_with(ending) {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root()).unwrap();
                found.push((path.to_string_lossy().into_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// The lines of a source that are code and no test, with their numbers.
fn code(source: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut lines = (1..).zip(source.lines());
    while let Some((number, line)) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            // A module of tests ends the file; anything else that is for tests is one line.
            match lines.next() {
                Some((_, next)) if next.trim_end().ends_with('{') => return found,
                _ => continue,
            }
        }
        if !line.trim_start().starts_with("//") {
            found.push((number, line));
        }
    }
    found
}

/// Whether a file is for tests alone: by its place, or because its crate declares it so.
fn is_test(path: &str) -> bool {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return true;
    }
    let path = Path::new(path);
    let (Some(folder), Some(name)) = (path.parent(), path.file_stem()) else {
        return false;
    };
    let library = fs::read_to_string(root().join(folder).join("lib.rs")).unwrap_or_default();
    library.contains(&format!("#[cfg(test)]\nmod {};", name.to_string_lossy()))
}

/// Whether a line has the word, and not as the end of a longer one: `webrtc::` is not `rtc::`.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && before != '_')
    })
}

#[test]
fn crates_import_only_the_siblings_they_may() {
    let all = crates();
    for name in &all {
        let known = SIBLINGS.iter().find(|(known, ..)| known == name);
        let (_, allowed, reason) =
            known.unwrap_or_else(|| panic!("say in {} whom crate {name} may import", file!()));
        for dependency in dependencies(&manifest(name)) {
            let is_allowed = !all.contains(&dependency) || allowed.contains(&dependency.as_str());
            assert!(
                is_allowed,
                "{name} imports {dependency}, but may import {allowed:?} alone: {reason}"
            );
        }
    }
}

#[test]
fn crates_depend_only_on_what_they_may() {
    for name in crates() {
        for dependency in dependencies(&manifest(&name)) {
            for (owned, owners, reason) in OWNERS {
                assert!(
                    !owned.contains(&dependency.as_str()) || owners.contains(&name.as_str()),
                    "{name} depends on {dependency}, which is for {owners:?}: {reason}"
                );
            }
        }
    }
}

#[test]
fn each_crate_has_the_lints_of_the_workspace_and_a_clippy_file_of_its_own() {
    for name in crates() {
        let lints = manifest(&name)
            .get("lints")
            .and_then(|lints| lints.get("workspace")?.as_bool());
        assert_eq!(
            lints,
            Some(true),
            "{name} needs [lints] workspace = true: unsafe code and unwrap are refused everywhere"
        );
        assert!(
            root()
                .join("crates")
                .join(&name)
                .join("clippy.toml")
                .exists(),
            "{name} needs a clippy.toml: only the nearest file applies, and it says what is absent here"
        );
    }
}

#[test]
fn pure_crates_never_name_clocks_sockets_files_or_threads() {
    for (names, words, reason) in ABSENT_WORDS {
        for name in *names {
            let sources = files(&format!("crates/{name}/src"), ".rs");
            for (path, source) in sources.into_iter().filter(|(path, _)| !is_test(path)) {
                for (number, line) in code(&source) {
                    let word = words.iter().find(|word| has_word(line, word));
                    assert!(word.is_none(), "{path}:{number} names {word:?}: {reason}");
                }
            }
        }
    }
}

#[test]
fn only_the_transport_names_the_webrtc_stack() {
    for (path, source) in files("crates/media/src", ".rs") {
        // Tests compare ours with the stack's.
        if path.starts_with(STACK_FOLDER) || is_test(&path) {
            continue;
        }
        for (number, line) in code(&source) {
            assert!(
                !has_word(line, "rtc::"),
                "{path}:{number} names the stack, which only {STACK_FOLDER} may: so the stack can change \
                 and nothing else does"
            );
        }
    }
}

#[test]
fn no_source_is_longer_than_a_reader_bears() {
    let sources = files("crates", ".rs")
        .into_iter()
        .chain(files("web-demo", ".js"));
    for (path, source) in sources {
        let lines = source.lines().count();
        assert!(
            lines <= MOST_LINES,
            "{path} has {lines} lines, more than {MOST_LINES}: look for the second idea in it"
        );
    }
}

#[test]
fn each_source_says_first_what_it_is() {
    for (path, source) in files("crates", ".rs") {
        assert!(
            source.starts_with("//!"),
            "{path} does not begin with //!: one or two sentences of what it is, and what it never does"
        );
    }
}

#[test]
fn every_path_that_the_architecture_names_exists() {
    let Ok(page) = fs::read_to_string(root().join("ARCHITECTURE.md")) else {
        return;
    };
    let named: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.contains('/') && !name.starts_with('/'))
        .filter(|name| {
            name.chars()
                .all(|c| c.is_alphanumeric() || "/._-".contains(c))
        })
        .collect();
    assert!(
        named.len() > 10,
        "the paths are found by their backquotes: {named:?}"
    );
    for name in named {
        assert!(
            root().join(name).exists(),
            "ARCHITECTURE.md names `{name}`, which does not exist: a map must not lie"
        );
    }
}

#[test]
fn what_these_tests_read_they_read_rightly() {
    assert!(has_word("use rtc::stun;", "rtc::") && has_word("::rtc::stun", "rtc::"));
    assert!(!has_word("use webrtc::stun;", "rtc::"));
    let source =
        "//! rtc::a\nuse b;\n#[cfg(test)]\nmod c;\nuse d;\n#[cfg(test)]\nmod tests {\nuse e;";
    assert_eq!(code(source), [(2, "use b;"), (5, "use d;")]);
    let manifest: Table = "[dependencies]\na = { package = \"b\", version = \"1\" }\n\
                           [target.'cfg(unix)'.dev-dependencies]\nc = \"1\""
        .parse()
        .unwrap();
    assert_eq!(dependencies(&manifest), ["b", "c"]);
}
