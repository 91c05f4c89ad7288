//! Which of a row of numbers came, which is missing, which came twice or late. It knows nothing of packets.

use std::collections::BTreeSet;

/// Missing numbers that are remembered; of more than these it is only known how many they were.
const REMEMBERED: usize = 16_384;

/// An account of numbers that should come each once and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderLog {
    first: Option<u64>,
    highest: Option<u64>,
    missing: BTreeSet<u64>,
    given_up: u64,
    duplicated: u64,
    reordered: u64,
}

impl OrderLog {
    /// A number came.
    pub fn add(&mut self, number: u64) {
        let Some(highest) = self.highest else {
            self.first = Some(number);
            self.highest = Some(number);
            return;
        };
        if number <= highest {
            match self.missing.remove(&number) {
                true => self.reordered += 1,
                false if Some(number) < self.first => self.reordered += 1,
                false => self.duplicated += 1,
            }
            return;
        }
        self.highest = Some(number);
        let gap = number - highest - 1;
        let remembered = gap.min((REMEMBERED - self.missing.len()) as u64);
        self.missing.extend(highest + 1..highest + 1 + remembered);
        self.given_up += gap - remembered;
    }

    /// The next 16 bits of a number that wraps around, as RTP's sequence number does.
    pub fn add_wrapping(&mut self, number: u16) {
        let number = match self.highest {
            // Room below for what comes late at the very start.
            None => (1 << 16) | u64::from(number),
            Some(highest) => {
                let step = number.wrapping_sub(highest as u16) as i16;
                highest.saturating_add_signed(i64::from(step))
            }
        };
        self.add(number);
    }

    /// The numbers begin anew; what was counted stays counted.
    pub fn begin_anew(&mut self) {
        self.given_up += self.missing.len() as u64;
        self.missing.clear();
        self.first = None;
        self.highest = None;
    }

    /// The first number that came.
    pub fn first(&self) -> Option<u64> {
        self.first
    }

    /// The highest number that came.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Numbers between the first and the highest that did not come.
    pub fn lost(&self) -> u64 {
        self.missing.len() as u64 + self.given_up
    }

    /// Numbers that came again.
    pub fn duplicated(&self) -> u64 {
        self.duplicated
    }

    /// Numbers that came after a higher one.
    pub fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Each came once and in order.
    pub fn is_perfect(&self) -> bool {
        self.lost() == 0 && self.duplicated == 0 && self.reordered == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(numbers: &[u64]) -> (u64, u64, u64) {
        let mut log = OrderLog::default();
        numbers.iter().for_each(|&number| log.add(number));
        (log.lost(), log.duplicated(), log.reordered())
    }

    #[test]
    fn lost_doubled_and_late_numbers_are_each_counted_once() {
        assert_eq!(log(&[5, 6, 7]), (0, 0, 0));
        assert_eq!(log(&[5, 7, 8]), (1, 0, 0));
        assert_eq!(log(&[5, 6, 6, 7, 5]), (0, 2, 0));
        assert_eq!(log(&[5, 7, 6, 8]), (0, 0, 1));
        assert_eq!(log(&[5, 7, 6, 6]), (0, 1, 1));
        assert_eq!(log(&[5, 4]), (0, 0, 1));
    }

    #[test]
    fn a_sequence_number_that_wraps_around_is_no_gap() {
        let mut log = OrderLog::default();
        [65_534, 65_535, 0, 1, 3, 2]
            .into_iter()
            .for_each(|number| log.add_wrapping(number));
        assert_eq!((log.lost(), log.duplicated(), log.reordered()), (0, 0, 1));
    }

    #[test]
    fn an_enormous_gap_costs_no_memory() {
        let mut log = OrderLog::default();
        log.add(0);
        log.add(u64::MAX);
        assert_eq!(log.lost(), u64::MAX - 1);
        assert_eq!(log.missing.len(), REMEMBERED);
    }
}
