//! Rooms with thousands of microphones, all of which are heard: nothing in them is done for each two of them.

use super::*;

const MICROPHONES: usize = 20_000;

/// A room with a place for each of so many microphones, and their keys.
fn room() -> (Loudest, Vec<usize>) {
    let mut loudest = Loudest::new(MICROPHONES);
    let tracks = (0..MICROPHONES as u64).map(TrackId::from_bits);
    let keys = tracks.map(|track| loudest.add(track)).collect();
    (loudest, keys)
}

#[test]
fn a_room_in_which_all_are_heard_may_have_any_number_of_microphones() {
    let now = crate::test_time::start();
    let (mut loudest, keys) = room();
    for key in &keys {
        assert_eq!(loudest.on_packet(now, *key, Some(20)), Hearing::Begins);
    }
    for key in &keys[..50] {
        loudest.mute(*key);
    }
    let heard = |loudest: &Loudest| keys.iter().filter(|key| loudest.is_heard(**key)).count();
    assert_eq!(heard(&loudest), MICROPHONES - 50);
    // Another worker hears of them, and again and again how loud they are.
    let mut other = Loudest::new(MICROPHONES);
    for _ in 0..50 {
        other.take(1, loudest.said());
    }
    assert_eq!(other.heard.len(), MICROPHONES - 50);
}
