//! The witness, tested: between the clients and a real server stands a relay that does one thing wrong, and
//! the report must show that thing, to the packet, and nothing else. The relay opens no packet.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use load_tester::command_line::{self, Action};
use load_tester::report::{Machine, Report, Verdict};
use load_tester::scenario;

const TESTER: &str = env!("CARGO_BIN_EXE_plenum-load");
/// 1 Mbit/s in packets of 1,100 bytes are about 114 packets a second. Everybody receives for a second or
/// two, on a busy machine for longer, before packets are counted, and this packet comes after six.
const WELL_WITHIN: u64 = 700;
const SECONDS: u64 = 9;

/// What the relay does to media on its way to the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Every hundredth packet to each client is lost.
    DropEveryHundredth,
    /// One packet to one client comes twice.
    DoubleOne,
    /// Two packets to one client change places.
    SwapTwo,
    /// Every packet comes 50 ms later.
    DelayBy50Milliseconds,
    /// One byte of one packet to one client is another.
    DamageOne,
}

#[tokio::test]
async fn a_relay_that_does_nothing_wrong_is_not_seen() {
    let (report, _) = run_through(Fault::None).await;
    assert_eq!(faults(&report), [0, 0, 0, 0]);
    assert!(report.delivery.gate_passed);
    assert!(report.pictures.whole > 0 && report.pictures.broken == 0);
    // The quickest: what else runs on this machine delays the others.
    let delay = &report.delay_ms;
    assert!(delay.distribution[0].to_ms < 50.0, "{delay:?}");
}

#[tokio::test]
async fn one_packet_of_a_hundred_that_is_dropped_is_lost_and_nothing_else_happened() {
    let (report, dropped) = run_through(Fault::DropEveryHundredth).await;
    let [lost, rest @ ..] = faults(&report);
    assert_eq!(rest, [0, 0, 0]);
    // To each of two subscribers every hundredth: at most one more or less at the edges of the window.
    let (offered, per_hundred) = (report.delivery.offered, report.delivery.offered / 100);
    assert!((1_700..2_300).contains(&offered), "{offered}");
    assert!(lost.abs_diff(per_hundred) <= 2, "{lost} of {offered}");
    assert!(lost <= dropped, "{lost} of {dropped} that were dropped");
    assert_eq!(report.delivery.delivered, offered - lost);
    let pictures = report.pictures;
    assert!(
        pictures.broken > lost,
        "with what builds on them: {pictures:?}"
    );
    fell_short(&report);
}

#[tokio::test]
async fn one_packet_that_comes_twice_is_one_double() {
    let (report, doubled) = run_through(Fault::DoubleOne).await;
    assert_eq!((faults(&report), doubled), ([0, 1, 0, 0], 1));
    assert_eq!(report.delivery.delivered, report.delivery.offered);
    fell_short(&report);
}

#[tokio::test]
async fn two_packets_that_change_places_are_one_that_came_after_a_later_one() {
    let (report, swapped) = run_through(Fault::SwapTwo).await;
    assert_eq!((faults(&report), swapped), ([0, 0, 1, 0], 1));
    assert_eq!(report.delivery.delivered, report.delivery.offered);
    fell_short(&report);
}

#[tokio::test]
async fn fifty_milliseconds_more_are_in_every_delay_and_lose_nothing() {
    let (report, _) = run_through(Fault::DelayBy50Milliseconds).await;
    assert_eq!(faults(&report), [0, 0, 0, 0]);
    let delay = &report.delay_ms;
    // Nothing came sooner, and what comes beyond is what the server and a busy machine take.
    assert!(delay.distribution[0].to_ms >= 50.0, "{delay:?}");
    assert!(delay.distribution[0].to_ms < 100.0, "{delay:?}");
}

#[tokio::test]
async fn a_damaged_byte_is_a_damaged_packet_and_the_packet_itself_never_came() {
    let (report, damaged) = run_through(Fault::DamageOne).await;
    assert_eq!((faults(&report), damaged), ([1, 0, 0, 1], 1));
    assert_eq!(report.delivery.delivered, report.delivery.offered - 1);
    fell_short(&report);
}

/// A generator that is stopped for 200 ms sends its packets that much too late. Which of what follows is
/// the server's fault nobody can tell.
#[test]
fn a_generator_that_is_held_up_makes_an_invalid_run() {
    let server = Server::start();
    let tester = Command::new(TESTER)
        .args(["run", "--url", &server.url, "--scenario", "fanout"])
        .args(["--subscribers", "2", "--duration", "4", "--join-rate", "15"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut tester = tester.unwrap();
    let lines = BufReader::new(tester.stderr.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| line.contains("1 s:")), "it counts");
    signal(&tester, "-STOP");
    thread::sleep(Duration::from_millis(200));
    signal(&tester, "-CONT");
    lines.for_each(drop);
    let output = tester.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.starts_with("INVALID: the generator"), "{said}");
}

/// Lost, doubled, reordered, damaged.
fn faults(report: &Report) -> [u64; 4] {
    let delivery = &report.delivery;
    assert_eq!(report.failures.count, 0, "{:?}", report.failures);
    [
        delivery.lost,
        delivery.duplicated,
        delivery.reordered,
        delivery.damaged,
    ]
}

fn fell_short(report: &Report) {
    assert!(!report.delivery.gate_passed);
    // Other work on this machine may hold the generator up, which is not what is tested here.
    let expected = if report.generator.valid {
        Verdict::FellShort
    } else {
        Verdict::Invalid
    };
    assert_eq!(report.verdict, expected);
}

/// One publisher and two subscribers through a relay with a fault, and how often the relay committed it.
async fn run_through(fault: Fault) -> (Report, u64) {
    let server = Server::start();
    let relay = Arc::new(Relay::new(fault));
    let words = format!(
        "plenum-load run --scenario fanout --subscribers 2 --bitrate 1M --duration {SECONDS} --url {}",
        server.url
    );
    let Ok(Action::Run(run)) = command_line::read(words.split(' ').map(str::to_owned)) else {
        panic!("{words}");
    };
    let through = relay.clone();
    let detour = move |server| through.clone().lead_to(server);
    let measurements = scenario::run(&run, Some(Arc::new(detour))).await;
    relay.ends.store(true, SeqCst);
    let committed = relay.committed.load(SeqCst);
    let report = Report::new(measurements.unwrap(), Machine::default());
    (report, committed)
}

/// A relay for all clients: each has a socket of its own towards the server.
struct Relay {
    fault: Fault,
    inward: UdpSocket,
    server: OnceLock<SocketAddr>,
    committed: AtomicU64,
    ends: AtomicBool,
}

impl Relay {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            inward: socket(),
            server: OnceLock::new(),
            committed: AtomicU64::new(0),
            ends: AtomicBool::new(false),
        }
    }

    /// Where clients are to send what is for this server.
    fn lead_to(self: Arc<Self>, server: SocketAddr) -> SocketAddr {
        let address = self.inward.local_addr().unwrap();
        if self.server.set(server).is_ok() {
            thread::spawn(move || self.carry_to_server());
        }
        address
    }

    fn carry_to_server(self: Arc<Self>) {
        let server = *self.server.get().unwrap();
        let mut clients = HashMap::new();
        let mut datagram = [0; 2_048];
        while !self.ends.load(SeqCst) {
            let Ok((length, client)) = self.inward.recv_from(&mut datagram) else {
                continue; // a time to look whether it ends
            };
            let outward = clients.entry(client).or_insert_with(|| {
                let (outward, relay) = (Arc::new(socket()), self.clone());
                let from_server = outward.clone();
                thread::spawn(move || relay.carry_to_client(&from_server, client));
                outward
            });
            let _ = outward.send_to(&datagram[..length], server);
        }
    }

    fn carry_to_client(self: Arc<Self>, outward: &UdpSocket, client: SocketAddr) {
        let (late, queue) = mpsc::channel::<(Instant, Vec<u8>)>();
        let relay = self.clone();
        thread::spawn(move || {
            for (due, datagram) in queue {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                relay.send(&datagram, client);
            }
        });
        let mut held: Option<Vec<u8>> = None;
        let mut packets = 0;
        let mut datagram = [0; 2_048];
        while !self.ends.load(SeqCst) {
            let Ok((length, _)) = outward.recv_from(&mut datagram) else {
                continue;
            };
            let datagram = &mut datagram[..length];
            if !is_media(datagram) {
                self.send(datagram, client);
                continue;
            }
            packets += 1;
            match self.fault {
                Fault::DropEveryHundredth if packets % 100 == 0 => self.commit(),
                Fault::DoubleOne if packets == WELL_WITHIN && self.commit_first() => {
                    self.send(datagram, client);
                    self.send(datagram, client);
                }
                Fault::SwapTwo if packets == WELL_WITHIN && self.commit_first() => {
                    held = Some(datagram.to_vec());
                }
                Fault::DamageOne if packets == WELL_WITHIN && self.commit_first() => {
                    datagram[length / 2] ^= 1;
                    self.send(datagram, client);
                }
                Fault::DelayBy50Milliseconds => {
                    let due = Instant::now() + Duration::from_millis(50);
                    late.send((due, datagram.to_vec())).unwrap();
                }
                _ => self.send(datagram, client),
            }
            if packets > WELL_WITHIN
                && let Some(held) = held.take()
            {
                self.send(&held, client);
            }
        }
    }

    fn commit(&self) {
        self.committed.fetch_add(1, SeqCst);
    }

    /// Commits the one fault, unless another client has had it: both come to the same packet at once.
    fn commit_first(&self) -> bool {
        self.committed
            .compare_exchange(0, 1, SeqCst, SeqCst)
            .is_ok()
    }

    fn send(&self, datagram: &[u8], client: SocketAddr) {
        let _ = self.inward.send_to(datagram, client);
    }
}

/// RTP, but not RTCP, STUN or DTLS, as RFC 5761 and RFC 7983 tell them apart.
fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, second, ..] if !(192..=223).contains(second))
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let often = Some(Duration::from_millis(100));
    socket.set_read_timeout(often).unwrap();
    socket
}

fn signal(process: &Child, name: &str) {
    let pid = process.id().to_string();
    let sent = Command::new("kill").args([name, &pid]).status().unwrap();
    assert!(sent.success());
}

/// A server in development mode on free ports. Dropped, it is killed.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let binary = Path::new(TESTER).with_file_name("plenum");
        assert!(
            binary.exists(),
            "there is no server at {}: `cargo build --release -p server` makes it",
            binary.display()
        );
        let mut command = Command::new(binary);
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("PLENUM_") {
                command.env_remove(variable);
            }
        }
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let folder = format!("planted-{}", NUMBER.fetch_add(1, SeqCst));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut child = command
            .args(["--http", "127.0.0.1:0", "--udp-port", "0"])
            .env("PLENUM_LOG", "warn")
            .env("PLENUM_DATA_DIR", &folder)
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
        thread::spawn(move || lines.for_each(drop));
        let url = url.expect("the server says where it listens");
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
