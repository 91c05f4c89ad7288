//! Which of a room's sounds are forwarded: the loudest few. It is told how loud each packet is, and never sees
//! who receives it.

use std::time::{Duration, Instant};

use slab::Slab;

/// Loudness is decibels above a packet of silence: 127 less the level of RFC 6464.
const SILENCE: u8 = 127;
/// Rooms are rarely quieter: a voice begins from here, and not from nothing.
const FLOOR: f32 = 60.0;
/// What can ask for a place: a whisper, but no room's hum.
const SOUND: f32 = 77.0;
/// A sound whose packets do not say how loud they are (no browser's, but some studio's) counts as speech.
const UNKNOWN: u8 = 87;
/// Weight of a louder packet: a voice is above `SOUND` with its second, a click of one packet seldom.
const ATTACK: f32 = 0.35;
/// Decibels in a second by which a voice fades when it is quiet. With `MARGIN`, a pause of 600 ms gives the place
/// to another who speaks as loudly.
const RELEASE: f32 = 10.0;
/// Decibels by which another must be louder than whoever has a place.
const MARGIN: f32 = 6.0;
/// Who has got a place keeps it for as long, whoever shouts: two who speak at once do not take turns by syllables.
const HOLD: Duration = Duration::from_secs(1);
/// A voice without a packet for this long is not waiting for a place.
const RECENT: Duration = Duration::from_millis(100);

/// Whether a packet is to be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    Heard,
    /// Heard from now on: what was held back of its last moments is to be sent as well.
    Begins,
    Unheard,
}

#[derive(Clone, Copy, Debug)]
struct Voice {
    loudness: f32,
    at: Option<Instant>,
    heard_since: Option<Instant>,
}

impl Voice {
    /// How loud it is, having faded since its last packet.
    fn loudness_at(&self, now: Instant) -> f32 {
        let quiet = self
            .at
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        (self.loudness - quiet.as_secs_f32() * RELEASE).max(FLOOR)
    }

    fn hear(&mut self, now: Instant, level: Option<u8>) {
        let packet = f32::from(SILENCE - level.map_or(SILENCE - UNKNOWN, |level| level & 0x7F));
        let faded = self.loudness_at(now);
        self.loudness = faded + (packet - faded).max(0.0) * ATTACK;
        self.at = Some(now);
    }

    fn is_recent(&self, now: Instant) -> bool {
        self.at
            .is_some_and(|at| now.saturating_duration_since(at) <= RECENT)
    }
}

/// The sounds of one room, of which at most so many are heard at once. Whoever has a place keeps it, speaking or
/// not, until somebody else needs it: in a room with fewer sounds than places all are heard always.
pub(crate) struct Loudest {
    places: usize,
    voices: Slab<Voice>,
    /// Keys of `voices`.
    heard: Vec<usize>,
}

impl Loudest {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            places: places.max(1),
            voices: Slab::new(),
            heard: Vec::new(),
        }
    }

    /// One more track of sound. Gives its key.
    pub(crate) fn add(&mut self) -> usize {
        self.voices.insert(Voice {
            loudness: FLOOR,
            at: None,
            heard_since: None,
        })
    }

    /// A track is no more.
    pub(crate) fn remove(&mut self, key: usize) {
        self.mute(key);
        self.voices.try_remove(key);
    }

    /// A track is silent by intention: it needs no place.
    pub(crate) fn mute(&mut self, key: usize) {
        self.heard.retain(|heard| *heard != key);
        if let Some(voice) = self.voices.get_mut(key) {
            voice.loudness = FLOOR;
            voice.heard_since = None;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.voices.is_empty()
    }

    /// Whether the track has a place.
    #[cfg(test)]
    pub(crate) fn is_heard(&self, key: usize) -> bool {
        self.voices
            .get(key)
            .is_some_and(|voice| voice.heard_since.is_some())
    }

    /// A packet of this track has come, with this level if it says so.
    pub(crate) fn on_packet(&mut self, now: Instant, key: usize, level: Option<u8>) -> Hearing {
        let Some(voice) = self.voices.get_mut(key) else {
            return Hearing::Unheard;
        };
        voice.hear(now, level);
        if voice.heard_since.is_some() {
            return Hearing::Heard;
        }
        let loudness = voice.loudness;
        if self.heard.len() < self.places {
            return self.begin(now, key);
        }
        if loudness < SOUND {
            return Hearing::Unheard;
        }
        let Some((place, quietest)) = self.quietest(now) else {
            return Hearing::Unheard;
        };
        if loudness < quietest + MARGIN || self.is_outdone(now, loudness) {
            return Hearing::Unheard;
        }
        let displaced = self.heard.swap_remove(place);
        self.voices[displaced].heard_since = None;
        self.begin(now, key)
    }

    fn begin(&mut self, now: Instant, key: usize) -> Hearing {
        self.heard.push(key);
        self.voices[key].heard_since = Some(now);
        Hearing::Begins
    }

    /// The quietest of those heard who may lose their place: which of `heard`, and its loudness.
    fn quietest(&self, now: Instant) -> Option<(usize, f32)> {
        let has_had_its_time = |voice: &Voice| {
            voice
                .heard_since
                .is_some_and(|since| now.saturating_duration_since(since) >= HOLD)
        };
        let heard = self.heard.iter().enumerate();
        heard
            .map(|(place, key)| (place, &self.voices[*key]))
            .filter(|(_, voice)| has_had_its_time(voice))
            .map(|(place, voice)| (place, voice.loudness_at(now)))
            .min_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    /// Whether somebody else without a place is louder still: the place is theirs, with their next packet.
    fn is_outdone(&self, now: Instant, loudness: f32) -> bool {
        self.voices.iter().any(|(_, voice)| {
            voice.heard_since.is_none() && voice.is_recent(now) && voice.loudness_at(now) > loudness
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::seeded::Seeded;

    const PACKET: Duration = Duration::from_millis(20);
    const QUIET: u8 = 80;
    const SPEECH: u8 = 28;

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
            let keys = (0..tracks).map(|_| loudest.add()).collect();
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

    /// Rooms of chance: whoever is the loudest by far is heard within 1.2 s, in all the noise; no more are heard
    /// than there are places; and a place changes hands once a second at most.
    #[test]
    fn in_any_room_the_loudest_is_heard_soon_and_nobody_flaps() {
        for seed in 0..60 {
            let mut random = Seeded::new(seed);
            let places = 1 + random.below(4) as usize;
            let tracks = places + 1 + random.below(12) as usize;
            let mut room = Room::new(places, tracks);
            let mut levels = vec![QUIET; tracks];
            for _ in 0..20 {
                for level in &mut levels {
                    *level = 40 + random.below(80) as u8;
                }
                let rounds = random.below(60) as usize;
                for _ in 0..rounds {
                    let jittered = levels.iter().map(|level| level + random.below(8) as u8);
                    let jittered: Vec<u8> = jittered.collect();
                    room.round(&jittered);
                }
                let loudest = random.below(tracks as u64) as usize;
                levels[loudest] = 20;
                let mut waited = PACKET;
                while !room.round(&levels).contains(&loudest) {
                    waited += PACKET;
                    assert!(waited <= HOLD + PACKET * 10, "seed {seed}: {waited:?}");
                }
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
}
