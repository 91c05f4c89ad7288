//! One WebSocket and its messages: each fault has its code, and the connection survives what it can.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::process::{Server, token};

#[tokio::test]
async fn malformed_messages_are_told_so_and_the_connection_goes_on() {
    let server = Server::start("malformed", "");
    let (mut client, _) = server.joined("blue", "ann").await;
    for text in [
        "",
        "hello",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"type":7}"#,
        r#"{"type":"offer"}"#,
        r#"{"type":"offer","peer_connection":-1,"sdp":""}"#,
        r#"{"type":"mute","track_id":"TR_0","muted":true}"#,
        r#"{"type":"mute","track_id":"PA_0000000000000","muted":true}"#,
        r#"{"type":"ping","request_id":"x"}"#,
        r#"{"type":"join"}"#,
        "\u{0}",
    ] {
        client.send_text(text).await;
        assert_eq!(client.receive_error().await, "malformed_message", "{text}");
    }
    client.send_raw(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(client.receive_error().await, "malformed_message");
    let nested = "[".repeat(10_000);
    client.send_text(&nested).await;
    assert_eq!(client.receive_error().await, "malformed_message");
    client.is_served().await;
    assert_eq!(
        server.metric("plenum_refused_total{code=\"malformed_message\"}"),
        16.0
    );
}

#[tokio::test]
async fn an_unknown_type_is_told_so_with_the_number_of_the_message() {
    let server = Server::start("unknown_type", "");
    let (mut client, _) = server.joined("blue", "ann").await;
    client
        .send(json!({ "type": "dance", "request_id": 5 }))
        .await;
    let error = client.receive().await;
    assert_eq!(
        (&error["code"], &error["request_id"]),
        (&json!("unknown_type"), &json!(5))
    );
    client.is_served().await;
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_and_the_connection_goes_on() {
    let server = Server::start("too_large", "[limits]\nmessage_bytes = 65536");
    let (mut client, _) = server.joined("blue", "ann").await;
    let of_length = |length: usize| {
        format!(
            "{{\"type\":\"ping\",\"x\":\"{}\"}}",
            "x".repeat(length - 22)
        )
    };
    client.send_text(&of_length(64 * 1024)).await;
    assert_eq!(client.receive().await["type"], "pong");
    client.send_text(&of_length(64 * 1024 + 1)).await;
    assert_eq!(client.receive_error().await, "message_too_large");
    client.is_served().await;

    // What is not even read ends the connection, and still says why.
    client.send_text(&of_length(300 * 1024)).await;
    let (goodbye, frame) = client.receive_goodbye().await;
    assert_eq!(goodbye["code"], "message_too_large");
    assert_eq!(&*frame.reason, "message_too_large");
}

#[tokio::test]
async fn messages_beyond_the_rate_are_refused_and_one_who_goes_on_is_closed() {
    let server = Server::start(
        "too_fast",
        "[limits]\nmessages_per_second = 5\nmessages_burst = 10",
    );
    let (mut client, _) = server.joined("blue", "ann").await;
    let start = Instant::now();
    for _ in 0..20 {
        client.send(json!({ "type": "ping" })).await;
    }
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(client.receive().await);
    }
    let pongs = answers
        .iter()
        .filter(|answer| answer["type"] == "pong")
        .count();
    // The join took one of the ten; a slow machine gets some of the rate too.
    let at_most = 10 + 5 * (start.elapsed().as_secs() + 1);
    assert!(pongs >= 9 && pongs as u64 <= at_most, "{pongs}");
    assert!(
        answers
            .iter()
            .filter(|answer| answer["type"] != "pong")
            .all(|answer| answer["code"] == "too_fast")
    );

    tokio::time::sleep(Duration::from_millis(500)).await;
    client.is_served().await;

    for _ in 0..200 {
        let _ = futures_util::SinkExt::send(&mut client.socket, Message::text("{}")).await;
    }
    let (goodbye, frame) = client.receive_goodbye().await;
    assert_eq!(
        (&goodbye["code"], &goodbye["reconnect"]),
        (&json!("too_fast"), &json!(true))
    );
    assert_eq!((u16::from(frame.code), &*frame.reason), (4001, "too_fast"));
}

#[tokio::test]
async fn nothing_but_join_comes_first_and_no_second_one() {
    let server = Server::start("order", "");
    let mut client = server.connect().await;
    for message in ["ping", "live_status", "leave"] {
        client.send(json!({ "type": message })).await;
        assert_eq!(client.receive_error().await, "not_joined", "{message}");
    }
    let join = json!({ "type": "join", "token": token("blue", "ann") });
    client.send(join.clone()).await;
    assert_eq!(client.receive().await["type"], "joined");
    client.send(join).await;
    assert_eq!(client.receive_error().await, "already_joined");
    client.is_served().await;
}

#[tokio::test]
async fn one_who_does_not_join_in_time_is_closed() {
    let server = Server::start("authentication", "[limits]\nauthentication_ms = 3000");
    let start = Instant::now();
    let mut client = server.connect().await;
    // A bad token is no join.
    client.send(json!({ "type": "join", "token": "x" })).await;
    assert_eq!(client.receive_error().await, "token_invalid");
    let (goodbye, frame) = client.receive_goodbye().await;
    assert_eq!(goodbye["code"], "authentication_timeout");
    assert_eq!(&*frame.reason, "authentication_timeout");
    assert!(start.elapsed() >= Duration::from_millis(3_000));

    let (mut joined, _) = server.joined("blue", "ann").await;
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    joined.is_served().await;
}

#[tokio::test]
async fn one_who_is_silent_for_too_long_is_lost() {
    let server = Server::start(
        "silence",
        "[limits]\nping_interval_ms = 500\nping_timeout_ms = 5000",
    );
    let (mut silent, joined) = server.joined("blue", "ann").await;
    assert_eq!(
        (&joined["ping_interval_ms"], &joined["ping_timeout_ms"]),
        (&json!(500), &json!(5000))
    );
    let (mut talking, _) = server.joined("red", "bob").await;
    let talk = async {
        loop {
            talking.is_served().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (goodbye, _) = tokio::select! {
        goodbye = silent.receive_goodbye() => goodbye,
        () = talk => unreachable!("it has no end"),
    };
    assert_eq!(
        (&goodbye["code"], &goodbye["reconnect"]),
        (&json!("ping_timeout"), &json!(true))
    );
    talking.is_served().await;
    assert_eq!(
        server.metric("plenum_goodbyes_total{code=\"ping_timeout\"}"),
        1.0
    );
    assert_eq!(server.metric("plenum_participants_away"), 1.0);
}

#[tokio::test]
async fn one_who_does_not_read_is_closed_and_the_others_are_served() {
    let server = Server::start(
        "too_slow",
        "[limits]\nmessages_per_second = 100000\nmessages_burst = 100000",
    );
    let (mut busy, _) = server.joined("blue", "busy").await;
    let (mut slow, _) = server.joined("blue", "slow").await;
    busy.receive_change().await;
    // Each change goes to both, until the slow one's kernel buffers and outbox are full, and it is away.
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut is_away = false;
    while !is_away {
        assert!(Instant::now() < deadline, "the slow one is served for ever");
        for number in 1..=200 {
            busy.send(json!({ "type": "update_state", "camera": number % 2 == 1 }))
                .await;
        }
        let mut own_changes = 0;
        while own_changes < 200 {
            let change = busy.receive_change().await;
            let participant = &change["participant"];
            own_changes += usize::from(participant["identity"] == "busy");
            is_away |= participant["identity"] == "slow" && participant["away"] == true;
        }
    }
    server
        .metric_becomes("plenum_goodbyes_total{code=\"too_slow\"}", 1.0)
        .await;
    // It reads again: what is left, and then the end.
    while let Ok(Some(Ok(message))) = tokio::time::timeout(
        Duration::from_secs(60),
        futures_util::StreamExt::next(&mut slow.socket),
    )
    .await
    {
        if message.is_close() {
            break;
        }
    }
}
