//! `GET /api/live`: who is live now, and each change, as server-sent events. A subscriber who reads too slowly
//! is let go, and comes back by itself.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use futures_util::Stream;
use protocol::{ErrorCode, Identity, LiveRoom, RoomName};
use signaling::{ApiRequest, RoomRef};
use tokio::sync::{mpsc, oneshot};

use super::error::{Answer, Refusal};
use super::extract::{Caller, MaybeCaller};
use crate::http::App;
use crate::live_stream::{Event, EventId, Subscriber};
use crate::node::NodeCommand;
use crate::sight::Sight;

/// While somebody listens the listing is looked at so often, if anything was written down since; and now and
/// then in any case, since a name may be changed without that.
const INTERVAL: Duration = Duration::from_millis(250);
const IN_ANY_CASE: u64 = 20;
/// A comment, so that proxies keep the connection and a dead one is found.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events on their way to one subscriber, and the time for one more.
const ON_THE_WAY: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);

/// What a caller sees of the listing. Where strangers see nothing, they are refused.
pub(super) fn sight(app: &App, caller: Option<&Caller>) -> Answer<Sight> {
    let sees_all = |Caller(caller): &Caller| caller.may_list || caller.may_create;
    let for_strangers = app.config.public_listing;
    match (caller, for_strangers) {
        (Some(caller), _) if sees_all(caller) => Ok(Sight::People),
        (None, Sight::Nothing) => Err(Refusal::anonymous("the rooms are listed for tokens alone")),
        (Some(_), Sight::Nothing) => Err(Refusal::new(
            ErrorCode::NotPermitted,
            "only a token that grants roomList or roomCreate may see the rooms",
        )),
        (_, sight) => Ok(sight),
    }
}

pub(super) async fn events(
    State(app): State<Arc<App>>,
    MaybeCaller(caller): MaybeCaller,
    headers: HeaderMap,
) -> Answer {
    let sight = sight(&app, caller.as_ref())?;
    let behind = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse::<EventId>().ok());
    if !app.api.live.is_heard() {
        // Nobody listened, so nobody looked.
        app.refresh_live_stream().await?;
    }
    let Some((subscriber, snapshot)) = app.api.live.subscribe(sight, behind) else {
        app.metrics
            .http_refused
            .with_label_values(&["live_subscribers"])
            .inc();
        let message = "too many listen to what is live";
        return Err(Refusal::new(ErrorCode::Unavailable, message));
    };
    let (sender, events) = mpsc::channel(ON_THE_WAY);
    tokio::spawn(tell(app, subscriber, snapshot, sender));
    let alive = KeepAlive::new().interval(HEARTBEAT).text("still here");
    Ok(Sse::new(stream(events)).keep_alive(alive).into_response())
}

/// Until they are gone or too slow, or the server is being stopped.
async fn tell(
    app: Arc<App>,
    mut subscriber: Subscriber,
    snapshot: Option<Event>,
    sender: mpsc::Sender<Event>,
) {
    let mut stopping = app.stopping.clone();
    let told = async {
        let mut events: Vec<Event> = snapshot.into_iter().collect();
        loop {
            for event in events {
                if sender.send_timeout(event, PATIENCE).await.is_err() {
                    return;
                }
            }
            match app.api.live.next(&mut subscriber).await {
                Some(next) => events = next,
                None => return,
            }
        }
    };
    tokio::select! {
        () = told => {}
        () = sender.closed() => {}
        _ = stopping.wait_for(|is_stopping| *is_stopping) => {}
    }
}

fn stream(events: mpsc::Receiver<Event>) -> impl Stream<Item = Result<Sent, Infallible>> {
    futures_util::stream::unfold(events, async |mut events| {
        let event = events.recv().await?;
        let sent = Sent::default()
            .id(event.id.to_string())
            .event(event.kind)
            .data(&*event.data);
        Some((Ok(sent), events))
    })
}

/// Look at the listing as long as the server runs, whenever somebody listens.
pub(crate) async fn watch(app: Arc<App>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seen = 0;
    for tick in 0_u64.. {
        ticks.tick().await;
        let committed = app.writing.figures().committed;
        let is_due = committed != seen || tick % IN_ANY_CASE == 0;
        // While the database is away the listeners wait.
        if app.api.live.is_heard() && is_due && app.refresh_live_stream().await.is_ok() {
            seen = committed;
        }
    }
}

impl App {
    /// The rooms that are live, as the rooms have it now.
    pub(super) async fn live_rooms(&self) -> Answer<Vec<LiveRoom>> {
        let (answer, answered) = oneshot::channel();
        let broken = || Refusal::new(ErrorCode::Internal, "the server is broken");
        let command = NodeCommand::LiveRooms(answer);
        self.node.send(command).await.map_err(|_| broken())?;
        answered.await.map_err(|_| broken())
    }

    /// All that was asked for until now is written down. The rooms hold each answer until then; this one is
    /// that there is no such room.
    async fn committed(&self) -> Answer<()> {
        let nobody = signaling::Caller {
            identity: Identity(String::new()),
            may_create: false,
            may_list: false,
            admin_of: None,
        };
        let nowhere = RoomRef::Name(RoomName(String::new()));
        match self.ask(nobody, ApiRequest::GetRoom(nowhere)).await {
            Err(error) if error.code != ErrorCode::RoomNotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Take over the listing as it is committed.
    async fn refresh_live_stream(&self) -> Answer<()> {
        let _alone = self.api.refreshing.lock().await;
        let rooms = self.live_rooms().await?;
        self.committed().await?;
        self.api.live.update(rooms, self.config.public_listing);
        Ok(())
    }
}
