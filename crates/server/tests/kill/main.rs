//! The server is killed at random moments of a mixed load, and started again, again and again. After each
//! start its database has everything that it ever acknowledged, nothing is stuck, and everybody is back by
//! themselves. It shares nothing with the server but the wire and the file.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod database;
mod ledger;
mod owners;
mod people;
mod process;
mod report;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep};

use database::Database;
use ledger::{Fact, Ledger};
use people::Load;
use process::Home;
use report::Report;

const OWNERS: usize = 5;
const PEOPLE: usize = 15;
/// For everybody to be back, and every owner live, after a start: what only a hung system needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// As many as `make test` has time for; `make kill-test CYCLES=…` asks for more.
fn cycles() -> u64 {
    let asked = std::env::var("KILL_CYCLES").ok();
    asked.map_or(30, |cycles| {
        cycles.parse().expect("KILL_CYCLES is a number")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_at_any_moment_loses_nothing_that_it_acknowledged() {
    let home = Home::new("kill");
    let load = Arc::new(Load {
        address: home.address,
        ledger: Ledger::create(&home.ledger()),
        life: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
        seen: (0..PEOPLE + OWNERS).map(|_| AtomicU64::new(0)).collect(),
        joined: AtomicU64::new(0),
        resumed: AtomicU64::new(0),
        faults: Mutex::default(),
    });
    let mut report = Report::new(cycles());
    let mut server = home.start();
    server.listens();
    load.life.store(1, Ordering::Relaxed);
    let everybody = begin(&load);

    for cycle in 0..report.cycles {
        // Mostly in the middle of things; now and then while they are coming back, or at the start.
        let kind = rand::random::<u32>() % 8;
        let lives = match kind {
            0 => rand::random::<u64>() % 200,
            _ => 200 + rand::random::<u64>() % 1_300,
        };
        sleep(Duration::from_millis(lives)).await;
        server.kill();
        if kind == 1 {
            // Killed again while it starts.
            let again = home.start();
            sleep(Duration::from_millis(rand::random::<u64>() % 120)).await;
            again.kill();
        }
        let killed_at = now();
        // What was said before is in the ledger when those whom it was said to have seen the end.
        sleep(Duration::from_millis(100)).await;
        let facts = load.ledger.unchecked();
        report.killed(&facts);

        let started = Instant::now();
        let started_at = now();
        server = home.start();
        server.listens();
        report.started(started.elapsed());
        load.life.fetch_add(1, Ordering::Relaxed);
        let database = Database::open(&home.data()).await;
        let wrong = database.disagrees(&facts, killed_at, started_at).await;
        assert_eq!(wrong, [""; 0], "after kill {cycle}");
        assert_eq!(database.integrity().await, "ok", "after kill {cycle}");
        database.close().await;
        all_are_back(&load, started, &mut report).await;
        let faults = std::mem::take(&mut *load.faults.lock().unwrap());
        assert_eq!(faults, [""; 0], "after kill {cycle}");
    }

    load.is_over.store(true, Ordering::Relaxed);
    for one in everybody {
        one.await.unwrap();
    }
    server.kill();
    let killed_at = now();
    let mut server = home.start();
    server.listens();
    let database = Database::open(&home.data()).await;
    // Once more everything, from the file.
    let all = load.ledger.all(&home.ledger());
    let wrong = database.disagrees(&all, killed_at, now()).await;
    assert_eq!(wrong, [""; 0], "at the end");
    report.people(&load);
    report.end(&all, &database).await;
    database.close().await;
    server.kill();
    report.is_worth_its_time();
}

#[tokio::test]
async fn what_was_acknowledged_and_is_not_there_is_seen() {
    let home = Home::new("kill-nothing");
    let mut server = home.start();
    server.listens();
    let database = Database::open(&home.data()).await;
    let nobody = || String::from("nobody");
    let facts = [
        Fact::RoomMade { room: nobody() },
        Fact::SessionStarted {
            session: nobody(),
            key: nobody(),
        },
        Fact::Joined {
            session: nobody(),
            participant: nobody(),
        },
        Fact::SessionEnded { session: nobody() },
    ];
    let wrong = database.disagrees(&facts, now(), now()).await;
    assert_eq!(wrong.len(), facts.len(), "{wrong:?}");
}

fn begin(load: &Arc<Load>) -> Vec<tokio::task::JoinHandle<()>> {
    let owner = |number: usize| format!("owner {number}");
    // A room of an owner is called after them.
    let mut rooms: Vec<String> = (0..OWNERS).map(owner).collect();
    rooms.extend(["one", "two", "three"].map(str::to_owned));
    let mut everybody = Vec::new();
    for number in 0..PEOPLE {
        everybody.push(tokio::spawn(people::person(
            load.clone(),
            number,
            rooms.clone(),
        )));
    }
    for number in 0..OWNERS {
        let owner = owners::owner(load.clone(), PEOPLE + number, owner(number));
        everybody.push(tokio::spawn(owner));
    }
    everybody
}

/// Waits until everybody was told, in this life of the server, that they are in or wait, and every owner
/// went live in it.
async fn all_are_back(load: &Load, started: Instant, report: &mut Report) {
    let life = load.life.load(Ordering::Relaxed);
    let is_back = |who: &AtomicU64| who.load(Ordering::Relaxed) >= life;
    let (mut people, mut owners) = (None, None);
    while people.is_none() || owners.is_none() {
        if people.is_none() && load.seen[..PEOPLE].iter().all(is_back) {
            people = Some(started.elapsed());
        }
        if owners.is_none() && load.seen[PEOPLE..].iter().all(is_back) {
            owners = Some(started.elapsed());
        }
        let missing = || (0..PEOPLE + OWNERS).filter(|who| !is_back(&load.seen[*who]));
        let faults = load.faults.lock().unwrap().clone();
        assert!(
            started.elapsed() < PATIENCE && faults.is_empty(),
            "not everybody is back: {:?} are missing; {faults:?}",
            missing().collect::<Vec<_>>()
        );
        sleep(Duration::from_millis(2)).await;
    }
    report.back(people.unwrap_or_default(), owners.unwrap_or_default());
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}
