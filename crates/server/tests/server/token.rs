//! Joining with tokens that are not good: each is told why, and may try again on the same connection.

use jsonwebtoken::get_current_timestamp;
use serde_json::{Value, json};

use crate::process::{KEY, Server, signed, token};

#[tokio::test]
async fn a_bad_token_is_told_why_and_a_good_one_is_taken_after_it() {
    let server = Server::start("bad_tokens", "");
    let mut client = server.connect().await;
    let now = get_current_timestamp();
    let claims = |exp: u64, video: Value| {
        signed(json!({ "iss": KEY, "sub": "ann", "exp": exp, "video": video }))
    };
    let grant = || json!({ "room": "blue", "roomJoin": true });
    let mut forged = token("blue", "ann");
    forged.replace_range(forged.len() - 4.., "AAAA");
    let long_name = "x".repeat(257);
    for (token, code) in [
        (String::new(), "token_invalid"),
        ("not a token".into(), "token_invalid"),
        (forged, "token_invalid"),
        (
            signed(json!({ "iss": "another", "sub": "ann", "exp": now + 60, "video": grant() })),
            "token_invalid",
        ),
        (claims(now - 60, grant()), "token_expired"),
        (claims(now + 60, json!({ "roomJoin": true })), "wrong_room"),
        (
            claims(now + 60, json!({ "room": "red", "roomJoin": true })),
            "wrong_room",
        ),
        (claims(now + 60, json!({ "room": "blue" })), "not_permitted"),
        (
            signed(
                json!({ "iss": KEY, "sub": "ann", "name": long_name, "exp": now + 60, "video": grant() }),
            ),
            "text_too_long",
        ),
        (
            signed(json!({ "iss": KEY, "sub": "a\0nn", "exp": now + 60, "video": grant() })),
            "text_invalid",
        ),
        (
            signed(
                json!({ "iss": KEY, "sub": "ann", "name": "Ann\n", "exp": now + 60, "video": grant() }),
            ),
            "text_invalid",
        ),
    ] {
        client
            .send(json!({ "type": "join", "room": "blue", "token": token, "request_id": 3 }))
            .await;
        let error = client.receive().await;
        assert_eq!(
            (&error["code"], &error["request_id"]),
            (&json!(code), &json!(3)),
            "{token}"
        );
    }
    client
        .send(json!({ "type": "join", "room": "blue", "token": token("blue", "ann") }))
        .await;
    assert_eq!(client.receive().await["type"], "joined");
}

#[tokio::test]
async fn who_somebody_is_comes_from_the_token_and_never_from_the_message() {
    let server = Server::start("identity", "");
    let mut client = server.connect().await;
    client
        .send(json!({
            "type": "join", "token": token("blue", "ann"), "identity": "root", "name": "root", "role": "tutor",
            "permissions": { "moderate": true }, "video": { "roomAdmin": true },
        }))
        .await;
    let joined = client.receive().await;
    let me = &joined["participants"][0];
    assert_eq!(
        (&me["identity"], &me["name"], &me["role"]),
        (&json!("ann"), &json!("ann"), &json!(""))
    );
    assert_eq!(me["moderator"], false);
}
