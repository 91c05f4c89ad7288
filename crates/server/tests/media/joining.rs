//! Whoever comes late sees at once what is there.

use std::collections::BTreeSet;

use protocol::{TrackId, TrackKind};

use crate::support::*;
use load_tester::Participant;

#[tokio::test]
async fn a_late_joiner_gets_existing_tracks_with_its_first_answer_and_a_key_frame_soon() {
    let server = Server::start().await;
    let publisher = server.publisher("room", "publisher").await;
    let pictures = publication(&publisher, TrackKind::Video);
    let early = server.viewer("room", "early").await;
    until("the track flows", async || {
        packets(&early, pictures.id) > 60
    })
    .await;
    let key_frames = pictures.key_frames();

    let late = server.viewer("room", "late").await;
    let answered: BTreeSet<TrackId> = late
        .first_answer()
        .unwrap()
        .sections
        .iter()
        .map(|section| section.track_id)
        .collect();
    let published: BTreeSet<TrackId> = publisher
        .publications()
        .iter()
        .map(|publication| publication.id)
        .collect();
    assert_eq!(answered, published);
    for track in &published {
        until("the track came", async || packets(&late, *track) > 30).await;
    }
    let reception = late.reception(pictures.id).unwrap();
    assert_eq!(
        reception.first_key_frame_at, reception.first_packet_at,
        "the first packet can be decoded"
    );
    assert_eq!(reception.faults(), None);
    // The publisher sends key frames on request alone.
    assert!(pictures.key_frames() > key_frames);
    let waited = reception.first_key_frame_at.unwrap()
        - (late.timings().began_at + late.timings().connected);
    assert!(waited < PATIENCE, "{waited:?}");
}

#[tokio::test]
async fn a_track_published_later_comes_without_being_asked_for() {
    let server = Server::start().await;
    let viewer = server.viewer("room", "viewer").await;
    let publisher = server.viewer("room", "publisher").await;
    let pictures = publisher.publish(CAMERA).await.unwrap();
    more_packets(&viewer, pictures.id, 50).await;
    let screen = load_tester::PublishOptions {
        source: protocol::TrackSource::Screen,
        ..CAMERA
    };
    let screen = publisher.publish(screen).await.unwrap();
    more_packets(&viewer, screen.id, 50).await;
    for track in [pictures, screen] {
        let reception = all_received(&track, &viewer).await;
        assert_eq!(reception.faults(), None);
        assert_eq!(
            viewer.room().track(track.id).unwrap().source,
            track.options.source
        );
    }
}

#[tokio::test]
async fn ten_who_join_together_cost_the_publisher_few_key_frames() {
    let server = Server::start().await;
    let publisher = server.publisher("room", "publisher").await;
    let pictures = publication(&publisher, TrackKind::Video);
    until("the camera runs", async || pictures.packets() > 30).await;
    let (before, began_at) = (pictures.key_frame_requests(), std::time::Instant::now());
    let joins: Vec<_> = (0..10)
        .map(|number| {
            tokio::spawn(Participant::join(
                server.options("room", &format!("viewer {number}")),
            ))
        })
        .collect();
    for join in joins {
        let viewer = join.await.unwrap().unwrap();
        until("the track came", async || packets(&viewer, pictures.id) > 0).await;
        for _ in 0..5 {
            viewer.request_key_frame(pictures.id).await.unwrap();
        }
    }
    seconds(1).await;
    // At most one for each 500 ms, and the first at once.
    let most = began_at.elapsed().as_millis() as u64 / 500 + 1;
    let asked = pictures.key_frame_requests() - before;
    assert!(
        (1..=most).contains(&asked),
        "{asked} requests, at most {most}"
    );
}
