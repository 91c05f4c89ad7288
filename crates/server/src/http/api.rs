//! The HTTP API: reads requests, asks the rooms or the store, and writes what they answer as JSON. Who may do
//! what is decided by the rooms; `docs/api.md` has it for those who call.

mod attendance;
mod bans;
mod csv;
mod error;
mod extract;
mod forwarding;
mod guard;
mod history;
mod live;
mod openapi;
mod participants;
#[macro_use]
mod route_table;
mod rooms;
mod sessions;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::extract::{OriginalUri, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, any, on};
use axum::{Json, Router, middleware};
use protocol::ErrorCode;
use serde_json::json;
use signaling::{ApiReply, ApiRequest};

pub(super) use self::error::{Answer, Refusal};
pub(super) use self::extract::{Body, invalid};
pub(crate) use self::live::watch as watch_live;
use super::App;
use crate::config::Limits;
use crate::live_stream::LiveStream;
use crate::rate::AddressRates;

/// What the API keeps: counters and rates.
pub(crate) struct Api {
    rates: Mutex<AddressRates>,
    live: LiveStream,
    /// The listing is taken over by one at a time.
    refreshing: tokio::sync::Mutex<()>,
}

impl Api {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            rates: Mutex::new(AddressRates::new(
                Instant::now(),
                limits.requests_per_address_per_second,
            )),
            live: LiveStream::new(limits.live_subscribers),
            refreshing: tokio::sync::Mutex::default(),
        }
    }
}

macro_rules! routes {
    ($($name:ident $method:ident $path:literal $access:ident $handler:path;)*) => {
        fn routes() -> Router<Arc<App>> {
            Router::new()$(.route($path, on(MethodFilter::$method, $handler)))*
        }

        /// Method, path, and whether a token is needed, for tests.
        #[cfg(test)]
        const ROUTES: &[(&str, &str, bool)] = &[$(
            (stringify!($method), $path, matches!(stringify!($access).as_bytes(), b"Bearer")),
        )*];
    };
}

with_routes!(routes);

/// Everything under `/api`.
pub(super) fn router(app: Arc<App>) -> Router<Arc<App>> {
    routes()
        .route("/api/{*rest}", any(nothing_here))
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(app, guard::guard))
}

async fn nothing_here(OriginalUri(uri): OriginalUri) -> Refusal {
    let message = format!("there is no endpoint {}", uri.path());
    Refusal::new(ErrorCode::InvalidRequest, message).with_status(StatusCode::NOT_FOUND)
}

async fn wrong_method(method: Method) -> Refusal {
    let message = format!("this endpoint is not for {method}");
    Refusal::new(ErrorCode::InvalidRequest, message).with_status(StatusCode::METHOD_NOT_ALLOWED)
}

/// What the page must know before it can ask for anything.
async fn config(State(app): State<Arc<App>>) -> Response {
    Json(json!({ "development": app.config.is_development() })).into_response()
}

/// Ask the rooms, as whoever calls.
async fn ask(app: &App, caller: extract::Caller, request: ApiRequest) -> Answer<ApiReply> {
    Ok(app.ask(caller.0, request).await?)
}

/// The rooms answered with something that was not asked for.
fn unexpected() -> Refusal {
    Refusal::new(ErrorCode::Internal, "the rooms answered something else")
}

/// It is done, and there is nothing to say.
fn done(reply: ApiReply) -> Answer {
    match reply {
        ApiReply::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        _ => Err(unexpected()),
    }
}
