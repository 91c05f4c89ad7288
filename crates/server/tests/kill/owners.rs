//! Owners, over HTTP: each has one room, goes live, ends it, and begins anew, with the same key until there
//! is an answer. What they are acknowledged goes into the ledger first.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::ledger::Fact;
use crate::people::{Load, text};
use crate::process::token;

const PAUSE: Duration = Duration::from_millis(30);
const PATIENCE: Duration = Duration::from_secs(60);

/// One owner, until the load is over. In `seen` from `number` on: the life in which they last went live.
pub(crate) async fn owner(load: Arc<Load>, number: usize, identity: String) {
    let token = token(&identity, None);
    let mut keys = 0;
    while !load.is_over() {
        let room = ask(&load, "PUT", "/api/rooms/me", &token, None).await;
        let Some(room) = room else { return };
        load.ledger.write(Fact::RoomMade {
            room: text(&room["id"]),
        });
        // The name, as people know it; the same after each start, or people wait for ever.
        let path = format!("/api/rooms/{}", text(&room["id"]));

        keys += 1;
        let key = format!("{identity} {keys}");
        let life = load.life.load(Ordering::Relaxed);
        let start = json!({ "key": key });
        let session = ask(
            &load,
            "POST",
            &format!("{path}/go-live"),
            &token,
            Some(&start),
        )
        .await;
        let Some(session) = session else { return };
        load.ledger.write(Fact::SessionStarted {
            session: text(&session["id"]),
            key,
        });
        if session["state"] == "live" {
            load.seen[number].fetch_max(life, Ordering::Relaxed);
        }
        sleep(Duration::from_millis(rand::random::<u64>() % 500)).await;

        let which = json!({ "session_id": session["id"] });
        let ended = ask(&load, "POST", &format!("{path}/end"), &token, Some(&which)).await;
        let Some(ended) = ended else { return };
        if ended["state"] == "ended" {
            load.ledger.write(Fact::SessionEnded {
                session: text(&ended["id"]),
            });
        } else {
            load.fault(format!("{identity} ended a session, which is {ended}"));
        }
    }
}

/// Asks until there is an answer; none when the load is over. A refusal is a fault: everything asked here
/// is possible whatever happened before.
async fn ask(
    load: &Load,
    method: &str,
    path: &str,
    token: &str,
    body: Option<&Value>,
) -> Option<Value> {
    while !load.is_over() {
        match timeout(PATIENCE, request(load, method, path, token, body)).await {
            Ok(Some((200..=299, answer))) => return Some(answer),
            Ok(Some((status, answer))) => {
                load.fault(format!(
                    "{method} {path} was refused with {status}: {answer}"
                ));
                sleep(Duration::from_secs(1)).await;
            }
            // The server is gone, and with it the answer.
            Ok(None) => sleep(PAUSE).await,
            Err(_) => load.fault(format!("{method} {path} was not answered")),
        }
    }
    None
}

/// One request; `None` if the server was gone before the whole answer was there.
async fn request(
    load: &Load,
    method: &str,
    path: &str,
    token: &str,
    body: Option<&Value>,
) -> Option<(u16, Value)> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let json = match body.is_empty() {
        true => "",
        false => "Content-Type: application/json\r\n",
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         {json}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(load.address).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}
