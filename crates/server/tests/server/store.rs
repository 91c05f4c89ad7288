//! What is kept: after a kill, after a stop, and while the database is away.

use std::path::Path;
use std::time::{Duration, Instant};

use protocol::record::{AttendanceRecord, SessionRecord};
use protocol::{EndReason, RoomName, SessionState};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use store::{Location, Settings, Store};

use crate::client::Client;
use crate::process::{Server, directory, ends, run_command, token};

/// The first session of a room that is still open, or of the one that was closed last, with its attendance:
/// read when no server runs.
async fn history(directory: &Path, room: &str) -> (SessionRecord, Vec<AttendanceRecord>) {
    let location = Location::of(directory, None).unwrap();
    let store = Store::open(location, Settings::default()).await.unwrap();
    let mut database = SqliteConnection::connect(&database_of(directory))
        .await
        .unwrap();
    let id: String = sqlx::query_scalar("SELECT id FROM rooms WHERE name = $1")
        .bind(RoomName(room.into()).0)
        .fetch_one(&mut database)
        .await
        .unwrap();
    let sessions = store.sessions(id.parse().unwrap(), None, 9).await.unwrap();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    let attendance = store.attendance(sessions[0].id).await.unwrap();
    store.close().await;
    (sessions[0].clone(), attendance)
}

fn database_of(directory: &Path) -> String {
    format!("sqlite://{}", directory.join("plenum.db").display())
}

fn now_ms() -> u64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since_1970.unwrap().as_millis()).unwrap()
}

fn identities(attendance: &[AttendanceRecord]) -> Vec<&str> {
    let mut names: Vec<&str> = attendance.iter().map(|of| of.identity.0.as_str()).collect();
    names.sort_unstable();
    names
}

/// The next message of this type comes while the database is locked: what is kept back comes never, for
/// nobody but the test itself unlocks it.
async fn at_once(client: &mut Client, kind: &str) -> Value {
    client.receive_type(kind).await
}

#[tokio::test]
async fn after_a_kill_what_was_acknowledged_is_there_and_nothing_runs_any_more() {
    let server = Server::start("killed_server", "");
    let place = directory_of("killed_server");
    let before = now_ms();
    let (_ann, _) = server.joined("blue", "ann").await;
    let (mut ben, _) = server.joined("blue", "ben").await;
    ben.send(json!({ "type": "leave" })).await;
    ben.receive_goodbye().await;
    server.kill();
    let killed = now_ms();

    let mut again = Server::spawn(Server::command(&place));
    assert_eq!(again.get("/readyz").status, 200);
    assert_eq!(again.metric("plenum_sessions"), 0.0);
    // The same name, and nothing of what was: another room.
    let (_ann, joined) = again.joined("blue again", "ann").await;
    assert_eq!(joined["room"]["state"], "live");
    again
        .metric_becomes("plenum_sessions_started_total", 1.0)
        .await;
    again.terminate();
    assert_eq!(ends(&mut again.child), Some(0));

    let (session, attendance) = history(&place, "blue").await;
    assert_eq!(
        (session.state, session.end_reason),
        (SessionState::Ended, Some(EndReason::ServerLost))
    );
    assert_eq!(identities(&attendance), ["ann", "ben"]);
    for of in &attendance {
        let left = of.left_at.expect("nothing is open").0;
        // As of the last heartbeat, which may be a little older than the joining.
        assert!(
            (before..=killed).contains(&left),
            "{before} {left} {killed}"
        );
    }
    let (session, attendance) = history(&place, "blue again").await;
    assert_eq!(session.end_reason, Some(EndReason::ServerStopped));
    assert_eq!(identities(&attendance), ["ann"]);
    assert!(attendance[0].left_at.is_some());
}

/// The directory of a server that was started for a test.
fn directory_of(test: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(test)
}

#[tokio::test]
async fn a_second_server_on_the_same_data_says_so_and_ends() {
    let _first = Server::start("shared_data", "");
    let output = run_command(Server::command(&directory_of("shared_data")));
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("in use by another server"), "{words}");
}

#[test]
fn a_database_that_cannot_be_opened_is_said_so_with_the_settings_that_change_it() {
    let place = directory("no_database");
    std::fs::write(place.join("plenum.toml"), "").unwrap();
    let mut away = Server::command(&place);
    away.args([
        "--database-url",
        "postgres://plenum:hunter2@127.0.0.1:1/plenum",
    ]);
    std::fs::write(
        place.join("plenum.db"),
        "no database at all, but long enough to be read as one",
    )
    .unwrap();
    for command in [away, Server::command(&place)] {
        let output = run_command(command);
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(
            words.contains("--database-url") && !words.contains("hunter2"),
            "{words}"
        );
    }
    let mut wrong = Server::command(&place);
    wrong.args(["--database-url", "mysql://plenum:hunter2@127.0.0.1/plenum"]);
    let words = String::from_utf8(run_command(wrong).stderr).unwrap();
    assert!(
        words.contains("postgres://") && !words.contains("hunter2"),
        "{words}"
    );
}

#[tokio::test]
async fn while_the_database_is_locked_messages_go_on_and_what_was_promised_comes_afterwards() {
    let config =
        "[limits]\nwaiting_commands = 4\nauthentication_ms = 1000\nping_timeout_ms = 90000\n";
    let mut server = Server::start("locked", config);
    let place = directory_of("locked");
    let (mut ann, _) = server.joined("blue", "ann").await;
    let (mut ben, _) = server.joined("blue", "ben").await;
    at_once(&mut ann, "change").await;

    let mut database = SqliteConnection::connect(&database_of(&place))
        .await
        .unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut database)
        .await
        .unwrap();
    let locked = Instant::now();

    // Newcomers: those who are there learn of them at once, they themselves not before it is written down.
    let mut newcomers = Vec::new();
    for identity in ["cleo", "dora"] {
        let mut client = server.connect().await;
        let join = json!({ "type": "join", "token": token("blue", identity) });
        client.send(join).await;
        let change = at_once(&mut ann, "change").await;
        assert_eq!(change["change"]["participant"]["identity"], identity);
        newcomers.push(client);
    }
    // One who leaves is gone at once, and is told when it is written down.
    ben.send(json!({ "type": "leave" })).await;
    let change = at_once(&mut ann, "change").await;
    for _ in 0..2 {
        at_once(&mut ben, "change").await;
    }
    assert_eq!(change["change"]["type"], "participant_left");
    // Longer than the time to join: whoever is let in is not sent away for it. What does not have to be
    // written down is as quick as ever.
    while server.get("/readyz").status == 200 {
        ann.send(json!({ "type": "update_state", "hand_raised": true }))
            .await;
        ann.send(json!({ "type": "update_state", "hand_raised": false }))
            .await;
        for raised in [true, false] {
            let change = at_once(&mut ann, "change").await;
            assert_eq!(change["change"]["participant"]["hand_raised"], raised);
        }
        assert_eq!(server.get("/livez").status, 200);
        assert!(locked.elapsed() < Duration::from_secs(60), "it stays ready");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(
        locked.elapsed() > Duration::from_secs(4),
        "{:?}",
        locked.elapsed()
    );
    let reason = server.get("/readyz").body;
    assert!(reason.contains("database"), "{reason}");
    assert!(server.metric("plenum_store_away_seconds") > 4.0);
    assert_eq!(server.metric("plenum_store_waiting_commands"), 3.0);
    // A fourth command, and the limit is reached: nobody else comes in.
    let mut eve = server.connect().await;
    eve.send(json!({ "type": "join", "token": token("blue", "eve") }))
        .await;
    at_once(&mut ann, "change").await;
    newcomers.push(eve);
    let (mut fay, refused) = server.joins_as("blue", "fay").await;
    assert_eq!(refused["code"], "unavailable", "{refused}");
    for client in newcomers.iter_mut().chain([&mut ben]) {
        let early = tokio::time::timeout(Duration::from_millis(50), client.receive()).await;
        assert!(early.is_err(), "told before it is written down: {early:?}");
    }

    sqlx::query("ROLLBACK")
        .execute(&mut database)
        .await
        .unwrap();
    for client in &mut newcomers {
        assert_eq!(client.receive().await["type"], "joined");
    }
    // What followed in the meantime comes behind it.
    let change = at_once(&mut newcomers[0], "change").await;
    assert_eq!(change["change"]["participant"]["identity"], "dora");
    let (goodbye, _) = ben.receive_goodbye().await;
    assert_eq!(goodbye["code"], "left");
    server
        .metric_becomes("plenum_store_away_seconds", 0.0)
        .await;
    assert_eq!(server.get("/readyz").status, 200);
    assert_eq!(server.metric("plenum_store_refused_commands_total"), 0.0);
    fay.send(json!({ "type": "join", "token": token("blue", "fay") }))
        .await;
    assert_eq!(fay.receive().await["type"], "joined");

    server.terminate();
    assert_eq!(ends(&mut server.child), Some(0));
    let (session, attendance) = history(&place, "blue").await;
    assert_eq!(session.end_reason, Some(EndReason::ServerStopped));
    assert_eq!(
        identities(&attendance),
        ["ann", "ben", "cleo", "dora", "eve", "fay"]
    );
    assert!(attendance.iter().all(|of| of.left_at.is_some()));
}

#[tokio::test]
async fn a_stop_while_the_database_is_away_is_bounded_and_the_next_start_ends_what_ran() {
    let mut server = Server::start("stop_locked", "");
    let place = directory_of("stop_locked");
    let (mut ann, _) = server.joined("blue", "ann").await;
    let mut database = SqliteConnection::connect(&database_of(&place))
        .await
        .unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut database)
        .await
        .unwrap();
    server.terminate();
    let (goodbye, _) = ann.receive_goodbye().await;
    assert_eq!(
        goodbye["code"], "server_stopping",
        "the goodbye promises nothing"
    );
    // It ends while the database is still away.
    assert_eq!(ends(&mut server.child), Some(0));
    sqlx::query("ROLLBACK")
        .execute(&mut database)
        .await
        .unwrap();

    let mut again = Server::spawn(Server::command(&place));
    again.terminate();
    assert_eq!(ends(&mut again.child), Some(0));
    let (session, attendance) = history(&place, "blue").await;
    assert_eq!(session.end_reason, Some(EndReason::ServerLost));
    assert!(attendance[0].left_at.is_some());
}
