//! Each limit refuses with its code, and what was there goes on.

use protocol::{ErrorCode, Publish, TrackSource};
use signaling::{Effect, Limits};

use crate::expected::assert_refused;
use crate::world::{Joining, World, student};

#[test]
fn a_full_room_refuses_newcomers_and_not_those_who_come_back() {
    let mut world = World::with(Limits {
        participants_per_room: 2,
        ..Limits::default()
    });
    world.join("anna");
    world.join("ben");
    let effects = world.join("cleo");
    assert_refused(&world, &effects, "cleo", ErrorCode::RoomFull);
    world.lose("anna");
    world.join_as(Joining {
        resume: Some(world.resume("anna")),
        ..student("anna")
    });
    assert_eq!(world.rooms.counts().participants, 2);
    assert_eq!(world.rooms.counts().away, 0);
}

#[test]
fn a_refused_connection_may_join_with_another_token() {
    let mut world = World::with(Limits {
        participants_per_room: 1,
        ..Limits::default()
    });
    world.join("anna");
    let effects = world.join("ben");
    assert_refused(&world, &effects, "ben", ErrorCode::RoomFull);
    let effects = world.join_again_on("ben", "cleo");
    assert_refused(&world, &effects, "ben", ErrorCode::RoomFull);
    world.ask("anna", signaling::Request::Leave);
    world.join_again_on("ben", "cleo");
    assert_eq!(world.rooms.counts().participants, 1);
}

#[test]
fn a_full_server_refuses_rooms_and_participants() {
    let elsewhere = |tab: &str| Joining {
        room: "other".into(),
        ..student(tab)
    };
    let mut world = World::with(Limits {
        rooms: 1,
        ..Limits::default()
    });
    world.join("anna");
    let effects = world.join_as(elsewhere("ben"));
    assert_refused(&world, &effects, "ben", ErrorCode::ServerFull);

    let mut world = World::with(Limits {
        participants: 2,
        ..Limits::default()
    });
    world.join("anna");
    world.join_as(elsewhere("ben"));
    world.lose("ben");
    let effects = world.join("cleo");
    assert_refused(&world, &effects, "cleo", ErrorCode::ServerFull);
}

#[test]
fn a_token_with_a_long_text_is_refused() {
    let long = "x".repeat(257);
    let mut world = World::new();
    for joining in [
        Joining {
            identity: long.clone(),
            ..student("anna")
        },
        Joining {
            name: long.clone(),
            ..student("anna")
        },
        Joining {
            role: long.clone(),
            ..student("anna")
        },
        Joining {
            room: long.clone(),
            ..student("anna")
        },
    ] {
        let effects = world.join_as(joining);
        assert_refused(&world, &effects, "anna", ErrorCode::TextTooLong);
    }
    world.join_as(Joining {
        name: "x".repeat(256),
        ..student("anna")
    });
    assert_eq!(world.rooms.counts().participants, 1);
}

#[test]
fn a_text_with_a_control_character_is_refused_before_anything_is_written() {
    let mut world = World::new();
    for control in ["a\0", "\n", "\u{7f}", "\u{9b}"] {
        for joining in [
            Joining {
                name: control.into(),
                ..student("anna")
            },
            Joining {
                role: control.into(),
                ..student("anna")
            },
            Joining {
                room: control.into(),
                ..student("anna")
            },
            student(control),
        ] {
            let tab = joining.identity.clone();
            let effects = world.join_as(joining);
            assert_refused(&world, &effects, &tab, ErrorCode::TextInvalid);
            assert!(world.written.is_empty());
        }
    }
    world.join_as(Joining {
        name: "Zoë \u{1f469}\u{200d}\u{1f3eb}".into(),
        ..student("anna")
    });
    assert_eq!(world.rooms.counts().participants, 1);
}

#[test]
fn a_long_mid_is_refused() {
    let mut world = World::new();
    world.join("anna");
    let effects = world.publish("anna", &"x".repeat(65), TrackSource::Camera);
    assert_refused(&world, &effects, "anna", ErrorCode::TextTooLong);
}

#[test]
fn a_participant_publishes_so_many_tracks_and_no_more() {
    let mut world = World::with(Limits {
        tracks_per_participant: 2,
        ..Limits::default()
    });
    world.join("anna");
    world.publish("anna", "0", TrackSource::Camera);
    world.publish("anna", "1", TrackSource::Microphone);
    let effects = world.publish("anna", "2", TrackSource::Screen);
    assert_refused(&world, &effects, "anna", ErrorCode::TooManyTracks);
    world.offer("anna", 1);

    // Whether a track is one too many is known when the offer says to which peer it belongs.
    assert_eq!(world.publish("anna", "2", TrackSource::Screen), []);
    let effects = world.offer("anna", 1);
    assert_refused(&world, &effects[..1], "anna", ErrorCode::TooManyTracks);
    assert_eq!(effects.len(), 2, "the offer goes on");
    assert_eq!(world.participant("anna").tracks.len(), 2);

    let source = TrackSource::Camera;
    world.publish_as(
        "anna",
        Publish {
            mid: "7".into(),
            source,
            muted: false,
        },
    );
    world.publish_as(
        "anna",
        Publish {
            mid: "8".into(),
            source,
            muted: false,
        },
    );
    world.offer("anna", 2);
    assert_eq!(
        world.participant("anna").tracks.len(),
        2,
        "a new peer begins with none"
    );
}

#[test]
fn so_many_offers_wait_for_an_answer_and_no_more() {
    let mut world = World::with(Limits {
        unanswered_offers: 2,
        ..Limits::default()
    });
    world.join("anna");
    world.offer("anna", 1);
    world.offer("anna", 1);
    let effects = world.offer("anna", 1);
    assert_refused(&world, &effects, "anna", ErrorCode::TooFast);
    let peer = world.peer("anna");
    world.report(signaling::MediaEvent::Answered {
        peer,
        sdp: "answer".into(),
        sections: vec![],
    });
    let effects = world.offer("anna", 1);
    assert!(matches!(effects[..], [Effect::Media { .. }]));
}
