//! Coming and going in a large room: gathered for a moment, told together, and nobody's picture of the
//! room is ever wrong.

use protocol::{Change, NumberedChange, ServerMessage, StateUpdate, Timestamp, TrackSource};
use signaling::{Effect, Limits, Permissions, Request};

use crate::world::{EVERYTHING, Joining, START, World, student};

/// A room of three, in which more are gathered.
fn large() -> World {
    let mut world = World::with(Limits {
        presence_batched_above: 3,
        ..Limits::default()
    });
    for tab in ["anna", "ben", "cleo"] {
        world.join(tab);
    }
    world
}

/// What everybody was told of coming and going.
#[track_caller]
fn presence(effect: &Effect) -> (u64, Vec<String>, usize, usize) {
    let Effect::Send {
        message:
            ServerMessage::Change(NumberedChange {
                number,
                change:
                    Change::Presence {
                        joined,
                        left,
                        participants,
                    },
            }),
        ..
    } = effect
    else {
        panic!("a presence, not {effect:#?}");
    };
    let joined = joined.iter().map(|of| of.identity.0.clone()).collect();
    (*number, joined, left.len(), *participants)
}

#[test]
fn in_a_large_room_those_who_come_and_go_are_told_together() {
    let mut world = large();
    assert_eq!(
        world.join("dora").len(),
        1,
        "joined, and nothing for the others"
    );
    assert_eq!(world.rooms.poll_timeout(), Some(Timestamp(START.0 + 100)));
    world.pass(50);
    world.join("emil");
    world.ask("anna", Request::Leave);
    assert_eq!(world.pass(49), []);
    let effects = world.pass(1);
    let (number, joined, left, participants) = presence(&effects[0]);
    assert_eq!((number, joined), (4, vec!["dora".into(), "emil".into()]));
    assert_eq!((left, participants, effects.len()), (1, 4, 1));
    assert_eq!(world.rooms.poll_timeout(), None);
}

#[test]
fn whoever_came_and_went_between_two_words_is_known_to_nobody_in_the_end() {
    let mut world = large();
    world.join("dora");
    world.join("emil");
    world.ask("dora", Request::Leave);
    let effects = world.pass(100);
    let (_, joined, left, participants) = presence(&effects[0]);
    assert_eq!((joined, left, participants), (vec!["emil".into()], 1, 4));
}

#[test]
fn a_track_of_somebody_is_told_after_their_coming() {
    let mut world = large();
    world.join("dora");
    world.publish("dora", "0", TrackSource::Camera);
    let effects = world.offer("dora", 1);
    let told: Vec<&Effect> = effects
        .iter()
        .filter(|effect| {
            matches!(
                effect,
                Effect::Send {
                    message: ServerMessage::Change(_),
                    ..
                }
            )
        })
        .collect();
    let (number, joined, ..) = presence(told[0]);
    assert_eq!((number, joined), (4, vec!["dora".into()]));
    assert_eq!(told.len(), 3, "then the track, then being live");
}

#[test]
fn changes_of_others_do_not_wait_and_do_not_end_the_gathering() {
    let mut world = large();
    world.join("dora");
    let raise = StateUpdate {
        hand_raised: Some(true),
        ..StateUpdate::default()
    };
    let effects = world.ask("ben", Request::UpdateState(raise));
    let participant = world.participant("ben");
    let everybody = ["anna", "ben", "cleo", "dora"];
    assert_eq!(
        effects,
        [world.told(&everybody, 4, Change::ParticipantUpdated { participant })]
    );
    let effects = world.pass(100);
    assert_eq!(presence(&effects[0]).0, 5);
}

#[test]
fn who_comes_back_gets_the_gathered_words_too() {
    let mut world = large();
    world.lose("ben");
    world.join("dora");
    world.pass(100);
    world.join("emil");
    let resume = Some(world.resume("ben"));
    world.join_as(Joining {
        resume,
        ..student("ben")
    });
    world.pass(100);
    assert_eq!(
        world.clients["ben"]
            .view
            .as_ref()
            .map(|of| of.participants.len()),
        Some(5)
    );
}

#[test]
fn a_room_that_becomes_small_tells_what_was_gathered_before_anything_else() {
    let mut world = large();
    world.join("dora");
    let effects = world.ask("anna", Request::Leave);
    let (number, joined, left, participants) = presence(&effects[0]);
    assert_eq!(
        (number, joined, left, participants),
        (4, vec!["dora".into()], 1, 3)
    );
    let effects = world.ask("ben", Request::Leave);
    let participant_id = world.id("ben");
    assert_eq!(
        effects[0],
        world.told(
            &["cleo", "dora"],
            5,
            Change::ParticipantLeft { participant_id }
        )
    );
}

#[test]
fn a_hundred_who_came_are_told_without_delay() {
    let mut world = large();
    let mut told = 0;
    for number in 0..100 {
        let effects = world.join(&format!("guest {number}"));
        told += usize::from(effects.len() > 1);
    }
    assert_eq!(told, 1);
    assert_eq!(world.last_change(), 4);
    assert_eq!(world.rooms.poll_timeout(), None);
}

#[test]
fn hidden_ones_are_not_among_them() {
    let mut world = large();
    let permissions = Permissions {
        hidden: true,
        ..EVERYTHING
    };
    world.join_as(Joining {
        permissions,
        ..student("ghost")
    });
    assert_eq!(world.rooms.poll_timeout(), None);
    world.join("dora");
    let effects = world.pass(100);
    assert_eq!(presence(&effects[0]).3, 4);
}
