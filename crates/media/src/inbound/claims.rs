//! Who has a room's places, where several workers give them away at once. Each says which places its voices have
//! taken, when, and whose; all read what all have said in the order of time, and so come to the same. It hears nothing.

use std::collections::HashMap;
use std::time::Instant;

use protocol::TrackId;

/// A place that a voice has taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Claim {
    pub(crate) track: TrackId,
    pub(crate) since: Instant,
    /// Whose place it was, if it was anybody's.
    pub(crate) instead_of: Option<TrackId>,
    /// How loud the voice was with its last packet, in decibels above silence, and when that came.
    pub(crate) loudness: f32,
    pub(crate) at: Instant,
}

/// What a worker says of its publishers' voices in a room.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// The places that they have.
    pub(crate) claims: Vec<Claim>,
    /// How loud the loudest is of those who have none and want one, and when that was.
    pub(crate) waiting: Option<(f32, Instant)>,
}

impl Said {
    /// It has nothing to say.
    pub(crate) fn is_nothing(&self) -> bool {
        self.claims.is_empty() && self.waiting.is_none()
    }
}

/// Those that hold, of what all workers claim of so many places. Who took a place that somebody else had taken first,
/// or one that was not there, has none.
pub(crate) fn settle(mut claims: Vec<Claim>, places: usize) -> Vec<Claim> {
    claims.sort_unstable_by_key(|claim| (claim.since, claim.track));
    let mut held: Vec<Claim> = Vec::with_capacity(places.min(claims.len()));
    // There may be as many places as microphones, and thousands of both.
    let mut place_of = HashMap::with_capacity(held.capacity());
    for claim in claims {
        let vacated = claim.instead_of.and_then(|of| place_of.remove(&of));
        let place = vacated.unwrap_or(held.len());
        match held.get_mut(place) {
            Some(of) => *of = claim,
            None if place < places => held.push(claim),
            None => continue,
        }
        place_of.insert(claim.track, place);
    }
    held
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;
    use std::time::Duration;

    use super::*;
    use crate::rtp::seeded::Seeded;

    static START: LazyLock<Instant> = LazyLock::new(crate::test_time::start);

    fn claim(track: u64, since: u64, instead_of: u64) -> Claim {
        let since = *START + Duration::from_millis(since);
        Claim {
            track: TrackId::from_bits(track),
            since,
            instead_of: (instead_of > 0).then(|| TrackId::from_bits(instead_of)),
            loudness: 90.0,
            at: since,
        }
    }

    fn held(claims: &[Claim], places: usize) -> Vec<u64> {
        let held = settle(claims.to_vec(), places);
        let mut tracks: Vec<_> = held.iter().map(|claim| claim.track.bits()).collect();
        tracks.sort_unstable();
        tracks
    }

    #[test]
    fn whoever_came_first_has_a_free_place() {
        let claims = [claim(4, 30, 0), claim(7, 10, 0), claim(2, 20, 0)];
        assert_eq!(held(&claims, 2), [2, 7]);
        assert_eq!(held(&claims, 3), [2, 4, 7]);
        let at_once = [claim(9, 10, 0), claim(3, 10, 0)];
        assert_eq!(held(&at_once, 1), [3]);
    }

    #[test]
    fn a_place_passes_on_and_of_two_who_take_it_the_first_has_it() {
        let before = [claim(1, 1, 0), claim(2, 2, 0)];
        let one = [&before[..], &[claim(5, 20, 2)]].concat();
        assert_eq!(held(&one, 2), [1, 5]);
        let two = [&one[..], &[claim(6, 21, 2)]].concat();
        assert_eq!(held(&two, 2), [1, 5]);
        let another = [&one[..], &[claim(6, 21, 1)]].concat();
        assert_eq!(held(&another, 2), [5, 6]);
        // Whose place it was has said by now that it has none.
        assert_eq!(held(&another[2..], 2), [5, 6]);
        let back = [claim(5, 20, 2), claim(6, 21, 1), claim(2, 40, 5)];
        assert_eq!(held(&back, 2), [2, 6]);
    }

    /// Whatever is claimed and in whatever order it is read: never more than there are places, and what holds does so
    /// when nothing else is claimed any more.
    #[test]
    fn all_come_to_the_same_and_stay_with_it() {
        let mut random = Seeded::new(11);
        for _ in 0..2_000 {
            let places = 1 + random.below(4) as usize;
            let count = random.below(12);
            let mut claims: Vec<_> = (1..=count)
                .map(|track| claim(track, random.below(9), random.below(13)))
                .collect();
            let first = held(&claims, places);
            assert!(first.len() <= places);
            for round in 0..claims.len() {
                claims.rotate_left(round);
                assert_eq!(held(&claims, places), first);
            }
            claims.retain(|claim| first.contains(&claim.track.bits()));
            assert_eq!(held(&claims, places), first);
        }
    }
}
