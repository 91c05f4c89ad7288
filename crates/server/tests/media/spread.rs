//! A room on two workers: whoever comes and goes leaves nothing behind on either.

use load_tester::{Participant, PublishOptions};
use protocol::TrackKind;

use crate::support::*;

#[tokio::test]
async fn who_leaves_and_comes_back_is_seen_from_the_other_worker_and_leaves_nothing() {
    let mut server = Server::start().await;
    let viewer = server.viewer("room", "viewer").await;
    for _ in 0..3 {
        let publisher = server.publisher("room", "publisher").await;
        for publication in publisher.publications() {
            more_packets(&viewer, publication.id, 20).await;
            let reception = viewer.reception(publication.id).unwrap();
            assert_eq!(reception.faults(), None, "{:?}", publication.options.source);
        }
        until("both tracks cross", async || {
            server.metric("plenum_relayed_tracks").await == 2
        })
        .await;
        publisher.leave().await.unwrap();
        until("nothing crosses", async || {
            server.metric("plenum_relayed_tracks").await == 0
                && server.metric("plenum_tracks").await == 0
        })
        .await;
    }
    assert_eq!(server.dropped("panic").await, 0);
    assert_eq!(viewer.ended(), None);
    server.assert_running();
}

#[tokio::test]
async fn the_last_viewer_on_the_other_worker_ends_the_crossing_and_the_next_begins_it() {
    let server = Server::start().await;
    let publisher = server.publisher("room", "publisher").await;
    let crossed = async || server.metric("plenum_relayed_packets_total").await;
    for _ in 0..3 {
        let viewer = server.viewer("room", "viewer").await;
        for publication in publisher.publications() {
            more_packets(&viewer, publication.id, 20).await;
        }
        viewer.leave().await.unwrap();
        until("nothing crosses", async || {
            server.metric("plenum_relayed_tracks").await == 0
        })
        .await;
        until("no packet crosses", async || {
            let before = crossed().await;
            seconds(2).await;
            crossed().await == before
        })
        .await;
    }
    assert_eq!(publisher.ended(), None);
}

/// Whom each of them heard in a second, by their places.
async fn heard_in_a_second(people: &[Participant]) -> Vec<Vec<usize>> {
    let counts = || -> Vec<Vec<u64>> {
        let of = |listener: &Participant| {
            let speakers = people.iter();
            let microphones = speakers.map(|of| publication(of, TrackKind::Audio).id);
            microphones.map(|id| packets(listener, id)).collect()
        };
        people.iter().map(of).collect()
    };
    let before = counts();
    seconds(1).await;
    let after = counts();
    let pairs = before.iter().zip(&after);
    pairs
        .map(|(before, after)| {
            let speakers = 0..people.len();
            speakers.filter(|at| before[*at] < after[*at]).collect()
        })
        .collect()
}

#[tokio::test]
async fn of_four_who_are_spread_all_hear_the_two_who_speak_and_they_each_other() {
    let environment = [("PLENUM_LIMITS_AUDIBLE_TRACKS", "2")];
    let server = Server::start_in(&["--workers", "2"], &environment).await;
    let mut people = Vec::new();
    for name in ["ann", "ben", "cem", "dia"] {
        let options = server.options("room", name);
        let options = options.publishing(PublishOptions::microphone());
        people.push(Participant::join(options).await.unwrap());
    }
    // On one worker, on the other, on both.
    for speaking in [[0, 2], [1, 3], [0, 1]] {
        for (at, person) in people.iter().enumerate() {
            let level = if speaking.contains(&at) { 20 } else { 90 };
            publication(person, TrackKind::Audio).set_level(level);
        }
        let expected: Vec<Vec<usize>> = (0..people.len())
            .map(|listener| {
                let others = speaking.into_iter().filter(|at| *at != listener);
                others.collect()
            })
            .collect();
        until("those who speak are heard, and nobody else", async || {
            heard_in_a_second(&people).await == expected
        })
        .await;
    }
    assert_in_order(&people);
}
