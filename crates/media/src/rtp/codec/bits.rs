//! Bits of a header, one after the other, and the numbers that specifications write with them. At the end of the
//! bytes it gives nothing more, and it never allocates.

/// Bits, the highest first.
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        let byte = *self.bytes.get(self.position / 8)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Some(bit == 1)
    }

    /// A number of so many bits; of more than 32 the last 32.
    pub(crate) fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0_u32;
        for _ in 0..count {
            value = value << 1 | u32::from(self.flag()?);
        }
        Some(value)
    }

    /// A number below `bound`, in as few bits as it can be told (`ns(n)` of AV1).
    pub(crate) fn read_below(&mut self, bound: u32) -> Option<u32> {
        let width = bound.checked_ilog2()? + 1;
        let short = (1_u32 << width) - bound;
        let value = self.read(width - 1)?;
        if value < short {
            return Some(value);
        }
        Some((value << 1 | u32::from(self.flag()?)) - short)
    }

    /// A number in Exp-Golomb code: `ue(v)` of H.264 (section 9.1), `uvlc()` of AV1. At most 31 leading zeros.
    pub(crate) fn read_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.read(zeros)?;
        Some(((1_u64 << zeros) - 1) as u32 + rest)
    }

    /// The same with a sign: `se(v)` of H.264 (section 9.1.1).
    pub(crate) fn read_signed_golomb(&mut self) -> Option<i64> {
        let code = i64::from(self.read_golomb()?);
        Some(if code % 2 == 0 {
            -code / 2
        } else {
            code / 2 + 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_exp_golomb_are_those_of_the_specification() {
        // 1, 010, 011, 00100, 00101: 0 to 4.
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let numbers: Vec<_> = std::iter::repeat_with(|| bits.read_golomb())
            .take(5)
            .collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4].map(Some));
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let signed: Vec<_> = std::iter::repeat_with(|| bits.read_signed_golomb())
            .take(5)
            .collect();
        assert_eq!(signed, [0, 1, -1, 2, -2].map(Some));
    }

    #[test]
    fn a_number_that_is_cut_off_or_too_long_is_none() {
        assert_eq!(Bits::new(&[0x00]).read_golomb(), None);
        assert_eq!(Bits::new(&[0; 20]).read_golomb(), None);
        let largest = [0x00, 0x00, 0x00, 0x01, 0xff, 0xff, 0xff, 0xfe];
        assert_eq!(Bits::new(&largest).read_golomb(), Some(u32::MAX - 1));
    }
}
