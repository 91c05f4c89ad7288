//! A `plenum` process on a private directory, which is killed and started again on the same port. It says
//! what the operating system says of it, and nothing of what it serves.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

const KEY: &str = "testkey";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Everything comes from one address, and fast: no limit of a rate is the subject here.
const CONFIG: &str = "
workers = 1
[limits]
joins_per_address_per_second = 100000
requests_per_address_per_second = 100000
connections_per_address = 5000
[keys]
";

/// Where a server lives, running or not.
pub(crate) struct Home {
    directory: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Home {
    /// A directory that nobody else has, and a port that is free now.
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(directory.join("data")).unwrap();
        let config = format!("{CONFIG}{KEY} = \"{SECRET}\"\n");
        std::fs::write(directory.join("plenum.toml"), config).unwrap();
        Self {
            address: free_address(),
            directory,
        }
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.directory.join("ledger.jsonl")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Starts the server, and does not wait for it.
    pub(crate) fn start(&self) -> Server {
        // The one that was built with this test, or another one to be tried.
        let built = || env!("CARGO_BIN_EXE_plenum").into();
        let mut command = Command::new(std::env::var_os("KILL_BINARY").unwrap_or_else(built));
        let ours = |name: &str| name.starts_with("PLENUM_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| ours(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        let child = command
            .env("PLENUM_LOG", "warn")
            .arg("--config")
            .arg(self.directory.join("plenum.toml"))
            .arg("--data-dir")
            .arg(self.data())
            .args(["--http", &self.address.to_string(), "--udp-port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log(&self.directory))
            .spawn();
        Server(child.unwrap())
    }
}

/// A port that stays free while the server is dead: below those that the kernel gives to whoever asks for any
/// (32768 and up). One of those may be taken by an outgoing connection, even by a client's own to the very
/// port, which then talks to itself.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id() * 16;
    let ports = std::iter::from_fn(|| Some(first + NEXT.fetch_add(1, Ordering::Relaxed)));
    let ports = ports.map(|number| 26_000 + u16::try_from(number % 6_000).unwrap());
    let mut addresses = ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    addresses
        .find(|address| TcpListener::bind(address).is_ok())
        .unwrap()
}

/// What a failed test leaves is kept, to be looked at.
impl Drop for Home {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

fn log(directory: &Path) -> Stdio {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    options.open(directory.join("plenum.log")).unwrap().into()
}

/// A running server. Dropped, it is killed.
pub(crate) struct Server(Child);

impl Server {
    /// Waits until it listens; it must, and must not end by itself.
    pub(crate) fn listens(&mut self) {
        let output = self.0.stdout.take().expect("it is asked once");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert!(
            line.starts_with("Plenum is listening on "),
            "the server did not start: {line:?}, {:?}",
            self.0.try_wait()
        );
    }

    /// SIGKILL: it learns nothing of it.
    pub(crate) fn kill(mut self) {
        let ended = self.0.try_wait().unwrap();
        assert!(ended.is_none(), "the server ended by itself: {ended:?}");
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A token for a room, or for HTTP alone.
pub(crate) fn token(identity: &str, room: Option<&str>) -> String {
    let mut claims = json!({
        "iss": KEY, "sub": identity, "exp": jsonwebtoken::get_current_timestamp() + 36_000,
    });
    if let Some(room) = room {
        claims["video"] = json!({ "room": room, "roomJoin": true });
    }
    sign(&claims)
}

fn sign(claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
}
