//! Accepts TCP connections for HTTP, within the limits of connections and of time. What is served on them
//! is the router's business.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

use crate::address::network;
use crate::config::Limits;
use crate::metrics::{Held, Metrics};

/// After an error of accept: most often no descriptor is left, and trying at once would spin.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Open connections by address. No more entries than connections.
#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection's place among those open, for as long as this is kept. Each request carries it, since a
/// WebSocket outlives the HTTP connection that it came from.
pub(crate) struct Seat {
    open: Arc<Mutex<Open>>,
    address: IpAddr,
    _counted: Held,
}

impl Seat {
    /// A place for a connection from this address, or which limit it is over.
    fn take(
        open: &Arc<Mutex<Open>>,
        address: IpAddr,
        limits: &Limits,
        metrics: &Metrics,
    ) -> Result<Self, &'static str> {
        let address = network(address);
        let mut counts = open.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.all >= limits.connections {
            return Err("connections");
        }
        let of_address = counts.by_address.entry(address).or_default();
        if *of_address >= limits.connections_per_address {
            return Err("connections_per_address");
        }
        *of_address += 1;
        counts.all += 1;
        let _counted = Held::one_more(&metrics.http_connections);
        Ok(Self {
            open: open.clone(),
            address,
            _counted,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        if let Some(of_address) = counts.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

/// Accept and serve for ever.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    metrics: Arc<Metrics>,
) {
    let open = Arc::new(Mutex::new(Open::default()));
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(AFTER_ERROR).await;
                continue;
            }
        };
        // Over a limit it is closed at once: an answer would cost more than the question.
        let seat = match Seat::take(&open, address.ip(), &limits, &metrics) {
            Ok(seat) => seat,
            Err(reason) => {
                metrics.http_refused.with_label_values(&[reason]).inc();
                continue;
            }
        };
        let (router, metrics) = (router.clone(), metrics.clone());
        let header_time = Duration::from_millis(limits.http_header_ms);
        tokio::spawn(async move {
            serve_one(stream, address, router, header_time, &metrics, seat).await
        });
    }
}

async fn serve_one(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    header_time: Duration,
    metrics: &Metrics,
    seat: Seat,
) {
    // Signaling is small messages that somebody waits for.
    let _ = stream.set_nodelay(true);
    let (router, seat) = (TowerToHyperService::new(router), Arc::new(seat));
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(address));
        request.extensions_mut().insert(seat.clone());
        router.call(request)
    });
    let result = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_time)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    match result {
        Err(error) if error.is_timeout() => metrics
            .http_refused
            .with_label_values(&["header_time"])
            .inc(),
        Err(error) => tracing::debug!(%error, "an HTTP connection failed"),
        Ok(()) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_for_one_address_and_for_all_and_given_back() {
        let limits = Limits {
            connections: 3,
            connections_per_address: 2,
            ..Limits::default()
        };
        let (open, metrics) = (Arc::default(), Metrics::new().unwrap());
        let take = |last| Seat::take(&open, IpAddr::from([192, 0, 2, last]), &limits, &metrics);
        let refused = |last| take(last).err();

        let (first, _second) = (take(1).ok().unwrap(), take(1).ok().unwrap());
        assert_eq!(refused(1), Some("connections_per_address"));
        let other = take(2).ok().unwrap();
        assert_eq!(refused(3), Some("connections"));
        assert_eq!(metrics.http_connections.get(), 3);
        drop((first, other));
        assert_eq!((refused(1), refused(3)), (None, None));
        let counts = open.lock().unwrap();
        assert_eq!((counts.all, counts.by_address.len()), (1, 1));
    }
}
