//! What the media plane reports, and who is told.

use protocol::{
    Answer, Change, ErrorCode, MediaSection, PeerId, ServerMessage, TrackId, TrackSource,
};
use signaling::{Effect, MediaEffect, MediaEvent};

use crate::expected::{assert_error, assert_refused};
use crate::world::{REQUEST, World};

#[test]
fn an_answer_goes_to_whoever_offered_with_their_number() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join("ben");
    world.offer("ben", 4);
    let sections = vec![MediaSection {
        mid: "0".into(),
        track_id: world.track("anna", "0"),
    }];
    let peer = world.peer("ben");
    let effects = world.report(MediaEvent::Answered {
        peer,
        sdp: "answer".into(),
        sections: sections.clone(),
    });
    let answer = Answer {
        peer_connection: 4,
        sdp: "answer".into(),
        sections,
    };
    assert_eq!(effects, [world.to(&["ben"], ServerMessage::Answer(answer))]);
}

#[test]
fn a_refused_offer_is_told_in_answer_to_its_number_and_publishes_nothing() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.publish("anna", "1", TrackSource::Microphone);
    let peer = world.peer("anna");
    world.report(MediaEvent::Answered {
        peer,
        sdp: "answer".into(),
        sections: vec![],
    });
    world.offer("anna", 1);
    let effects = world.report(MediaEvent::OfferRefused {
        peer,
        reason: "no BUNDLE".into(),
    });
    assert_error(
        &world,
        &effects[..1],
        "anna",
        ErrorCode::InvalidOffer,
        REQUEST,
    );
    let (participant_id, track) = (world.id("anna"), world.track("anna", "1"));
    assert_eq!(
        effects[1..],
        [
            world.media(MediaEffect::Unpublish { peer, track }),
            world.told(
                &["anna"],
                5,
                Change::TrackUnpublished {
                    participant_id,
                    track_id: track
                }
            ),
        ]
    );
    assert_eq!(
        world.participant("anna").tracks.len(),
        1,
        "the peer stays as it was"
    );
}

#[test]
fn sections_that_are_missing_are_asked_of_the_client() {
    let mut world = World::new();
    world.join_and_offer("anna");
    let effects = world.report(MediaEvent::SectionsRequired {
        peer: world.peer("anna"),
        audio: 1,
        video: 2,
    });
    let message = ServerMessage::MediaSectionsRequired { audio: 1, video: 2 };
    assert_eq!(effects, [world.to(&["anna"], message)]);
}

#[test]
fn a_refused_publication_ends_the_track_and_its_owner_is_told_why() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join_and_offer("ben");
    let (participant_id, track) = (world.id("anna"), world.track("anna", "0"));
    let effects = world.report(MediaEvent::PublicationRefused {
        track,
        reason: "no section".into(),
    });
    assert_error(&world, &effects[..1], "anna", ErrorCode::InvalidOffer, None);
    let everyone = ["anna", "ben"];
    assert_eq!(
        effects[1..],
        [
            world.told(
                &everyone,
                5,
                Change::TrackUnpublished {
                    participant_id,
                    track_id: track
                }
            ),
            world.told(&everyone, 6, Change::CeasedToBeLive { participant_id }),
        ]
    );
}

#[test]
fn when_media_ends_the_participant_stays_and_may_offer_with_a_higher_number() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join("ben");
    let (participant_id, track) = (world.id("anna"), world.track("anna", "0"));
    let reason = "no packet for 30 s".to_string();
    let peer = world.peer("anna");
    let effects = world.report(MediaEvent::PeerEnded {
        peer,
        reason: reason.clone(),
    });
    let everyone = ["anna", "ben"];
    assert_eq!(
        effects,
        [
            world.to(
                &["anna"],
                ServerMessage::MediaEnded {
                    peer_connection: 1,
                    reason
                }
            ),
            world.told(
                &everyone,
                5,
                Change::TrackUnpublished {
                    participant_id,
                    track_id: track
                }
            ),
            world.told(&everyone, 6, Change::CeasedToBeLive { participant_id }),
        ]
    );
    let effects = world.offer("anna", 1);
    assert_refused(&world, &effects, "anna", ErrorCode::InvalidOffer);
    assert_eq!(world.offer("anna", 2).len(), 2, "a peer and its offer");
}

#[test]
fn a_report_of_what_is_gone_is_passed_over() {
    let mut world = World::new();
    world.join("anna");
    let (peer, track) = (PeerId::from_bits(999), TrackId::from_bits(999));
    let nothing: [Effect; 0] = [];
    for event in [
        MediaEvent::Answered {
            peer,
            sdp: "answer".into(),
            sections: vec![],
        },
        MediaEvent::OfferRefused {
            peer,
            reason: "why".into(),
        },
        MediaEvent::SectionsRequired {
            peer,
            audio: 1,
            video: 1,
        },
        MediaEvent::PublicationRefused {
            track,
            reason: "why".into(),
        },
        MediaEvent::LayersWanted {
            track,
            layers: vec![],
        },
        MediaEvent::Speaking {
            track,
            level: Some(3),
        },
    ] {
        assert_eq!(world.report(event), nothing);
    }
    let ended = MediaEvent::PeerEnded {
        peer,
        reason: "why".into(),
    };
    assert_eq!(world.handle(signaling::Command::Media(ended)), nothing);
}

#[test]
fn the_node_finds_the_room_of_a_peer_while_it_exists() {
    let mut world = World::new();
    world.join_and_offer("anna");
    let peer = world.peer("anna");
    assert_eq!(world.rooms.room_of(peer), Some(world.room_id()));
    world.report(MediaEvent::PeerEnded {
        peer,
        reason: "why".into(),
    });
    assert_eq!(world.rooms.room_of(peer), None);
}
