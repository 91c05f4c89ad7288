//! Before and behind every handler of the API: how often an address may ask, which pages may read the
//! answers, and what is counted. It knows no token.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::ErrorCode;

use super::error::Refusal;
use crate::http::App;

/// Made for whoever asks, in development mode: of no page but the server's own.
const OWN_PAGE_ALONE: &str = "/api/dev/token";

pub(super) async fn guard(
    State(app): State<Arc<App>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let origin = allowed_origin(
        &app.config.allowed_origins,
        request.uri().path(),
        request.headers(),
    );
    let is_preflight = request.method() == Method::OPTIONS;
    let may_ask = {
        let mut rates = app.api.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.take(Instant::now(), address.ip().to_canonical())
    };
    let mut response = match (may_ask, is_preflight) {
        (false, _) => Refusal::new(
            ErrorCode::TooFast,
            "too many requests from your address in a second",
        )
        .into_response(),
        (true, true) => preflight(),
        (true, false) => next.run(request).await,
    };
    if let Some(code) = response.extensions().get::<ErrorCode>() {
        app.metrics
            .refused
            .with_label_values(&[code.as_str()])
            .inc();
    }
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

fn preflight() -> Response {
    let headers = [
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "GET, POST, PUT, PATCH, DELETE",
        ),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, last-event-id",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// The origin whose page may read the answer. No cookie says who asks, so that with no origin named any may.
fn allowed_origin(allowed: &[String], path: &str, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    if path == OWN_PAGE_ALONE {
        return None;
    }
    let is_allowed = allowed.is_empty() || allowed.iter().any(|allowed| origin == allowed.as_str());
    is_allowed.then(|| origin.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_allowed_origins_read_answers_and_none_but_the_own_gets_a_development_token() {
        let headers = HeaderMap::from_iter([(
            header::ORIGIN,
            HeaderValue::from_static("https://a.example"),
        )]);
        let (named, other) = (
            ["https://a.example".to_owned()],
            ["https://b.example".to_owned()],
        );
        let allowed = |allowed: &[String], path| allowed_origin(allowed, path, &headers).is_some();
        assert!(allowed(&[], "/api/rooms") && allowed(&named, "/api/rooms"));
        assert!(!allowed(&other, "/api/rooms"));
        assert!(!allowed(&[], OWN_PAGE_ALONE) && !allowed(&named, OWN_PAGE_ALONE));
    }
}
