//! What a network does to the datagrams of one direction: loses some, and carries each for another while, so
//! that they overtake each other. The same seed does the same to the same datagrams.

use std::time::Duration;

/// What a network does to each datagram, media or not.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// The share that is lost: 0 to 1.
    pub loss: f64,
    /// On its way, on average.
    pub delay: Duration,
    /// So much more or less than that, each as likely as another.
    pub jitter: Duration,
}

/// One direction under its conditions.
pub(super) struct Fate {
    conditions: Conditions,
    state: u64,
}

impl Fate {
    pub(super) fn new(conditions: Conditions, seed: u64) -> Self {
        let state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Self { conditions, state }
    }

    /// How long the next datagram is on its way; `None` if it is lost.
    pub(super) fn next(&mut self) -> Option<Duration> {
        // Both are drawn each time: what is lost does not depend on what is delayed.
        let (loss, place) = (self.draw(), self.draw());
        let Conditions {
            loss: share,
            delay,
            jitter,
        } = self.conditions;
        (loss >= share).then(|| (delay + jitter.mul_f64(2.0 * place)).saturating_sub(jitter))
    }

    /// From 0 to 1 (xorshift64*).
    fn draw(&mut self) -> f64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let bits = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUGH: Conditions = Conditions {
        loss: 0.05,
        delay: Duration::from_millis(50),
        jitter: Duration::from_millis(15),
    };

    #[test]
    fn a_twentieth_is_lost_and_the_rest_comes_within_the_jitter() {
        let mut fate = Fate::new(ROUGH, 1);
        let all: Vec<_> = (0..20_000).map(|_| fate.next()).collect();
        let carried: Vec<_> = all.iter().flatten().collect();
        let lost = all.len() - carried.len();
        assert!((800..1_200).contains(&lost), "{lost}");
        let bounds = ROUGH.delay - ROUGH.jitter..ROUGH.delay + ROUGH.jitter;
        assert!(
            carried
                .iter()
                .all(|after| bounds.contains::<Duration>(after))
        );
        let mean = carried.iter().copied().sum::<Duration>() / carried.len() as u32;
        assert!(mean.abs_diff(ROUGH.delay) < Duration::from_millis(1));
    }

    #[test]
    fn the_same_seed_does_the_same() {
        let fates = |seed| {
            let mut fate = Fate::new(ROUGH, seed);
            (0..100).map(|_| fate.next()).collect::<Vec<_>>()
        };
        assert_eq!(fates(3), fates(3));
        assert_ne!(fates(3), fates(4));
    }

    #[test]
    fn without_conditions_all_is_carried_at_once() {
        let mut fate = Fate::new(Conditions::default(), 1);
        assert!((0..1_000).all(|_| fate.next() == Some(Duration::ZERO)));
    }
}
