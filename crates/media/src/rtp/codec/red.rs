//! RED (RFC 2198) as browsers send it: a packet of Opus with a few earlier ones before it, so that a lost packet
//! comes again with the next. It finds the newest one and renumbers the blocks; it never decodes.

/// Earlier packets that one may carry: Chromium sends 1, and up to 9 if told to.
const REDUNDANT: usize = 9;
/// Of a redundant block's header: a flag and payload type, 14 bits of time, 10 bits of length.
const HEADER: usize = 4;

/// Where the blocks of a payload are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Red {
    redundant: usize,
    /// Where the newest block begins: it goes on to the end.
    primary: usize,
}

impl Red {
    /// Read the headers of a payload whose blocks must all be of the payload type `opus`, as `a=fmtp` promised.
    /// `None` if they are not, lengths do not add up, or nothing is left for the newest block.
    pub(crate) fn parse(payload: &[u8], opus: u8) -> Option<Self> {
        let mut at = 0;
        let mut redundant = 0;
        let mut redundant_bytes = 0;
        loop {
            let first = *payload.get(at)?;
            if first & 0x7F != opus {
                return None;
            }
            if first & 0x80 == 0 {
                break;
            }
            let &[_, _, high, low] = payload.get(at..at + HEADER)? else {
                return None;
            };
            redundant += 1;
            if redundant > REDUNDANT {
                return None;
            }
            redundant_bytes += usize::from(u16::from_be_bytes([high & 0x03, low]));
            at += HEADER;
        }
        let primary = at + 1 + redundant_bytes;
        (primary < payload.len()).then_some(Self { redundant, primary })
    }

    /// The newest block alone, as a receiver without RED reads it.
    pub(crate) fn primary<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        payload.get(self.primary..).unwrap_or_default()
    }

    /// Give all blocks of a payload another payload type: that of the receiver's section.
    pub(crate) fn renumber(&self, payload: &mut [u8], opus: u8) {
        for block in 0..=self.redundant {
            if let Some(first) = payload.get_mut(block * HEADER) {
                *first = *first & 0x80 | opus & 0x7F;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::seeded::Seeded;

    /// As Chromium 156 sends it: the packet before, 960 ticks ago, and the present one.
    const TWO: [u8; 12] = [
        0xEF, 0x0F, 0x00, 0x03, 0x6F, 0xA1, 0xA2, 0xA3, 0xB1, 0xB2, 0xB3, 0xB4,
    ];

    #[test]
    fn the_newest_block_is_what_the_lengths_of_the_others_leave() {
        let red = Red::parse(&TWO, 111).unwrap();
        assert_eq!(red.primary(&TWO), [0xB1, 0xB2, 0xB3, 0xB4]);
        let alone = [0x6F, 0xB1];
        assert_eq!(Red::parse(&alone, 111).unwrap().primary(&alone), [0xB1]);
        // After silence there is a redundant block with nothing in it.
        let empty = [0xEF, 0, 0, 0, 0x6F, 0xB1, 0xB2];
        assert_eq!(
            Red::parse(&empty, 111).unwrap().primary(&empty),
            [0xB1, 0xB2]
        );
    }

    #[test]
    fn lengths_have_ten_bits_and_the_time_before_them_is_none_of_theirs() {
        let mut payload = vec![0xEF, 0xFF, 0xFE, 0x02, 0x6F];
        payload.extend([7; 0x202]);
        payload.push(0xB1);
        assert_eq!(
            Red::parse(&payload, 111).unwrap().primary(&payload),
            [0xB1],
            "0xFE is six bits of time and two of length"
        );
    }

    #[test]
    fn blocks_get_the_number_of_the_receivers_section_and_keep_their_bytes() {
        let mut payload = TWO;
        Red::parse(&TWO, 111).unwrap().renumber(&mut payload, 96);
        assert_eq!((payload[0], payload[4]), (0x80 | 96, 96));
        assert_eq!(payload[1..4], TWO[1..4]);
        assert_eq!(payload[5..], TWO[5..]);
        assert!(Red::parse(&payload, 96).is_some());
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        for length in 0..9 {
            assert_eq!(Red::parse(&TWO[..length], 111), None, "{length} bytes");
        }
        assert_eq!(Red::parse(&TWO, 110), None, "not the codec promised");
        let mut mixed = TWO;
        mixed[4] = 0;
        assert_eq!(Red::parse(&mixed, 111), None, "one block of another codec");
        let endless = [0xEF, 0, 0, 0].repeat(300);
        assert_eq!(Red::parse(&endless, 111), None);
        let many = [&[0xEF, 0, 0, 0].repeat(REDUNDANT)[..], &[0x6F, 1]].concat();
        assert!(Red::parse(&many, 111).is_some());
        assert_eq!(
            Red::parse(&[&[0xEF, 0, 0, 0], &many[..]].concat(), 111),
            None
        );
    }

    #[test]
    fn no_random_bytes_make_it_panic_and_what_is_read_is_within_the_payload() {
        let mut random = Seeded::new(9);
        let mut read = [0_u32; 2];
        for _ in 0..100_000 {
            let length = random.below(30);
            let mut payload = if random.chance(30) {
                random.bytes(length)
            } else {
                random.mutate(&TWO)
            };
            let red = Red::parse(&payload, 111);
            read[usize::from(red.is_some())] += 1;
            if let Some(red) = red {
                assert!(!red.primary(&payload).is_empty());
                red.renumber(&mut payload, 96);
                assert_eq!(Red::parse(&payload, 96), Some(red));
            }
        }
        assert!(read.iter().all(|&count| count > 1_000), "{read:?}");
    }
}
