//! One RTP packet as a view of its bytes (RFC 3550, header extensions as in RFC 8285). It never copies,
//! never panics, and refuses every length that does not add up.

const FIXED_HEADER: usize = 12;

/// A parsed RTP packet, borrowing its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence_number: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    /// Without the padding. Empty for packets that only probe the path.
    pub(crate) payload: &'a [u8],
    /// Bytes before the payload: fixed header, CSRCs and extensions.
    pub(crate) header_len: usize,
    extensions: Extensions<'a>,
}

impl<'a> Packet<'a> {
    /// Read a packet that is not encrypted.
    pub(crate) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let fixed: &[u8; FIXED_HEADER] = datagram.first_chunk()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let contributors = usize::from(fixed[0] & 0x0f) * 4;
        let mut header_len = FIXED_HEADER + contributors;
        let mut extensions = Extensions::NONE;
        if fixed[0] & 0x10 != 0 {
            let [profile_high, profile_low, length_high, length_low] =
                *datagram.get(header_len..)?.first_chunk()?;
            let start = header_len + 4;
            let length = usize::from(u16::from_be_bytes([length_high, length_low])) * 4;
            let block = datagram.get(start..start + length)?;
            extensions =
                Extensions::in_block(u16::from_be_bytes([profile_high, profile_low]), block);
            if !extensions.are_whole() {
                return None;
            }
            header_len = start + length;
        }
        let body = datagram.get(header_len..)?;
        let padding_len = if fixed[0] & 0x20 != 0 {
            usize::from(*body.last()?)
        } else {
            0
        };
        if fixed[0] & 0x20 != 0 && padding_len == 0 {
            return None;
        }
        let payload = body.get(..body.len().checked_sub(padding_len)?)?;
        Some(Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence_number: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            payload,
            header_len,
            extensions,
        })
    }

    /// The value of the header extension with this number: the first, should there be several.
    pub(crate) fn extension(&self, id: u8) -> Option<&'a [u8]> {
        self.extensions()
            .find(|&(other, _)| other == id)
            .map(|(_, value)| value)
    }

    /// All header extensions in the order of the packet: number and value.
    pub(crate) fn extensions(&self) -> Extensions<'a> {
        self.extensions
    }
}

/// Whether a datagram is RTP or RTCP rather than STUN or DTLS (RFC 7983).
pub(crate) fn is_rtp_or_rtcp(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first >> 6 == 2)
}

/// Whether a datagram is RTCP rather than RTP (RFC 5761, section 4), encrypted or not.
pub(crate) fn is_rtcp(datagram: &[u8]) -> bool {
    is_rtp_or_rtcp(datagram)
        && datagram
            .get(1)
            .is_some_and(|packet_type| (192..=223).contains(packet_type))
}

/// Iterates over the elements of an extension block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extensions<'a> {
    form: Form,
    rest: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    OneByte,
    TwoByte,
}

impl<'a> Extensions<'a> {
    const NONE: Self = Self {
        form: Form::OneByte,
        rest: &[],
    };

    fn in_block(profile: u16, block: &'a [u8]) -> Self {
        match profile {
            0xbede => Self {
                form: Form::OneByte,
                rest: block,
            },
            // The low four bits are the application's.
            0x1000..=0x100f => Self {
                form: Form::TwoByte,
                rest: block,
            },
            // Some other profile's extension: passed over, as RFC 3550 section 5.3.1 allows.
            _ => Self::NONE,
        }
    }

    /// Whether no element claims more bytes than the block has.
    fn are_whole(mut self) -> bool {
        while self.next().is_some() {}
        self.rest.is_empty()
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    /// Stops at the end or at an element that is not whole, and only then leaves bytes behind.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&first, rest) = self.rest.split_first()?;
            if first == 0 {
                // A single byte of padding, in both forms.
                self.rest = rest;
                continue;
            }
            let (id, length, rest) = match self.form {
                Form::OneByte => match first >> 4 {
                    // Section 4.2: nothing behind such an element is to be read.
                    0 | 15 => {
                        self.rest = &[];
                        return None;
                    }
                    id => (id, usize::from(first & 0x0f) + 1, rest),
                },
                Form::TwoByte => {
                    let (&length, rest) = rest.split_first()?;
                    (first, usize::from(length), rest)
                }
            };
            let (value, rest) = rest.split_at_checked(length)?;
            self.rest = rest;
            return Some((id, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::seeded::Seeded;

    const PLAIN: [u8; 15] = [
        0x80, 0xe0, 0x12, 0x34, 1, 2, 3, 4, 0xca, 0xfe, 0xba, 0xbe, 7, 8, 9,
    ];
    /// One-byte extensions 1 (two bytes), padding, 3 (one byte), padding; a payload of two bytes; 3 of padding.
    const FULL: [u8; 33] = [
        0xb1, 0x60, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, // fixed
        9, 9, 9, 9, // one CSRC
        0xbe, 0xde, 0, 2, 0x11, 0xaa, 0xbb, 0, 0x30, 0xcc, 0, 0, // extensions
        0x55, 0x66, 0, 0, 3, // payload and padding
    ];

    #[test]
    fn a_plain_packet_is_read() {
        let packet = Packet::parse(&PLAIN).expect("whole");
        assert!(packet.marker);
        assert_eq!(packet.payload_type, 96);
        assert_eq!(packet.sequence_number, 0x1234);
        assert_eq!(packet.timestamp, 0x0102_0304);
        assert_eq!(packet.ssrc, 0xcafe_babe);
        assert_eq!(packet.payload, [7, 8, 9]);
        assert_eq!(packet.header_len, 12);
        assert_eq!(packet.extensions().count(), 0);
    }

    #[test]
    fn contributors_extensions_and_padding_are_told_from_the_payload() {
        let packet = Packet::parse(&FULL).expect("whole");
        assert!(!packet.marker);
        assert_eq!(packet.payload, [0x55, 0x66]);
        assert_eq!(packet.header_len, 28);
        assert_eq!(packet.extension(1), Some(&[0xaa, 0xbb][..]));
        assert_eq!(packet.extension(3), Some(&[0xcc][..]));
        assert_eq!(packet.extension(2), None);
        assert_eq!(
            packet.extensions().map(|(id, _)| id).collect::<Vec<_>>(),
            [1, 3]
        );
    }

    #[test]
    fn two_byte_extensions_may_be_empty_long_and_numbered_above_14() {
        let mut bytes = vec![0x90, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0x10, 0x05, 0, 7];
        bytes.extend([4, 1, 0xdd, 200, 0, 0, 7, 17]);
        bytes.extend([0xee; 17]);
        bytes.extend([0, 0, 0, 0x55]);
        let packet = Packet::parse(&bytes).expect("whole");
        assert_eq!(packet.extension(4), Some(&[0xdd][..]));
        assert_eq!(packet.extension(200), Some(&[][..]));
        assert_eq!(packet.extension(7), Some(&[0xee; 17][..]));
        assert_eq!(
            (packet.extensions().count(), packet.payload),
            (3, &[0x55][..])
        );
    }

    #[test]
    fn reading_stops_at_the_reserved_number_15_and_the_packet_is_good() {
        let bytes = [
            0x90, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xbe, 0xde, 0, 1, 0x10, 0xaa, 0xff, 0x20, 0x55,
        ];
        let packet = Packet::parse(&bytes).expect("whole");
        assert_eq!(packet.extensions().collect::<Vec<_>>(), [(1, &[0xaa][..])]);
        assert_eq!(packet.payload, [0x55]);
    }

    #[test]
    fn the_extension_of_another_profile_is_passed_over() {
        let bytes = [
            0x90, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xab, 0xcd, 0, 1, 0x1f, 0xff, 0xff, 0xff, 0x55,
        ];
        let packet = Packet::parse(&bytes).expect("whole");
        assert_eq!(packet.extensions().count(), 0);
        assert_eq!(packet.payload, [0x55]);
    }

    #[test]
    fn a_packet_of_padding_alone_has_an_empty_payload() {
        let packet =
            Packet::parse(&[0xa0, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]).expect("whole");
        assert!(packet.payload.is_empty());
    }

    #[test]
    fn every_length_that_does_not_add_up_is_refused() {
        for length in 0..28 {
            assert!(Packet::parse(&FULL[..length]).is_none(), "{length} bytes");
        }
        let with = |index: usize, value: u8| {
            let mut bytes = FULL;
            bytes[index] = value;
            Packet::parse(&bytes).is_none()
        };
        assert!(with(0, 0x71), "version 1");
        assert!(with(0, 0xf1), "version 3");
        assert!(with(32, 0), "padding of no bytes");
        assert!(with(32, 6), "more padding than body");
        assert!(!with(32, 5), "all of the body is padding");
        assert!(with(19, 5), "an extension block longer than the packet");
        assert!(with(20, 0x18), "a one-byte element longer than its block");
        assert!(
            Packet::parse(&[0xa0, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]).is_none(),
            "padding without a byte"
        );
        let two_byte = |element: [u8; 4]| {
            let mut bytes = vec![0x90, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0x10, 0, 0, 1];
            bytes.extend(element);
            Packet::parse(&bytes).is_none()
        };
        assert!(
            two_byte([1, 3, 0, 0]),
            "a two-byte element longer than its block"
        );
        assert!(two_byte([0, 0, 0, 9]), "a number without a length");
        assert!(!two_byte([1, 2, 0, 0]));
    }

    #[test]
    fn rtcp_is_told_from_rtp_with_a_marker() {
        assert!(is_rtcp(&[0x80, 200, 0, 0]) && is_rtcp(&[0x81, 206]));
        assert!(is_rtcp(&[0x80, 192]) && is_rtcp(&[0x80, 223]));
        assert!(
            !is_rtcp(&[0x80, 191]) && !is_rtcp(&[0x80, 224]),
            "marker with payload types 63 and 96"
        );
        assert!(!is_rtcp(&[0x80]) && !is_rtcp(&[]) && !is_rtcp(&[0x16, 200]));
        assert!(is_rtp_or_rtcp(&[0xbf]) && !is_rtp_or_rtcp(&[0xc0]) && !is_rtp_or_rtcp(&[0x7f]));
    }

    #[test]
    fn what_is_accepted_of_random_bytes_adds_up_to_the_datagram() {
        let mut random = Seeded::new(2);
        let mut accepted = 0;
        for _ in 0..100_000 {
            let length = random.below(60);
            let bytes = if random.chance(20) {
                random.bytes(length)
            } else {
                random.mutate(&FULL)
            };
            let Some(packet) = Packet::parse(&bytes) else {
                continue;
            };
            accepted += 1;
            let padding = match bytes[0] & 0x20 {
                0 => 0,
                _ => usize::from(bytes[bytes.len() - 1]),
            };
            assert_eq!(
                packet.header_len + packet.payload.len() + padding,
                bytes.len()
            );
            let described: usize = packet.extensions().map(|(_, value)| value.len() + 1).sum();
            assert!(described <= packet.header_len - 12);
        }
        assert!(
            (10_000..95_000).contains(&accepted),
            "{accepted} accepted: both ways are exercised"
        );
    }
}
