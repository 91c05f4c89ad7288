//! A process that writes is killed, again and again: whatever it was told is committed is there.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use protocol::SessionState;
use protocol::record::Write;
use store::{Outcome, Writer};

use crate::both;
use crate::place::Place;
use crate::records::*;

const DIRECTORY: &str = "PLENUM_TEST_STORE_DIRECTORY";
const URL: &str = "PLENUM_TEST_STORE_URL";

both! {
    async fn what_was_acknowledged_survives_a_kill_and_nothing_is_half_done(place: Place) {
        place.open().await.close().await;
        let mut acknowledged: Vec<u64> = Vec::new();
        for cycle in 0..4 {
            let from = acknowledged.last().map_or(0, |last| last + 10_000);
            let after = 50 + 130 * cycle;
            let place = (place.address(), from);
            let told = tokio::task::spawn_blocking(move || kill_after(after, place)).await.unwrap();
            assert!(told.len() >= after);
            acknowledged.extend(told);
        }
        let store = place.open().await;
        let mut raw = place.raw().await;
        let rooms = raw.texts("SELECT id FROM rooms ORDER BY id").await;
        let sessions = raw.texts("SELECT room FROM sessions ORDER BY room").await;
        assert_eq!(rooms, sessions, "a command is there as a whole");
        for number in &acknowledged {
            assert!(rooms.binary_search(&room_id(*number).to_string()).is_ok(), "{number} is lost");
        }
        if !place.is_postgres() {
            assert_eq!(raw.texts("PRAGMA integrity_check").await, ["ok"]);
        }
        assert!(store.counts(at(1)).await.unwrap().running_sessions > 0);
        store.recover(at(20_000)).await.unwrap();
        assert_eq!(store.counts(at(20_000)).await.unwrap().running_sessions, 0);
    }
}

/// Starts a process that writes, kills it when it has acknowledged so many commands, and returns all that it
/// acknowledged.
fn kill_after(count: usize, ((directory, url), from): ((String, Option<String>), u64)) -> Vec<u64> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "kill::writes_until_it_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(DIRECTORY, directory)
        .env("PLENUM_TEST_STORE_FROM", from.to_string())
        .stdout(Stdio::piped());
    if let Some(url) = url {
        command.env(URL, url);
    }
    let mut child = command.spawn().unwrap();
    let mut told = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some(number) = line.unwrap().strip_prefix("committed ") {
            told.push(number.parse().unwrap());
        }
        if told.len() == count {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(9),
        "{status}"
    );
    told
}

/// Not a test by itself: the process that is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by what_was_acknowledged_survives_a_kill_and_nothing_is_half_done"]
async fn writes_until_it_is_killed() {
    let directory = std::env::var(DIRECTORY).expect("it is started by another test");
    let from: u64 = std::env::var("PLENUM_TEST_STORE_FROM")
        .unwrap()
        .parse()
        .unwrap();
    let place = Place::at(directory.into(), std::env::var(URL).ok());
    let writer = Writer::start(Arc::new(place.open().await), || at(10_000));
    for first in (from..).step_by(20) {
        let command = |number| {
            let session = session(number, number, SessionState::Live);
            vec![
                Write::RoomCreated(room(number)),
                Write::SessionCreated(session),
            ]
        };
        let answers: Vec<_> = (first..first + 20)
            .map(|number| (number, writer.submit(command(number)).unwrap()))
            .collect();
        for (number, answer) in answers {
            assert_eq!(answer.await, Ok(Outcome::Committed));
            println!("committed {number}");
        }
    }
}
