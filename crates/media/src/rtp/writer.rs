//! Writes an RTP packet's header: its fixed part and its extensions. The payload is the caller's to append. It
//! never encrypts, and never allocates once the buffer has its size.

/// The fixed header of a packet to be written. No CSRCs, no padding: a forwarded packet needs neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) marker: bool,
    /// 7 bits.
    pub(crate) payload_type: u8,
    pub(crate) sequence_number: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
}

/// Append a packet's header. Gives where in `buffer` the payload begins.
///
/// Extensions take the one-byte form (RFC 8285, section 4.2) if all have a number up to 14 and 1 to 16 bytes,
/// else the two-byte form, which a receiver must have agreed to (`extmap-allow-mixed`, or a number above 14).
/// Numbers are 1 to 255 and values have at most 255 bytes; what exceeds this is left out.
pub(crate) fn write_header(
    buffer: &mut Vec<u8>,
    header: &Header,
    extensions: &[(u8, &[u8])],
) -> usize {
    debug_assert!(
        header.payload_type < 128,
        "payload type {}",
        header.payload_type
    );
    debug_assert!(extensions.iter().all(is_writable), "{extensions:?}");
    let has_extensions = extensions.iter().any(is_writable);
    let mut fixed = [0; 12];
    fixed[0] = if has_extensions { 0x90 } else { 0x80 };
    fixed[1] = u8::from(header.marker) << 7 | header.payload_type & 0x7f;
    fixed[2..4].copy_from_slice(&header.sequence_number.to_be_bytes());
    fixed[4..8].copy_from_slice(&header.timestamp.to_be_bytes());
    fixed[8..].copy_from_slice(&header.ssrc.to_be_bytes());
    buffer.extend_from_slice(&fixed);
    match extensions {
        // Most packets have a transport-wide number and nothing else.
        &[(id @ 1..=14, &[high, low])] => {
            buffer.extend_from_slice(&[0xbe, 0xde, 0, 1, id << 4 | 1, high, low, 0]);
        }
        _ if has_extensions => write_extensions(buffer, extensions),
        _ => {}
    }
    buffer.len()
}

fn write_extensions(buffer: &mut Vec<u8>, extensions: &[(u8, &[u8])]) {
    let one_byte = extensions
        .iter()
        .all(|&(id, value)| id <= 14 && (1..=16).contains(&value.len()));
    buffer.extend_from_slice(if one_byte {
        &[0xbe, 0xde]
    } else {
        &[0x10, 0x00]
    });
    let length_at = buffer.len();
    buffer.extend_from_slice(&[0, 0]);
    let block = buffer.len();
    for &(id, value) in extensions.iter().filter(|extension| is_writable(extension)) {
        if one_byte {
            buffer.push(id << 4 | (value.len() - 1) as u8);
        } else {
            buffer.extend_from_slice(&[id, value.len() as u8]);
        }
        buffer.extend_from_slice(value);
    }
    while !(buffer.len() - block).is_multiple_of(4) {
        buffer.push(0);
    }
    // 255 extensions of 255 bytes are 16,384 words: they fit.
    let words = ((buffer.len() - block) / 4) as u16;
    buffer[length_at..length_at + 2].copy_from_slice(&words.to_be_bytes());
}

fn is_writable(&(id, value): &(u8, &[u8])) -> bool {
    id != 0 && value.len() <= 255
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::packet::Packet;
    use crate::rtp::seeded::Seeded;

    const HEADER: Header = Header {
        marker: true,
        payload_type: 111,
        sequence_number: 0xfffe,
        timestamp: 0x0102_0304,
        ssrc: 0xcafe_babe,
    };
    const FIXED: [u8; 11] = [0xef, 0xff, 0xfe, 1, 2, 3, 4, 0xca, 0xfe, 0xba, 0xbe];

    fn written(extensions: &[(u8, &[u8])], payload: &[u8]) -> Vec<u8> {
        let mut buffer = Vec::new();
        write_header(&mut buffer, &HEADER, extensions);
        buffer.extend_from_slice(payload);
        buffer
    }

    #[test]
    fn no_extensions_no_block() {
        assert_eq!(
            written(&[], &[5, 6]),
            [&[0x80], &FIXED[..], &[5, 6]].concat()
        );
    }

    #[test]
    fn short_extensions_take_the_one_byte_form() {
        let expected = [0xbe, 0xde, 0, 2, 0x10, 0xaa, 0xe2, 1, 2, 3, 0, 0, 5];
        assert_eq!(
            written(&[(1, &[0xaa]), (14, &[1, 2, 3])], &[5]),
            [&[0x90], &FIXED[..], &expected].concat()
        );
    }

    #[test]
    fn an_empty_long_or_high_numbered_extension_brings_the_two_byte_form() {
        let expected = [0x10, 0, 0, 2, 1, 1, 0xaa, 15, 1, 0xbb, 0, 0, 5];
        assert_eq!(
            written(&[(1, &[0xaa]), (15, &[0xbb])], &[5]),
            [&[0x90], &FIXED[..], &expected].concat()
        );
        let expected = [0x10, 0, 0, 1, 1, 0, 0, 0];
        assert_eq!(
            written(&[(1, &[])], &[]),
            [&[0x90], &FIXED[..], &expected].concat()
        );
        assert_eq!(written(&[(1, &[7; 16])], &[])[12..16], [0xbe, 0xde, 0, 5]);
        assert_eq!(written(&[(1, &[7; 17])], &[])[12..16], [0x10, 0, 0, 5]);
    }

    #[test]
    fn a_header_is_appended_and_tells_where_the_payload_begins() {
        let mut buffer = vec![1, 2, 3];
        let payload_start = write_header(&mut buffer, &HEADER, &[(1, &[0xaa])]);
        assert_eq!(buffer[..4], [1, 2, 3, 0x90]);
        assert_eq!(payload_start, 3 + 12 + 8);
        assert_eq!(buffer.len(), payload_start);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut random = Seeded::new(3);
        let mut buffer = Vec::new();
        for _ in 0..20_000 {
            let header = Header {
                marker: random.chance(50),
                payload_type: random.byte() & 0x7f,
                sequence_number: random.next() as u16,
                timestamp: random.next() as u32,
                ssrc: random.next() as u32,
            };
            let (greatest_id, longest) = if random.chance(50) {
                (14, 16)
            } else {
                (255, 40)
            };
            let mut values: Vec<(u8, Vec<u8>)> = Vec::new();
            for _ in 0..random.below(6) {
                let id = 1 + random.below(greatest_id) as u8;
                let length = random.below(longest + 1);
                if values.iter().all(|(other, _)| *other != id) {
                    values.push((id, random.bytes(length)));
                }
            }
            let extensions: Vec<(u8, &[u8])> =
                values.iter().map(|(id, value)| (*id, &value[..])).collect();
            let payload_length = random.below(30);
            let payload = random.bytes(payload_length);
            buffer.clear();
            write_header(&mut buffer, &header, &extensions);
            buffer.extend_from_slice(&payload);
            let packet = Packet::parse(&buffer).expect("what is written is whole");
            let read = Header {
                marker: packet.marker,
                payload_type: packet.payload_type,
                sequence_number: packet.sequence_number,
                timestamp: packet.timestamp,
                ssrc: packet.ssrc,
            };
            assert_eq!(read, header);
            assert_eq!(packet.extensions().collect::<Vec<_>>(), extensions);
            assert_eq!(packet.payload, payload);
            assert_eq!(packet.header_len % 4, 0);
        }
    }
}
