//! Networks that lose packets, move, and begin anew.

use std::net::SocketAddr;
use std::time::Duration;

use load_tester::{Conditions, Event, Participant, ParticipantOptions, PublishOptions, Relay};
use protocol::{ServerMessage, TrackKind};

use crate::support::*;

/// The same participant, behind a relay.
fn through(relay: &Relay, mut options: ParticipantOptions) -> ParticipantOptions {
    options.answer_filter = Some(relay.answer_filter());
    options
}

/// A publisher of pictures alone, for nobody asks for lost sound again, and a viewer, each behind a relay of its own.
async fn apart(server: &Server) -> (Relay, Participant, Relay, Participant) {
    let (publishers, viewers) = (Relay::start().await.unwrap(), Relay::start().await.unwrap());
    let options = server.options("room", "publisher").publishing(CAMERA);
    let publisher = Participant::join(through(&publishers, options))
        .await
        .unwrap();
    let viewer = Participant::join(through(&viewers, server.options("room", "viewer")))
        .await
        .unwrap();
    (publishers, publisher, viewers, viewer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_packet_is_sent_again() {
    let server = Server::start().await;
    let (publishers, publisher, viewers, viewer) = apart(&server).await;
    let pictures = publication(&publisher, TrackKind::Video);
    more_packets(&viewer, pictures.id, 30).await;

    publishers.lose_to_server(23);
    viewers.lose_to_client(17);
    more_packets(&viewer, pictures.id, 600).await;
    publishers.lose_to_server(0);
    viewers.lose_to_client(0);
    // What was lost last is noticed by what follows.
    more_packets(&viewer, pictures.id, 60).await;

    let reception = all_received(pictures, &viewer).await;
    assert!(
        publishers.lost().0 >= 20 && viewers.lost().1 >= 20,
        "{:?} {:?}",
        publishers.lost(),
        viewers.lost()
    );
    assert_eq!(
        (reception.counters.lost(), reception.sequence.lost()),
        (0, 0),
        "{:?}",
        reception.faults()
    );
    assert!(
        reception.counters.reordered() > 0,
        "what is sent again comes late"
    );
    assert_eq!((reception.damaged, reception.foreign), (0, 0));
    assert!(server.metric("plenum_inbound_retransmissions_total").await >= 20);
    assert!(server.metric("plenum_outbound_retransmissions_total").await >= 20);
    assert!(server.metric("plenum_outbound_nacks_total").await >= 20);
    assert!(server.metric("plenum_inbound_nacks_total").await >= 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missing_for_long_where_both_legs_lose_a_twentieth_and_reorder() {
    let server = Server::start().await;
    let (publishers, publisher, viewers, viewer) = apart(&server).await;
    let pictures = publication(&publisher, TrackKind::Video);
    more_packets(&viewer, pictures.id, 30).await;

    let rough = Conditions {
        loss: 0.05,
        delay: Duration::from_millis(50),
        jitter: Duration::from_millis(15),
    };
    publishers.set_conditions(rough, 1);
    viewers.set_conditions(rough, 2);
    more_packets(&viewer, pictures.id, 600).await;
    for relay in [&publishers, &viewers] {
        relay.set_conditions(Conditions::default(), 0);
    }
    // What was lost last is noticed by what follows, and asked for again.
    more_packets(&viewer, pictures.id, 60).await;

    let reception = all_received(pictures, &viewer).await;
    let asked = server.metric("plenum_outbound_nacks_total").await;
    let repeated = server.metric("plenum_outbound_retransmissions_total").await;
    println!(
        "lost {:?} and {:?} packets of {}; asked the publisher {asked} times, repeated {repeated}; longest delay {:?}",
        publishers.lost().0,
        viewers.lost().1,
        reception.packets,
        reception.longest_delay,
    );
    assert!(publishers.lost().0 >= 10 && viewers.lost().1 >= 10);
    assert_eq!(reception.counters.lost(), 0, "{:?}", reception.faults());
    assert_eq!((reception.damaged, reception.foreign), (0, 0));
    // Each loss is asked for about once, and what is only late seldom: else the repairs are a load of their own.
    assert!(asked < 5 * publishers.lost().0, "{asked} requests");
    assert!(repeated < 5 * viewers.lost().1, "{repeated} repeated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_falls_silent_is_ended_and_the_others_are_told() {
    let short = [("PLENUM_LIMITS_CONSENT_MS", "3000")];
    let server = Server::start_in(&[], &short).await;
    let relay = Relay::start().await.unwrap();
    let [behind, other] = two_in_a_room(&server, &relay).await;
    let mut events = behind.events();
    relay.fall_silent();
    until("the silent one's media is ended", async || {
        server.metric("plenum_peers{state=\"connected\"}").await == 1
    })
    .await;
    until("it is told so by signaling, which goes on", async || {
        std::iter::from_fn(|| events.try_recv().ok())
            .any(|event| matches!(event, Event::Message(message) if matches!(*message, ServerMessage::MediaEnded { .. })))
    })
    .await;
    assert!(other.is_connected());
}

/// Two that publish and see each other; the first behind a relay.
async fn two_in_a_room(server: &Server, relay: &Relay) -> [Participant; 2] {
    let with_both = |name| {
        server
            .options("room", name)
            .publishing(PublishOptions::microphone())
            .publishing(CAMERA)
    };
    let behind = Participant::join(through(relay, with_both("behind")))
        .await
        .unwrap();
    let other = Participant::join(with_both("other")).await.unwrap();
    both_flow(&behind, &other).await;
    [behind, other]
}

/// Sound and pictures flow both ways.
async fn both_flow(one: &Participant, other: &Participant) {
    for (sender, receiver) in [(one, other), (other, one)] {
        for publication in sender.publications() {
            more_packets(receiver, publication.id, 50).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_client_address_keeps_the_session() {
    let server = Server::start().await;
    let relay = Relay::start().await.unwrap();
    let [behind, other] = two_in_a_room(&server, &relay).await;
    for _ in 0..3 {
        relay.change_address().await.unwrap();
        both_flow(&behind, &other).await;
    }
    assert_eq!(server.metric("plenum_peers{state=\"connected\"}").await, 2);
    assert_in_order(&[behind, other]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ice_restart_keeps_the_session() {
    let server = Server::start().await;
    let relay = Relay::start().await.unwrap();
    let [behind, other] = two_in_a_room(&server, &relay).await;
    let before = behind.first_answer().unwrap().sdp.clone();
    let fingerprint = |sdp: &str| {
        sdp.lines()
            .find(|line| line.starts_with("a=fingerprint"))
            .unwrap()
            .to_owned()
    };
    let ufrag = |sdp: &str| {
        sdp.lines()
            .find(|line| line.starts_with("a=ice-ufrag"))
            .unwrap()
            .to_owned()
    };
    for _ in 0..3 {
        let answer = behind.restart_ice().await.unwrap();
        assert_ne!(
            ufrag(&answer.sdp),
            ufrag(&before),
            "an answer to a restart has credentials of its own"
        );
        assert_eq!(fingerprint(&answer.sdp), fingerprint(&before));
        both_flow(&behind, &other).await;
    }
    assert_eq!(server.metric("plenum_peers{state=\"connected\"}").await, 2);
    assert_in_order(&[behind, other]);
}

#[tokio::test]
async fn the_candidates_of_an_answer_are_where_the_server_listens() {
    let server = Server::start().await;
    let relay = Relay::start().await.unwrap();
    let _behind = Participant::join(through(&relay, server.options("room", "behind")))
        .await
        .unwrap();
    let address: SocketAddr = relay.server().unwrap();
    assert!(
        address.ip().is_loopback(),
        "in development mode nothing but loopback is advertised: {address}"
    );
}
