//! The last packets of one inbound layer, shared by all its subscribers, to answer their NACKs.

/// A ring of packets by their extended sequence number. Each place keeps its buffer, so that a full cache
/// allocates nothing.
pub(crate) struct PacketCache {
    places: Vec<Place>,
    size: usize,
}

#[derive(Default)]
struct Place {
    sequence: u64,
    packet: Vec<u8>,
}

impl PacketCache {
    /// Room for `size` packets. Memory is taken as packets come.
    pub(crate) fn new(size: usize) -> Self {
        Self {
            places: Vec::new(),
            size: size.max(1),
        }
    }

    /// Packets there is room for.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    fn place(&self, sequence: u64) -> usize {
        (sequence % self.size as u64) as usize
    }

    /// Keep a packet, in place of one that is `size` packets older.
    pub(crate) fn store(&mut self, sequence: u64, packet: &[u8]) {
        let index = self.place(sequence);
        if self.places.len() <= index {
            self.places.resize_with(index + 1, Place::default);
        }
        let place = &mut self.places[index];
        if place.sequence > sequence {
            return;
        }
        place.sequence = sequence;
        place.packet.clear();
        place.packet.extend_from_slice(packet);
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

    #[test]
    fn a_packet_is_there_until_as_many_newer_ones_came() {
        let mut cache = PacketCache::new(4);
        for sequence in 65_536..65_542u64 {
            cache.store(sequence, &[sequence as u8; 3]);
        }
        assert_eq!(cache.get(65_537), None);
        assert_eq!(cache.get(65_538), Some(&[2u8; 3][..]));
        assert_eq!(cache.get(65_542), None);
    }

    #[test]
    fn a_late_packet_does_not_displace_a_newer_one() {
        let mut cache = PacketCache::new(4);
        cache.store(9, &[9]);
        cache.store(5, &[5]);
        assert_eq!((cache.get(9), cache.get(5)), (Some(&[9u8][..]), None));
    }
}
