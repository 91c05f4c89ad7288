//! The load tester against a real Janus, in a network of its own: Debian's package `janus`. Where that is
//! not installed, or private networks are not permitted, these tests say so and pass.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const TESTER: &str = env!("CARGO_BIN_EXE_plenum-load");

/// A command of the folder `bench`.
fn bench(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench");
    folder.canonicalize().unwrap().join(name)
}

/// Why there can be no Janus here.
fn why_not() -> Option<String> {
    let janus = Command::new("janus").arg("--version").output();
    if janus.is_err() {
        return Some("Debian's package janus is not installed".to_owned());
    }
    let network = Command::new(bench("namespace"))
        .arg("true")
        .output()
        .unwrap();
    let refused = network.status.code() == Some(125);
    refused.then(|| String::from_utf8_lossy(&network.stderr).trim().to_owned())
}

/// Runs a scenario against a fresh Janus. `None`: there can be none here, and it was said why.
#[allow(clippy::explicit_write)] // `eprintln` is not shown of a test that passes
fn run(name: &str, arguments: &[&str]) -> Option<(Output, Value)> {
    if let Some(reason) = why_not() {
        writeln!(std::io::stderr(), "skipped: {name}: {reason}").unwrap();
        return None;
    }
    let report = std::env::temp_dir().join(format!("plenum-{}-{name}.json", std::process::id()));
    // Two minutes: a test that hangs must not hang the machine.
    let output = Command::new("timeout")
        .args(["--kill-after=10", "120"])
        .arg(bench("namespace"))
        .arg(bench("with"))
        .args([
            "janus",
            "bash",
            "-c",
            "exec \"$0\" run \"$@\" $SERVER_FLAGS",
        ])
        .arg(TESTER)
        .args(arguments)
        .arg("--json")
        .arg(&report)
        .output()
        .unwrap();
    let text = std::fs::read_to_string(&report).unwrap_or_else(|_| {
        panic!(
            "no report: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    });
    std::fs::remove_file(&report).unwrap();
    Some((output, serde_json::from_str(&text).unwrap()))
}

/// Every packet came once and in order. The generator may have been late, where much else runs.
fn assert_exact(output: &Output, report: &Value, smallest: u64) {
    let delivery = &report["delivery"];
    assert!(
        delivery["offered"].as_u64().unwrap() >= smallest,
        "{report}"
    );
    assert_eq!(delivery["delivered"], delivery["offered"], "{report}");
    assert_eq!(delivery["gate_passed"], true, "{report}");
    assert!(matches!(output.status.code(), Some(0 | 3)), "{output:?}");
}

#[test]
fn ten_subscribers_at_a_janus_get_every_packet_once_and_in_order() {
    let arguments = [
        "--scenario",
        "fanout",
        "--subscribers",
        "10",
        "--duration",
        "3",
    ];
    let Some((output, report)) = run("fanout", &arguments) else {
        return;
    };
    // 284 packets a second for 3 seconds, for each of them.
    assert_exact(&output, &report, 8_000);
    let text = report.to_string();
    assert!(text.contains("\"Janus 1."), "{text}");
    assert!(text.contains("AEAD_AES_128_GCM"), "{text}");
    assert!(
        report["server"]["cpu_us_per_forwarded_packet"]
            .as_f64()
            .unwrap()
            > 0.0
    );
}

#[test]
fn all_in_a_room_of_a_janus_receive_all_others_whoever_came_first() {
    let arguments = [
        "--scenario",
        "rooms",
        "--rooms",
        "2",
        "--participants",
        "4",
        "--duration",
        "3",
    ];
    let Some((output, report)) = run("rooms", &arguments) else {
        return;
    };
    // 8 people with 3 others each: 50 packets of sound and 284 of pictures a second.
    assert_exact(&output, &report, 20_000);
}

#[test]
fn a_janus_that_is_not_there_is_told_in_a_sentence() {
    // Port 1: nobody listens, on any machine.
    let output = Command::new(TESTER)
        .args([
            "run",
            "--scenario",
            "fanout",
            "--subscribers",
            "1",
            "--duration",
            "1",
        ])
        .args(["--server", "janus", "--url", "ws://127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("nobody listens on 127.0.0.1:1"), "{said}");
}
