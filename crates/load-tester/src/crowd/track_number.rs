//! Which stream of which track of whom in which room a packet is of, as the 64 bits that its mark has room
//! for. So no thread needs to ask another whose a packet is.

use super::Member;

/// Room and participant: 24 bits each.
const NUMBER_BITS: u32 = 24;
const NUMBER_MASK: u64 = (1 << NUMBER_BITS) - 1;

/// A stream: a track, or one layer of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TrackNumber(u64);

impl TrackNumber {
    /// `track`: which of the participant's.
    pub(crate) fn new(member: &Member, track: usize, layer: usize) -> Self {
        let room = u64::from(member.room) & NUMBER_MASK;
        let owner = u64::from(member.id) & NUMBER_MASK;
        Self(
            room << (NUMBER_BITS + 16)
                | owner << 16
                | (track as u64 & 0xff) << 8
                | layer as u64 & 0xff,
        )
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// The room it is published in.
    pub(crate) fn room(self) -> u32 {
        (self.0 >> (NUMBER_BITS + 16)) as u32
    }

    /// Who publishes it.
    pub(crate) fn owner(self) -> u32 {
        (self.0 >> 16 & NUMBER_MASK) as u32
    }

    /// The same for all layers of a track.
    pub(crate) fn track(self) -> u64 {
        self.0 >> 8
    }

    /// It is for this participant.
    pub(crate) fn is_for(self, member: &Member) -> bool {
        let is_wanted = member.only.is_none_or(|only| only == self.owner());
        self.room() == member.room && self.owner() != member.id && member.subscribes && is_wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_is_for_the_others_of_its_room_who_subscribe() {
        let [owner, other] = [(1, true), (2, true)].map(|(id, is)| Member::new(id, 7, is));
        let camera = TrackNumber::new(&owner, 1, 2);
        assert_eq!((camera.room(), camera.owner()), (7, 1));
        assert!(camera.is_for(&other) && !camera.is_for(&owner));
        assert!(!camera.is_for(&Member::new(2, 8, true)));
        assert!(!camera.is_for(&Member::new(3, 7, false)));
        let choosy = |only| Member::new(2, 7, true).choosy(Some(only));
        assert!(camera.is_for(&choosy(1)) && !camera.is_for(&choosy(3)));
        let layers = [0, 1].map(|layer| TrackNumber::new(&owner, 1, layer));
        assert_eq!(layers[0].track(), camera.track());
        assert_ne!(TrackNumber::new(&owner, 0, 0).track(), camera.track());
        assert_eq!(TrackNumber::from_bits(camera.bits()), camera);
    }
}
