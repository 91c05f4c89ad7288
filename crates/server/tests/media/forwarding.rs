//! Every packet, to everybody, once and in order.

use protocol::TrackKind;

use crate::support::*;
use load_tester::{Participant, PublishOptions};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_participants_receive_every_packet_of_each_other_once_and_in_order() {
    let server = Server::start_with(&["--workers", "1"]).await;
    let (mut server, _) = eight_to_each_other(server).await;
    server.assert_running();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_participants_on_two_workers_do_too_and_each_packet_crosses_once() {
    let (mut server, sent) = eight_to_each_other(Server::start().await).await;
    until("nothing crosses any more", async || {
        server.metric("plenum_relayed_tracks").await == 0
    })
    .await;
    assert_eq!(server.metric("plenum_relayed_packets_total").await, sent);
    assert_eq!(server.dropped("link").await, 0);
    server.assert_running();
}

/// Everybody sends for a while and gets everything of everybody, and then they leave. Gives how many packets they
/// sent.
async fn eight_to_each_other(server: Server) -> (Server, u64) {
    let paused = |publish| PublishOptions {
        paused: true,
        ..publish
    };
    let mut participants = Vec::new();
    for number in 0..8 {
        let options = server
            .options("room", &format!("participant {number}"))
            .publishing(paused(PublishOptions::microphone()))
            .publishing(paused(CAMERA));
        participants.push(Participant::join(options).await.unwrap());
    }
    let expected = 8 * 7 * 2;
    until("each is subscribed to all", async || {
        server.metric("plenum_subscriptions").await == expected
    })
    .await;
    let publications = || {
        participants
            .iter()
            .flat_map(|participant| participant.publications())
    };
    publications().for_each(|publication| publication.pause(false));
    seconds(20).await;
    pause(publications()).await;

    let mut received = 0;
    for participant in &participants {
        for other in participants
            .iter()
            .filter(|other| other.id() != participant.id())
        {
            for publication in other.publications() {
                let reception = all_received(publication, participant).await;
                assert_eq!(
                    reception.faults(),
                    None,
                    "{} of {:?}",
                    publication.id,
                    publication.options.source
                );
                assert_eq!(reception.counters.first(), Some(0));
                assert_eq!(reception.packets, publication.packets());
                assert_eq!(reception.publisher, Some(other.id()));
                received += 1;
            }
        }
    }
    assert_eq!(received, expected);
    let shortest = publications()
        .map(|publication| publication.packets())
        .min()
        .unwrap();
    assert!(
        shortest > 300,
        "the participants were starved: {shortest} packets in 20 s"
    );
    assert_in_order(&participants);
    let sent = publications()
        .map(|publication| publication.packets())
        .sum();
    for participant in participants {
        participant.leave().await.unwrap();
    }
    until("all have left", async || {
        server.metric("plenum_peers{state=\"connected\"}").await == 0
    })
    .await;
    (server, sent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_publisher_reaches_a_hundred_subscribers() {
    let mut server = Server::start_with(&["--workers", "1"]).await;
    let options = server
        .options("room", "publisher")
        .publishing(PublishOptions::microphone())
        .publishing(PublishOptions::camera(100_000));
    let publisher = Participant::join(options).await.unwrap();
    let mut subscribers = Vec::new();
    for ten in 0..10 {
        let joins: Vec<_> = (0..10)
            .map(|one| {
                let mut options = server.options("room", &format!("subscriber {ten}{one}"));
                options.data = false;
                tokio::spawn(Participant::join(options))
            })
            .collect();
        for join in joins {
            subscribers.push(join.await.unwrap().unwrap());
        }
    }
    for subscriber in &subscribers {
        for publication in publisher.publications() {
            until("the track came", async || {
                packets(subscriber, publication.id) > 0
            })
            .await;
        }
    }
    seconds(10).await;
    pause(publisher.publications()).await;
    for subscriber in &subscribers {
        for publication in publisher.publications() {
            let reception = all_received(publication, subscriber).await;
            assert_eq!(reception.faults(), None, "{:?}", publication.options.source);
        }
    }
    assert_eq!(server.metric("plenum_subscriptions").await, 200);
    let pictures = publication(&publisher, TrackKind::Video);
    assert!(pictures.packets() > 300);
    assert_in_order(&subscribers);
    server.assert_running();
}
