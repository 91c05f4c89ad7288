//! Tokens for whoever asks: in development mode only, where the server is on loopback alone. With API keys
//! configured this is not there.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::App;
use crate::auth::{TokenClaims, VideoGrant, sign};
use crate::keys::{DEVELOPMENT_KEY, random_text};

/// A working day: a token outlives a lunch break, but not its key.
const TOKEN_SECONDS: u64 = 6 * 3600;

/// Roles that may mute others.
const MODERATORS: [&str; 3] = ["tutor", "host", "provider"];

#[derive(Debug, Deserialize)]
pub(super) struct TokenRequest {
    room: String,
    name: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    avatar_url: Option<String>,
    /// Drawn if left out.
    #[serde(default)]
    identity: Option<String>,
}

/// `POST /api/dev/token`. Browsers ask before a page of another origin may post JSON, and are not answered:
/// only the server's own page gets a token.
pub(super) async fn token(
    State(app): State<Arc<App>>,
    request: Result<Json<TokenRequest>, JsonRejection>,
) -> Response {
    let Some(secret) = app
        .config
        .is_development()
        .then(|| app.keys.secret(DEVELOPMENT_KEY))
        .flatten()
    else {
        return (
            StatusCode::NOT_FOUND,
            "Tokens are made by your backend: API keys are configured.\n",
        )
            .into_response();
    };
    let Json(request) = match request {
        Ok(request) => request,
        Err(rejection) => {
            return (rejection.status(), format!("{}\n", rejection.body_text())).into_response();
        }
    };
    if request.room.is_empty() || request.name.is_empty() {
        return (
            StatusCode::UNPROCESSABLE_ENTITY,
            "room and name must not be empty\n",
        )
            .into_response();
    }
    let identity = request.identity.filter(|identity| !identity.is_empty());
    let identity = identity.unwrap_or_else(|| format!("{}-{}", request.name, random_text(8)));
    let room_admin = MODERATORS.contains(&request.role.as_str());
    let video = VideoGrant {
        room: request.room,
        room_join: true,
        room_admin,
        ..VideoGrant::default()
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
        Ok(token) => Json(json!({ "token": token, "identity": identity })).into_response(),
        Err(error) => {
            tracing::error!(%error, "a token cannot be signed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
