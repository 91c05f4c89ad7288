//! What decides what viewers get is known on every engine, and not only where the publisher is.

use super::relay::Pair;
use super::*;

/// Alice speaks, or is silent for a while.
fn speak(pair: &mut Pair, is_loud: bool) {
    let engine = &mut pair.alice.engine;
    let index = engine.track_places[&MICROPHONE];
    for _ in 0..100 {
        pair.alice.now += TICK;
        let level = if is_loud { 20 } else { 100 };
        engine.tracks[index].speech.on_level(pair.alice.now, level);
    }
    pair.alice.pass(TICK);
    pair.pass_on();
}

/// Whether each engine takes Alice's camera for that of somebody who speaks.
fn is_speaking(pair: &Pair) -> [bool; 2] {
    [&pair.alice.engine, &pair.others.engine]
        .map(|engine| engine.tracks[engine.track_places[&CAMERA]].is_speaking)
}

#[test]
fn who_speaks_comes_first_on_every_engine() {
    let mut pair = Pair::crossing();
    speak(&mut pair, true);
    assert_eq!(is_speaking(&pair), [true, true]);
    speak(&mut pair, false);
    assert_eq!(is_speaking(&pair), [false, false]);
}

#[test]
fn who_speaks_already_when_a_relay_begins_is_known_to() {
    let mut pair = Pair::new();
    pair.alice.offer(ALICE, PUBLISHING);
    speak(&mut pair, true);
    pair.cross();
    pair.pass_on();
    assert_eq!(is_speaking(&pair), [true, true]);
}
