//! Access tokens: HS256 JWTs with LiveKit's claims, signed with one of the configured keys. It says who the
//! bearer is and what they may do; whether it happens is decided elsewhere.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use protocol::{ErrorBody, ErrorCode, Identity, Role, RoomName};
use serde::{Deserialize, Serialize};
use signaling::{Caller, Claims, Permissions};

use crate::keys::Keys;

/// How far the clocks of whoever signs may differ from ours.
const LEEWAY_SECONDS: u64 = 30;

/// The claims of a token, as LiveKit's server SDKs write them. What Plenum does not know is passed over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TokenClaims {
    /// The API key.
    pub(crate) iss: String,
    /// The identity. A backend that asks over HTTP need not name one.
    #[serde(default)]
    pub(crate) sub: String,
    /// The name to show; the identity if left out.
    #[serde(default)]
    pub(crate) name: String,
    /// Seconds since 1970. Required.
    pub(crate) exp: u64,
    /// Seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<u64>,
    #[serde(default)]
    pub(crate) video: VideoGrant,
    /// `role` and `avatar_url` are read.
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, String>,
}

/// What may be done, and in which room.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct VideoGrant {
    pub(crate) room: String,
    pub(crate) room_join: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) can_publish: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) can_subscribe: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) can_publish_data: Option<bool>,
    /// Left out: as the role has it ([`is_leading`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) room_admin: Option<bool>,
    /// Left out: as the role has it. Nothing is recorded yet; it is read, so that a wrong type is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) room_record: Option<bool>,
    pub(crate) room_create: bool,
    pub(crate) room_list: bool,
    pub(crate) hidden: bool,
}

/// Roles whose bearers moderate and record, unless the grant says otherwise. Any other role, as `student`,
/// `client` or `guest`, does neither.
pub(crate) fn is_leading(role: &str) -> bool {
    matches!(role, "host" | "tutor" | "provider")
}

/// What a token says, if it is good for the room that its bearer means to enter.
pub(crate) fn verify(
    keys: &Keys,
    token: &str,
    room: Option<&RoomName>,
) -> Result<Claims, ErrorBody> {
    let claims = signed_claims(keys, token)?;
    let wrong_room = |message: String| Err(ErrorBody::new(ErrorCode::WrongRoom, message));
    if claims.video.room.is_empty() {
        return wrong_room("the token grants no room".into());
    }
    if let Some(room) = room
        && room.0 != claims.video.room
    {
        return wrong_room(format!(
            "the token grants the room {:?}, and not {:?}",
            claims.video.room, room.0
        ));
    }
    if !claims.video.room_join {
        return Err(ErrorBody::new(
            ErrorCode::NotPermitted,
            "the token does not grant roomJoin",
        ));
    }
    if claims.sub.is_empty() {
        return Err(invalid("the token names nobody: \"sub\" is empty"));
    }
    Ok(claims.into())
}

/// Who asks over HTTP: what the bearer token of a request says. Which room it is good for is judged where
/// something is done.
pub(crate) fn caller(keys: &Keys, headers: &HeaderMap) -> Result<Caller, ErrorBody> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(invalid("there is no \"Authorization: Bearer\" header"));
    };
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim_start())
    });
    let Some(token) = token else {
        return Err(invalid(
            "the Authorization header is not \"Bearer\" and a token",
        ));
    };
    let claims = signed_claims(keys, token)?;
    let moderates = claims.moderates();
    let TokenClaims {
        iss, sub, video, ..
    } = claims;
    Ok(Caller {
        identity: Identity(if sub.is_empty() { iss } else { sub }),
        may_create: video.room_create,
        may_list: video.room_list,
        admin_of: (moderates && !video.room.is_empty()).then_some(RoomName(video.room)),
    })
}

/// Sign claims with a key.
pub(crate) fn sign(
    claims: &TokenClaims,
    secret: &str,
) -> Result<String, jsonwebtoken::errors::Error> {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key)
}

fn invalid(message: impl Into<String>) -> ErrorBody {
    ErrorBody::new(ErrorCode::TokenInvalid, message)
}

fn signed_claims(keys: &Keys, token: &str) -> Result<TokenClaims, ErrorBody> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    // Nothing is believed yet but which secret to try.
    let Ok(Issuer { iss }) = jsonwebtoken::dangerous::insecure_decode_claims(token) else {
        return Err(invalid("the token is no JWT with an \"iss\""));
    };
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = LEEWAY_SECONDS;
    validation.validate_nbf = true;
    validation.set_required_spec_claims(&["exp", "iss"]);
    let mut fault = invalid("the token's \"iss\" is no API key of this server");
    // A key being changed has two secrets. What another secret says goes before "not signed with this one".
    for secret in keys.secrets(&iss) {
        let key = DecodingKey::from_secret(secret.as_bytes());
        match jsonwebtoken::decode::<TokenClaims>(token, &key, &validation) {
            Ok(data) => return Ok(data.claims),
            Err(error) => {
                fault = refusal(error.kind());
                if *error.kind() != ErrorKind::InvalidSignature {
                    break;
                }
            }
        }
    }
    Err(fault)
}

fn refusal(kind: &ErrorKind) -> ErrorBody {
    match kind {
        ErrorKind::ExpiredSignature => ErrorBody::new(
            ErrorCode::TokenExpired,
            "the token's time (\"exp\") is over",
        ),
        ErrorKind::ImmatureSignature => ErrorBody::new(
            ErrorCode::TokenExpired,
            "the token's time (\"nbf\") has not begun",
        ),
        ErrorKind::InvalidSignature => {
            invalid("the token is not signed with the secret of its \"iss\"")
        }
        ErrorKind::InvalidAlgorithm => invalid("the token is not signed with HS256"),
        ErrorKind::MissingRequiredClaim(claim) => invalid(format!("the token has no {claim:?}")),
        ErrorKind::Json(error) => invalid(format!("the token's claims cannot be read: {error}")),
        _ => invalid("the token cannot be verified"),
    }
}

impl TokenClaims {
    fn moderates(&self) -> bool {
        let role = self.attributes.get("role").map_or("", String::as_str);
        self.video.room_admin.unwrap_or(is_leading(role))
    }
}

impl From<TokenClaims> for Claims {
    fn from(mut claims: TokenClaims) -> Self {
        let moderate = claims.moderates();
        let grant = claims.video;
        Claims {
            name: if claims.name.is_empty() {
                claims.sub.clone()
            } else {
                claims.name
            },
            identity: Identity(claims.sub),
            role: Role(claims.attributes.remove("role").unwrap_or_default()),
            avatar_url: claims
                .attributes
                .remove("avatar_url")
                .filter(|url| is_web_address(url)),
            room: RoomName(grant.room),
            permissions: Permissions {
                publish: grant.can_publish.unwrap_or(true),
                subscribe: grant.can_subscribe.unwrap_or(true),
                publish_data: grant.can_publish_data.unwrap_or(true),
                moderate,
                hidden: grant.hidden,
            },
        }
    }
}

/// Everybody's page shows it: `javascript:` and the like must not get there.
fn is_web_address(url: &str) -> bool {
    let scheme = url
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https"))
}

#[cfg(test)]
mod tests;
