//! The last packets of one inbound layer, shared by all its subscribers, to answer their NACKs.

use std::time::{Duration, Instant};

/// How long a packet is wanted: by a NACK after some round trips, by a subscriber whose path has no room for it
/// yet (`pacing.rs`, 800 ms). What is older gives its place to a new one.
const AGE: Duration = Duration::from_secs(1);
/// Packets kept however old they are: a present picture has no more (`picture.rs`).
const LEAST: usize = 128;
/// Places by which the ring grows while what it would lose is still wanted.
const STEP: usize = 32;

/// A ring of packets by their extended sequence number, as large as the stream's rate needs. Each place keeps its
/// buffer, so that a ring which has its size allocates nothing.
pub(crate) struct PacketCache {
    places: Vec<Place>,
    /// Numbers are counted round in so many places, of which the last need not be there yet.
    round: usize,
    size: usize,
}

#[derive(Default)]
struct Place {
    sequence: u64,
    arrival: Option<Instant>,
    packet: Vec<u8>,
}

impl PacketCache {
    /// Room for `size` packets at most. Memory is taken as packets come.
    pub(crate) fn new(size: usize) -> Self {
        let size = size.max(1);
        Self {
            places: Vec::new(),
            round: size.min(LEAST),
            size,
        }
    }

    /// Packets there is room for, if so many come within a second.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    fn place(&self, sequence: u64) -> usize {
        (sequence % self.round as u64) as usize
    }

    /// Keep a packet, in place of one that is old, or `size` packets older.
    pub(crate) fn store(&mut self, arrival: Instant, sequence: u64, packet: &[u8]) {
        while self.round < self.size && self.displaces_a_wanted_one(arrival, sequence) {
            self.grow();
        }
        let index = self.place(sequence);
        if self.places.len() <= index {
            self.places.reserve_exact(index + 1 - self.places.len());
            self.places.resize_with(index + 1, Place::default);
        }
        let place = &mut self.places[index];
        if place.sequence > sequence {
            return;
        }
        place.sequence = sequence;
        place.arrival = Some(arrival);
        place.packet.clear();
        place.packet.reserve_exact(packet.len());
        place.packet.extend_from_slice(packet);
    }

    fn displaces_a_wanted_one(&self, arrival: Instant, sequence: u64) -> bool {
        self.places.get(self.place(sequence)).is_some_and(|place| {
            let is_young = |came| arrival.saturating_duration_since(came) < AGE;
            place.sequence != sequence && place.arrival.is_some_and(is_young)
        })
    }

    /// A larger round: all that is kept moves to where its number is in it.
    fn grow(&mut self) {
        self.round = (self.round + STEP).min(self.size);
        let kept = std::mem::take(&mut self.places);
        self.places.reserve_exact(self.round);
        self.places.resize_with(self.round, Place::default);
        for place in kept {
            let index = self.place(place.sequence);
            let there = &mut self.places[index];
            if place.arrival.is_some() && place.sequence >= there.sequence {
                *there = place;
            }
        }
    }

    /// The packet with this number, if it is still here.
    pub(crate) fn get(&self, sequence: u64) -> Option<&[u8]> {
        let place = self.places.get(self.place(sequence))?;
        (place.sequence == sequence && !place.packet.is_empty()).then_some(&place.packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 3 bytes at this pace; the numbers of those that are still there.
    fn kept(cache: &mut PacketCache, numbers: std::ops::Range<u64>, pace: Duration) -> Vec<u64> {
        let mut now = crate::test_time::start();
        for sequence in numbers.clone() {
            cache.store(now, sequence, &[sequence as u8; 3]);
            now += pace;
        }
        numbers
            .filter(|sequence| cache.get(*sequence) == Some(&[*sequence as u8; 3][..]))
            .collect()
    }

    #[test]
    fn a_packet_is_there_until_as_many_newer_ones_came() {
        let mut cache = PacketCache::new(4);
        let kept = kept(&mut cache, 65_536..65_542, Duration::ZERO);
        assert_eq!(kept, [65_538, 65_539, 65_540, 65_541]);
        assert_eq!(cache.get(65_542), None);
    }

    #[test]
    fn a_late_packet_does_not_displace_a_newer_one() {
        let now = crate::test_time::start();
        let mut cache = PacketCache::new(4);
        cache.store(now, 9, &[9]);
        cache.store(now, 5, &[5]);
        assert_eq!((cache.get(9), cache.get(5)), (Some(&[9u8][..]), None));
    }

    #[test]
    fn as_many_are_kept_as_come_in_a_second() {
        for rate in [50, 130, 284, 500] {
            let mut cache = PacketCache::new(512);
            let pace = Duration::from_secs(1) / rate;
            let kept = kept(&mut cache, 1_000..5_000, pace).len();
            let rate = rate as usize;
            assert!(kept >= rate.max(LEAST), "{kept} of {rate} a second");
            assert!(kept <= rate.max(LEAST) + STEP, "{kept} of {rate} a second");
        }
    }

    #[test]
    fn never_more_are_kept_than_there_is_room_for() {
        let mut cache = PacketCache::new(200);
        let kept = kept(&mut cache, 1_000..5_000, Duration::from_millis(1));
        assert_eq!(kept, (4_800..5_000).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_growing_round_moves_is_found_by_its_number() {
        let mut cache = PacketCache::new(512);
        let kept = kept(&mut cache, 1_000..1_400, Duration::from_millis(2));
        assert_eq!(kept, (1_000..1_400).collect::<Vec<_>>());
    }
}
