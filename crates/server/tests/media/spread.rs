//! A room on two workers: whoever comes and goes leaves nothing behind on either.

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
