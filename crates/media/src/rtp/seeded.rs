//! Random numbers from a seed, for tests: the same seed gives the same run. Never used outside tests.

/// SplitMix64.
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    pub(crate) fn bytes(&mut self, length: u64) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    /// Change, cut or lengthen a few bytes of a good example, so that a parser gets past its first check.
    pub(crate) fn mutate(&mut self, example: &[u8]) -> Vec<u8> {
        let mut bytes = example.to_vec();
        for _ in 0..1 + self.below(4) {
            match self.below(4) {
                0 => bytes.truncate(self.below(bytes.len() as u64 + 1) as usize),
                1 => bytes.push(self.byte()),
                _ if bytes.is_empty() => {}
                _ => {
                    let index = self.below(bytes.len() as u64) as usize;
                    bytes[index] = self.byte();
                }
            }
        }
        bytes
    }
}
