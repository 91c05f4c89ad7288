//! What is muted, taken away or refused sends nothing.

use protocol::TrackKind;

use crate::support::*;
use load_tester::{Participant, PublishOptions};

#[tokio::test]
async fn a_muted_track_sends_nothing_and_goes_on_where_it_stopped() {
    let server = Server::start().await;
    let publisher = server.publisher("room", "publisher").await;
    let viewer = server.viewer("room", "viewer").await;
    for publication in publisher.publications() {
        let id = publication.id;
        more_packets(&viewer, id, 30).await;
        let before = viewer.reception(id).unwrap();
        assert_eq!(before.faults(), None);
        publisher.mute(id, true).await.unwrap();
        viewer
            .wait_for_room(PATIENCE, |room| room.track(id).unwrap().muted)
            .await
            .unwrap();
        // The publisher goes on sending: it is the server that forwards nothing.
        let sent = publication.packets();
        assert_silent(&viewer, id).await;
        assert!(publication.packets() > sent);

        publisher.mute(id, false).await.unwrap();
        viewer
            .wait_for_room(PATIENCE, |room| !room.track(id).unwrap().muted)
            .await
            .unwrap();
        more_packets(&viewer, id, 30).await;
        let reception = viewer.reception(id).unwrap();
        assert!(
            reception.counters.lost() > 0,
            "what was sent while muted is not made up for"
        );
        let breaks = (
            reception.sequence.lost(),
            reception.picture_breaks,
            reception.timestamp_breaks,
        );
        assert_eq!(breaks, (0, 0, 0), "{:?}", reception.faults());
        assert_eq!(
            (reception.source_changes, reception.sequence.duplicated()),
            (0, 0)
        );
        let is_video = publication.options.source.kind() == TrackKind::Video;
        assert_eq!(
            (
                before.key_frames > 0,
                reception.key_frames > before.key_frames
            ),
            (is_video, is_video),
            "pictures begin, and begin anew, with a key frame: {before:?} {reception:?}"
        );
    }
}

#[tokio::test]
async fn a_track_muted_from_the_start_is_there_and_silent() {
    let server = Server::start().await;
    let muted = PublishOptions {
        muted: true,
        ..CAMERA
    };
    let publisher = Participant::join(server.options("room", "publisher").publishing(muted))
        .await
        .unwrap();
    let viewer = server.viewer("room", "viewer").await;
    let id = publisher.publications()[0].id;
    assert!(viewer.room().track(id).unwrap().muted);
    assert_silent(&viewer, id).await;
    assert_eq!(packets(&viewer, id), 0);
    publisher.mute(id, false).await.unwrap();
    more_packets(&viewer, id, 30).await;
    assert_eq!(viewer.reception(id).unwrap().faults(), None);
}

#[tokio::test]
async fn an_unpublished_track_sends_nothing_and_its_neighbour_goes_on() {
    let server = Server::start().await;
    let publisher = server.publisher("room", "publisher").await;
    let viewer = server.viewer("room", "viewer").await;
    let [sound, pictures] = publisher.publications() else {
        panic!("two publications")
    };
    more_packets(&viewer, sound.id, 30).await;
    more_packets(&viewer, pictures.id, 30).await;
    publisher.unpublish(pictures.id).await.unwrap();
    viewer
        .wait_for_room(PATIENCE, |room| room.track(pictures.id).is_none())
        .await
        .unwrap();
    let sent = pictures.packets();
    assert_silent(&viewer, pictures.id).await;
    assert!(pictures.packets() > sent);
    more_packets(&viewer, sound.id, 30).await;
    assert_eq!(all_received(sound, &viewer).await.faults(), None);
}

#[tokio::test]
async fn a_refused_track_sends_nothing_to_who_refused_it_and_can_be_taken_up_again() {
    let server = Server::start().await;
    let publisher = server.publisher("room", "publisher").await;
    let (viewer, other) = (
        server.viewer("room", "viewer").await,
        server.viewer("room", "other").await,
    );
    let pictures = publication(&publisher, TrackKind::Video);
    more_packets(&viewer, pictures.id, 30).await;
    viewer.set_subscription(pictures.id, false).await.unwrap();
    until("it stops", async || {
        let before = packets(&viewer, pictures.id);
        seconds(1).await;
        packets(&viewer, pictures.id) == before
    })
    .await;
    assert_silent(&viewer, pictures.id).await;
    more_packets(&other, pictures.id, 30).await;
    viewer.set_subscription(pictures.id, true).await.unwrap();
    more_packets(&viewer, pictures.id, 30).await;
    assert_eq!(all_received(pictures, &other).await.faults(), None);
}
