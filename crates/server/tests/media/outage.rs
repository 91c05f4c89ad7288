//! PostgreSQL is stopped during a call: what is seen and heard goes on, what is promised comes afterwards.

use std::time::{Duration, Instant};

use load_tester::{Participant, http};
use protocol::{StateUpdate, TrackKind};
use store::{Location, Settings, Store};

use crate::postgres::Postgres;
use crate::support::*;

/// How long PostgreSQL is away: longer than the time to join and than `readyz` waits. A minute or more
/// with PLENUM_TEST_OUTAGE_SECONDS.
fn outage() -> Duration {
    let seconds = std::env::var("PLENUM_TEST_OUTAGE_SECONDS").ok();
    Duration::from_secs(seconds.map_or(8, |seconds| seconds.parse().unwrap()))
}

async fn readiness(server: &Server) -> u16 {
    http::get(server.http, "/readyz").await.unwrap().status
}

#[tokio::test]
async fn while_postgresql_is_stopped_media_and_messages_go_on_and_nothing_is_lost() {
    let postgres = tokio::task::spawn_blocking(Postgres::start_new)
        .await
        .unwrap();
    let url = postgres.url("postgres");
    let server = Server::start_with(&["--database-url", &url]).await;
    let publisher = server.publisher("room", "publisher").await;
    let pictures = publication(&publisher, TrackKind::Video);
    let viewer = server.viewer("room", "viewer").await;
    more_packets(&viewer, pictures.id, 50).await;
    let session = viewer.room().room.session.unwrap().id;
    assert_eq!(readiness(&server).await, 200);

    postgres.stop();
    let stopped = Instant::now();
    let mut options = server.options("room", "newcomer");
    options.patience = outage() + PATIENCE;
    let newcomer = tokio::spawn(Participant::join(options));
    let mut raised = false;
    while stopped.elapsed() < outage() {
        more_packets(&viewer, pictures.id, 10).await;
        raised = !raised;
        let state = StateUpdate {
            hand_raised: Some(raised),
            ..StateUpdate::default()
        };
        publisher.update_state(state).await.unwrap();
        let is_seen = |view: &load_tester::RoomView| {
            let mut all = view.participants.values();
            all.any(|of| of.id == publisher.id() && of.hand_raised == raised)
        };
        // What waited for the database would come never: it is away for as long as this loop goes.
        viewer.wait_for_room(PATIENCE, is_seen).await.unwrap();
        seconds(1).await;
    }
    assert_eq!(readiness(&server).await, 503);
    assert!(
        !newcomer.is_finished(),
        "joined before it could be written down"
    );

    postgres.start();
    let newcomer = newcomer.await.unwrap().unwrap();
    more_packets(&newcomer, pictures.id, 20).await;
    until("it is ready again", async || {
        readiness(&server).await == 200
    })
    .await;
    assert_eq!(
        server.metric("plenum_store_refused_commands_total").await,
        0
    );
    let people = [publisher, viewer, newcomer];
    assert_in_order(&people);
    drop(people);
    server.stop().await;

    let location = Location::of(".".as_ref(), Some(&url)).unwrap();
    let store = Store::open(location, Settings::default()).await.unwrap();
    let mut attendance = store.attendance(session).await.unwrap();
    attendance.sort_by_key(|of| of.name.clone());
    let names: Vec<&str> = attendance.iter().map(|of| of.name.as_str()).collect();
    assert_eq!(names, ["newcomer", "publisher", "viewer"]);
    assert!(attendance.iter().all(|of| of.left_at.is_some()));
    assert_eq!(store.tracks(session).await.unwrap().len(), 2);
    store.close().await;
}
