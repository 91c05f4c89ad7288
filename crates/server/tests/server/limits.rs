//! What one address may take of the server: each limit refuses, counts, and lets others in.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::client::PATIENCE;
use crate::process::{Server, token};

#[tokio::test]
async fn joins_from_one_address_are_limited() {
    let server = Server::start("joins", "[limits]\njoins_per_address_per_second = 2");
    let mut client = server.connect().await;
    let join = |token: &str| json!({ "type": "join", "token": token });
    // All are sent before any is answered: a slow machine lets more than two through, and not all.
    for _ in 0..100 {
        client.send(join("x")).await;
    }
    let mut codes = Vec::new();
    for _ in 0..100 {
        codes.push(client.receive_error().await);
    }
    assert_eq!(codes[..2], ["token_invalid", "token_invalid"]);
    assert!(codes.iter().any(|code| code == "too_fast"), "{codes:?}");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    client.send(join(&token("blue", "ann"))).await;
    assert_eq!(client.receive().await["type"], "joined");
}

#[tokio::test]
async fn connections_from_one_address_are_limited_and_websockets_count() {
    let server = Server::start("connections", "[limits]\nconnections_per_address = 3");
    let (first, second) = (server.connect().await, server.connect().await);
    // The third is for asking, again and again.
    let since = Instant::now();
    server.metric_becomes("plenum_http_connections", 3.0).await;
    // It is forgotten a moment after it is closed: until then there is no third.
    let third = loop {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let asked = stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
        if asked.is_ok() && stream.read(&mut [0; 1]).is_ok_and(|bytes| bytes == 1) {
            break stream;
        }
        assert!(
            since.elapsed() < PATIENCE,
            "a third is served, and kept open"
        );
    };
    assert_eq!(server.get("/livez").status, 0, "the fourth is closed");
    drop((first, second, third));
    server
        .metric_becomes("plenum_websocket_connections", 0.0)
        .await;
    assert!(server.metric("plenum_http_refused_total{reason=\"connections_per_address\"}") >= 1.0);
}

#[test]
fn a_request_without_end_is_cut_off() {
    let server = Server::start("header_time", "[limits]\nhttp_header_ms = 300");
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
    assert_eq!(
        server.metric("plenum_http_refused_total{reason=\"header_time\"}"),
        1.0
    );
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let server = Server::start_as_is("body", "[limits]\nhttp_body_bytes = 1000");
    let name = "x".repeat(2_000);
    let body = json!({ "room": "blue", "name": name }).to_string();
    assert_eq!(server.post("/api/dev/token", &body).status, 413);
    assert_eq!(
        server.metric("plenum_http_refused_total{reason=\"body_bytes\"}"),
        1.0
    );
}

#[tokio::test]
async fn pages_of_origins_that_are_not_named_may_not_connect() {
    let server = Server::start("origins", "allowed_origins = [\"https://a.example\"]");
    for (origin, is_allowed) in [("https://a.example", true), ("https://b.example", false)] {
        let mut request = format!("ws://{}/ws", server.address)
            .into_client_request()
            .unwrap();
        request
            .headers_mut()
            .insert("origin", origin.parse().unwrap());
        assert_eq!(
            tokio_tungstenite::connect_async(request).await.is_ok(),
            is_allowed,
            "{origin}"
        );
    }
    assert_eq!(
        server.metric("plenum_http_refused_total{reason=\"origin\"}"),
        1.0
    );
}
