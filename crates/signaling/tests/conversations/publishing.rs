//! Publishing: the order in which peers, tracks, subscriptions and offers come, and what ends them.

use protocol::{Change, ErrorCode, MediaType, Publish, ServerMessage, TrackSource};
use signaling::{Effect, MediaEffect, Permissions, Request};

use crate::expected::{assert_refused, track};
use crate::world::{EVERYTHING, Joining, START, World, student};

#[test]
fn b2_a_late_joiner_is_subscribed_to_every_track_before_the_first_offer_is_answered() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join_live("ben", TrackSource::Microphone);
    world.join("cleo");
    let effects = world.offer("cleo", 1);
    let (peer, participant) = (world.peer("cleo"), world.id("cleo"));
    assert_eq!(
        effects,
        [
            world.media(MediaEffect::OpenPeer {
                peer,
                participant,
                publishes_data: true
            }),
            world.media(MediaEffect::Subscribe {
                peer,
                track: world.track("anna", "0")
            }),
            world.media(MediaEffect::Subscribe {
                peer,
                track: world.track("ben", "0")
            }),
            world.media(MediaEffect::Offer {
                peer,
                sdp: "offer".into()
            }),
        ]
    );
}

#[test]
fn a_first_offer_opens_the_peer_publishes_subscribes_and_is_passed_on_in_this_order() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join("ben");
    world.publish("ben", "0", TrackSource::Microphone);
    let effects = world.offer("ben", 1);
    let (peer, participant) = (world.peer("ben"), world.id("ben"));
    let id = world.track("ben", "0");
    let microphone = track(id, TrackSource::Microphone, START);
    let live = world.live("ben", START, MediaType::Audio);
    let everyone = ["anna", "ben"];
    assert_eq!(
        effects,
        [
            world.media(MediaEffect::OpenPeer {
                peer,
                participant,
                publishes_data: true
            }),
            world.media(MediaEffect::Publish {
                peer,
                track: id,
                mid: "0".into(),
                source: TrackSource::Microphone,
                muted: false
            }),
            world.published("ben", "0", &microphone),
            world.told(
                &everyone,
                5,
                Change::TrackPublished {
                    participant_id: participant,
                    track: microphone
                }
            ),
            world.told(&everyone, 6, Change::WentLive { live }),
            world.media(MediaEffect::Subscribe {
                peer: world.peer("anna"),
                track: id
            }),
            world.media(MediaEffect::Subscribe {
                peer,
                track: world.track("anna", "0")
            }),
            world.media(MediaEffect::Offer {
                peer,
                sdp: "offer".into()
            }),
        ]
    );
}

#[test]
fn a_new_number_ends_the_peer_before_it_and_publishes_on_the_new_one() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join_live("ben", TrackSource::Camera);
    let (old_peer, old_track) = (world.peer("anna"), world.track("anna", "0"));
    assert_eq!(
        world.publish("anna", "0", TrackSource::Camera),
        [],
        "pending, though there is a peer"
    );
    let effects = world.offer("anna", 2);
    let (peer, participant_id) = (world.peer("anna"), world.id("anna"));
    let id = world.track("anna", "0");
    let camera = track(id, TrackSource::Camera, START);
    let live = world.live("anna", START, MediaType::Video);
    let everyone = ["anna", "ben"];
    assert_eq!(
        effects,
        [
            world.media(MediaEffect::ClosePeer { peer: old_peer }),
            world.told(
                &everyone,
                7,
                Change::TrackUnpublished {
                    participant_id,
                    track_id: old_track
                }
            ),
            world.told(&everyone, 8, Change::CeasedToBeLive { participant_id }),
            world.media(MediaEffect::OpenPeer {
                peer,
                participant: participant_id,
                publishes_data: true
            }),
            world.media(MediaEffect::Publish {
                peer,
                track: id,
                mid: "0".into(),
                source: TrackSource::Camera,
                muted: false
            }),
            world.published("anna", "0", &camera),
            world.told(
                &everyone,
                9,
                Change::TrackPublished {
                    participant_id,
                    track: camera
                }
            ),
            world.told(&everyone, 10, Change::WentLive { live }),
            world.media(MediaEffect::Subscribe {
                peer: world.peer("ben"),
                track: id
            }),
            world.media(MediaEffect::Subscribe {
                peer,
                track: world.track("ben", "0")
            }),
            world.media(MediaEffect::Offer {
                peer,
                sdp: "offer".into()
            }),
        ]
    );
}

#[test]
fn an_offer_with_the_same_number_is_one_more_negotiation_of_the_same_peer() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    let peer = world.peer("anna");
    assert_eq!(
        world.offer("anna", 1),
        [world.media(MediaEffect::Offer {
            peer,
            sdp: "offer".into()
        })]
    );
}

#[test]
fn an_offer_with_an_older_number_is_refused_with_what_it_would_publish() {
    let mut world = World::new();
    world.join("anna");
    world.offer("anna", 2);
    world.publish("anna", "0", TrackSource::Camera);
    let effects = world.offer("anna", 1);
    assert_refused(&world, &effects, "anna", ErrorCode::InvalidOffer);
    assert_eq!(
        world.offer("anna", 2).len(),
        1,
        "nothing waits for a later offer"
    );
}

#[test]
fn the_last_publish_for_a_section_counts() {
    let mut world = World::new();
    world.join("anna");
    world.publish("anna", "0", TrackSource::Camera);
    world.publish("anna", "0", TrackSource::Screen);
    world.offer("anna", 1);
    let id = world.track("anna", "0");
    assert_eq!(
        world.participant("anna").tracks,
        [track(id, TrackSource::Screen, START)]
    );
}

#[test]
fn a_track_published_muted_is_muted_from_the_start() {
    let mut world = World::new();
    world.join("anna");
    let source = TrackSource::Microphone;
    world.publish_as(
        "anna",
        Publish {
            mid: "0".into(),
            source,
            muted: true,
        },
    );
    let effects = world.offer("anna", 1);
    let (peer, id) = (world.peer("anna"), world.track("anna", "0"));
    let publish = MediaEffect::Publish {
        peer,
        track: id,
        mid: "0".into(),
        source: TrackSource::Microphone,
        muted: true,
    };
    assert_eq!(effects[1], world.media(publish));
    assert!(world.participant("anna").tracks[0].muted);
}

#[test]
fn a_publish_said_again_is_answered_with_the_track_that_is_there() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Microphone);
    let (peer, id) = (world.peer("anna"), world.track("anna", "0"));
    let source = TrackSource::Microphone;
    world.publish_as(
        "anna",
        Publish {
            mid: "0".into(),
            source,
            muted: true,
        },
    );
    let effects = world.offer("anna", 1);
    let (participant_id, by) = (world.id("anna"), world.id("anna"));
    let microphone = protocol::Track {
        muted: true,
        ..track(id, source, START)
    };
    assert_eq!(
        effects,
        [
            world.media(MediaEffect::SetMuted {
                track: id,
                muted: true
            }),
            world.told(
                &["anna"],
                4,
                Change::TrackMuted {
                    participant_id,
                    track_id: id,
                    muted: true,
                    by
                }
            ),
            world.published("anna", "0", &microphone),
            world.media(MediaEffect::Offer {
                peer,
                sdp: "offer".into()
            }),
        ]
    );
}

#[test]
fn another_source_on_a_section_takes_the_place_of_the_track_there() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    let (peer, camera) = (world.peer("anna"), world.track("anna", "0"));
    world.publish("anna", "0", TrackSource::Screen);
    let effects = world.offer("anna", 1);
    assert_eq!(
        effects[0],
        world.media(MediaEffect::Unpublish {
            peer,
            track: camera
        })
    );
    let screen = world.track("anna", "0");
    assert_eq!(
        world.participant("anna").tracks,
        [track(screen, TrackSource::Screen, START)]
    );
}

#[test]
fn whoever_may_not_publish_is_refused_and_publishes_nothing() {
    let mut world = World::new();
    let permissions = Permissions {
        publish: false,
        ..EVERYTHING
    };
    world.join_as(Joining {
        permissions,
        ..student("anna")
    });
    let effects = world.publish("anna", "0", TrackSource::Camera);
    assert_refused(&world, &effects, "anna", ErrorCode::NotPermitted);
    assert_eq!(world.offer("anna", 1).len(), 2, "a peer and its offer");
}

#[test]
fn data_is_relayed_only_for_those_who_may_and_can_be_seen() {
    for (permissions, expected) in [
        (EVERYTHING, true),
        (
            Permissions {
                publish_data: false,
                ..EVERYTHING
            },
            false,
        ),
        (
            Permissions {
                hidden: true,
                ..EVERYTHING
            },
            false,
        ),
    ] {
        let mut world = World::new();
        world.join_as(Joining {
            permissions,
            ..student("anna")
        });
        let effects = world.offer("anna", 1);
        let Effect::Media {
            effect: MediaEffect::OpenPeer { publishes_data, .. },
            ..
        } = &effects[0]
        else {
            panic!("a peer opens, not {effects:#?}");
        };
        assert_eq!(*publishes_data, expected);
    }
}

#[test]
fn nobody_takes_away_a_track_of_somebody_else() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    let permissions = Permissions {
        moderate: true,
        ..EVERYTHING
    };
    world.join_as(Joining {
        permissions,
        ..student("tom")
    });
    let effects = world.unpublish("tom", world.track("anna", "0"));
    assert_refused(&world, &effects, "tom", ErrorCode::NotPermitted);
}

#[test]
fn a_track_that_is_not_in_the_room_is_not_found() {
    let mut world = World::new();
    world.join_as(Joining {
        room: "other".into(),
        ..student("zoe")
    });
    world.publish("zoe", "0", TrackSource::Camera);
    world.offer("zoe", 1);
    let permissions = Permissions {
        moderate: true,
        ..EVERYTHING
    };
    world.join_as(Joining {
        permissions,
        ..student("anna")
    });
    let track = world.track("zoe", "0");
    for request in [
        Request::Unpublish { track },
        Request::Mute { track, muted: true },
        Request::SetSubscription {
            track,
            subscribed: false,
        },
    ] {
        let effects = world.ask("anna", request);
        assert_refused(&world, &effects, "anna", ErrorCode::TrackNotFound);
    }
}

#[test]
fn a_track_published_on_a_standing_peer_reaches_those_who_are_there() {
    let mut world = World::new();
    world.join_and_offer("anna");
    world.join_and_offer("ben");
    world.join("cleo");
    world.publish("anna", "3", TrackSource::Screen);
    let effects = world.offer("anna", 1);
    let track = world.track("anna", "3");
    let subscriptions: Vec<&Effect> = effects
        .iter()
        .filter(|effect| {
            matches!(
                effect,
                Effect::Media {
                    effect: MediaEffect::Subscribe { .. },
                    ..
                }
            )
        })
        .collect();
    assert_eq!(
        subscriptions,
        [&world.media(MediaEffect::Subscribe {
            peer: world.peer("ben"),
            track
        })]
    );
    assert!(!effects.iter().any(|effect| matches!(
        effect,
        Effect::Send {
            message: ServerMessage::Error(_),
            ..
        }
    )));
}
