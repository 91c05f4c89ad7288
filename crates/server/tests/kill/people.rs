//! People on WebSockets, without media: they join, stay a while, leave, lose their connection, and come back
//! by themselves when the server is there again. What they are acknowledged goes into the ledger first.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::ledger::{Fact, Ledger};
use crate::process::token;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Between attempts to come back.
const PAUSE: Duration = Duration::from_millis(50);
/// A server that answers nothing for so long, and is there, is at fault.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all who make the load share.
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) ledger: Ledger,
    /// Which life of the server this is: raised after each start.
    pub(crate) life: AtomicU64,
    pub(crate) is_over: AtomicBool,
    /// For each person, the life in which they were last told that they are in or wait.
    pub(crate) seen: Vec<AtomicU64>,
    pub(crate) joined: AtomicU64,
    pub(crate) resumed: AtomicU64,
    pub(crate) faults: std::sync::Mutex<Vec<String>>,
}

impl Load {
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Something that must not be: told at the end of the cycle.
    pub(crate) fn fault(&self, fault: String) {
        self.faults.lock().unwrap().push(fault);
    }
}

struct Person {
    number: usize,
    identity: String,
}

/// One person, until the load is over. `rooms` are those they go to, one after the other.
pub(crate) async fn person(load: Arc<Load>, number: usize, rooms: Vec<String>) {
    let person = Person {
        identity: format!("person {number}"),
        number,
    };
    let (mut kept, mut visit) = (Kept::default(), number);
    while !load.is_over() {
        let room = &rooms[visit % rooms.len()];
        let ControlFlow::Break(ended) = stay(&load, &person, room, &mut kept).await;
        match ended {
            Stay::Left => {
                kept = Kept::default();
                visit += 1;
            }
            Stay::Lost => sleep(PAUSE).await,
        }
    }
}

/// How a stay ended.
enum Stay {
    /// By leaving, or because the session did.
    Left,
    /// The connection is gone: to be taken up again.
    Lost,
}

/// What somebody keeps when the connection is lost.
#[derive(Default)]
struct Kept {
    participant: Option<String>,
    resume: Option<Value>,
}

async fn stay(
    load: &Load,
    person: &Person,
    room: &str,
    kept: &mut Kept,
) -> ControlFlow<Stay, Infallible> {
    // Read before connecting: what is told on the connection is of this life of the server or a later one.
    let life = load.life.load(Ordering::Relaxed);
    let connected = connect_async(format!("ws://{}/ws", load.address)).await;
    let Ok((mut socket, _)) = connected else {
        return ControlFlow::Break(Stay::Lost);
    };
    let token = token(&person.identity, Some(room));
    let join = json!({ "type": "join", "token": token, "resume": kept.resume });
    send(&mut socket, &join).await?;
    let first = next(
        load,
        &mut socket,
        &format!("{} asked for {room}", person.identity),
    )
    .await?;
    hear(load, person, kept, &first)?;
    load.seen[person.number].fetch_max(life, Ordering::Relaxed);

    let goes_at = Instant::now() + Duration::from_millis(50 + rand::random::<u64>() % 600);
    while let Ok(message) = timeout_at(goes_at, receive(&mut socket)).await {
        hear(load, person, kept, &message?)?;
    }
    if rand::random::<u8>() < 80 {
        // Without a word: it is taken up again.
        return ControlFlow::Break(Stay::Lost);
    }
    send(&mut socket, &json!({ "type": "leave" })).await?;
    loop {
        let left = format!("{} left {room}", person.identity);
        let message = next(load, &mut socket, &left).await?;
        hear(load, person, kept, &message)?;
    }
}

/// Takes in what the server says. An acknowledgement is written down before anything is done about it.
fn hear(load: &Load, person: &Person, kept: &mut Kept, message: &Value) -> ControlFlow<Stay> {
    match message["type"].as_str() {
        Some("joined") => {
            let participant = text(&message["participant_id"]);
            let room = &message["room"];
            if room["state"] == "live" {
                load.ledger.write(Fact::Joined {
                    session: text(&room["session"]["id"]),
                    participant: participant.clone(),
                });
            }
            let last_change = &message["last_change"];
            kept.resume =
                Some(json!({ "token": message["resume_token"], "last_change": last_change }));
            kept.participant = Some(participant);
            load.joined.fetch_add(1, Ordering::Relaxed);
        }
        Some("resumed") => {
            let before = kept
                .resume
                .as_ref()
                .map(|resume| resume["last_change"].clone());
            let last = message["changes"]
                .as_array()
                .and_then(|changes| changes.last());
            let last_change = last.map_or(before, |last| Some(last["number"].clone()));
            kept.resume =
                Some(json!({ "token": message["resume_token"], "last_change": last_change }));
            load.resumed.fetch_add(1, Ordering::Relaxed);
        }
        Some("change") => {
            if let Some(resume) = &mut kept.resume {
                resume["last_change"] = message["number"].clone();
            }
        }
        Some("waiting") => {
            kept.participant = None;
            kept.resume = Some(json!({ "token": message["resume_token"] }));
        }
        Some("goodbye") => {
            let is_over = ["left", "session_ended"]
                .iter()
                .any(|code| message["code"] == *code);
            if !is_over {
                return ControlFlow::Break(Stay::Lost);
            }
            if let Some(participant) = kept.participant.take() {
                load.ledger.write(Fact::Left { participant });
            }
            return ControlFlow::Break(Stay::Left);
        }
        Some("error") => {
            load.fault(format!("{}: {message}", person.identity));
            return ControlFlow::Break(Stay::Left);
        }
        _ => {}
    }
    ControlFlow::Continue(())
}

/// The next message, which must come while the connection is there.
async fn next(load: &Load, socket: &mut Socket, what: &str) -> ControlFlow<Stay, Value> {
    match timeout(PATIENCE, receive(socket)).await {
        Ok(message) => message,
        Err(_) => {
            load.fault(format!("{what}, and was not answered"));
            ControlFlow::Break(Stay::Lost)
        }
    }
}

async fn send(socket: &mut Socket, message: &Value) -> ControlFlow<Stay> {
    match socket.send(Message::text(message.to_string())).await {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(Stay::Lost),
    }
}

/// The next message, unless the connection is over.
async fn receive(socket: &mut Socket) -> ControlFlow<Stay, Value> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                Ok(message) => return ControlFlow::Continue(message),
                Err(error) => panic!("the server said {text:?}: {error}"),
            },
            None | Some(Ok(Message::Close(_)) | Err(_)) => return ControlFlow::Break(Stay::Lost),
            Some(Ok(_)) => {}
        }
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
