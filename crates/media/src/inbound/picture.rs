//! What shows somebody the present picture of a layer at once: where its last key frame began, and how much has
//! followed. It has no packets itself.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Packets of a replay: the burst that a first picture may be.
const PACKETS: u64 = 128;
/// Their bytes: those of 128 full packets are taken for too many.
const BYTES: usize = 120_000;
/// Pictures that are decoded only to be passed over. A phone needs 5 ms for each: a key frame that is asked for is
/// there as soon.
const PICTURES: u32 = 48;
/// A screen at rest sends next to nothing after its key frame, for as long as it rests. Beyond this a key frame is
/// asked for all the same: whatever the publisher's losses have left in the picture ends with it.
const AGE: Duration = Duration::from_secs(10);

/// The last key frame of a layer and what followed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PresentPicture {
    key_frame: Option<KeyFrame>,
    highest: u64,
    newest_timestamp: u32,
}

#[derive(Clone, Copy, Debug)]
struct KeyFrame {
    sequence: u64,
    timestamp: u32,
    arrival: Instant,
    /// What followed it.
    bytes: usize,
    pictures: u32,
}

impl PresentPicture {
    /// A packet has come.
    pub(crate) fn on_packet(&mut self, sequence: u64, timestamp: u32, bytes: usize) {
        let is_next = sequence > self.highest;
        let is_new_picture = is_next && timestamp != self.newest_timestamp;
        if is_next {
            self.highest = sequence;
            self.newest_timestamp = timestamp;
        }
        if let Some(key_frame) = &mut self.key_frame
            && sequence > key_frame.sequence
        {
            key_frame.bytes += bytes;
            key_frame.pictures += u32::from(is_new_picture);
        }
    }

    /// The packet is one at which a decoder can begin. H.264 sends parameters and picture in packets of their own:
    /// the frame begins with the first.
    pub(crate) fn on_key_frame_start(&mut self, now: Instant, sequence: u64, timestamp: u32) {
        let is_later = |known: KeyFrame| sequence > known.sequence && timestamp != known.timestamp;
        if self.key_frame.is_none_or(is_later) {
            self.key_frame = Some(KeyFrame {
                sequence,
                timestamp,
                arrival: now,
                bytes: 0,
                pictures: 0,
            });
        }
    }

    /// The packets to send, if they are few and young enough, and kept: the last `cached` are.
    pub(crate) fn replay(&self, now: Instant, cached: usize) -> Option<RangeInclusive<u64>> {
        self.within(now, cached, 1)
    }

    /// Whether it will still do in a moment, for somebody who cannot receive it yet.
    pub(crate) fn is_fresh(&self, now: Instant, cached: usize) -> bool {
        self.within(now, cached, 2).is_some()
    }

    /// Whether it takes a client as long to decode as a publisher to answer.
    pub(crate) fn is_many(&self) -> bool {
        self.key_frame
            .is_some_and(|key_frame| key_frame.pictures > PICTURES / 2)
    }

    /// Packets were lost for good: what is kept is no picture, until the next key frame.
    pub(crate) fn forget(&mut self) {
        self.key_frame = None;
    }

    /// When the last key frame began to come.
    pub(crate) fn key_frame_arrival(&self) -> Option<Instant> {
        self.key_frame.map(|key_frame| key_frame.arrival)
    }

    /// The number of the newest packet.
    pub(crate) fn newest(&self) -> u64 {
        self.highest
    }

    /// The timestamp of the newest packet.
    pub(crate) fn newest_timestamp(&self) -> u32 {
        self.newest_timestamp
    }

    fn within(&self, now: Instant, cached: usize, part: u32) -> Option<RangeInclusive<u64>> {
        let key_frame = self.key_frame?;
        let packets = self.highest - key_frame.sequence + 1;
        let is_little = packets <= PACKETS.min(cached as u64) / u64::from(part)
            && key_frame.bytes <= BYTES / part as usize
            && key_frame.pictures <= PICTURES / part
            && now.saturating_duration_since(key_frame.arrival) <= AGE / part;
        is_little.then_some(key_frame.sequence..=self.highest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CACHED: usize = 512;

    /// A key frame of some packets, then pictures of so many packets and bytes, by what `replay` then says.
    fn after(key_packets: u64, pictures: u32, packets: u64, bytes: usize, age: Duration) -> bool {
        let start = crate::test_time::start();
        let mut present = PresentPicture::default();
        let mut sequence = 100;
        for packet in 0..key_packets {
            present.on_packet(sequence, 9_000, bytes);
            if packet == 0 {
                present.on_key_frame_start(start, sequence, 9_000);
            }
            sequence += 1;
        }
        for picture in 1..=pictures {
            for _ in 0..packets {
                present.on_packet(sequence, 9_000 + picture * 3_000, bytes);
                sequence += 1;
            }
        }
        let replay = present.replay(start + age, CACHED);
        if let Some(range) = &replay {
            assert_eq!((*range.start(), *range.end()), (100, sequence - 1));
        }
        replay.is_some()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn few_packets_bytes_and_pictures_are_shown_again_and_more_are_not() {
        assert!(after(10, 20, 4, 1_100, SECOND));
        assert!(!after(10, 30, 4, 1_100, SECOND), "130 packets");
        assert!(after(100, 0, 0, 1_200, SECOND));
        assert!(!after(110, 0, 0, 1_200, SECOND), "130,800 bytes");
        assert!(after(2, 48, 1, 100, SECOND));
        assert!(!after(2, 49, 1, 100, SECOND), "49 pictures");
    }

    #[test]
    fn a_screen_at_rest_is_shown_again_after_seconds_but_not_for_ever() {
        assert!(after(90, 10, 1, 300, SECOND * 10));
        assert!(!after(90, 10, 1, 300, SECOND * 11));
    }

    #[test]
    fn nothing_is_shown_before_a_key_frame_or_what_is_kept_no_longer() {
        let start = crate::test_time::start();
        let mut present = PresentPicture::default();
        present.on_packet(100, 1, 10);
        assert_eq!(present.replay(start, CACHED), None);
        present.on_key_frame_start(start, 100, 1);
        present.on_packet(101, 2, 10);
        assert_eq!(present.replay(start, CACHED), Some(100..=101));
        assert_eq!(present.replay(start, 1), None);
    }

    #[test]
    fn the_last_key_frame_counts_and_begins_with_its_first_packet() {
        let start = crate::test_time::start();
        let mut present = PresentPicture::default();
        // Parameters and picture of H.264; then a key frame that comes as a retransmission.
        for (sequence, timestamp) in [(100, 1), (101, 1), (200, 2), (150, 3)] {
            present.on_packet(sequence, timestamp, 10);
            present.on_key_frame_start(start, sequence, timestamp);
        }
        assert_eq!(present.replay(start, CACHED), Some(200..=200));
        assert_eq!(present.newest_timestamp(), 2);
    }

    #[test]
    fn what_is_fresh_has_half_of_everything_left() {
        let start = crate::test_time::start();
        let mut present = PresentPicture::default();
        present.on_packet(100, 0, 10);
        present.on_key_frame_start(start, 100, 0);
        assert!(present.is_fresh(start + SECOND * 5, CACHED));
        assert!(!present.is_fresh(start + SECOND * 6, CACHED));
        for picture in 1..=25 {
            present.on_packet(100 + u64::from(picture), picture, 10);
        }
        assert!(!present.is_fresh(start, CACHED));
        assert!(present.replay(start, CACHED).is_some());
    }
}
