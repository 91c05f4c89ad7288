//! Muting: one's own tracks, and those of others for whoever moderates.

use protocol::{Change, ErrorCode, TrackSource};
use signaling::{MediaEffect, Permissions};

use crate::expected::assert_refused;
use crate::world::{EVERYTHING, Joining, World, student};

fn class_with_tutor() -> World {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Microphone);
    let permissions = Permissions {
        moderate: true,
        ..EVERYTHING
    };
    world.join_as(Joining {
        role: "tutor".into(),
        permissions,
        ..student("tom")
    });
    world.join("ben");
    world
}

#[test]
fn c5_a_tutor_mutes_a_students_sound_and_all_are_told_by_whom() {
    let mut world = class_with_tutor();
    let track = world.track("anna", "0");
    let effects = world.mute("tom", track, true);
    let (participant_id, by) = (world.id("anna"), world.id("tom"));
    let change = Change::TrackMuted {
        participant_id,
        track_id: track,
        muted: true,
        by,
    };
    assert_eq!(
        effects,
        [
            world.media(MediaEffect::SetMuted { track, muted: true }),
            world.told(&["anna", "tom", "ben"], 6, change),
        ]
    );
}

#[test]
fn c5_what_a_tutor_muted_only_its_owner_unmutes() {
    let mut world = class_with_tutor();
    let track = world.track("anna", "0");
    world.mute("tom", track, true);
    let effects = world.mute("tom", track, false);
    assert_refused(&world, &effects, "tom", ErrorCode::NotPermitted);
    let effects = world.mute("anna", track, false);
    let (participant_id, by) = (world.id("anna"), world.id("anna"));
    let change = Change::TrackMuted {
        participant_id,
        track_id: track,
        muted: false,
        by,
    };
    assert_eq!(
        effects,
        [
            world.media(MediaEffect::SetMuted {
                track,
                muted: false
            }),
            world.told(&["anna", "tom", "ben"], 7, change),
        ]
    );
}

#[test]
fn c5_a_student_mutes_nobody_else() {
    let mut world = class_with_tutor();
    let effects = world.mute("ben", world.track("anna", "0"), true);
    assert_refused(&world, &effects, "ben", ErrorCode::NotPermitted);
    assert!(!world.participant("anna").tracks[0].muted);
}

#[test]
fn muting_what_is_muted_is_told_to_nobody() {
    let mut world = class_with_tutor();
    let track = world.track("anna", "0");
    assert_eq!(world.mute("anna", track, false), []);
    world.mute("anna", track, true);
    assert_eq!(world.mute("anna", track, true), []);
    assert_eq!(world.mute("tom", track, true), []);
}

#[test]
fn a_mute_leaves_the_owners_word_on_their_microphone_as_it_is() {
    let mut world = World::new();
    let state = protocol::StateUpdate {
        microphone: Some(true),
        ..protocol::StateUpdate::default()
    };
    world.join_as(Joining {
        state,
        ..student("anna")
    });
    world.publish("anna", "0", TrackSource::Microphone);
    world.offer("anna", 1);
    world.mute("anna", world.track("anna", "0"), true);
    assert!(world.participant("anna").microphone);
}

#[test]
fn a_hidden_moderator_mutes_nobody_since_all_would_be_told_of_them() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Microphone);
    let permissions = Permissions {
        moderate: true,
        hidden: true,
        ..EVERYTHING
    };
    world.join_as(Joining {
        permissions,
        ..student("ghost")
    });
    let effects = world.mute("ghost", world.track("anna", "0"), true);
    assert_refused(&world, &effects, "ghost", ErrorCode::NotPermitted);
}
