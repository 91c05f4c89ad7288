//! Which tokens are good, and what is said of the others.

use jsonwebtoken::get_current_timestamp;
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn keys() -> Keys {
    Keys::from([("key", SECRET)])
}

fn good() -> Value {
    json!({
        "iss": "key", "sub": "ann", "exp": get_current_timestamp() + 60,
        "video": { "room": "blue", "roomJoin": true },
    })
}

/// The good claims with some of them changed, or with `null` taken away.
fn with(changes: Value) -> Value {
    let mut claims = good();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    claims
}

fn signed(claims: &Value, algorithm: Algorithm, secret: &str) -> String {
    jsonwebtoken::encode(
        &Header::new(algorithm),
        claims,
        &EncodingKey::from_secret(secret.as_bytes()),
    )
    .unwrap()
}

fn verified(claims: &Value) -> Result<Claims, ErrorCode> {
    verify(&keys(), &signed(claims, Algorithm::HS256, SECRET), None).map_err(|error| error.code)
}

#[test]
fn a_plain_token_may_publish_and_subscribe_and_moderate_nothing() {
    let claims = verified(&good()).unwrap();
    assert_eq!(
        (
            claims.identity.0.as_str(),
            claims.name.as_str(),
            claims.room.0.as_str()
        ),
        ("ann", "ann", "blue")
    );
    let everything_plain = Permissions {
        publish: true,
        subscribe: true,
        publish_data: true,
        moderate: false,
        hidden: false,
    };
    assert_eq!(claims.permissions, everything_plain);
}

#[test]
fn a_grant_is_read_as_livekit_writes_it() {
    let claims = verified(&with(json!({
        "name": "Ann", "nbf": get_current_timestamp(), "metadata": "{}", "sha256": "",
        "attributes": { "role": "tutor", "avatar_url": "https://a.example/ann.png", "other": "x" },
        "video": {
            "room": "blue", "roomJoin": true, "roomAdmin": true, "hidden": true, "canPublish": false,
            "canSubscribe": false, "canPublishData": false, "canUpdateOwnMetadata": true,
        },
    })))
    .unwrap();
    assert_eq!(
        (claims.name.as_str(), claims.role.0.as_str()),
        ("Ann", "tutor")
    );
    assert_eq!(
        claims.avatar_url.as_deref(),
        Some("https://a.example/ann.png")
    );
    let permissions = Permissions {
        publish: false,
        subscribe: false,
        publish_data: false,
        moderate: true,
        hidden: true,
    };
    assert_eq!(claims.permissions, permissions);
}

#[test]
fn an_avatar_that_is_no_web_address_is_left_out() {
    for url in [
        "javascript:alert(1)",
        "data:image/png;base64,AA",
        "//a.example/x",
        "file:///etc/passwd",
    ] {
        let claims = with(json!({ "attributes": { "avatar_url": url } }));
        assert_eq!(verified(&claims).unwrap().avatar_url, None, "{url}");
    }
}

#[test]
fn each_fault_of_a_token_has_its_code() {
    let now = get_current_timestamp();
    for (changes, code) in [
        (json!({ "exp": now - 31 }), ErrorCode::TokenExpired),
        (json!({ "nbf": now + 60 }), ErrorCode::TokenExpired),
        (json!({ "exp": null }), ErrorCode::TokenInvalid),
        (json!({ "exp": "tomorrow" }), ErrorCode::TokenInvalid),
        (json!({ "sub": null }), ErrorCode::TokenInvalid),
        (json!({ "sub": "" }), ErrorCode::TokenInvalid),
        (json!({ "iss": null }), ErrorCode::TokenInvalid),
        (json!({ "iss": "other" }), ErrorCode::TokenInvalid),
        (json!({ "aud": "another server" }), ErrorCode::TokenInvalid),
        (json!({ "video": null }), ErrorCode::WrongRoom),
        (
            json!({ "video": { "roomJoin": true } }),
            ErrorCode::WrongRoom,
        ),
        (
            json!({ "video": { "room": "blue" } }),
            ErrorCode::NotPermitted,
        ),
        (
            json!({ "video": { "room": "blue", "roomJoin": false } }),
            ErrorCode::NotPermitted,
        ),
    ] {
        assert_eq!(verified(&with(changes.clone())), Err(code), "{changes}");
    }
    assert!(
        verified(&with(json!({ "exp": now - 20 }))).is_ok(),
        "clocks may differ a little"
    );
}

#[test]
fn a_token_is_good_for_its_own_room_alone() {
    let token = signed(&good(), Algorithm::HS256, SECRET);
    assert!(verify(&keys(), &token, Some(&RoomName("blue".into()))).is_ok());
    assert_eq!(
        verify(&keys(), &token, Some(&RoomName("red".into())))
            .unwrap_err()
            .code,
        ErrorCode::WrongRoom
    );
}

#[test]
fn a_signature_that_is_not_ours_is_refused() {
    // {"alg":"none"} and the good claims, unsigned.
    let payload = signed(&good(), Algorithm::HS256, SECRET)
        .split('.')
        .nth(1)
        .unwrap()
        .to_owned();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
    for token in [
        signed(
            &good(),
            Algorithm::HS256,
            "fedcba9876543210fedcba9876543210",
        ),
        signed(&good(), Algorithm::HS512, SECRET),
        unsigned,
        String::new(),
        "a.b.c".into(),
    ] {
        assert_eq!(
            verify(&keys(), &token, None).unwrap_err().code,
            ErrorCode::TokenInvalid,
            "{token}"
        );
    }
}

#[test]
fn what_is_signed_here_is_verified_here() {
    let video = VideoGrant {
        room: "blue".into(),
        room_join: true,
        ..VideoGrant::default()
    };
    let exp = get_current_timestamp() + 60;
    let claims = TokenClaims {
        iss: "key".into(),
        sub: "ann".into(),
        exp,
        video,
        ..TokenClaims::default()
    };
    assert!(verify(&keys(), &sign(&claims, SECRET).unwrap(), None).is_ok());
}
