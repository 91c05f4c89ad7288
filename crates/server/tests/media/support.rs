//! A server to test against: a process of its own, ended with the test. It joins nobody.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use jsonwebtoken::{EncodingKey, Header};
use load_tester::{Participant, ParticipantOptions, Publication, PublishOptions, Reception, http};
use protocol::{TrackId, TrackKind};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};

/// What is not so after this long never will be.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// A modest camera: the machine has two cores, and the witnesses cost more than the server.
pub(crate) const CAMERA: PublishOptions = PublishOptions::camera(300_000);

static TURN: Mutex<()> = Mutex::const_new(());
static SERVERS: AtomicU32 = AtomicU32::new(0);

/// A running server.
pub(crate) struct Server {
    pub(crate) http: SocketAddr,
    /// Ended when dropped.
    process: Child,
    key: String,
    secret: String,
    _turn: MutexGuard<'static, ()>,
}

impl Server {
    /// A server in development mode, on ports of its own, when no other test runs. Its rooms are spread over
    /// two workers, one peer here and the next one there, so that whatever is tried is tried across them.
    pub(crate) async fn start() -> Self {
        Self::start_with(&["--workers", "2"]).await
    }

    /// The same, with more flags.
    pub(crate) async fn start_with(flags: &[&str]) -> Self {
        Self::start_in(flags, &[]).await
    }

    /// The same, with these in its environment.
    pub(crate) async fn start_in(flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let turn = TURN.lock().await;
        let number = SERVERS.fetch_add(1, Relaxed);
        let data = format!(
            "{}/media-{}-{number}",
            env!("CARGO_TARGET_TMPDIR"),
            std::process::id()
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_plenum"));
        // What is configured around the tests is not for them.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PLENUM_"))
        {
            command.env_remove(name);
        }
        let mut process = command
            .args([
                "--http",
                "127.0.0.1:0",
                "--udp-port",
                "0",
                "--data-dir",
                &data,
            ])
            .args(flags)
            // A hundred participants from one address are a test here, and a siege elsewhere.
            .env("PLENUM_LIMITS_JOINS_PER_ADDRESS_PER_SECOND", "1000")
            .env("PLENUM_LIMITS_CONNECTIONS_PER_ADDRESS", "1000")
            .env("PLENUM_ROOM_PEERS_PER_WORKER", "1")
            .envs(environment.iter().copied())
            .env(
                "PLENUM_LOG",
                std::env::var("MEDIA_TEST_LOG").unwrap_or("warn".into()),
            )
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut line = async || {
            tokio::time::timeout(PATIENCE, lines.next_line())
                .await
                .unwrap()
                .unwrap()
                .unwrap()
        };
        let address = line().await;
        let http = address
            .split("http://")
            .nth(1)
            .unwrap()
            .trim_end_matches('/')
            .parse()
            .unwrap();
        let key = line().await;
        let after = |word: &str| {
            key.split(word)
                .nth(1)
                .unwrap()
                .split_whitespace()
                .next()
                .unwrap()
                .to_owned()
        };
        Self {
            http,
            process,
            key: after("API key: "),
            secret: after("secret: "),
            _turn: turn,
        }
    }

    pub(crate) fn options(&self, room: &str, name: &str) -> ParticipantOptions {
        ParticipantOptions::new(self.http, room, name)
    }

    /// Somebody with camera and microphone.
    pub(crate) async fn publisher(&self, room: &str, name: &str) -> Participant {
        let options = self
            .options(room, name)
            .publishing(PublishOptions::microphone())
            .publishing(CAMERA);
        Participant::join(options).await.unwrap()
    }

    /// Somebody who only receives.
    pub(crate) async fn viewer(&self, room: &str, name: &str) -> Participant {
        Participant::join(self.options(room, name)).await.unwrap()
    }

    /// An access token with this grant, as a backend signs it.
    pub(crate) fn token(&self, identity: &str, grant: serde_json::Value) -> String {
        let in_an_hour = std::time::SystemTime::now() + Duration::from_secs(3_600);
        let expiry = in_an_hour
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let claims = json!({ "iss": self.key, "sub": identity, "name": identity, "exp": expiry, "video": grant });
        let key = EncodingKey::from_secret(self.secret.as_bytes());
        jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
    }

    /// The value of a metric, with its labels as on the page.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let page = http::get(self.http, "/metrics").await.unwrap().body;
        let line = page.lines().find(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(' '))
        });
        let line = line.unwrap_or_else(|| panic!("no {name} in\n{page}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64
    }

    pub(crate) async fn dropped(&self, reason: &str) -> u64 {
        self.metric(&format!("plenum_dropped_total{{reason=\"{reason}\"}}"))
            .await
    }

    /// Ends by itself, as an operator asks it to.
    pub(crate) async fn stop(mut self) {
        let id = self.process.id().unwrap().to_string();
        let signalled = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(signalled.unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        assert_eq!(ended.unwrap().unwrap().code(), Some(0));
    }

    /// Nobody ended the process but us.
    pub(crate) fn assert_running(&mut self) {
        assert_eq!(
            self.process.try_wait().unwrap(),
            None,
            "the server has ended"
        );
    }
}

/// Wait until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began_at = Instant::now();
    while !is_so().await {
        assert!(
            began_at.elapsed() < PATIENCE,
            "not so after {PATIENCE:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// The publication of a kind.
pub(crate) fn publication(participant: &Participant, kind: TrackKind) -> &Publication {
    participant.publication(kind).unwrap()
}

/// Packets of a track that came so far.
pub(crate) fn packets(participant: &Participant, track: TrackId) -> u64 {
    participant
        .reception(track)
        .map_or(0, |reception| reception.packets)
}

/// Wait until this many more packets of a track have come.
pub(crate) async fn more_packets(participant: &Participant, track: TrackId, more: u64) {
    let before = packets(participant, track);
    until("more packets came", async || {
        packets(participant, track) >= before + more
    })
    .await;
}

/// Stop sending, and wait until all is sent: a frame may be half out when the pause begins.
pub(crate) async fn pause(publications: impl IntoIterator<Item = &Publication>) {
    let publications: Vec<&Publication> = publications.into_iter().collect();
    for publication in &publications {
        publication.pause(true);
    }
    let sent = || publications.iter().map(|one| one.packets()).sum::<u64>();
    let mut before = None;
    until("nothing more is sent", async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        before.replace(sent()) == Some(sent())
    })
    .await;
}

/// Stop sending, and wait until the last packet has come.
pub(crate) async fn all_received(
    publication: &Publication,
    participant: &Participant,
) -> Reception {
    if !publication.is_paused() {
        pause([publication]).await;
    }
    let last = || publication.packets() - 1;
    let highest = || {
        participant
            .reception(publication.id)
            .and_then(|reception| reception.counters.highest())
    };
    let began_at = Instant::now();
    while highest() != Some(last()) {
        assert!(
            began_at.elapsed() < PATIENCE,
            "{} should have got packet {} of {}: {:?}",
            participant.id(),
            last(),
            publication.id,
            participant.reception(publication.id)
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    participant.reception(publication.id).unwrap()
}

/// No more packets of a track come.
pub(crate) async fn assert_silent(participant: &Participant, track: TrackId) {
    // What is under way arrives, late on a busy machine.
    let mut before = None;
    until("the track falls silent", async || {
        seconds(1).await;
        let now = packets(participant, track);
        before.replace(now) == Some(now)
    })
    .await;
    let before = packets(participant, track);
    seconds(2).await;
    assert_eq!(
        packets(participant, track),
        before,
        "packets of a track that should be silent"
    );
}

/// All that the participants know of the server is in order.
pub(crate) fn assert_in_order(participants: &[Participant]) {
    for participant in participants {
        assert_eq!(participant.ended(), None);
        assert!(participant.is_connected());
        assert!(
            participant.room().faults.is_empty(),
            "{:?}",
            participant.room().faults
        );
    }
}
