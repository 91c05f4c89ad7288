//! The header of an RTP packet, as far as a receiver needs it (RFC 3550 section 5.1, RFC 8285). It copies
//! nothing and allocates nothing.

/// The header of an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of it, extensions included.
    pub(super) length: usize,
    pub(super) has_padding: bool,
    pub(super) marker: bool,
    pub(super) payload_type: u8,
    pub(super) sequence_number: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
}

impl Header {
    /// `None`: no RTP.
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        let fixed: &[u8; 12] = packet.first_chunk()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let mut length = 12 + 4 * usize::from(fixed[0] & 0x0f);
        if fixed[0] & 0x10 != 0 {
            let words: [u8; 2] = packet.get(length + 2..length + 4)?.try_into().ok()?;
            length += 4 + 4 * usize::from(u16::from_be_bytes(words));
        }
        (length <= packet.len()).then_some(Self {
            length,
            has_padding: fixed[0] & 0x20 != 0,
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence_number: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        })
    }
}

/// The value of a one-byte header extension, in a packet whose header was read.
pub(super) fn extension<'a>(packet: &'a [u8], header: &Header, id: u8) -> Option<&'a [u8]> {
    if packet.first()? & 0x10 == 0 {
        return None;
    }
    let at = 12 + 4 * usize::from(packet[0] & 0x0f);
    let (profile, mut rest) = (packet.get(at..at + 2)?, packet.get(at + 4..header.length)?);
    if profile != [0xbe, 0xde] {
        return None;
    }
    while let [first, after @ ..] = rest {
        if *first == 0 {
            rest = after;
            continue;
        }
        let length = usize::from(first & 0x0f) + 1;
        let value = after.get(..length)?;
        if first >> 4 == id {
            return Some(value);
        }
        rest = &after[length..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_with_extensions_is_read() {
        let mut packet = vec![0xb0, 0x80 | 96, 1, 2, 0, 0, 0, 9, 0, 0, 0, 7];
        packet.extend([0xbe, 0xde, 0, 2, 0x10, 0xaa, 0x31, 0x12, 0x34, 0, 0, 0]);
        packet.extend([1, 2, 3]);
        let header = Header::read(&packet).unwrap();
        assert_eq!((header.length, header.payload_type), (24, 96));
        assert!(header.marker && header.has_padding);
        assert_eq!(
            (header.sequence_number, header.timestamp, header.ssrc),
            (0x102, 9, 7)
        );
        assert_eq!(extension(&packet, &header, 3), Some(&[0x12, 0x34][..]));
        assert_eq!(extension(&packet, &header, 2), None);
        for length in 0..24 {
            assert_eq!(Header::read(&packet[..length]), None);
        }
    }
}
