//! Who speaks: told when it changes, to all, loudest first.

use protocol::{ServerMessage, TrackSource};
use signaling::{Effect, MediaEvent, Request};

use crate::world::World;

/// Milliseconds between two words on who speaks.
const INTERVAL: u64 = 300;

fn two_voices() -> World {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Microphone);
    world.join_live("ben", TrackSource::Microphone);
    world
}

fn speak(world: &mut World, tab: &str, level: Option<u8>) -> Vec<Effect> {
    let track = world.track(tab, "0");
    world.report(MediaEvent::Speaking { track, level })
}

fn speakers(world: &World, to: &[&str], speaking: &[&str]) -> Effect {
    let participant_ids = speaking.iter().map(|tab| world.id(tab)).collect();
    world.to(to, ServerMessage::Speakers { participant_ids })
}

#[test]
fn those_who_speak_are_told_loudest_first_and_only_when_that_changes() {
    let mut world = two_voices();
    let everyone = ["anna", "ben"];
    assert_eq!(
        speak(&mut world, "anna", Some(40)),
        [speakers(&world, &everyone, &["anna"])]
    );
    world.pass(INTERVAL);
    assert_eq!(speak(&mut world, "anna", Some(50)), []);
    assert_eq!(
        speak(&mut world, "ben", Some(20)),
        [speakers(&world, &everyone, &["ben", "anna"])]
    );
    world.pass(INTERVAL);
    assert_eq!(
        speak(&mut world, "ben", Some(60)),
        [speakers(&world, &everyone, &["anna", "ben"])]
    );
    world.pass(INTERVAL);
    assert_eq!(
        speak(&mut world, "anna", None),
        [speakers(&world, &everyone, &["ben"])]
    );
    assert_eq!(speak(&mut world, "anna", None), []);
}

#[test]
fn what_changes_soon_again_is_told_once_and_what_changes_back_not_at_all() {
    let mut world = two_voices();
    let everyone = ["anna", "ben"];
    speak(&mut world, "anna", Some(40));
    assert_eq!(speak(&mut world, "ben", Some(20)), []);
    assert_eq!(speak(&mut world, "anna", None), []);
    assert_eq!(world.pass(INTERVAL - 1), []);
    assert_eq!(world.pass(1), [speakers(&world, &everyone, &["ben"])]);
    assert_eq!(speak(&mut world, "ben", None), []);
    assert_eq!(speak(&mut world, "ben", Some(20)), []);
    assert_eq!(world.pass(10 * INTERVAL), []);
    assert_eq!(
        speak(&mut world, "ben", None),
        [speakers(&world, &everyone, &[])],
        "after a calm while at once"
    );
}

#[test]
fn a_muted_track_has_no_voice_until_it_is_heard_again() {
    let mut world = two_voices();
    speak(&mut world, "anna", Some(40));
    let track = world.track("anna", "0");
    let effects = world.mute("anna", track, true);
    assert_eq!(effects[2..], [speakers(&world, &["anna", "ben"], &[])]);
    assert_eq!(
        world.mute("anna", track, false).len(),
        2,
        "what was said before is over"
    );
    world.mute("anna", track, true);
    assert_eq!(speak(&mut world, "anna", Some(30)), []);
    speak(&mut world, "anna", None);
    assert_eq!(world.mute("anna", track, false).len(), 2);
    world.pass(INTERVAL);
    assert_eq!(
        speak(&mut world, "anna", Some(30)),
        [speakers(&world, &["anna", "ben"], &["anna"])]
    );
}

#[test]
fn whoever_is_away_or_gone_does_not_speak() {
    let mut world = two_voices();
    speak(&mut world, "anna", Some(40));
    let effects = world.lose("anna");
    assert_eq!(effects[1..], [speakers(&world, &["ben"], &[])]);

    let mut world = two_voices();
    speak(&mut world, "anna", Some(40));
    let effects = world.ask("anna", Request::Leave);
    assert_eq!(effects[4..], [speakers(&world, &["ben"], &[])]);
}

#[test]
fn a_newcomer_is_told_who_speaks() {
    let mut world = two_voices();
    speak(&mut world, "anna", Some(40));
    let effects = world.join("cleo");
    assert_eq!(effects[2..], [speakers(&world, &["cleo"], &["anna"])]);
}

#[test]
fn the_sound_of_a_shared_screen_is_nobodys_voice() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::ScreenAudio);
    assert_eq!(speak(&mut world, "anna", Some(10)), []);
}
