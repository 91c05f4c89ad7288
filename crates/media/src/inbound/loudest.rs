//! Which of a room's sounds are forwarded: the loudest few. It is told how loud each packet is, and never sees
//! who receives it. Where a room is on several workers, each of them has the sounds of its own publishers here, and
//! hears of the others which places they have (`claims`).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use protocol::TrackId;
use slab::Slab;

use super::claims::{Claim, Said, settle};

#[cfg(test)]
mod many_tests;
#[cfg(test)]
mod tests;

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
/// to another who speaks as loudly. A voice on another worker fades alike, until that says again how loud it is.
const RELEASE: f32 = 10.0;
/// Decibels by which another must be louder than whoever has a place.
const MARGIN: f32 = 6.0;
/// Who has got a place keeps it for as long, whoever shouts: two who speak at once do not take turns by syllables.
const HOLD: Duration = Duration::from_secs(1);
/// A voice without a packet for this long is not waiting for a place.
const RECENT: Duration = Duration::from_millis(100);
/// The same of a voice on another worker, which says so five times a second.
const RECENTLY_SAID: Duration = Duration::from_millis(300);

/// Whether a packet is to be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    Heard,
    /// Heard from now on: what was held back of its last moments is to be sent as well.
    Begins,
    Unheard,
}

/// A voice of this worker.
#[derive(Clone, Copy, Debug)]
struct Voice {
    track: TrackId,
    loudness: f32,
    at: Option<Instant>,
    place: Option<Place>,
}

/// Of a voice that is heard.
#[derive(Clone, Copy, Debug)]
struct Place {
    since: Instant,
    /// Whose it was.
    instead_of: Option<TrackId>,
}

impl Voice {
    /// How loud it is, having faded since its last packet.
    fn loudness_at(&self, now: Instant) -> f32 {
        self.at.map_or(FLOOR, |at| faded(self.loudness, at, now))
    }

    fn hear(&mut self, now: Instant, level: Option<u8>) {
        let packet = f32::from(SILENCE - level.map_or(SILENCE - UNKNOWN, |level| level & 0x7F));
        let faded = self.loudness_at(now);
        self.loudness = faded + (packet - faded).max(0.0) * ATTACK;
        self.at = Some(now);
    }

    /// It has no place, and would take one.
    fn is_waiting(&self, now: Instant) -> bool {
        let is_recent = |at: Instant| now.saturating_duration_since(at) <= RECENT;
        self.place.is_none() && self.at.is_some_and(is_recent)
    }

    fn claim(&self) -> Option<Claim> {
        let Place { since, instead_of } = self.place?;
        Some(Claim {
            track: self.track,
            since,
            instead_of,
            loudness: self.loudness,
            at: self.at.unwrap_or(since),
        })
    }
}

fn faded(loudness: f32, at: Instant, now: Instant) -> f32 {
    let quiet = now.saturating_duration_since(at);
    (loudness - quiet.as_secs_f32() * RELEASE).max(FLOOR)
}

/// The sounds of one room, of which at most so many are heard at once. Whoever has a place keeps it, speaking or
/// not, until somebody else needs it: in a room with fewer sounds than places all are heard always.
#[derive(Debug)]
pub(crate) struct Loudest {
    places: usize,
    voices: Slab<Voice>,
    /// What other workers said last of theirs: as many claims of each as there are places, at most.
    elsewhere: Vec<(u8, Said)>,
    /// Who has the places, on this worker with their keys.
    heard: Vec<(Claim, Option<usize>)>,
    /// Who is heard of this worker's voices has changed, and the others are to know.
    has_changed: bool,
}

impl Loudest {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            places: places.max(1),
            voices: Slab::new(),
            elsewhere: Vec::new(),
            heard: Vec::new(),
            has_changed: false,
        }
    }

    /// One more track of sound of this worker. Gives its key.
    pub(crate) fn add(&mut self, track: TrackId) -> usize {
        self.voices.insert(Voice {
            track,
            loudness: FLOOR,
            at: None,
            place: None,
        })
    }

    /// A track is no more.
    pub(crate) fn remove(&mut self, key: usize) {
        self.mute(key);
        self.voices.try_remove(key);
    }

    /// A track is silent by intention: it needs no place.
    pub(crate) fn mute(&mut self, key: usize) {
        let Some(voice) = self.voices.get_mut(key) else {
            return;
        };
        voice.loudness = FLOOR;
        if voice.place.take().is_some() {
            self.has_changed = true;
            self.settle();
        }
    }

    /// Nobody is left of whom anything is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.voices.is_empty() && self.elsewhere.is_empty()
    }

    /// How many tracks of this worker there are.
    pub(crate) fn voices(&self) -> usize {
        self.voices.len()
    }

    /// Which other workers have said something that counts.
    pub(crate) fn workers(&self) -> impl Iterator<Item = u8> {
        self.elsewhere.iter().map(|(worker, _)| *worker)
    }

    /// Whether the track has a place.
    #[cfg(test)]
    pub(crate) fn is_heard(&self, key: usize) -> bool {
        self.voices
            .get(key)
            .is_some_and(|voice| voice.place.is_some())
    }

    /// What is to be said of this worker's voices to the others.
    pub(crate) fn said(&self) -> Said {
        Said {
            claims: self.claims().collect(),
            waiting: self.loudest_waiting(),
        }
    }

    /// How loud the loudest is who has no place and would take one, as of the newest packet.
    fn loudest_waiting(&self) -> Option<(f32, Instant)> {
        let voices = || self.voices.iter().map(|(_, voice)| voice);
        let newest = voices().filter_map(|voice| voice.at).max()?;
        let waiting = voices().filter(|voice| voice.is_waiting(newest));
        let loudest = waiting.map(|voice| voice.loudness_at(newest));
        let loudest = loudest.max_by(f32::total_cmp)?;
        (loudest >= SOUND).then_some((loudest, newest))
    }

    fn claims(&self) -> impl Iterator<Item = Claim> {
        self.voices.iter().filter_map(|(_, voice)| voice.claim())
    }

    /// Whether the others are to be told anew, at once.
    pub(crate) fn take_change(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// Another worker says what its voices claim. That may be what a voice of this one had.
    pub(crate) fn take(&mut self, worker: u8, mut said: Said) {
        self.elsewhere.retain(|(other, _)| *other != worker);
        said.claims.truncate(self.places);
        if !said.is_nothing() {
            self.elsewhere.push((worker, said));
        }
        self.settle();
    }

    /// Only these other workers have anybody of the room; they are all to know what is claimed here.
    pub(crate) fn set_workers(&mut self, workers: &[u8]) {
        self.elsewhere
            .retain(|(worker, _)| workers.contains(worker));
        self.has_changed = true;
        self.settle();
    }

    /// A packet of this track has come, with this level if it says so.
    pub(crate) fn on_packet(&mut self, now: Instant, key: usize, level: Option<u8>) -> Hearing {
        let Some(voice) = self.voices.get_mut(key) else {
            return Hearing::Unheard;
        };
        voice.hear(now, level);
        if voice.place.is_some() {
            return Hearing::Heard;
        }
        let loudness = voice.loudness;
        if self.heard.len() < self.places {
            return self.begin(now, key, None);
        }
        if loudness < SOUND {
            return Hearing::Unheard;
        }
        let Some((quietest, its_loudness)) = self.quietest(now) else {
            return Hearing::Unheard;
        };
        if loudness < its_loudness + MARGIN || self.is_outdone(now, loudness) {
            return Hearing::Unheard;
        }
        self.begin(now, key, Some(quietest))
    }

    fn begin(&mut self, since: Instant, key: usize, instead_of: Option<TrackId>) -> Hearing {
        let voice = &mut self.voices[key];
        voice.place = Some(Place { since, instead_of });
        self.has_changed = true;
        match (instead_of, voice.claim()) {
            // A place was free: all claims hold, and one more takes nobody's.
            (None, Some(claim)) => self.heard.push((claim, Some(key))),
            _ => self.settle(),
        }
        match self.voices[key].place {
            Some(_) => Hearing::Begins,
            None => Hearing::Unheard,
        }
    }

    /// Who is heard, of all that is claimed. A voice of this worker that is not has no place any more.
    fn settle(&mut self) {
        let elsewhere = self.elsewhere.iter().flat_map(|(_, said)| &said.claims);
        let claims = elsewhere.copied().chain(self.claims()).collect();
        let held = settle(claims, self.places);
        let keys = self.voices.iter().map(|(key, voice)| (voice.track, key));
        let mut keys: HashMap<TrackId, usize> = keys.collect();
        let heard = held
            .into_iter()
            .map(|claim| (claim, keys.remove(&claim.track)));
        self.heard = heard.collect();
        // Those that are left are not heard.
        for key in keys.into_values() {
            self.has_changed |= self.voices[key].place.take().is_some();
        }
    }

    /// The quietest of those heard who may lose their place, and its loudness.
    fn quietest(&self, now: Instant) -> Option<(TrackId, f32)> {
        let loudness = |claim: &Claim, key: Option<usize>| match key {
            Some(key) => self.voices[key].loudness_at(now),
            None => faded(claim.loudness, claim.at, now),
        };
        let heard = self.heard.iter();
        heard
            .filter(|(claim, _)| now.saturating_duration_since(claim.since) >= HOLD)
            .map(|(claim, key)| (claim.track, loudness(claim, *key)))
            .min_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    /// Whether somebody else without a place is louder still: the place is theirs, with their next packet.
    fn is_outdone(&self, now: Instant, loudness: f32) -> bool {
        let is_here = self
            .voices
            .iter()
            .any(|(_, voice)| voice.is_waiting(now) && voice.loudness_at(now) > loudness);
        let waiting = self.elsewhere.iter().filter_map(|(_, said)| said.waiting);
        let mut recent =
            waiting.filter(|(_, at)| now.saturating_duration_since(*at) <= RECENTLY_SAID);
        is_here || recent.any(|(other, at)| faded(other, at, now) > loudness)
    }
}
