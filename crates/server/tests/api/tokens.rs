//! Tokens of each role, and tokens that are no good in each of fourteen ways.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::process::{KEY, SECRET, signed};

/// The room that all is about, its owner, and two who may do less than their tokens say.
pub(crate) const ROOM: &str = "class";
pub(crate) const OWNER: &str = "owner";
pub(crate) const DEMOTED: &str = "demoted";
pub(crate) const BANNED: &str = "banned";

fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

pub(crate) fn claims(identity: &str, video: Value) -> Value {
    json!({ "iss": KEY, "sub": identity, "exp": now() + 600, "video": video })
}

/// Who somebody is by a good token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Nobody,
    Guest,
    Owner,
    Moderator,
    Lister,
    Backend,
}

impl Role {
    pub(crate) const ALL: [Role; 6] = [
        Role::Nobody,
        Role::Guest,
        Role::Owner,
        Role::Moderator,
        Role::Lister,
        Role::Backend,
    ];

    pub(crate) fn token(self) -> Option<String> {
        let join = json!({ "room": ROOM, "roomJoin": true });
        let claims = match self {
            Role::Nobody => return None,
            Role::Guest => claims("guest", join),
            Role::Owner => claims(OWNER, join),
            Role::Moderator => claims(
                "moderator",
                json!({ "room": ROOM, "roomJoin": true, "roomAdmin": true }),
            ),
            Role::Lister => claims("lister", json!({ "roomList": true })),
            Role::Backend => claims("", json!({ "roomCreate": true })),
        };
        Some(signed(claims))
    }
}

/// What is wrong with a token. But for that it is the owner's, of a backend, and a moderator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    AlgorithmNone,
    WrongSecret,
    UnknownKey,
    Expired,
    NotYet,
    NoExpiry,
    ExpiryOfWrongType,
    TamperedPayload,
    TamperedSignature,
    Empty,
    WrongRoom,
    Demoted,
    Banned,
}

impl Defect {
    pub(crate) const ALL: [Defect; 14] = [
        Defect::None,
        Defect::AlgorithmNone,
        Defect::WrongSecret,
        Defect::UnknownKey,
        Defect::Expired,
        Defect::NotYet,
        Defect::NoExpiry,
        Defect::ExpiryOfWrongType,
        Defect::TamperedPayload,
        Defect::TamperedSignature,
        Defect::Empty,
        Defect::WrongRoom,
        Defect::Demoted,
        Defect::Banned,
    ];

    /// Good, but not here or not any more.
    pub(crate) fn is_good_elsewhere(self) -> bool {
        matches!(self, Defect::WrongRoom | Defect::Demoted | Defect::Banned)
    }

    pub(crate) fn token(self) -> Option<String> {
        let all = json!({ "room": ROOM, "roomJoin": true, "roomAdmin": true, "roomCreate": true, "roomList": true });
        let admin = |room: &str| json!({ "room": room, "roomJoin": true, "roomAdmin": true });
        let good = claims(OWNER, all);
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            claims
        };
        Some(match self {
            Defect::None => return None,
            Defect::AlgorithmNone => {
                let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
                format!(
                    "{}.{}.",
                    part(&json!({ "alg": "none", "typ": "JWT" })),
                    part(&good)
                )
            }
            Defect::WrongSecret => {
                let key = EncodingKey::from_secret(SECRET.to_uppercase().as_bytes());
                jsonwebtoken::encode(&Header::new(Algorithm::HS256), &good, &key).unwrap()
            }
            Defect::UnknownKey => signed(with("iss", json!("another"))),
            Defect::Expired => signed(with("exp", json!(now() - 60))),
            Defect::NotYet => signed(with("nbf", json!(now() + 300))),
            Defect::NoExpiry => {
                let mut claims = good;
                claims.as_object_mut().unwrap().remove("exp");
                signed(claims)
            }
            Defect::ExpiryOfWrongType => signed(with("exp", json!((now() + 600).to_string()))),
            Defect::TamperedPayload => {
                let guest = signed(claims("guest", json!({ "room": ROOM, "roomJoin": true })));
                let parts: Vec<&str> = guest.split('.').collect();
                let payload = URL_SAFE_NO_PAD.encode(good.to_string());
                format!("{}.{payload}.{}", parts[0], parts[2])
            }
            Defect::TamperedSignature => {
                let mut token = signed(good);
                let at = token.len() - 10;
                let other = if token.as_bytes()[at] == b'A' {
                    "B"
                } else {
                    "A"
                };
                token.replace_range(at..=at, other);
                token
            }
            Defect::Empty => String::new(),
            Defect::WrongRoom => signed(claims("stranger", admin("another"))),
            Defect::Demoted => signed(claims(DEMOTED, admin(ROOM))),
            Defect::Banned => signed(claims(BANNED, admin(ROOM))),
        })
    }
}
