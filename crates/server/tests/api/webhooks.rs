//! Webhooks of a real server: signed, in order, tried again, and after a kill.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::call::Route;
use crate::process::{KEY, SECRET, Server, directory};
use crate::tokens::{OWNER, Role};

/// A target: answers each request with the next status, and tells what it was sent.
fn target(statuses: impl IntoIterator<Item = u16>) -> (String, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (told, events) = mpsc::channel();
    let statuses: Vec<u16> = statuses.into_iter().collect();
    std::thread::spawn(move || {
        let statuses = statuses.into_iter().chain(std::iter::repeat(200));
        for (stream, status) in listener.incoming().zip(statuses) {
            if told.send(taken(stream.unwrap(), status)).is_err() {
                return;
            }
        }
    });
    (url, events)
}

/// One request, verified as LiveKit's receivers do.
fn taken(mut stream: TcpStream, status: u16) -> Value {
    let mut request = Vec::new();
    let (head, body) = loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).unwrap();
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8(request.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = header(head, "content-length").parse::<usize>().unwrap();
        if body.len() == length {
            break (head.to_owned(), body.to_owned());
        }
    };
    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(header(&head, "content-type"), "application/webhook+json");
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[KEY]);
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    let token = jsonwebtoken::decode::<Value>(header(&head, "authorization"), &key, &validation);
    let hash = STANDARD.encode(Sha256::digest(&body));
    assert_eq!(token.unwrap().claims["sha256"], hash);
    serde_json::from_str(&body).unwrap()
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .unwrap()
        .1
}

fn next(events: &mpsc::Receiver<Value>) -> (String, String) {
    let event = events
        .recv_timeout(Duration::from_secs(60))
        .expect("an event");
    let text = |name: &str| event[name].as_str().unwrap().to_owned();
    assert!(event["createdAt"].as_u64().unwrap() > 1_700_000_000);
    (text("id"), text("event"))
}

fn config(url: &str, networks: &str) -> String {
    format!(
        "webhooks = [{{ url = \"{url}\", key = \"{KEY}\" }}]\nwebhook_allowed_networks = [{networks}]\n\
         [keys]\n{KEY} = \"{SECRET}\"\n"
    )
}

/// Waits until at least so many deliveries have ended so.
fn until_counted(server: &Server, result: &str, many: f64) {
    let name = format!("plenum_webhook_deliveries_total{{result=\"{result}\"}}");
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while server.metric(&name) < many {
        assert!(std::time::Instant::now() < deadline, "{result}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn live_and_over(server: &Server, key: &str) {
    let owner = Role::Owner.token().unwrap();
    server
        .call(Route::EnsureMyRoom, &[])
        .token(&owner)
        .send()
        .ok();
    server
        .call(Route::GoLive, &[OWNER])
        .token(&owner)
        .body(json!({ "key": key }))
        .send()
        .ok();
    server
        .call(Route::EndSession, &[OWNER])
        .token(&owner)
        .body(json!({}))
        .send()
        .ok();
}

#[test]
fn a_target_is_told_in_order_signed_and_again_until_it_takes_it() {
    // The second event is taken at the third attempt; those behind it wait.
    let (url, events) = target([200, 500, 302]);
    let server = Server::start_as_is("api_webhooks", &config(&url, "\"127.0.0.1\""));
    live_and_over(&server, "a");
    let told: Vec<(String, String)> = (0..5).map(|_| next(&events)).collect();
    let kinds: Vec<&str> = told.iter().map(|(_, kind)| kind.as_str()).collect();
    let started = "session_started";
    assert_eq!(
        kinds,
        ["room_created", started, started, started, "session_ended"]
    );
    assert!(
        told[1].0 == told[2].0 && told[2].0 == told[3].0,
        "the same event has the same id"
    );
    assert!(told[0].0 != told[1].0 && told[0].0.starts_with("EV_"));
    let count = |result| {
        server.metric(&format!(
            "plenum_webhook_deliveries_total{{result=\"{result}\"}}"
        ))
    };
    assert_eq!(count("failed"), 2.0);
    assert!(
        events.recv_timeout(Duration::from_millis(700)).is_err(),
        "nothing is told twice"
    );
    until_counted(&server, "delivered", 3.0);
}

#[test]
fn what_a_killed_server_had_not_told_the_next_one_tells() {
    let directory = directory("api_webhooks_kill");
    // Nobody listens there until the port is bound below: no other test has anything at that address.
    let place = TcpListener::bind("127.77.0.1:0").unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    let file = directory.join("plenum.toml");
    std::fs::write(
        &file,
        config(&format!("http://{address}/"), "\"127.0.0.0/8\""),
    )
    .unwrap();
    let server = Server::spawn(Server::command(&directory));
    live_and_over(&server, "a");
    server.kill();
    let listener = TcpListener::bind(address).unwrap();
    let _server = Server::spawn(Server::command(&directory));
    let kinds = ["room_created", "session_started", "session_ended"];
    for (kind, stream) in kinds.into_iter().zip(listener.incoming()) {
        assert_eq!(taken(stream.unwrap(), 200)["event"], kind);
    }
}

#[test]
fn nothing_is_told_to_this_machine_unless_it_is_written_out() {
    let (url, events) = target([]);
    let server = Server::start_as_is("api_webhooks_inside", &config(&url, ""));
    live_and_over(&server, "a");
    until_counted(&server, "failed", 1.0);
    assert!(events.try_recv().is_err());
}
