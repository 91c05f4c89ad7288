//! Conversations with an engine: an input in, what it reports and sends out. What needs a whole client (keys,
//! media) is tried with real ones in `crates/server/tests`.

use protocol::{ParticipantId, TrackSource};

use super::*;
use crate::Limits;
use crate::rtp::seeded::Seeded;
use crate::test_time;
use crate::transport::Credentials;
use crate::transport::ice::tests::nominating_check;

#[path = "../../tests/client/mod.rs"]
mod client;
use client::{Client, Section};

const PUBLISHING: &str =
    include_str!("../../tests/sdp_fixtures/chromium-156-publish-and-receive.sdp");
const RECEIVING: &str = include_str!("../../tests/sdp_fixtures/chromium-156-receive-and-data.sdp");

const ALICE: PeerId = PeerId::from_bits(1);
const BOB: PeerId = PeerId::from_bits(2);
const CAMERA: TrackId = TrackId::from_bits(11);
const MICROPHONE: TrackId = TrackId::from_bits(12);

mod at_rest;
mod far_viewers;
mod listeners;
mod relay;
mod viewports;

struct Conversation {
    engine: Engine,
    now: Instant,
}

impl Conversation {
    fn new() -> Self {
        Self::on(3)
    }

    fn on(worker: u8) -> Self {
        let now = test_time::start();
        let candidates = vec![SocketAddr::from(([192, 0, 2, 1], 7882))];
        let config = Config {
            worker,
            candidates,
            limits: Limits::default(),
        };
        Self {
            engine: Engine::new(now, config).unwrap(),
            now,
        }
    }

    fn with_peers() -> Self {
        let mut talk = Self::new();
        for peer in [ALICE, BOB] {
            talk.open(peer);
        }
        talk
    }

    fn open(&mut self, peer: PeerId) {
        let participant = ParticipantId::from_bits(peer.bits());
        let open = Command::OpenPeer {
            peer,
            participant,
            data_group: 5,
            publishes_data: true,
        };
        assert_eq!(self.tell(open), []);
    }

    fn tell(&mut self, command: Command) -> Vec<Event> {
        self.engine.handle_command(self.now, command);
        self.events()
    }

    fn events(&mut self) -> Vec<Event> {
        let events = std::iter::from_fn(|| self.engine.poll_event()).collect();
        self.engine.check_invariants();
        events
    }

    fn offer(&mut self, peer: PeerId, sdp: &str) -> (String, Vec<(String, TrackId)>, Vec<Event>) {
        let mut events = self.tell(Command::Offer {
            peer,
            sdp: sdp.into(),
        });
        let at = events
            .iter()
            .position(|event| matches!(event, Event::Answered { .. }))
            .expect("an answer");
        let Event::Answered { sdp, sections, .. } = events.remove(at) else {
            unreachable!()
        };
        (
            sdp,
            sections
                .into_iter()
                .map(|section| (section.mid, section.track_id))
                .collect(),
            events,
        )
    }

    fn receive(&mut self, from: u16, datagram: &[u8]) -> Vec<(SocketAddr, usize)> {
        let from = SocketAddr::from(([192, 0, 2, 9], from));
        self.engine
            .handle_datagram(self.now, from, None, &mut datagram.to_vec());
        self.sent()
    }

    fn sent(&mut self) -> Vec<(SocketAddr, usize)> {
        let mut sent = Vec::new();
        self.engine.flush(self.now, |transmit| {
            sent.push((transmit.to, transmit.contents.len()))
        });
        sent
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.engine.handle_timeout(self.now);
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.engine.statistics().dropped_for(reason)
    }
}

fn value<'a>(sdp: &'a str, name: &str) -> &'a str {
    sdp.lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap()
}

fn credentials(answer: &str) -> Credentials {
    Credentials {
        ufrag: value(answer, "a=ice-ufrag:").into(),
        password: value(answer, "a=ice-pwd:").into(),
    }
}

/// The mid of the fixture's first sending section of this kind.
fn sending_mid(kind: &str) -> String {
    let sections = PUBLISHING
        .split("\r\nm=")
        .flat_map(|part| part.split("\nm="));
    let section = sections
        .filter(|part| part.starts_with(kind))
        .find(|part| !part.contains("a=recvonly"))
        .unwrap();
    value(section, "a=mid:").trim().into()
}

fn publish(talk: &mut Conversation) {
    for (track, source, name) in [
        (MICROPHONE, TrackSource::Microphone, "audio"),
        (CAMERA, TrackSource::Camera, "video"),
    ] {
        let mid = sending_mid(name);
        assert_eq!(
            talk.tell(Command::Publish {
                peer: ALICE,
                track,
                mid,
                source,
                muted: false
            }),
            []
        );
    }
}

#[test]
fn a_late_joiner_gets_existing_tracks_with_its_first_answer() {
    let mut talk = Conversation::with_peers();
    publish(&mut talk);
    let (_, sections, events) = talk.offer(ALICE, PUBLISHING);
    assert_eq!((sections, events), (vec![], vec![]));
    for track in [MICROPHONE, CAMERA] {
        assert_eq!(talk.tell(Command::Subscribe { peer: BOB, track }), []);
    }
    let (answer, sections, events) = talk.offer(BOB, RECEIVING);
    assert_eq!(sections, [("0".into(), MICROPHONE), ("3".into(), CAMERA)]);
    assert_eq!(events, []);
    let stream = ParticipantId::from_bits(1).to_string();
    assert_eq!(
        answer.matches(&format!("a=msid:{stream} ")).count(),
        2,
        "one stream, so that lips and voice go together"
    );
}

#[test]
fn missing_sections_are_asked_for_once_and_all_together() {
    let mut talk = Conversation::with_peers();
    let audio_only = RECEIVING
        .split("m=video")
        .next()
        .unwrap()
        .replace("BUNDLE 0 1 2 3 4 5 6", "BUNDLE 0 1 2");
    talk.offer(BOB, &audio_only);
    publish(&mut talk);
    let Conversation { engine, now } = &mut talk;
    for track in [MICROPHONE, CAMERA] {
        engine.handle_command(*now, Command::Subscribe { peer: BOB, track });
    }
    assert_eq!(
        talk.events(),
        [Event::SectionsRequired {
            peer: BOB,
            audio: 0,
            video: 1
        }]
    );
    assert_eq!(talk.events(), []);
    let (_, sections, events) = talk.offer(BOB, RECEIVING);
    assert_eq!((sections.len(), events), (2, vec![]));
}

#[test]
fn a_section_that_lost_its_track_carries_the_next_one() {
    let mut talk = Conversation::with_peers();
    publish(&mut talk);
    talk.tell(Command::Subscribe {
        peer: BOB,
        track: CAMERA,
    });
    let (_, before, _) = talk.offer(BOB, RECEIVING);
    talk.tell(Command::Unpublish {
        peer: ALICE,
        track: CAMERA,
    });
    let screen = TrackId::from_bits(13);
    let mid = sending_mid("video");
    talk.tell(Command::Publish {
        peer: ALICE,
        track: screen,
        mid,
        source: TrackSource::Camera,
        muted: false,
    });
    let events = talk.tell(Command::Subscribe {
        peer: BOB,
        track: screen,
    });
    assert_eq!(
        events,
        [Event::SectionsRequired {
            peer: BOB,
            audio: 0,
            video: 0
        }]
    );
    let (_, after, _) = talk.offer(BOB, RECEIVING);
    assert_eq!(
        (before, after),
        (vec![("3".into(), CAMERA)], vec![("3".into(), screen)])
    );
}

#[test]
fn a_publication_without_its_section_is_refused_and_the_rest_answered() {
    let mut talk = Conversation::with_peers();
    publish(&mut talk);
    let ghost = TrackId::from_bits(14);
    talk.tell(Command::Publish {
        peer: ALICE,
        track: ghost,
        mid: "none".into(),
        source: TrackSource::Camera,
        muted: false,
    });
    let (_, _, events) = talk.offer(ALICE, PUBLISHING);
    let [Event::PublicationRefused { track, reason }] = &events[..] else {
        panic!("{events:?}")
    };
    assert!(*track == ghost && reason.contains("none"), "{reason}");
    assert_eq!(talk.engine.statistics().tracks, 2);
}

#[test]
fn an_offer_that_is_none_is_refused_and_the_peer_stays() {
    let mut talk = Conversation::with_peers();
    let events = talk.tell(Command::Offer {
        peer: ALICE,
        sdp: "v=0\r\nhello".into(),
    });
    assert!(
        matches!(&events[..], [Event::OfferRefused { peer: ALICE, .. }]),
        "{events:?}"
    );
    publish(&mut talk);
    talk.offer(ALICE, PUBLISHING);
}

#[test]
fn another_certificate_is_another_client() {
    let mut talk = Conversation::with_peers();
    talk.offer(BOB, RECEIVING);
    let fingerprint = value(RECEIVING, "a=fingerprint:").trim();
    let other = RECEIVING.replace(fingerprint, &fingerprint.replace("DD:C8", "00:00"));
    let events = talk.tell(Command::Offer {
        peer: BOB,
        sdp: other,
    });
    assert!(
        matches!(&events[..], [Event::OfferRefused { .. }]),
        "{events:?}"
    );
}

#[test]
fn an_ice_restart_gives_new_credentials_and_keeps_the_old_for_a_while() {
    let mut talk = Conversation::with_peers();
    let (first, ..) = talk.offer(BOB, RECEIVING);
    let (again, ..) = talk.offer(BOB, RECEIVING);
    assert_eq!(credentials(&first), credentials(&again));
    let ufrag = value(RECEIVING, "a=ice-ufrag:").trim();
    let (restarted, ..) = talk.offer(BOB, &RECEIVING.replace(ufrag, "abcd"));
    assert_ne!(credentials(&first), credentials(&restarted));
    for answer in [&first, &restarted] {
        assert_eq!(
            talk.receive(9, &nominating_check(&credentials(answer)))
                .len(),
            1
        );
    }
}

#[test]
fn nothing_is_sent_to_an_address_that_has_not_proven_itself() {
    let mut talk = Conversation::with_peers();
    let (answer, ..) = talk.offer(BOB, RECEIVING);
    let mut random = Seeded::new(7);
    for _ in 0..20_000 {
        let length = random.below(200);
        let bytes = random.bytes(length);
        assert_eq!(talk.receive(9, &bytes), []);
    }
    let request = nominating_check(&credentials(&answer));
    for _ in 0..20_000 {
        let forged = random.mutate(&request);
        if forged != request {
            let sent = talk.receive(9, &forged);
            assert!(
                sent.is_empty() || forged[..request.len() - 8] == request[..request.len() - 8],
                "{sent:?}"
            );
        }
    }
    assert!(
        talk.dropped(DropReason::StunUnauthorized) > 0 && talk.dropped(DropReason::Malformed) > 0
    );
    assert_eq!(talk.dropped(DropReason::Panic), 0);
    talk.events();
}

#[test]
fn a_client_hello_is_read_only_from_a_validated_address() {
    let mut talk = Conversation::with_peers();
    let (answer, ..) = talk.offer(BOB, RECEIVING);
    let hello = [&[22, 0xFE, 0xFD][..], &[0; 60]].concat();
    assert_eq!(talk.receive(9, &hello), []);
    assert_eq!(talk.dropped(DropReason::DtlsUnvalidated), 1);
    let sent = talk.receive(9, &nominating_check(&credentials(&answer)));
    assert_eq!(sent.len(), 1);
    talk.receive(10, &hello);
    assert_eq!(talk.dropped(DropReason::DtlsUnvalidated), 2);
    talk.receive(9, &hello);
    assert_eq!(talk.dropped(DropReason::DtlsUnvalidated), 2);
}

#[test]
fn media_before_the_handshake_is_dropped() {
    let mut talk = Conversation::with_peers();
    let (answer, ..) = talk.offer(BOB, RECEIVING);
    talk.receive(9, &nominating_check(&credentials(&answer)));
    assert_eq!(talk.receive(9, &[0x80; 60]), []);
    assert_eq!(talk.dropped(DropReason::NotConnected), 1);
}

#[test]
fn a_peer_that_does_not_connect_in_time_is_ended_and_leaves_nothing() {
    let mut talk = Conversation::with_peers();
    publish(&mut talk);
    talk.offer(ALICE, PUBLISHING);
    talk.tell(Command::Subscribe {
        peer: BOB,
        track: CAMERA,
    });
    talk.offer(BOB, RECEIVING);
    talk.pass(Duration::from_secs(9));
    assert_eq!(talk.events(), []);
    talk.pass(Duration::from_secs(2));
    let ended: Vec<_> = talk
        .events()
        .into_iter()
        .filter(|event| matches!(event, Event::PeerEnded { .. }))
        .collect();
    assert_eq!(ended.len(), 2);
    let statistics = talk.engine.statistics();
    assert_eq!(
        (
            statistics.peers_connecting,
            statistics.tracks,
            statistics.subscriptions
        ),
        (0, 0, 0)
    );
    assert!(talk.engine.data_groups.is_empty() && talk.engine.addresses.len() == 0);
    assert_eq!(talk.engine.poll_timeout(), None);
}

#[test]
fn what_is_nearly_due_is_done_in_a_turn_that_has_begun_and_else_a_little_later() {
    let mut talk = Conversation::with_peers();
    talk.pass(TICK);
    let ticked = talk.now;
    assert!(!talk.engine.is_timeout_due(ticked + TICK - EARLIER * 2));
    assert!(talk.engine.is_timeout_due(ticked + TICK - EARLIER));
    assert_eq!(talk.engine.poll_timeout(), Some(ticked + TICK + LATER));
    let ticks = talk.engine.ticks;
    talk.pass(TICK - EARLIER);
    assert_eq!(talk.engine.ticks, ticks + 1);
}

/// Bob, connected by a path that proved itself. Gives what his STUN requests are made with.
fn connected_bob(talk: &mut Conversation) -> Credentials {
    let (answer, ..) = talk.offer(BOB, RECEIVING);
    let credentials = credentials(&answer);
    talk.receive(9, &nominating_check(&credentials));
    let place = talk.engine.peer_places[&BOB];
    let limits = talk.engine.config.limits.clone();
    talk.engine.peers[place]
        .transport
        .connect_for_a_test(&limits);
    credentials
}

#[test]
fn who_is_silent_for_longer_than_consent_lasts_is_ended_reported_and_forgotten() {
    let mut talk = Conversation::with_peers();
    connected_bob(&mut talk);
    assert_eq!(talk.engine.addresses.len(), 1);
    let consent = talk.engine.config.limits.consent_time;
    talk.pass(consent);
    assert_eq!(talk.events(), []);
    // Of whom nothing else is due is looked after every tenth tick.
    for _ in 0..TICKS_OF_REST {
        talk.pass(TICK);
    }
    let events = talk.events();
    assert!(
        matches!(&events[..], [Event::PeerEnded { peer: BOB, reason }] if reason.contains("heard")),
        "{events:?}"
    );
    assert_eq!(talk.engine.addresses.len(), 0);
    // Media by the address of the one who is gone finds nobody.
    assert_eq!(talk.receive(9, &[0x80; 60]), []);
    assert_eq!(talk.dropped(DropReason::UnknownAddress), 1);
}

#[test]
fn who_is_heard_keeps_consent_and_what_opens_under_no_key_is_not_heard() {
    let mut talk = Conversation::with_peers();
    let credentials = connected_bob(&mut talk);
    let most = talk.engine.config.limits.consent_time * 2 / 3;
    for _ in 0..5 {
        talk.pass(most);
        talk.receive(9, &nominating_check(&credentials));
    }
    assert_eq!(talk.events(), []);
    // Anybody can write from a known address.
    for _ in 0..2 {
        talk.pass(most);
        talk.receive(9, &[0x80; 60]);
    }
    let events = talk.events();
    assert!(
        matches!(&events[..], [Event::PeerEnded { peer: BOB, .. }]),
        "{events:?}"
    );
}

#[test]
fn a_panic_while_serving_a_peer_ends_that_peer_alone() {
    let mut talk = Conversation::with_peers();
    let now = talk.now;
    let place = talk.engine.peer_places[&ALICE];
    talk.engine.serve(now, place, |_| panic!("planted"));
    let events = talk.events();
    assert!(
        matches!(&events[..], [Event::PeerEnded { peer: ALICE, .. }]),
        "{events:?}"
    );
    assert_eq!(talk.dropped(DropReason::Panic), 1);
    talk.offer(BOB, RECEIVING);
}

#[test]
fn a_panic_while_forwarding_to_a_peer_ends_that_peer_alone() {
    let Conversation { mut engine, now } = Conversation::new();
    let clients = client::Credentials::new();
    let publish = Command::Publish {
        peer: ALICE,
        track: MICROPHONE,
        mid: "0".into(),
        source: TrackSource::Microphone,
        muted: false,
    };
    let sending = [Section::SendAudio(7)];
    let mut alice = Client::connect(&mut engine, now, &clients, 1, vec![publish], &sending);
    let mut subscribers = [2, 3, 4].map(|number: u32| {
        let subscribe = Command::Subscribe {
            peer: PeerId::from_bits(number.into()),
            track: MICROPHONE,
        };
        let receiving = [Section::ReceiveAudio];
        Client::connect(
            &mut engine,
            now,
            &clients,
            number,
            vec![subscribe],
            &receiving,
        )
    });
    let place = engine.peer_places[&subscribers[1].peer];
    engine.peers[place].remote_ufrag = crate::turn::tests::FAULT.into();
    let plain = client::packet(client::OPUS, false, 1, 960, 7, &[1; 80]);
    engine.handle_datagram(now, alice.address, None, &mut alice.seal(&plain));
    let mut sent = Vec::new();
    engine.flush(now, |transmit| {
        sent.push((transmit.to, transmit.contents.to_vec()));
    });
    let [bob, _, dave] = &mut subscribers;
    for (client, (to, datagram)) in [bob, dave].into_iter().zip(&sent) {
        assert_eq!(*to, client.address);
        assert!(client.open(datagram).is_ok());
    }
    assert_eq!(sent.len(), 2);
    let ended: Vec<_> = std::iter::from_fn(|| engine.poll_event())
        .filter(|event| matches!(event, Event::PeerEnded { .. }))
        .collect();
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(engine.statistics().dropped_for(DropReason::Panic), 1);
    engine.check_invariants();
}

#[test]
fn commands_for_what_is_gone_are_counted_and_passed_over() {
    let mut talk = Conversation::with_peers();
    talk.tell(Command::ClosePeer { peer: ALICE });
    talk.tell(Command::Unpublish {
        peer: ALICE,
        track: CAMERA,
    });
    talk.tell(Command::Subscribe {
        peer: BOB,
        track: CAMERA,
    });
    talk.tell(Command::SetMuted {
        track: CAMERA,
        muted: true,
    });
    talk.tell(Command::Offer {
        peer: ALICE,
        sdp: String::new(),
    });
    assert_eq!(talk.dropped(DropReason::StaleCommand), 4);
}
