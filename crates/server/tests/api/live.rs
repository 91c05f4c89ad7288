//! `GET /api/live`: the listing, each change of it, and coming back.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::call::Route;
use crate::process::Server;
use crate::routes::NO_RATES;
use crate::tokens::{OWNER, Role};

struct Stream(BufReader<TcpStream>);

#[derive(Debug, PartialEq)]
struct Event {
    kind: String,
    id: String,
    data: Value,
}

impl Stream {
    fn open(server: &Server, last: Option<&str>) -> Self {
        let call = server.call(Route::Live, &[]);
        let call = match last {
            Some(id) => call.header(&format!("Last-Event-ID: {id}")),
            None => call,
        };
        Self(BufReader::new(call.open()))
    }

    /// The next event; the lines of HTTP around it are passed over.
    fn next(&mut self) -> Event {
        let (mut kind, mut id, mut data) = (String::new(), String::new(), None);
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "it ended");
            match line.trim_end().split_once(": ") {
                Some(("event", text)) => kind = text.into(),
                Some(("id", text)) => id = text.into(),
                Some(("data", text)) => data = Some(serde_json::from_str(text).unwrap()),
                _ if line == "\n" && data.is_some() => {
                    return Event {
                        kind,
                        id,
                        data: data.unwrap(),
                    };
                }
                _ => {}
            }
        }
    }
}

fn owner() -> String {
    Role::Owner.token().unwrap()
}

fn go_live(server: &Server, key: &str) {
    server
        .call(Route::GoLive, &[OWNER])
        .token(owner())
        .body(json!({ "key": key }))
        .send()
        .ok();
}

fn end(server: &Server) {
    server
        .call(Route::EndSession, &[OWNER])
        .token(owner())
        .body(json!({}))
        .send()
        .ok();
}

#[test]
fn whoever_listens_knows_what_is_listed_and_whoever_comes_back_missed_nothing() {
    let server = Server::start("api_live", NO_RATES);
    server
        .call(Route::EnsureMyRoom, &[])
        .token(owner())
        .send()
        .ok();
    let mut first = Stream::open(&server, None);
    let snapshot = first.next();
    assert_eq!(
        (snapshot.kind.as_str(), &snapshot.data),
        ("snapshot", &json!({ "rooms": [] }))
    );

    go_live(&server, "a");
    let live = first.next();
    assert_eq!(
        (live.kind.as_str(), &live.data["name"]),
        ("room_live", &json!(OWNER))
    );
    let listed = server.call(Route::ListRooms, &[]).send().ok();
    assert_eq!(listed, json!([live.data]), "the same as the listing");
    end(&server);
    let over = first.next();
    assert_eq!(
        (over.kind.as_str(), &over.data),
        ("room_over", &json!({ "name": OWNER }))
    );

    let mut back = Stream::open(&server, Some(&live.id));
    assert_eq!(back.next(), over, "what was missed, and nothing else");
    let mut stranger = Stream::open(&server, Some("00000000-1"));
    assert_eq!(stranger.next().kind, "snapshot", "an id of another run");
    go_live(&server, "b");
    for stream in [&mut first, &mut back, &mut stranger] {
        assert_eq!(stream.next().kind, "room_live");
    }
}

#[test]
fn listeners_are_limited_and_a_place_is_free_when_one_has_gone() {
    let config = "[limits]\nlive_subscribers = 1\n";
    let server = Server::start("api_live_limit", config);
    let mut first = Stream::open(&server, None);
    assert_eq!(first.next().kind, "snapshot");
    let refused = server.call(Route::Live, &[]).send();
    assert_eq!(refused.status, 503);
    drop(first);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while server.call(Route::Live, &[]).send().status != 200 {
        assert!(
            std::time::Instant::now() < deadline,
            "the place is not free"
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
