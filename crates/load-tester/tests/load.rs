//! `plenum-load` against a real server: every scenario, small, and each way in which a run can fail. How
//! fast anything is, is not asked here: other tests run beside these.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use load_tester::command_line::{self, Action};
use load_tester::scenario;
use serde_json::Value;

const TESTER: &str = env!("CARGO_BIN_EXE_plenum-load");
const KEYS: &str = "testkey: 0123456789abcdef0123456789abcdef";

/// A server on free ports, in a folder of its own. Dropped, it is killed.
struct Server {
    child: Child,
    url: String,
    folder: PathBuf,
}

impl Server {
    /// In development mode, with limits that a load from one address does not reach.
    fn start(name: &str) -> Self {
        let limits = [
            ("PLENUM_LIMITS_JOINS_PER_ADDRESS_PER_SECOND", "1000"),
            ("PLENUM_LIMITS_CONNECTIONS_PER_ADDRESS", "1000"),
        ];
        Self::start_with(name, &limits)
    }

    fn start_with(name: &str, variables: &[(&str, &str)]) -> Self {
        let binary = Path::new(TESTER).with_file_name("plenum");
        assert!(
            binary.exists(),
            "there is no server at {}: `cargo build --release -p server` makes it",
            binary.display()
        );
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("load-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new(binary);
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("PLENUM_") {
                command.env_remove(variable);
            }
        }
        let mut child = command
            .args(["--http", "127.0.0.1:0", "--udp-port", "0"])
            .env("PLENUM_LOG", "warn")
            .env("PLENUM_DATA_DIR", &folder)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, url) = line.split_once("listening on ")?;
            Some(url.trim().to_owned())
        });
        // Nobody reads on, and nobody waits for that.
        std::thread::spawn(move || lines.for_each(drop));
        let url = url.expect("the server says where it listens");
        Self { child, url, folder }
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Run a scenario. Gives what was said, and the report if there is one.
    fn run(&self, arguments: &str) -> (Output, Option<Value>) {
        let json = self.folder.join("report.json");
        let output = tester(&self.url, arguments)
            .arg("--json")
            .arg(&json)
            .output()
            .unwrap();
        let report = std::fs::read(&json).ok();
        let report = report.map(|text| serde_json::from_slice(&text).unwrap());
        (output, report)
    }

    /// Run a scenario in which nothing may be lost. It is no fault here if the generator was slow.
    fn passes(&self, arguments: &str) -> Value {
        let (output, report) = self.run(arguments);
        let said = said(&output);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{said}");
        let report = report.unwrap();
        let delivery = &report["delivery"];
        assert_eq!(delivery["gate_passed"], true, "{said}");
        assert!(delivery["offered"].as_u64().unwrap() > 0, "{said}");
        assert_eq!(delivery["offered"], delivery["delivered"], "{said}");
        assert_eq!(report["failures"]["count"], 0, "{said}");
        assert_eq!(report["srtp_profiles"][0], "AEAD_AES_128_GCM");
        report
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tester(url: &str, arguments: &str) -> Command {
    let mut command = Command::new("timeout");
    // A test that hangs must not hang the machine.
    command.args(["--foreground", "--kill-after=5", "100", TESTER, "run"]);
    command.args(["--url", url]).args(arguments.split(' '));
    command
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Runs against this address, and fails with this in its words, and no report.
fn fails(url: &str, arguments: &str, expected: &str) {
    let output = tester(url, arguments).output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(expected), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_fanout_reaches_every_subscriber_with_every_packet_and_tells_what_it_costs() {
    let server = Server::start("fanout");
    let arguments = "--scenario fanout --subscribers 10 --duration 3 --join-rate 100 --pid";
    let report = server.passes(&format!("{arguments} {}", server.pid()));
    // 284 packets a second, for each of ten, in three seconds; the first frame may come at once or late.
    let offered = report["delivery"]["offered"].as_u64().unwrap();
    assert!((7_000..=10_000).contains(&offered), "{offered}");
    assert_eq!(report["participants"]["received"], 10);
    assert!(
        report["server"]["cpu_us_per_forwarded_packet"]
            .as_f64()
            .unwrap()
            > 0.1
    );
    assert_eq!(report["seconds"].as_array().unwrap().len(), 3);
}

#[test]
fn pictures_of_every_kind_come_whole() {
    let server = Server::start("pictures");
    for kind in [
        "--codec h264",
        "--simulcast --media both",
        "--gro --receive-threads 2",
        "--feedback transport-cc",
    ] {
        let report = server.passes(&format!(
            "--scenario fanout --subscribers 4 --duration 2 --join-rate 100 {kind}"
        ));
        assert!(
            report["first_key_frame_ms"]["p50"].as_f64().is_some(),
            "{kind}"
        );
    }
}

#[test]
fn in_rooms_everybody_gets_what_the_others_publish_and_nothing_of_other_rooms() {
    let server = Server::start("rooms");
    let report =
        server.passes("--scenario rooms --rooms 3 --participants 3 --duration 2 --join-rate 100");
    assert_eq!(report["participants"]["joined"], 9);
}

#[test]
fn in_a_classroom_the_tutor_sees_all_and_all_see_the_tutor_and_nobody_else() {
    let server = Server::start("classroom");
    let arguments = "--scenario classroom --students 4 --duration 3 --media audio --join-rate 100";
    let report = server.passes(arguments);
    // 50 packets a second of each of four to the tutor, and of the tutor to each of four.
    let offered = report["delivery"]["offered"].as_u64().unwrap();
    // To each other as well it would be 3,000.
    assert!((900..=1_500).contains(&offered), "{offered}");
}

#[test]
fn listeners_hear_every_speaker() {
    let server = Server::start("audio");
    let report =
        server.passes("--scenario audio --speakers 2 --subscribers 8 --duration 2 --join-rate 100");
    assert_eq!(report["packet_bytes"]["audio"]["largest"], 80);
}

#[test]
fn those_who_come_and_go_cost_the_others_nothing() {
    let server = Server::start("churn");
    let report = server.passes(
        "--scenario churn --rooms 2 --participants 3 --joins-per-second 3 --duration 5 --join-rate 100",
    );
    assert!(report["participants"]["joined"].as_u64().unwrap() >= 6 + 14);
}

#[test]
fn who_joins_late_gets_every_packet_from_the_first_one_on_and_a_key_frame() {
    let server = Server::start("late");
    let report = server.passes("--scenario late-join --subscribers 2 --duration 5 --join-rate 100");
    assert_eq!(report["participants"]["asked"], 3 + 5 - 1);
    assert_eq!(report["participants"]["received"], 2 + 5 - 1);
}

#[test]
fn a_storm_of_joins_is_let_in() {
    let server = Server::start("storm");
    let report = server.passes("--scenario storm --subscribers 20 --duration 3");
    assert_eq!(report["participants"]["joined"], 21);
}

#[test]
fn a_ramp_tells_each_of_its_steps() {
    let server = Server::start("ramp");
    let (output, report) = server
        .run("--scenario ramp --from 2 --step 2 --subscribers 4 --duration 1 --join-rate 100");
    let said = said(&output);
    let steps = report.expect(&said)["ramp"]["steps"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(steps[0]["subscribers"], 2, "{said}");
    assert_eq!(steps[0]["gate_passed"], true, "{said}");
}

#[test]
fn tokens_are_signed_with_a_key_of_the_server_and_others_are_refused() {
    let server = Server::start_with("keys", &[("PLENUM_KEYS", KEYS)]);
    let fanout = "--scenario fanout --subscribers 2 --duration 1";
    server.passes(&format!(
        "{fanout} --key testkey --secret 0123456789abcdef0123456789abcdef"
    ));
    let wrong = format!("{fanout} --key testkey --secret another-secret-that-is-long-enough");
    fails(&server.url, &wrong, "Check --key and --secret");
    fails(&server.url, fanout, "say --key and --secret");
}

#[test]
fn wrong_addresses_are_told_apart() {
    let fanout = "--scenario fanout --subscribers 2 --duration 1";
    // Port 1: nobody listens, on any machine.
    fails("http://127.0.0.1:1", fanout, "nobody answers");
    fails(
        "http://nowhere.invalid:80",
        fanout,
        "no machine of the name",
    );
    fails("https://127.0.0.1:80", fanout, "TLS is not spoken here");

    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in other.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1_024]);
            let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
            std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
        }
    });
    fails(&format!("http://{address}"), fanout, "not as Plenum does");
}

#[test]
fn unknown_scenarios_and_processes_are_refused() {
    let server = Server::start("unknown");
    fails(&server.url, "--scenario conference", "late-join");
    let fanout = "--scenario fanout --subscribers 2 --duration 1 --pid 4194304";
    fails(&server.url, fanout, "no process");
}

#[test]
fn joins_that_the_server_refuses_come_with_what_to_raise() {
    let few = [("PLENUM_LIMITS_JOINS_PER_ADDRESS_PER_SECOND", "5")];
    let server = Server::start_with("refused", &few);
    let (output, report) =
        server.run("--scenario fanout --subscribers 60 --duration 1 --join-rate 500");
    let said = said(&output);
    assert!(
        said.contains("Raise limits.joins_per_address_per_second"),
        "{said}"
    );
    assert!(
        report.unwrap()["failures"]["count"].as_u64().unwrap() > 20,
        "{said}"
    );
    assert!(matches!(output.status.code(), Some(2 | 3)), "{said}");
}

/// Starts a long run, and waits until it counts.
fn counting(server: &Server, json: &Path) -> Child {
    let mut child = Command::new(TESTER)
        .args(["run", "--scenario", "fanout", "--subscribers", "3"])
        .args([
            "--duration",
            "60",
            "--join-rate",
            "100",
            "--url",
            &server.url,
        ])
        .arg("--json")
        .arg(json)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = child.stderr.as_mut().unwrap();
    let mut byte = [0];
    let mut said = String::new();
    while !said.contains("1 s:") {
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{said}");
        said.push(byte[0] as char);
    }
    child
}

#[test]
fn a_server_that_is_killed_ends_the_run_with_a_sentence() {
    let mut server = Server::start("killed");
    let json = server.folder.join("killed.json");
    let child = counting(&server, &json);
    server.child.kill().unwrap();
    let began = Instant::now();
    let output = child.wait_with_output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("everybody has lost the server"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(50));
    assert!(
        !json.exists(),
        "nothing is reported of a server that was not there"
    );
}

#[test]
fn who_interrupts_gets_the_report_of_what_was_counted() {
    let server = Server::start("interrupted");
    let json = server.folder.join("interrupted.json");
    let child = counting(&server, &json);
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success());
    let began = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{}",
        said(&output)
    );
    assert!(began.elapsed() < Duration::from_secs(50));
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["interrupted"], true);
    assert_eq!(report["delivery"]["gate_passed"], true);
    assert!(report["counted_seconds"].as_f64().unwrap() < 30.0);
}

#[tokio::test]
async fn media_that_leads_nowhere_is_told_and_given_up() {
    let server = Server::start("nowhere");
    // Takes what comes, and says nothing.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let words = format!(
        "plenum-load run --scenario fanout --subscribers 2 --duration 1 --url {}",
        server.url
    );
    let Ok(Action::Run(run)) = command_line::read(words.split(' ').map(str::to_owned)) else {
        panic!("a run")
    };
    let ran = scenario::run(&run, Some(Arc::new(move |_| address))).await;
    let error = format!("{:#}", ran.unwrap_err());
    assert!(error.contains("nobody could join"), "{error}");
    assert!(error.contains("ICE did not finish"), "{error}");
}
