//! The server's life: bind, start, wait for a signal, say goodbye, end. What it starts is described elsewhere.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use protocol::EndReason;
use signaling::Rooms;
use store::{Location, Settings, Store, Writer};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use crate::address::{candidates, media_bind_address};
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl};
use crate::http::api::{Api, watch_live};
use crate::http::{App, router};
use crate::keys::{DEVELOPMENT_KEY, Keys, development_secret};
use crate::link::{LinkReceiver, link};
use crate::media_worker::{MediaWorker, WorkerLinks};
use crate::metrics::Metrics;
use crate::node::{Node, NodeCommand};
use crate::rate::AddressRates;
use crate::{keeper, listener, udp, webhooks};

/// Commands of all sessions that may wait before the sessions wait.
const WAITING_COMMANDS: usize = 1_024;
/// For goodbyes to reach everybody, before the process ends.
const STOPPING: Duration = Duration::from_secs(3);
/// For the end of what runs to be written down.
const STORING: Duration = Duration::from_secs(5);

/// Run until a signal ends it.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    raise_descriptor_limit();
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;

    let listener = bind_http(config.http).await?;
    let address = listener.local_addr()?;
    let (events, worker_events) = mpsc::unbounded_channel();
    let workers = start_workers(&config, events)?;
    let keys = keys(&config);
    let metrics = Arc::new(Metrics::new()?);
    let (node, commands) = mpsc::channel(WAITING_COMMANDS);
    let (stop, stopping) = watch::channel(false);

    let clock = Clock::start();
    let store = open_store(&config).await?;
    let stored = store.recover(clock.now()).await?;
    metrics
        .sessions_ended
        .with_label_values(&[EndReason::ServerLost.as_str()])
        .inc_by(stored.lost_sessions);
    let rooms = Rooms::restore(config.limits.signaling(), stored);
    let writer = Writer::start(store.clone(), move || clock.now());
    let writing = writer.monitor();
    let to_workers = workers.iter().map(|worker| worker.handle.clone()).collect();
    let node_of_rooms = Node::new(&config, clock, rooms, writer, to_workers, metrics.clone());
    let mut node_task = tokio::spawn(node_of_rooms.run(commands, worker_events));

    let joins = Mutex::new(AddressRates::new(
        Instant::now(),
        config.limits.joins_per_address_per_second,
    ));
    let limits = config.limits.clone();
    let api = Api::new(&limits);
    let app = Arc::new(App {
        config,
        keys,
        metrics: metrics.clone(),
        clock,
        store,
        writing,
        node,
        workers,
        joins,
        api,
        stopping,
    });
    let accepting = tokio::spawn(listener::serve(
        listener,
        router(app.clone()),
        limits,
        metrics,
    ));
    let keeping = tokio::spawn(keeper::keep(app.clone()));
    let watching = tokio::spawn(watch_live(app.clone()));
    webhooks::start(&app)?;
    announce(&app, address);

    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
        // It has no end but a panic, whose message is out already.
        _ = &mut node_task => bail!("the node ended; this is a fault of Plenum's own"),
    }
    stop.send_replace(true);
    say_goodbye(&app).await;
    accepting.abort();
    keeping.abort();
    watching.abort();
    Ok(())
}

/// The database, opened by this server alone.
async fn open_store(config: &Config) -> anyhow::Result<Arc<Store>> {
    let url = config.database_url.as_ref().map(DatabaseUrl::as_str);
    let location = Location::of(&config.data_dir, url)?;
    let webhooks = config.webhooks.iter();
    let settings = Settings {
        targets: webhooks.map(|webhook| webhook.url.clone()).collect(),
    };
    match Store::open(location, settings).await {
        Ok(store) => {
            tracing::info!(database = %store.location(), "store");
            Ok(Arc::new(store))
        }
        Err(error @ (store::Error::InUse(_) | store::Error::Newer(_))) => Err(error.into()),
        Err(error) => bail!(
            "{error}; choose another place with --data-dir, or another database with --database-url, \
             PLENUM_DATABASE_URL, or database_url in the configuration file"
        ),
    }
}

async fn bind_http(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "port {} of {} is in use by another program; choose another with --http {}:PORT, \
             PLENUM_HTTP, or http in the configuration file",
            address.port(),
            address.ip(),
            address.ip()
        ),
        _ => anyhow::anyhow!(
            "HTTP cannot listen on {address}: {error}; choose another address with --http, PLENUM_HTTP, or \
             http in the configuration file"
        ),
    })
}

fn start_workers(
    config: &Config,
    events: mpsc::UnboundedSender<media::Event>,
) -> anyhow::Result<Vec<MediaWorker>> {
    let mut sockets = Vec::new();
    // All ports are taken before the first thread starts.
    for number in 0..u8::try_from(config.worker_count())? {
        let port = match config.udp_port {
            0 => 0,
            first => first
                .checked_add(number.into())
                .context("udp_port ends beyond 65535")?,
        };
        let address = SocketAddr::new(media_bind_address(config), port);
        let socket = udp::bind(address, config.socket_buffer_bytes)
            .map_err(|error| udp_refusal(address, &error))?;
        sockets.push((number, socket));
    }
    let links = (0..sockets.len()).map(|_| link(config.limits.link_bytes));
    let (senders, receivers): (Vec<_>, Vec<_>) = links.unzip();
    let start = |((number, socket), receiver): ((u8, std::net::UdpSocket), LinkReceiver)| {
        let candidates = candidates(config, socket.local_addr()?.port());
        tracing::info!(worker = number, ?candidates, "media");
        MediaWorker::start(
            number,
            socket,
            candidates,
            config.limits.media(),
            WorkerLinks {
                senders: senders.clone(),
                receiver,
            },
            events.clone(),
        )
    };
    sockets.into_iter().zip(receivers).map(start).collect()
}

fn udp_refusal(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let change = "choose another with --udp-port PORT, PLENUM_UDP_PORT, or udp_port in the configuration file \
                  (each worker takes the next port: --workers 1 needs one alone)";
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow::anyhow!(
                "UDP port {} of {} is in use by another program; {change}",
                address.port(),
                address.ip()
            )
        }
        _ => anyhow::anyhow!("media cannot use UDP port {address}: {error}; {change}"),
    }
}

fn keys(config: &Config) -> Keys {
    match config.is_development() {
        true => Keys::from([(
            DEVELOPMENT_KEY,
            development_secret(&config.data_dir).as_str(),
        )]),
        false => config.keys.clone(),
    }
}

/// For people and scripts, on the standard output; all else is in the log.
#[expect(
    clippy::print_stdout,
    reason = "the two lines that a start is promised to print"
)]
fn announce(app: &App, address: SocketAddr) {
    println!("Plenum is listening on http://{address}");
    if app.config.is_development() {
        let secret = app.keys.secret(DEVELOPMENT_KEY).unwrap_or_default();
        println!(
            "API key: {DEVELOPMENT_KEY}  secret: {secret}  (development mode: loopback alone)"
        );
    }
}

/// Each WebSocket is a descriptor, and shells start programs with 1,024 at most.
fn raise_descriptor_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!(limit, "file descriptors"),
        Err(error) => tracing::warn!(%error, "the limit of file descriptors stays as it was"),
    }
}

/// Everybody is told, and gets a little time to hear it; what runs is ended, and written down.
async fn say_goodbye(app: &App) {
    tracing::info!("stopping");
    let start = tokio::time::Instant::now();
    let (answer, answered) = oneshot::channel();
    let stop = async {
        if app.node.send(NodeCommand::Stop(answer)).await.is_ok() {
            let _ = answered.await;
        }
    };
    let goodbyes = async {
        let connections = &app.metrics.websocket_connections;
        while connections.get() > 0 {
            if start.elapsed() > STOPPING {
                let left = connections.get();
                return tracing::warn!(left, "not everybody took their goodbye");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (stored, ()) = tokio::join!(tokio::time::timeout(STORING, stop), goodbyes);
    if stored.is_err() {
        let commands = app.writing.figures().waiting;
        tracing::warn!(
            commands,
            "not everything is written down: the next start ends what ran"
        );
    }
}
