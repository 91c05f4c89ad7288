//! Rooms of voices on one worker; those on several are in `spread`.

use super::*;
use crate::rtp::seeded::Seeded;

mod spread;

const PACKET: Duration = Duration::from_millis(20);
const QUIET: u8 = 80;
const SPEECH: u8 = 28;
/// Until the loudest is heard, whoever had the places.
const MOST_WAITED: Duration = HOLD.saturating_add(PACKET.saturating_mul(10));

/// A room that counts what happens in it.
struct Room {
    loudest: Loudest,
    keys: Vec<usize>,
    now: Instant,
    changes: usize,
}

impl Room {
    fn new(places: usize, tracks: usize) -> Self {
        let mut loudest = Loudest::new(places);
        let keys = (0..tracks as u64)
            .map(|track| loudest.add(TrackId::from_bits(track)))
            .collect();
        Self {
            loudest,
            keys,
            now: crate::test_time::start(),
            changes: 0,
        }
    }

    /// One packet of each, spread over its 20 ms. Gives who is heard.
    fn round(&mut self, levels: &[u8]) -> Vec<usize> {
        let step = PACKET / levels.len() as u32;
        for (track, level) in levels.iter().enumerate() {
            let key = self.keys[track];
            let hearing = self.loudest.on_packet(self.now, key, Some(*level));
            self.changes += usize::from(hearing == Hearing::Begins);
            assert_eq!(hearing != Hearing::Unheard, self.loudest.is_heard(key));
            assert!(self.loudest.heard.len() <= self.loudest.places);
            self.now += step;
        }
        self.heard()
    }

    fn rounds(&mut self, count: usize, levels: &[u8]) -> Vec<usize> {
        (0..count).for_each(|_| drop(self.round(levels)));
        self.heard()
    }

    fn heard(&self) -> Vec<usize> {
        let is_heard = |track: &usize| self.loudest.is_heard(self.keys[*track]);
        (0..self.keys.len()).filter(is_heard).collect()
    }
}

#[test]
fn in_a_room_with_places_for_all_every_packet_is_heard() {
    let mut room = Room::new(4, 4);
    for _ in 0..100 {
        assert_eq!(room.round(&[127, QUIET, SPEECH, 0]), [0, 1, 2, 3]);
    }
    assert_eq!(room.changes, 4);
}

#[test]
fn a_voice_has_the_place_of_a_silent_one_within_three_packets() {
    let mut room = Room::new(2, 3);
    assert_eq!(room.rounds(100, &[QUIET, QUIET, QUIET]), [0, 1]);
    let mut packets = 1;
    while !room.round(&[QUIET, QUIET, SPEECH]).contains(&2) {
        packets += 1;
    }
    assert!(packets <= 3, "{packets}");
}

#[test]
fn a_hum_and_a_single_click_change_nothing() {
    let mut room = Room::new(1, 2);
    room.rounds(100, &[QUIET, QUIET]);
    assert_eq!(room.round(&[QUIET, 25]), [0]);
    assert_eq!(room.rounds(100, &[QUIET, 55]), [0]);
    assert_eq!(room.changes, 1);
}

#[test]
fn two_who_speak_at_once_do_not_take_turns() {
    let mut room = Room::new(1, 2);
    room.rounds(100, &[SPEECH, QUIET]);
    let mut random = Seeded::new(3);
    for _ in 0..1_000 {
        // Syllables and the gaps between them, of both.
        let mut level = || if random.chance(70) { SPEECH } else { 60 };
        let (one, other) = (level(), level());
        room.round(&[one, other]);
    }
    assert_eq!(room.heard(), [0]);
    assert_eq!(room.changes, 1);
}

#[test]
fn a_pause_of_a_second_gives_the_place_to_the_other_and_a_short_one_does_not() {
    let mut room = Room::new(1, 2);
    room.rounds(100, &[SPEECH, QUIET]);
    assert_eq!(room.rounds(20, &[90, SPEECH]), [0]);
    room.rounds(20, &[SPEECH, SPEECH]);
    assert_eq!(room.rounds(50, &[90, SPEECH]), [1]);
}

#[test]
fn who_stops_sending_or_is_muted_or_gone_leaves_its_place() {
    let mut room = Room::new(1, 3);
    room.rounds(100, &[SPEECH, QUIET, QUIET]);
    room.now += Duration::from_secs(5);
    let keys = room.keys.clone();
    for _ in 0..3 {
        room.loudest.on_packet(room.now, keys[1], Some(SPEECH));
        room.now += PACKET;
    }
    assert_eq!(room.heard(), [1], "nothing came of the first");
    room.loudest.mute(keys[1]);
    assert!(room.heard().is_empty());
    assert_eq!(
        room.loudest.on_packet(room.now, keys[2], Some(127)),
        Hearing::Begins
    );
    room.loudest.remove(keys[2]);
    let begins = room.loudest.on_packet(room.now, keys[0], Some(127));
    assert_eq!(begins, Hearing::Begins);
    let gone = room.loudest.on_packet(room.now, keys[2], Some(0));
    assert_eq!(gone, Hearing::Unheard);
}

#[test]
fn a_sound_that_does_not_say_how_loud_it_is_counts_as_speech() {
    let mut room = Room::new(1, 2);
    room.rounds(100, &[QUIET, QUIET]);
    let keys = room.keys.clone();
    for _ in 0..10 {
        room.loudest.on_packet(room.now, keys[1], None);
        room.now += PACKET;
    }
    assert_eq!(room.heard(), [1]);
}

/// Noise for a while, and then one who is the loudest by far. Gives how long it took until that one was heard, or what is
/// more than [`MOST_WAITED`].
fn until_the_loudest_is_heard(
    random: &mut Seeded,
    tracks: usize,
    mut round: impl FnMut(&[u8]) -> Vec<usize>,
) -> Duration {
    let levels = (0..tracks).map(|_| 40 + random.below(80) as u8);
    let mut levels: Vec<u8> = levels.collect();
    for _ in 0..random.below(60) {
        let jittered = levels.iter().map(|level| level + random.below(8) as u8);
        let jittered: Vec<u8> = jittered.collect();
        round(&jittered);
    }
    let loudest = random.below(tracks as u64) as usize;
    levels[loudest] = 20;
    let mut waited = PACKET;
    while !round(&levels).contains(&loudest) && waited <= MOST_WAITED {
        waited += PACKET;
    }
    waited
}

/// Rooms of chance: whoever is the loudest by far is heard within 1.2 s, in all the noise; no more are heard
/// than there are places; and a place changes hands once a second at most.
#[test]
fn in_any_room_the_loudest_is_heard_soon_and_nobody_flaps() {
    for seed in 0..60 {
        let mut random = Seeded::new(seed);
        let places = 1 + random.below(4) as usize;
        let tracks = places + 1 + random.below(12) as usize;
        let mut room = Room::new(places, tracks);
        for _ in 0..20 {
            let waited =
                until_the_loudest_is_heard(&mut random, tracks, |levels| room.round(levels));
            assert!(waited <= MOST_WAITED, "seed {seed}: {waited:?}");
        }
        let passed = room.now - crate::test_time::start();
        let most = places * (1 + passed.as_secs() as usize);
        assert!(
            room.changes <= most + places,
            "seed {seed}: {}",
            room.changes
        );
    }
}
