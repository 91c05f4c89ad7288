//! The replay window of SRTP (RFC 3711 section 3.3.2): which of the last packets were seen.

/// Whether a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Not yet.
    No,
    /// Already, or too old to tell.
    Perhaps,
}

/// A bit for each of the last packets up to the furthest.
pub(crate) struct ReplayWindow {
    /// A ring: the bit of index `i` is at `i` modulo the window's size.
    bits: Box<[u64]>,
    furthest: Option<u64>,
}

impl ReplayWindow {
    /// A window of at least `size` packets: rounded up to a multiple of 64.
    pub(crate) fn new(size: usize) -> Self {
        Self {
            bits: vec![0; size.div_ceil(64).max(1)].into_boxed_slice(),
            furthest: None,
        }
    }

    fn size(&self) -> u64 {
        self.bits.len() as u64 * 64
    }

    fn place(&self, index: u64) -> (usize, u64) {
        let position = index % self.size();
        ((position / 64) as usize, 1 << (position % 64))
    }

    /// Was the packet with this index seen? Does not mark it: that is for `accept`, once it is authentic.
    pub(crate) fn check(&self, index: u64) -> Seen {
        match self.furthest {
            None => Seen::No,
            Some(furthest) if index > furthest => Seen::No,
            Some(furthest) if furthest - index >= self.size() => Seen::Perhaps,
            Some(_) => {
                let (word, bit) = self.place(index);
                if self.bits[word] & bit == 0 {
                    Seen::No
                } else {
                    Seen::Perhaps
                }
            }
        }
    }

    /// Mark a packet as seen.
    pub(crate) fn accept(&mut self, index: u64) {
        if let Some(furthest) = self.furthest.filter(|furthest| index > *furthest) {
            if index - furthest >= self.size() {
                self.bits.fill(0);
            } else {
                for passed in furthest + 1..index {
                    let (word, bit) = self.place(passed);
                    self.bits[word] &= !bit;
                }
            }
        }
        self.furthest = Some(self.furthest.map_or(index, |furthest| furthest.max(index)));
        let (word, bit) = self.place(index);
        self.bits[word] |= bit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packet_is_new_once_in_any_order_within_the_window() {
        let mut window = ReplayWindow::new(128);
        for index in [1000, 1002, 1001, 900, 1003, 5000, 4999, 4900] {
            assert_eq!(window.check(index), Seen::No, "{index}");
            window.accept(index);
            assert_eq!(window.check(index), Seen::Perhaps, "{index}");
        }
    }

    #[test]
    fn what_is_older_than_the_window_counts_as_seen() {
        let mut window = ReplayWindow::new(128);
        window.accept(1000);
        assert_eq!(window.check(1000 - 127), Seen::No);
        assert_eq!(window.check(1000 - 128), Seen::Perhaps);
    }

    #[test]
    fn a_bit_is_cleared_when_its_place_comes_round_again() {
        let mut window = ReplayWindow::new(64);
        window.accept(10);
        window.accept(80);
        assert_eq!(window.check(10 + 64), Seen::No);
    }
}
