//! Sessions over HTTP: one for however many ask, planned and cancelled, and who was there.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::call::{Response, Route};
use crate::process::{KEY, Server, signed};
use crate::routes::NO_RATES;
use crate::tokens::{OWNER, Role};

fn owner() -> String {
    Role::Owner.token().unwrap()
}

fn with_room(test: &str) -> Server {
    let server = Server::start(test, NO_RATES);
    server
        .call(Route::EnsureMyRoom, &[])
        .token(owner())
        .send()
        .ok();
    server
}

fn sessions(server: &Server) -> Vec<Value> {
    let listed = server
        .call(Route::ListSessions, &[OWNER])
        .token(owner())
        .send()
        .ok();
    listed["sessions"].as_array().unwrap().clone()
}

fn go_live(server: &Server, key: &str) -> Response {
    let call = server.call(Route::GoLive, &[OWNER]).token(owner());
    call.body(json!({ "key": key })).send()
}

fn end(server: &Server) -> Value {
    server
        .call(Route::EndSession, &[OWNER])
        .token(owner())
        .body(json!({}))
        .send()
        .ok()
}

#[test]
fn a_hundred_who_go_live_at_once_get_one_session_and_equal_answers() {
    let server = with_room("api_hundred");
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let server = &server;
        // Double clicks have one key, two tabs have two.
        let ask = |number: usize| move || go_live(server, &format!("key {}", number % 10)).ok();
        let asking: Vec<_> = (0..100).map(|number| scope.spawn(ask(number))).collect();
        asking
            .into_iter()
            .map(|answer| answer.join().unwrap())
            .collect()
    });
    let different: BTreeSet<String> = answers.iter().map(Value::to_string).collect();
    assert_eq!((answers.len(), different.len()), (100, 1), "{different:?}");
    assert_eq!(sessions(&server), answers[..1]);
    assert_eq!(server.metric("plenum_sessions_started_total"), 1.0);
}

#[test]
fn a_key_makes_one_session_for_ever_and_the_room_is_usable_at_once_after_an_end() {
    let server = with_room("api_keys");
    let first = go_live(&server, "a").ok();
    let ended = end(&server);
    assert_eq!(
        (&ended["id"], &ended["state"]),
        (&first["id"], &json!("ended"))
    );
    assert_eq!(end(&server), ended, "it is over, as it was");
    assert_eq!(go_live(&server, "a").ok(), ended, "a retry that came late");
    let second = go_live(&server, "b").ok();
    assert_ne!(second["id"], first["id"]);
    let keyless = server
        .call(Route::GoLive, &[OWNER])
        .token(owner())
        .body(json!({}))
        .send();
    assert_eq!(keyless.refusal(), (422, "invalid_request"));
    let long = go_live(&server, &"k".repeat(65));
    assert_eq!(long.status, 422, "{long:?}");
}

#[test]
fn sessions_are_planned_cancelled_and_listed_in_pages_newest_first() {
    let server = with_room("api_plans");
    let at = (jsonwebtoken::get_current_timestamp() + 86_400) * 1_000;
    let plan = |key: &str| {
        let plan = json!({ "key": key, "title": format!("Lesson {key}"), "scheduled_for": at });
        server
            .call(Route::ScheduleSession, &[OWNER])
            .token(owner())
            .body(plan)
            .send()
    };
    let (first, again) = (plan("1"), plan("1"));
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(first.body, again.body);
    for key in ["2", "3"] {
        // Each is made in a millisecond of its own.
        std::thread::sleep(std::time::Duration::from_millis(2));
        plan(key).ok();
    }
    let id = first.body["id"].as_str().unwrap();
    let cancel = || {
        server
            .call(Route::CancelSession, &[OWNER, id])
            .token(owner())
            .send()
            .ok()
    };
    let cancelled = cancel();
    assert_eq!(
        (&cancelled["state"], &cancelled["end_reason"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
    assert_eq!(cancel(), cancelled);
    let one = server
        .call(Route::GetSession, &[OWNER, id])
        .token(owner())
        .send()
        .ok();
    assert_eq!(one, cancelled);

    let titles = |query: &str| -> (Vec<String>, String) {
        let call = server
            .call(Route::ListSessions, &[OWNER])
            .token(owner())
            .query(query);
        let listed = call.send().ok();
        let sessions = listed["sessions"].as_array().unwrap().clone();
        let titles = sessions
            .iter()
            .map(|session| session["title"].as_str().unwrap().to_owned());
        let last = sessions.last().map_or(String::new(), |session| {
            session["id"].as_str().unwrap().into()
        });
        (titles.collect(), last)
    };
    let (page, last) = titles("limit=2");
    assert_eq!(page, ["Lesson 3", "Lesson 2"]);
    assert_eq!(titles(&format!("limit=2&after={last}")).0, ["Lesson 1"]);
}

#[tokio::test]
async fn who_was_there_is_told_as_json_and_as_a_table_that_computes_nothing() {
    let server = with_room("api_attendance");
    let session = go_live(&server, "a").ok();
    let id = session["id"].as_str().unwrap();
    let mut guest = server.connect().await;
    let name = "=HYPERLINK(\"http://evil.example\")";
    let exp = jsonwebtoken::get_current_timestamp() + 600;
    let token = signed(json!({
        "iss": KEY, "sub": "ann", "name": name, "exp": exp, "video": { "room": OWNER, "roomJoin": true },
    }));
    guest.send(json!({ "type": "join", "token": token })).await;
    assert_eq!(guest.receive().await["type"], "joined");
    let read = |accept: &str| {
        let call = server.call(Route::Attendance, &[OWNER, id]).token(owner());
        call.header(&format!("Accept: {accept}")).send()
    };
    let attendance = read("application/json").ok()["attendance"].clone();
    assert_eq!(
        (&attendance[0]["identity"], &attendance[0]["left_at"]),
        (&json!("ann"), &Value::Null)
    );
    let (goodbye, ended) = tokio::join!(guest.receive_goodbye(), async { end(&server) });
    assert_eq!(
        (&goodbye.0["code"], &ended["id"]),
        (&json!("session_ended"), &session["id"])
    );
    let attendance = read("*/*").ok()["attendance"].clone();
    assert_eq!(attendance[0]["left_at"], ended["ended_at"]);
    assert_eq!(
        (&attendance[0]["name"], attendance.as_array().unwrap().len()),
        (&json!(name), 1)
    );

    let file = server
        .call(Route::AttendanceCsv, &[OWNER, id])
        .token(owner())
        .send();
    let table = read("text/csv");
    assert_eq!(table.text, file.text);
    assert!(table.head.contains("content-type: text/csv") && table.head.contains("attachment"));
    let mut lines = table.text.lines();
    assert_eq!(
        lines.next(),
        Some("identity,name,role,joined_at,left_at,seconds")
    );
    let row = lines.next().unwrap();
    assert!(
        row.starts_with("ann,\"'=HYPERLINK(\"\"http://evil.example\"\")\",,20"),
        "{row}"
    );
}

/// The store, too, must take a key again that the rooms have forgotten.
#[test]
fn e2_a_key_older_than_the_last_sixteen_makes_a_new_session_and_no_fault() {
    let server = with_room("api_old_keys");
    let mut made = Vec::new();
    for number in 0..17 {
        made.push(go_live(&server, &format!("key {number}")).ok()["id"].clone());
        end(&server);
    }
    assert_eq!(go_live(&server, "key 1").ok()["id"], made[1]);
    let new = go_live(&server, "key 0").ok();
    assert_eq!(new["state"], "live", "{new}");
    assert!(!made.contains(&new["id"]));
    assert_eq!(go_live(&server, "key 0").ok()["id"], new["id"]);
    end(&server);
    assert_eq!(sessions(&server).len(), 18);
    let faults = server.metric("plenum_refused_total{code=\"internal\"}");
    assert_eq!(faults, 0.0);
}
