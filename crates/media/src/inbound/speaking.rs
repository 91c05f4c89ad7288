//! Whether somebody speaks into an audio track, from the levels its packets carry (RFC 6464).

use std::time::{Duration, Instant};

/// Levels are decibels below the loudest, 0 to 127. Speech is above the one, silence below the other; between
/// them nothing changes.
const SPEECH: f32 = 45.0;
const SILENCE: f32 = 55.0;
/// A word is not over at each pause for breath.
const HOLD: Duration = Duration::from_millis(600);
/// Weight of a new packet: at 50 packets/s the level follows within 100 ms.
const WEIGHT: f32 = 0.2;
/// Weight for how loud somebody is beside others: as long as a few words, not syllables.
const STEADY_WEIGHT: f32 = 0.03;
/// Decibels by which that must differ from what was told, and the time between two words on it.
const DIFFERENCE: f32 = 6.0;
const TELL_AGAIN: Duration = Duration::from_millis(500);

/// Levels of one track, smoothed.
pub(crate) struct SpeechDetector {
    level: f32,
    is_speaking: bool,
    last_speech: Option<Instant>,
    /// How loud over some words: follows while somebody speaks.
    steady: f32,
    told: f32,
    told_at: Option<Instant>,
}

impl SpeechDetector {
    pub(crate) fn new() -> Self {
        Self {
            level: 127.0,
            is_speaking: false,
            last_speech: None,
            steady: SPEECH,
            told: SPEECH,
            told_at: None,
        }
    }

    /// A packet with this level. Gives the new state if it changed: the smoothed level, or `None` for silence.
    pub(crate) fn on_level(&mut self, now: Instant, level: u8) -> Option<Option<u8>> {
        let level = f32::from(level & 0x7F);
        self.level += (level - self.level) * WEIGHT;
        if self.level <= SPEECH {
            self.last_speech = Some(now);
            self.steady += (level - self.steady) * STEADY_WEIGHT;
            if !self.is_speaking {
                self.is_speaking = true;
                self.steady = SPEECH;
                return Some(Some(self.tell(now)));
            }
            let was_told = self
                .told_at
                .is_some_and(|at| now.saturating_duration_since(at) < TELL_AGAIN);
            if !was_told && (self.steady - self.told).abs() >= DIFFERENCE {
                return Some(Some(self.tell(now)));
            }
        } else if self.level > SILENCE {
            return self.poll(now);
        }
        None
    }

    fn tell(&mut self, now: Instant) -> u8 {
        self.told = self.steady;
        self.told_at = Some(now);
        self.steady as u8
    }

    /// Time passes; packets may have stopped (DTX, mute).
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Option<u8>> {
        let is_over = self
            .last_speech
            .is_some_and(|last| now.saturating_duration_since(last) >= HOLD);
        if self.is_speaking && is_over {
            self.is_speaking = false;
            self.level = 127.0;
            return Some(None);
        }
        None
    }

    /// Somebody speaks.
    pub(crate) fn is_speaking(&self) -> bool {
        self.is_speaking
    }

    /// The track is muted: whoever spoke does so no longer. True if somebody did.
    pub(crate) fn stop(&mut self) -> bool {
        self.level = 127.0;
        std::mem::take(&mut self.is_speaking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_is_told_once_and_its_end_after_a_pause() {
        let start = crate::test_time::start();
        let mut detector = SpeechDetector::new();
        let mut changes = Vec::new();
        for packet in 0..100u32 {
            let now = start + Duration::from_millis(20) * packet;
            let level = if (10..40).contains(&packet) { 20 } else { 90 };
            changes.extend(
                detector
                    .on_level(now, level)
                    .map(|change| (packet, change.is_some())),
            );
        }
        let [(begin, true), (_, true), (end, false)] = changes[..] else {
            panic!("{changes:?}")
        };
        assert!((12..25).contains(&begin), "{begin}");
        assert!((65..80).contains(&end), "{end}");
    }

    #[test]
    fn who_becomes_louder_is_told_again_by_steps_and_syllables_are_not() {
        let start = crate::test_time::start();
        let mut detector = SpeechDetector::new();
        let mut told = Vec::new();
        for packet in 0..1_000u32 {
            let now = start + Duration::from_millis(20) * packet;
            let syllable = if packet % 10 < 7 { 0 } else { 20 };
            let level = if packet < 500 { 36 } else { 16 } + syllable;
            told.extend(detector.on_level(now, level).flatten());
        }
        assert!((3..=5).contains(&told.len()), "{told:?}");
        assert!(told.is_sorted_by(|one, next| one > next), "{told:?}");
        assert!(told.last() <= Some(&28), "{told:?}");
    }

    #[test]
    fn a_click_is_no_speech_and_a_track_that_stops_is_silent() {
        let start = crate::test_time::start();
        let mut detector = SpeechDetector::new();
        assert_eq!(detector.on_level(start, 0), None);
        for _ in 0..20 {
            detector.on_level(start, 10);
        }
        assert_eq!(detector.poll(start), None);
        assert_eq!(detector.poll(start + HOLD), Some(None));
    }
}
