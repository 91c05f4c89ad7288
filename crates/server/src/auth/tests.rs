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

#[test]
fn a_role_that_leads_moderates_unless_the_grant_says_otherwise() {
    for (role, grant, moderates) in [
        ("host", None, true),
        ("tutor", None, true),
        ("provider", None, true),
        ("student", None, false),
        ("client", None, false),
        ("guest", None, false),
        ("", None, false),
        ("Host", None, false),
        ("host", Some(false), false),
        ("student", Some(true), true),
    ] {
        let mut video = json!({ "room": "blue", "roomJoin": true });
        if let Some(grant) = grant {
            video["roomAdmin"] = json!(grant);
        }
        let claims = with(json!({ "attributes": { "role": role }, "video": video }));
        let permissions = verified(&claims).unwrap().permissions;
        assert_eq!(permissions.moderate, moderates, "{role} {grant:?}");
        assert_eq!(
            asks(&claims).unwrap().admin_of.is_some(),
            moderates,
            "{role}"
        );
    }
}

#[test]
fn while_a_secret_is_changed_both_are_good_and_a_third_is_not() {
    const NEW: &str = "fedcba9876543210fedcba9876543210";
    let keys: Keys = serde_json::from_value(json!({ "key": [NEW, SECRET] })).unwrap();
    assert_eq!(keys.secret("key"), Some(NEW), "the first signs");
    let result = |claims: &Value, secret| {
        let token = signed(claims, Algorithm::HS256, secret);
        verify(&keys, &token, None).map_err(|error| error.code)
    };
    assert!(result(&good(), NEW).is_ok() && result(&good(), SECRET).is_ok());
    let third = "0000000000000000ffffffffffffffff";
    assert_eq!(result(&good(), third).unwrap_err(), ErrorCode::TokenInvalid);
    let expired = with(json!({ "exp": 1 }));
    assert_eq!(
        result(&expired, SECRET).unwrap_err(),
        ErrorCode::TokenExpired
    );
    let changed = Keys::from([("key", NEW)]);
    let old = signed(&good(), Algorithm::HS256, SECRET);
    assert!(
        verify(&changed, &old, None).is_err(),
        "taken away, it is good for nothing"
    );
}

/// Who asks over HTTP with these claims.
fn asks(claims: &Value) -> Result<Caller, ErrorCode> {
    asks_with(&format!(
        "Bearer {}",
        signed(claims, Algorithm::HS256, SECRET)
    ))
}

fn asks_with(authorization: &str) -> Result<Caller, ErrorCode> {
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, authorization.parse().unwrap())]);
    caller(&keys(), &headers).map_err(|error| error.code)
}

#[test]
fn whoever_asks_over_http_is_the_identity_or_else_the_key_with_what_is_granted() {
    let backend = json!({
        "sub": null, "video": { "roomCreate": true, "roomList": true, "roomRecord": true },
    });
    let expected = Caller {
        identity: Identity("key".into()),
        may_create: true,
        may_list: true,
        admin_of: None,
    };
    assert_eq!(asks(&with(backend)), Ok(expected));
    let expected = Caller {
        identity: Identity("ann".into()),
        may_create: false,
        may_list: false,
        admin_of: Some(RoomName("blue".into())),
    };
    let admin = json!({ "video": { "room": "blue", "roomAdmin": true } });
    assert_eq!(asks(&with(admin)), Ok(expected));
}

#[test]
fn nobody_asks_over_http_without_a_good_bearer_token() {
    let token = signed(&good(), Algorithm::HS256, SECRET);
    assert!(asks_with(&format!("bearer  {token}")).is_ok());
    for authorization in [
        "",
        "Bearer",
        "Bearer ",
        &token,
        &format!("Basic {token}"),
        &format!("Bearer {token}x"),
    ] {
        let refused = asks_with(authorization);
        assert_eq!(refused, Err(ErrorCode::TokenInvalid), "{authorization:?}");
    }
    let nobody = caller(&keys(), &HeaderMap::new()).unwrap_err();
    assert_eq!(nobody.code, ErrorCode::TokenInvalid);
    for (changes, code) in [
        (json!({ "exp": null }), ErrorCode::TokenInvalid),
        (json!({ "exp": "4000000000" }), ErrorCode::TokenInvalid),
        (json!({ "exp": 1 }), ErrorCode::TokenExpired),
        (
            json!({ "video": { "roomCreate": "yes" } }),
            ErrorCode::TokenInvalid,
        ),
        (
            json!({ "video": { "roomRecord": 1 } }),
            ErrorCode::TokenInvalid,
        ),
    ] {
        assert_eq!(asks(&with(changes.clone())), Err(code), "{changes}");
    }
}
