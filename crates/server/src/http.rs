//! What is served over HTTP: the page, the WebSocket, the lists, and what operators ask. It holds no state
//! but counters and rates.

pub(crate) mod api;
mod development;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use protocol::{ErrorBody, ErrorCode, PeerId};
use signaling::{ApiRequest, ApiResult, Caller};
use store::{Monitor, Store};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::config::Config;
use crate::keys::Keys;
use crate::listener::Seat;
use crate::media_worker::MediaWorker;
use crate::metrics::Metrics;
use crate::node::{Explanation, NodeCommand};
use crate::rate::AddressRates;
use crate::websocket::Upgrade;
use crate::{health, page, session};

/// Between what is answered with an error and what is not even read by the WebSocket library.
const READ_BEYOND_LIMIT: usize = 4;

/// A worker answers in its next turn; one that does not is not waited for.
const EXPLAINED_WITHIN: Duration = Duration::from_secs(3);

/// What every request may need.
pub(crate) struct App {
    pub(crate) config: Config,
    /// The configured keys, or the development key.
    pub(crate) keys: Keys,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Clock,
    /// For reading, and for events: what rooms do is written by the node alone.
    pub(crate) store: Arc<Store>,
    /// How the node's writing goes.
    pub(crate) writing: Monitor,
    pub(crate) node: mpsc::Sender<NodeCommand>,
    pub(crate) workers: Vec<MediaWorker>,
    pub(crate) joins: Mutex<AddressRates>,
    pub(crate) api: api::Api,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl App {
    /// Ask the rooms over HTTP. The answer comes when what it promises is committed.
    pub(crate) async fn ask(&self, caller: Caller, request: ApiRequest) -> ApiResult {
        let broken = || ErrorBody::new(ErrorCode::Internal, "the server is broken");
        let (answer, answered) = oneshot::channel();
        let command = NodeCommand::Api {
            caller,
            request: Box::new(request),
            answer,
        };
        self.node.send(command).await.map_err(|_| broken())?;
        answered.await.map_err(|_| broken())?
    }

    /// Ask the media worker of a peer what it sends there, and why. `None`: it does not answer.
    pub(crate) async fn explain(&self, peer: PeerId) -> Option<Explanation> {
        let (answer, answered) = oneshot::channel();
        let command = NodeCommand::Explain { peer, answer };
        self.node.send(command).await.ok()?;
        let explained = tokio::time::timeout(EXPLAINED_WITHIN, answered).await;
        explained.ok()?.ok()
    }
}

/// All that is served.
pub(crate) fn router(app: Arc<App>) -> Router {
    let body_bytes = app.config.limits.http_body_bytes;
    Router::new()
        .route("/ws", get(websocket))
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .merge(api::router(app.clone()))
        .fallback(get(page::file))
        .layer(middleware::from_fn_with_state(app.clone(), count_refusals))
        .layer(DefaultBodyLimit::max(body_bytes))
        .with_state(app)
}

async fn count_refusals(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        app.metrics
            .http_refused
            .with_label_values(&["body_bytes"])
            .inc();
    }
    response.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

async fn websocket(
    State(app): State<Arc<App>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Extension(seat): Extension<Arc<Seat>>,
    mut request: Request,
) -> Response {
    if *app.stopping.borrow() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "The server is being stopped.\n",
        )
            .into_response();
    }
    if !is_allowed_origin(&app.config.allowed_origins, request.headers()) {
        app.metrics
            .http_refused
            .with_label_values(&["origin"])
            .inc();
        return (
            StatusCode::FORBIDDEN,
            "Pages of this origin may not connect: see allowed_origins.\n",
        )
            .into_response();
    }
    let address: IpAddr = address.ip().to_canonical();
    let most_bytes = app
        .config
        .limits
        .message_bytes
        .saturating_mul(READ_BEYOND_LIMIT);
    match Upgrade::from_request(&mut request) {
        Ok(upgrade) => upgrade.accept(most_bytes, async move |socket| {
            session::serve(socket, app, address).await;
            drop(seat);
        }),
        Err(reason) => (StatusCode::BAD_REQUEST, reason).into_response(),
    }
}

/// Without an Origin it is no page, and nothing that this setting is about.
fn is_allowed_origin(allowed: &[String], headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    allowed.is_empty() || allowed.iter().any(|allowed| origin == allowed.as_str())
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let away = health::away_for(&app.writing, &app.clock);
    app.metrics.set_store(&app.writing.figures(), away);
    let workers = app.workers.iter().map(MediaWorker::statistics);
    match app.metrics.page(workers) {
        Ok(page) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], page).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The process answers, so it lives.
async fn livez() -> &'static str {
    "live\n"
}

/// New clients may be sent here.
async fn readyz(State(app): State<Arc<App>>) -> Response {
    let most_waiting = app.config.limits.waiting_commands;
    let check = match *app.stopping.borrow() {
        false => health::check(&app.writing, &app.clock, most_waiting),
        true => Err("stopping".into()),
    };
    match check {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_free_until_some_are_named() {
        let origin = |origin: &'static str| {
            HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))])
        };
        let named = ["https://a.example".to_owned()];
        assert!(is_allowed_origin(&[], &origin("https://b.example")));
        assert!(is_allowed_origin(&named, &origin("https://a.example")));
        assert!(is_allowed_origin(&named, &HeaderMap::new()));
        assert!(!is_allowed_origin(&named, &origin("https://b.example")));
        assert!(!is_allowed_origin(
            &named,
            &origin("https://a.example.evil.example")
        ));
    }
}
