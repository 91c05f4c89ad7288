//! A room that is somebody's, and its sessions, as host and guests see them on the wire.

use serde_json::{Value, json};

use crate::client::Client;
use crate::process::{Server, token};

/// The answer to a request with this number, whatever comes before it.
async fn answer(client: &mut Client, request: Value) -> Value {
    let number = request["request_id"].clone();
    assert!(number.is_u64(), "{request}");
    client.send(request).await;
    loop {
        let message = client.receive().await;
        if message["request_id"] == number {
            return message;
        }
    }
}

async fn go_live(client: &mut Client, key: &str) -> Value {
    let request = json!({ "type": "go_live", "key": key, "request_id": 1 });
    let done = answer(client, request).await;
    assert_eq!(done["type"], "done", "{done}");
    done["session"].clone()
}

async fn end(client: &mut Client) -> Value {
    let done = answer(client, json!({ "type": "end_session", "request_id": 2 })).await;
    assert_eq!(done["type"], "done", "{done}");
    done["session"].clone()
}

#[tokio::test]
async fn guests_wait_for_the_host_come_in_when_it_is_live_and_are_told_of_the_end() {
    let server = Server::start("own_room", "");
    let room = server.room_of("host");
    let (mut guest, waiting) = server.joins_as(&room, "guest").await;
    assert_eq!(
        (&waiting["type"], &waiting["room"]["state"]),
        (&json!("waiting"), &json!("idle"))
    );
    server
        .metric_becomes("plenum_participants_waiting", 1.0)
        .await;
    let (mut host, joined) = server.joined(&room, "host").await;
    assert_eq!(joined["room"]["host"]["identity"], "host", "{joined}");

    let session = go_live(&mut host, "a").await;
    assert_eq!(session["state"], "live");
    let joined = guest.receive_type("joined").await;
    assert_eq!(joined["room"]["session"]["id"], session["id"]);
    server.metric_becomes("plenum_sessions", 1.0).await;
    server
        .metric_becomes("plenum_participants_waiting", 0.0)
        .await;

    let ended = end(&mut host).await;
    assert_eq!(
        (&ended["id"], &ended["state"]),
        (&session["id"], &json!("ended"))
    );
    for client in [&mut guest, &mut host] {
        let (goodbye, _) = client.receive_goodbye().await;
        assert_eq!(
            (&goodbye["code"], &goodbye["reconnect"]),
            (&json!("session_ended"), &json!(false))
        );
    }
    server.metric_becomes("plenum_sessions", 0.0).await;
    assert_eq!(server.metric("plenum_sessions_started_total"), 1.0);
    assert_eq!(
        server.metric("plenum_sessions_ended_total{reason=\"ended\"}"),
        1.0
    );

    // At once again.
    let (mut host, _) = server.joined(&room, "host").await;
    let next = go_live(&mut host, "b").await;
    assert_ne!(next["id"], session["id"]);
}

#[tokio::test]
async fn double_clicks_retries_and_a_second_tab_are_one_session() {
    let server = Server::start("double_clicks", "");
    let room = server.room_of("host");
    let (mut first, _) = server.joined(&room, "host").await;
    let session = go_live(&mut first, "a").await;
    assert_eq!(go_live(&mut first, "a").await["id"], session["id"]);
    assert_eq!(server.metric("plenum_go_live_conflicts_total"), 0.0);
    let (mut second, _) = server.joined(&room, "host").await;
    assert_eq!(go_live(&mut second, "b").await["id"], session["id"]);
    server
        .metric_becomes("plenum_go_live_conflicts_total", 1.0)
        .await;
    end(&mut second).await;
    let (mut third, _) = server.joined(&room, "host").await;
    let retried = go_live(&mut third, "a").await;
    assert_eq!(
        (&retried["id"], &retried["state"]),
        (&session["id"], &json!("ended")),
        "a late retry makes no second session"
    );
    assert_eq!(server.metric("plenum_sessions_started_total"), 1.0);
}

#[tokio::test]
async fn the_host_is_the_host_after_a_refresh_and_after_the_server_was_killed() {
    let server = Server::start("host_again", "");
    let room = server.room_of("host");
    let (mut host, _) = server.joined(&room, "host").await;
    go_live(&mut host, "a").await;
    drop(host);
    let (mut host, joined) = server.joined(&room, "host").await;
    assert_eq!(joined["room"]["host"]["identity"], "host");
    assert_eq!(joined["room"]["state"], "live");
    end(&mut host).await;
    let (mut host, _) = server.joined(&room, "host").await;
    let left_running = go_live(&mut host, "b").await;
    server.kill();

    let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("host_again");
    let again = Server::spawn(Server::command(&place));
    assert_eq!(again.room_of("host"), room, "one permanent room");
    let (mut host, joined) = again.joined(&room, "host").await;
    assert_eq!(joined["room"]["state"], "idle", "{joined}");
    assert_eq!(again.metric("plenum_rooms_stuck"), 0.0);
    let lost = "plenum_sessions_ended_total{reason=\"server_lost\"}";
    assert_eq!(again.metric(lost), 1.0);
    let old = go_live(&mut host, "b").await;
    assert_eq!(
        (&old["id"], &old["end_reason"]),
        (&left_running["id"], &json!("server_lost")),
        "the key is remembered"
    );
    assert_eq!(go_live(&mut host, "c").await["state"], "live");
}

#[tokio::test]
async fn a_session_ends_when_its_host_is_away_for_longer_than_the_grace() {
    let config = "[limits]\nhost_grace_ms = 700\naway_ms = 200\n";
    let server = Server::start("grace", config);
    let room = server.room_of("host");
    let (mut host, _) = server.joined(&room, "host").await;
    go_live(&mut host, "a").await;
    let (mut guest, _) = server.joined(&room, "guest").await;
    drop(host);
    let (goodbye, _) = guest.receive_goodbye().await;
    assert_eq!(goodbye["code"], "session_ended");
    let ended = "plenum_sessions_ended_total{reason=\"host_absent\"}";
    server.metric_becomes(ended, 1.0).await;
}

#[tokio::test]
async fn in_the_lobby_guests_wait_until_the_session_is_live_and_can_do_nothing_else() {
    let server = Server::start("lobby", "");
    let room = server.room_of("host");
    let (mut host, _) = server.joined(&room, "host").await;
    let open = json!({ "type": "open_lobby", "key": "a", "request_id": 5 });
    assert_eq!(answer(&mut host, open).await["session"]["state"], "lobby");
    let mut guest = server.connect().await;
    guest
        .send(json!({ "type": "join", "token": token(&room, "guest") }))
        .await;
    let waiting = guest.receive().await;
    assert_eq!(waiting["type"], "waiting", "{waiting}");
    let list = host.receive_type("waiting_list").await;
    assert_eq!(list["participants"][0]["identity"], "guest");
    // One who waits may do nothing but wait.
    guest
        .send(json!({ "type": "update_state", "hand_raised": true }))
        .await;
    assert_eq!(guest.receive_error().await, "not_admitted");
    go_live(&mut host, "a").await;
    guest.receive_type("joined").await;
}
