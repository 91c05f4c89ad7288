//! Several people in a room, as each sees it on the wire: coming, being lost, coming back, going.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::{Server, token};

fn identities(joined: &Value) -> Vec<&str> {
    let participants = joined["participants"].as_array().unwrap();
    participants
        .iter()
        .map(|participant| participant["identity"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn whoever_joins_learns_the_whole_room_and_the_room_learns_of_them() {
    let server = Server::start("joining", "");
    let (mut ann, joined) = server.joined("blue", "ann").await;
    assert_eq!(identities(&joined), ["ann"]);
    let (mut bob, joined) = server.joined("blue", "bob").await;
    assert_eq!(identities(&joined), ["ann", "bob"]);
    let (mut other, joined) = server.joined("red", "eve").await;
    assert_eq!(identities(&joined), ["eve"]);

    let change = ann.receive_change().await;
    assert_eq!(
        (&change["type"], &change["participant"]["identity"]),
        (&json!("participant_joined"), &json!("bob"))
    );
    bob.send(json!({ "type": "update_state", "hand_raised": true }))
        .await;
    for client in [&mut ann, &mut bob] {
        let change = client.receive_change().await;
        assert_eq!(change["participant"]["hand_raised"], true, "{change}");
    }
    bob.send(json!({ "type": "leave" })).await;
    let (goodbye, frame) = bob.receive_goodbye().await;
    assert_eq!(
        (&goodbye["code"], &goodbye["reconnect"]),
        (&json!("left"), &json!(false))
    );
    assert_eq!((u16::from(frame.code), &*frame.reason), (4000, "left"));
    assert_eq!(ann.receive_change().await["type"], "participant_left");
    other.is_served().await;
    server.metric_becomes("plenum_participants", 2.0).await;
    server.metric_becomes("plenum_rooms", 2.0).await;
}

#[tokio::test]
async fn a_full_room_refuses_and_lets_in_when_somebody_has_left() {
    let server = Server::start("full", "[limits]\nparticipants_per_room = 2");
    let (mut ann, _) = server.joined("blue", "ann").await;
    let (_bob, _) = server.joined("blue", "bob").await;
    let mut client = server.connect().await;
    let join = json!({ "type": "join", "token": token("blue", "eve") });
    client.send(join.clone()).await;
    assert_eq!(client.receive_error().await, "room_full");
    ann.send(json!({ "type": "leave" })).await;
    ann.receive_goodbye().await;
    client.send(join).await;
    assert_eq!(client.receive().await["type"], "joined");
}

#[tokio::test]
async fn a_killed_connection_is_away_and_then_gone() {
    let server = Server::start("killed", "[limits]\naway_ms = 700");
    let (mut ann, _) = server.joined("blue", "ann").await;
    let (bob, joined) = server.joined("blue", "bob").await;
    ann.receive_change().await;
    drop(bob);
    let start = Instant::now();
    let change = ann.receive_change().await;
    assert_eq!(
        (&change["type"], &change["participant"]["away"]),
        (&json!("participant_updated"), &json!(true))
    );
    let change = ann.receive_change().await;
    assert_eq!(
        change,
        json!({ "type": "participant_left", "participant_id": joined["participant_id"] })
    );
    assert!(
        start.elapsed() >= Duration::from_millis(650),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn one_who_was_lost_comes_back_with_what_was_missed() {
    let server = Server::start("resume", "");
    let (bob, joined) = server.joined("blue", "bob").await;
    let (mut ann, _) = server.joined("blue", "ann").await;
    drop(bob);
    assert_eq!(ann.receive_change().await["participant"]["away"], true);
    ann.send(json!({ "type": "update_state", "hand_raised": true }))
        .await;
    ann.receive_change().await;

    let mut back = server.connect().await;
    let resume = json!({ "token": joined["resume_token"], "last_change": joined["last_change"] });
    back.send(json!({ "type": "join", "token": token("blue", "bob"), "resume": resume }))
        .await;
    let resumed = back.receive().await;
    assert_eq!(
        (&resumed["type"], &resumed["participant_id"]),
        (&json!("resumed"), &joined["participant_id"])
    );
    assert_ne!(resumed["resume_token"], joined["resume_token"]);
    let changes = resumed["changes"].as_array().unwrap();
    let first = joined["last_change"].as_u64().unwrap() + 1;
    for (number, change) in (first..).zip(changes) {
        assert_eq!(change["number"], number);
    }
    assert_eq!(changes[0]["change"]["type"], "participant_joined");
    assert!(
        changes
            .iter()
            .any(|change| change["change"]["participant"]["hand_raised"] == true)
    );
    // Who speaks is no numbered change, and is told anew.
    assert_eq!(back.receive().await["type"], "speakers");
    back.is_served().await;
    let change = ann.receive_change().await;
    assert_eq!(
        (
            &change["participant"]["identity"],
            &change["participant"]["away"]
        ),
        (&json!("bob"), &json!(false))
    );
}

#[tokio::test]
async fn the_same_identity_from_another_tab_takes_the_place_and_the_old_tab_is_told() {
    let server = Server::start("another_tab", "");
    let (mut old, before) = server.joined("blue", "ann").await;
    let (mut new, after) = server.joined("blue", "ann").await;
    assert_eq!(before["participant_id"], after["participant_id"]);
    assert_eq!(identities(&after), ["ann"]);
    let (goodbye, frame) = old.receive_goodbye().await;
    assert_eq!(
        (&goodbye["code"], &goodbye["reconnect"]),
        (&json!("taken_over"), &json!(false))
    );
    assert_eq!(
        (u16::from(frame.code), &*frame.reason),
        (4000, "taken_over")
    );
    new.is_served().await;
    server.metric_becomes("plenum_participants", 1.0).await;
    server
        .metric_becomes("plenum_websocket_connections", 1.0)
        .await;
}
