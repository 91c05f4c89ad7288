//! What each route does, and how what cannot be done is refused. That every answer is of the described shape
//! is checked by each call.

use serde_json::{Value, json};

use crate::call::Route;
use crate::process::Server;
use crate::routes::NO_RATES;
use crate::tokens::{OWNER, ROOM, Role};

fn owner() -> String {
    Role::Owner.token().unwrap()
}

fn backend() -> String {
    Role::Backend.token().unwrap()
}

#[test]
fn a_room_is_made_once_looked_at_changed_and_deleted() {
    let server = Server::start("api_rooms", NO_RATES);
    let new = json!({ "name": ROOM, "owner": OWNER, "settings": { "title": "Class" } });
    let make = || {
        server
            .call(Route::CreateRoom, &[])
            .token(backend())
            .body(new.clone())
            .send()
    };
    let made = make();
    assert_eq!(made.status, 201);
    let id = made.body["id"].as_str().unwrap().to_owned();
    assert!(
        made.head
            .contains(&format!("location: /api/rooms/{}", id.to_lowercase()))
    );
    let again = make();
    assert_eq!((again.status, &again.body["id"]), (200, &made.body["id"]));
    // Another's, of the same name.
    let others = json!({ "name": ROOM, "owner": "ben" });
    let taken = server
        .call(Route::CreateRoom, &[])
        .token(backend())
        .body(others)
        .send();
    assert_eq!(taken.refusal(), (409, "room_exists"));

    for room in [ROOM, &id] {
        let room = server
            .call(Route::GetRoom, &[room])
            .token(owner())
            .send()
            .ok();
        assert_eq!(
            (&room["owner"], &room["info"]["state"]),
            (&json!(OWNER), &json!("idle"))
        );
    }
    let settings =
        json!({ "title": "Other", "lobby": true, "locked": true, "max_participants": 5 });
    let update = || server.call(Route::UpdateRoom, &[ROOM]).token(owner());
    let changed = update().body(json!({ "settings": settings })).send().ok();
    assert_eq!(changed["info"]["settings"], settings);
    // Whoever leaves one out is asked, and nothing is reset behind their back.
    let some = update()
        .body(json!({ "settings": { "locked": false } }))
        .send();
    assert_eq!(some.refusal(), (422, "invalid_request"));

    let delete = || server.call(Route::DeleteRoom, &[&id]).token(owner()).send();
    assert_eq!(
        (delete().status, delete().refusal()),
        (204, (404, "room_not_found"))
    );
    // Its history is still there, for its owner.
    server
        .call(Route::ListSessions, &[&id])
        .token(owner())
        .send()
        .ok();
    let others = server
        .call(Route::ListSessions, &[&id])
        .token(Role::Moderator.token().unwrap());
    assert_eq!(others.send().refusal(), (403, "not_permitted"));
}

#[test]
fn everybody_has_one_room_of_their_own() {
    let server = Server::start("api_mine", NO_RATES);
    let mine = |route| server.call(route, &[]).token(owner()).send();
    let (first, second) = (mine(Route::MyRoom), mine(Route::EnsureMyRoom));
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(first.body, second.body);
    assert_eq!(
        (&first.body["owner"], &first.body["info"]["name"]),
        (&json!(OWNER), &json!(OWNER))
    );
}

#[test]
fn a_request_that_cannot_be_read_is_told_what_is_wrong_with_it() {
    let server = Server::start("api_bodies", "[limits]\nhttp_body_bytes = 1000\n");
    let post = || server.call(Route::CreateRoom, &[]).token(backend());
    let json_type = "Content-Type: application/json";
    for (call, expected) in [
        (
            post().header(json_type).text("{".into()),
            (400, "malformed_message"),
        ),
        (
            post().text("{\"name\":\"a\"}".into()),
            (415, "malformed_message"),
        ),
        (
            post().body(json!({ "name": "x".repeat(1_000) })),
            (413, "message_too_large"),
        ),
        (post().body(json!({})), (422, "invalid_request")),
        (post().body(json!({ "name": 7 })), (422, "invalid_request")),
        (
            post().body(json!({ "name": "a", "onwer": "b" })),
            (422, "invalid_request"),
        ),
        (
            post().body(json!({ "name": "x".repeat(300) })),
            (422, "text_too_long"),
        ),
        (
            post().body(json!({ "name": "a\0b" })),
            (422, "text_invalid"),
        ),
        (
            post().body(json!({ "name": "a", "owner": "\u{7f}" })),
            (422, "text_invalid"),
        ),
    ] {
        let response = call.send();
        assert_eq!(response.refusal(), expected, "{response:?}");
        assert!(!response.body["hint"].as_str().unwrap().is_empty());
    }
    server
        .call(Route::EnsureMyRoom, &[])
        .token(owner())
        .send()
        .ok();
    for (call, expected) in [
        (
            server.call(Route::GetRoom, &["RM_0000000000001"]),
            (404, "room_not_found"),
        ),
        (
            server.call(Route::GetSession, &[OWNER, "SE_0000000000001"]),
            (404, "session_not_found"),
        ),
        (
            server.call(Route::GetSession, &[OWNER, "7"]),
            (404, "session_not_found"),
        ),
        (
            server.call(Route::RemoveParticipant, &[OWNER, "ann"]),
            (404, "participant_not_found"),
        ),
        (
            server.call(Route::MuteTrack, &[OWNER, "TR_0000000000001"]),
            (404, "track_not_found"),
        ),
        (
            server.call(Route::ListSessions, &[OWNER]).query("limit=0"),
            (422, "invalid_request"),
        ),
        (
            server.call(Route::ListSessions, &[OWNER]).query("limt=1"),
            (422, "invalid_request"),
        ),
    ] {
        assert_eq!(call.token(owner()).send().refusal(), expected);
    }
    assert_eq!(server.get("/api/nothing").status, 404);
    assert_eq!(server.post("/api/live", "{}").status, 405);
    let ping = "GET /api/rooms/%FF HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!((400..500).contains(&server.http(ping).status), "no UTF-8");
}

#[tokio::test]
async fn people_in_a_room_are_listed_changed_and_put_out() {
    let server = Server::start("api_people", NO_RATES);
    let (mut ann, joined) = server.joined(ROOM, "ann").await;
    let id = joined["participant_id"].as_str().unwrap();
    let admin = Role::Moderator.token().unwrap();
    let list = || {
        server
            .call(Route::ListParticipants, &[ROOM])
            .token(&admin)
            .send()
            .ok()
    };
    assert_eq!(list()["participants"][0]["identity"], "ann");
    let update = server
        .call(Route::UpdateParticipant, &[ROOM, id])
        .token(&admin);
    let changed = update.body(json!({ "name": "Ann" })).send().ok();
    assert_eq!(changed["name"], "Ann");
    assert_eq!(list()["participants"][0], changed);

    let remove = server
        .call(Route::RemoveParticipant, &[ROOM, id])
        .token(&admin)
        .send();
    assert_eq!(remove.status, 204);
    let (goodbye, _) = ann.receive_goodbye().await;
    assert_eq!(goodbye["code"], "removed");
}

#[tokio::test]
async fn a_ban_is_kept_and_lifted() {
    let server = Server::start("api_bans", NO_RATES);
    server
        .call(Route::EnsureMyRoom, &[])
        .token(owner())
        .send()
        .ok();
    let name = "ann o'hara & söhne";
    let in_path = "ann%20o'hara%20&%20s%C3%B6hne";
    let call = |route| server.call(route, &[OWNER, in_path]).token(owner()).send();
    assert_eq!(
        (call(Route::Ban).status, call(Route::Ban).status),
        (204, 204)
    );
    let bans = || {
        server
            .call(Route::ListBans, &[OWNER])
            .token(owner())
            .send()
            .ok()["bans"]
            .clone()
    };
    assert_eq!(
        (&bans()[0]["identity"], &bans()[0]["by"]),
        (&json!(name), &json!(OWNER))
    );
    assert_eq!(server.joins_as(OWNER, name).await.1["code"], "banned");
    assert_eq!(call(Route::Unban).status, 204);
    assert_eq!(bans(), json!([]));
    assert_eq!(server.joins_as(OWNER, name).await.1["type"], "waiting");
}

#[test]
fn an_address_that_asks_too_often_is_told_to_wait_and_another_is_not_needed() {
    let server = Server::start(
        "api_rates",
        "[limits]\nrequests_per_address_per_second = 3\n",
    );
    let asked: Vec<_> = (0..6)
        .map(|_| server.call(Route::Config, &[]).send())
        .collect();
    assert_eq!(asked[0].status, 200);
    let refused = asked
        .iter()
        .find(|response| response.status == 429)
        .unwrap();
    assert!(refused.head.contains("retry-after: 1"));
    // Nothing but the API is held to this.
    assert_eq!(server.get("/livez").status, 200);
    assert!(server.metric("plenum_refused_total{code=\"too_fast\"}") >= 1.0);
}

#[test]
fn pages_of_allowed_origins_may_read_answers_and_others_may_not() {
    let allowed = "allowed_origins = [\"https://app.example\"]\n";
    let server = Server::start("api_origins", allowed);
    for (origin, may) in [
        ("https://app.example", true),
        ("https://evil.example", false),
    ] {
        let header = format!("Origin: {origin}");
        let answered = server.call(Route::ListRooms, &[]).header(&header).send();
        let expected = format!("access-control-allow-origin: {origin}");
        assert_eq!(answered.head.contains(&expected), may, "{answered:?}");
        let preflight = server.http(&format!(
            "OPTIONS /api/rooms/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n\
             Access-Control-Request-Method: PUT\r\n\r\n"
        ));
        assert_eq!(
            (preflight.status, preflight.head.contains(&expected)),
            (204, may)
        );
        assert!(preflight.head.contains("authorization"));
    }
}

#[test]
fn the_development_server_makes_tokens_for_hosts_and_backends() {
    let server = Server::start_as_is("api_development", NO_RATES);
    let token = |body: Value| {
        let made = server
            .call(Route::DevelopmentToken, &[])
            .body(body)
            .send()
            .ok();
        made["token"].as_str().unwrap().to_owned()
    };
    let backend = token(json!({ "name": "backend", "grants": { "roomCreate": true } }));
    let new = json!({ "name": "class", "owner": "host-1" });
    server
        .call(Route::CreateRoom, &[])
        .token(backend)
        .body(new)
        .send()
        .ok();
    let host =
        token(json!({ "room": "class", "name": "Host", "role": "host", "identity": "host-1" }));
    let live = server
        .call(Route::GoLive, &["class"])
        .token(host)
        .body(json!({ "key": "a" }))
        .send();
    assert_eq!(live.ok()["state"], "live");
    let guest = token(json!({ "room": "class", "name": "Guest", "role": "guest" }));
    let refused = server
        .call(Route::EndSession, &["class"])
        .token(guest)
        .body(json!({}))
        .send();
    assert_eq!(refused.refusal(), (403, "not_permitted"));
    let empty = server
        .call(Route::DevelopmentToken, &[])
        .body(json!({ "room": "", "name": "x" }));
    assert_eq!(empty.send().refusal(), (422, "invalid_request"));
    // No page of another origin may have one.
    let preflight = server.http(
        "OPTIONS /api/dev/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: https://evil.example\r\n\r\n",
    );
    assert!(!preflight.head.contains("allow-origin"), "{preflight:?}");
}

#[test]
fn strangers_see_of_the_listing_what_is_set() {
    let config = format!("public_listing = \"nothing\"\n{NO_RATES}");
    let server = Server::start("api_listing", &config);
    let list = |token: Option<String>| {
        let call = server.call(Route::ListRooms, &[]);
        token
            .into_iter()
            .fold(call, |call, token| call.token(token))
            .send()
    };
    assert_eq!(list(None).refusal(), (401, "token_invalid"));
    assert_eq!(list(Role::Guest.token()).refusal(), (403, "not_permitted"));
    assert_eq!(list(Role::Lister.token()).ok(), json!([]));
    server
        .call(Route::EnsureMyRoom, &[])
        .token(owner())
        .send()
        .ok();
    server
        .call(Route::GoLive, &[OWNER])
        .token(owner())
        .body(json!({ "key": "a" }))
        .send()
        .ok();
    assert_eq!(list(Role::Backend.token()).ok()[0]["name"], OWNER);
    server
        .call(Route::EndSession, &[OWNER])
        .token(owner())
        .body(json!({}))
        .send()
        .ok();
    assert_eq!(list(Role::Backend.token()).ok(), json!([]));
}

#[test]
fn the_description_is_served_for_programs_and_for_people() {
    let server = Server::start("api_description", "");
    let document = server.call(Route::OpenApi, &[]).send().ok();
    assert_eq!(document["openapi"], "3.1.0");
    let page = server.call(Route::Page, &[]).send();
    assert!(page.status == 200 && page.text.contains("/api/rooms/{room}/go-live"));
    assert!(page.head.contains("default-src 'none'"));
}

#[tokio::test]
async fn what_somebody_is_sent_is_told_to_those_who_moderate() {
    let server = Server::start("api_forwarding", NO_RATES);
    let mut guest = server.connect().await;
    let join = json!({ "type": "join", "token": Role::Guest.token() });
    guest.send(join).await;
    let joined = guest.receive_type("joined").await;
    let id = joined["participant_id"].as_str().unwrap();
    let ask = |id| {
        let call = server.call(Route::Forwarding, &[ROOM, id]);
        call.token(backend()).send()
    };
    let nothing = json!({ "estimate_bps": null, "tracks": [] });
    assert_eq!(ask(id).ok(), nothing, "no media connection");
    assert_eq!(
        ask("PA_0000000000001").refusal(),
        (404, "participant_not_found")
    );
}
