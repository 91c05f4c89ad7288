//! Tokens for whoever asks: in development mode only, where the server is on loopback alone. With API keys
//! configured this is not there.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use protocol::ErrorCode;
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::api::{Answer, Body, Refusal, invalid};
use crate::auth::{TokenClaims, VideoGrant, sign};
use crate::keys::{DEVELOPMENT_KEY, random_text};

/// A working day: a token outlives a lunch break, but not its key.
const TOKEN_SECONDS: u64 = 6 * 3600;

#[derive(Debug, Deserialize)]
pub(super) struct TokenRequest {
    /// Which may be entered. A token for the API alone needs none.
    #[serde(default)]
    room: String,
    name: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    avatar_url: Option<String>,
    /// Drawn if left out.
    #[serde(default)]
    identity: Option<String>,
    /// More of the grant than the room: `roomCreate`, `roomList`, `roomAdmin`, ….
    #[serde(default)]
    grants: VideoGrant,
}

/// `POST /api/dev/token`. Browsers ask before a page of another origin may post JSON, and are not answered:
/// only the server's own page gets a token.
pub(super) async fn token(
    State(app): State<Arc<App>>,
    Body(request): Body<TokenRequest>,
) -> Answer {
    let Some(secret) = app
        .config
        .is_development()
        .then(|| app.keys.secret(DEVELOPMENT_KEY))
        .flatten()
    else {
        let message = "tokens are made by your backend: API keys are configured";
        return Err(
            Refusal::new(ErrorCode::NotPermitted, message).with_status(StatusCode::NOT_FOUND)
        );
    };
    let is_for_the_api = request.grants.room_create || request.grants.room_list;
    if request.name.is_empty() || (request.room.is_empty() && !is_for_the_api) {
        return Err(invalid("room and name must not be empty"));
    }
    let identity = request.identity.filter(|identity| !identity.is_empty());
    let identity = identity.unwrap_or_else(|| format!("{}-{}", request.name, random_text(8)));
    let video = VideoGrant {
        room_join: !request.room.is_empty(),
        room: request.room,
        ..request.grants
    };
    let avatar = request.avatar_url.map(|url| ("avatar_url".to_owned(), url));
    let claims = TokenClaims {
        iss: DEVELOPMENT_KEY.into(),
        sub: identity.clone(),
        name: request.name,
        exp: jsonwebtoken::get_current_timestamp() + TOKEN_SECONDS,
        video,
        attributes: [("role".to_owned(), request.role)]
            .into_iter()
            .chain(avatar)
            .collect(),
        ..TokenClaims::default()
    };
    match sign(&claims, secret) {
        Ok(token) => Ok(Json(json!({ "token": token, "identity": identity })).into_response()),
        Err(error) => {
            tracing::error!(%error, "a token cannot be signed");
            Err(Refusal::new(
                ErrorCode::Internal,
                "a token cannot be signed",
            ))
        }
    }
}
