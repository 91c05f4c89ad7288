//! A database that goes away and comes back: nothing is lost, nothing is done twice, and the order stays.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use protocol::record::Write;
use store::{Batch, Health, Outcome, Settings, Store, SubmitError, Writer};
use tokio::time::timeout;

use crate::both;
use crate::place::Place;
use crate::postgres::Postgres;
use crate::records::*;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_may_crash_and_come_back_with_nothing_lost_doubled_or_out_of_order() {
    let postgres = tokio::task::spawn_blocking(Postgres::start_new)
        .await
        .unwrap();
    let place = Place::in_postgres(&postgres).await;
    away_and_back(&place, async || postgres.stop(), async || postgres.start()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_may_be_locked_and_unlocked_with_nothing_lost_doubled_or_out_of_order() {
    let place = Place::sqlite();
    place.open().await.close().await;
    let raw = tokio::sync::Mutex::new(place.raw().await);
    away_and_back(
        &place,
        async || raw.lock().await.execute("BEGIN IMMEDIATE").await.unwrap(),
        async || raw.lock().await.execute("ROLLBACK").await.unwrap(),
    )
    .await;
}

async fn away_and_back(place: &Place, go_away: impl AsyncFn(), come_back: impl AsyncFn()) {
    let store = Arc::new(place.open().await);
    let writer = Writer::start(store.clone(), || at(10_000));
    let mut health = writer.monitor().health();
    let submit = |number| {
        writer
            .submit(vec![Write::RoomCreated(room(number))])
            .unwrap()
    };
    let mut answers: Vec<_> = (0..200).map(submit).collect();
    go_away().await;
    answers.extend((200..400).map(submit));
    let is_away = |health: &Health| matches!(health, Health::Away { .. });
    timeout(PATIENCE, health.wait_for(is_away))
        .await
        .unwrap()
        .unwrap();
    answers.extend((400..600).map(submit));
    let figures = writer.monitor().figures();
    assert!(
        figures.waiting >= 200 && figures.trying_for.is_some(),
        "{figures:?}"
    );
    come_back().await;
    timeout(PATIENCE, health.wait_for(|health| !is_away(health)))
        .await
        .unwrap()
        .unwrap();
    for (number, answer) in answers.into_iter().enumerate() {
        let outcome = timeout(PATIENCE, answer).await.unwrap();
        assert_eq!(outcome, Ok(Outcome::Committed), "{number}");
    }
    let monitor = writer.monitor();
    assert_eq!(writer.stop(PATIENCE).await, 0);
    let figures = monitor.figures();
    assert_eq!(
        (figures.committed, figures.refused, figures.waiting),
        (600, 0, 0)
    );
    assert!(figures.failed_attempts > 0 && figures.latency.count() == 600);
    let told = place
        .raw()
        .await
        .texts("SELECT body FROM events ORDER BY id")
        .await;
    let rooms: Vec<String> = told.iter().map(|body| name(body)).collect();
    let expected: Vec<String> = (0..600).map(|number| format!("room {number}")).collect();
    assert_eq!(rooms, expected, "in order, once each");
}

fn name(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["room"]["name"].as_str().unwrap().to_owned()
}

/// What the work gives, unless it has to wait more often than this.
async fn give_up_after<T>(waits: u64, work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    let mut waited = 0;
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if waited == waits => Poll::Ready(None),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

both! {
    async fn a_commit_whose_answer_was_lost_is_recognised_and_not_done_twice(place: Place) {
        let store = place.open().await;
        let mut raw = place.raw().await;
        let mut lost_answers = 0;
        for number in 0..200 {
            let mut batch = Batch::new(at(10_000), vec![vec![Write::RoomCreated(room(number))]]);
            // Given up at each point of its way in turn, it is asked again.
            let mut result = give_up_after(number % 20, store.write(&mut batch)).await;
            if result.is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let there = format!("SELECT count(*) FROM rooms WHERE name = 'room {number}'");
                lost_answers += raw.number(&there).await;
            }
            let outcomes = loop {
                match result {
                    Some(Ok(outcomes)) => break outcomes,
                    _ => tokio::time::sleep(Duration::from_millis(5)).await,
                }
                result = Some(store.write(&mut batch).await);
            };
            assert_eq!(outcomes, [Outcome::Committed], "{number}");
        }
        assert_eq!(raw.number("SELECT count(*) FROM events").await, 200);
        assert!(lost_answers > 0, "no commit was given up while it was under way");
    }

    async fn a_stop_writes_what_waits(place: Place) {
        let store = Arc::new(place.open().await);
        let writer = Writer::start(store.clone(), || at(10_000));
        let answers: Vec<_> = (0..3_000)
            .map(|number| writer.submit(vec![Write::RoomCreated(room(number))]).unwrap())
            .collect();
        let behind = writer.submit(vec![]).unwrap();
        assert_eq!(writer.stop(PATIENCE).await, 0);
        assert_eq!(behind.await, Ok(Outcome::Committed));
        for answer in answers {
            assert_eq!(answer.await, Ok(Outcome::Committed));
        }
        assert_eq!(place.raw().await.number("SELECT count(*) FROM rooms").await, 3_000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_database_that_stays_away_is_bounded_and_counted() {
    let place = Place::sqlite();
    let targets = vec![];
    let store = Store::open(place.location.clone(), Settings { targets })
        .await
        .unwrap();
    let mut raw = place.raw().await;
    raw.execute("BEGIN IMMEDIATE").await.unwrap();
    let writer = Writer::start(Arc::new(store), || at(10_000));
    let mut answers = Vec::new();
    let refused = loop {
        match writer.submit(vec![Write::RoomCreated(room(answers.len() as u64))]) {
            Ok(answer) => answers.push(answer),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, SubmitError::Full);
    let figures = writer.monitor().figures();
    let waiting = answers.len();
    assert!(
        (store::MOST_WAITING..=store::MOST_WAITING + 1_000).contains(&waiting),
        "{waiting}"
    );
    assert_eq!((figures.waiting, figures.turned_away), (waiting, 1));
    assert_eq!(writer.stop(Duration::from_millis(100)).await, waiting);
    assert!(
        answers.remove(0).await.is_err(),
        "it must not be told that it is committed"
    );
}
