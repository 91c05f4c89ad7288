//! A `plenum` process for one test, on free ports, ended with the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;

pub(crate) const KEY: &str = "testkey";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A running server. Dropped, it is killed.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    output: BufReader<ChildStdout>,
}

/// What came back over HTTP.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// The binary, without the variables of whoever runs the tests.
pub(crate) fn plenum() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plenum"));
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PLENUM_"))
    {
        command.env_remove(name);
    }
    command.env("PLENUM_LOG", "warn");
    command
}

/// A directory for one test, empty.
pub(crate) fn directory(test: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// Run to the end, which must come by itself, and soon.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let mut command = plenum();
    command.args(arguments);
    run_command(command)
}

pub(crate) fn run_command(mut command: Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    ends(&mut child);
    child.wait_with_output().unwrap()
}

/// The code with which a process ends by itself, soon.
pub(crate) fn ends(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it runs on");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Server {
    /// A server with an API key, and with more configuration.
    pub(crate) fn start(test: &str, config: &str) -> Self {
        Self::start_as_is(test, &format!("{config}\n[keys]\n{KEY} = \"{SECRET}\"\n"))
    }

    /// A server with this configuration and nothing else.
    pub(crate) fn start_as_is(test: &str, config: &str) -> Self {
        let directory = directory(test);
        std::fs::write(directory.join("plenum.toml"), config).unwrap();
        Self::spawn(Self::command(&directory))
    }

    /// A server with the configuration and the data of this directory.
    pub(crate) fn command(directory: &Path) -> Command {
        let file = directory.join("plenum.toml");
        let mut command = plenum();
        command
            .arg("--config")
            .arg(file)
            .arg("--data-dir")
            .arg(directory);
        command.args(["--http", "127.0.0.1:0", "--udp-port", "0", "--workers", "1"]);
        command
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line
            .trim()
            .strip_prefix("Plenum is listening on http://")
            .unwrap_or_else(|| panic!("{line:?}"));
        Self {
            child,
            address: address.parse().unwrap(),
            output,
        }
    }

    /// The next line of the standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.http(&format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ))
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Response {
        self.http(&format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    pub(crate) fn http(&self, request: &str) -> Response {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        // Refused, it may be closed before all is written.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        Response {
            status,
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    /// The value of a metric, with its labels as they are written.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        self.metric_now(name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn metric_now(&self, name: &str) -> Option<f64> {
        let page = self.get("/metrics").body;
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line?.parse().ok()
    }

    /// Waits until a metric has a value.
    pub(crate) async fn metric_becomes(&self, name: &str, value: f64) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            // There may be none, while all connections of this address are taken.
            let found = self.metric_now(name);
            if found == Some(value) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{name} is {found:?} and not {value}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Somebody in a room, with the `joined` they got.
    pub(crate) async fn joined(&self, room: &str, identity: &str) -> (Client, Value) {
        let (client, joined) = self.joins_as(room, identity).await;
        assert_eq!(joined["type"], "joined", "{joined}");
        (client, joined)
    }

    /// Somebody joined, and this was the answer.
    pub(crate) async fn joins_as(&self, room: &str, identity: &str) -> (Client, Value) {
        let mut client = self.connect().await;
        client
            .send(json!({ "type": "join", "token": token(room, identity) }))
            .await;
        let answer = client.receive().await;
        (client, answer)
    }

    /// The permanent room of somebody, by its name.
    pub(crate) fn room_of(&self, identity: &str) -> String {
        let exp = jsonwebtoken::get_current_timestamp() + 600;
        let bearer = signed(json!({ "iss": KEY, "sub": identity, "exp": exp }));
        let made = self.http(&format!(
            "PUT /api/rooms/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\
             Authorization: Bearer {bearer}\r\n\r\n"
        ));
        assert!(matches!(made.status, 200 | 201), "{made:?}");
        let room: Value = serde_json::from_str(&made.body).unwrap();
        room["info"]["name"].as_str().unwrap().to_owned()
    }

    /// The process is killed, with nothing said to anybody.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A good token.
pub(crate) fn token(room: &str, identity: &str) -> String {
    signed(json!({
        "iss": KEY, "sub": identity, "exp": jsonwebtoken::get_current_timestamp() + 600,
        "video": { "room": room, "roomJoin": true },
    }))
}

/// Whatever claims, signed with the server's key.
pub(crate) fn signed(claims: Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
}
