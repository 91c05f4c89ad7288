//! RTP packets of the crowd as bytes: a header with the extensions that were negotiated, and a payload
//! behind it. It knows neither when nor where they are sent.

use bytes::Bytes;

use crate::crowd::Extensions;

/// What the header of a packet says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) marker: bool,
    pub(super) payload_type: u8,
    pub(super) sequence_number: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
    pub(super) mid: &'a str,
    pub(super) rid: Option<&'a str>,
    /// A retransmission: its rid goes under another name (RFC 8852 section 3.2).
    pub(super) is_repair: bool,
    /// How loud, for sound (RFC 6464).
    pub(super) audio_level: Option<u8>,
}

/// Append a header to a buffer. Gives its length.
pub(super) fn write_head(buffer: &mut Vec<u8>, head: &Head<'_>, extensions: &Extensions) -> usize {
    let start = buffer.len();
    let marker = u8::from(head.marker) << 7;
    buffer.extend_from_slice(&[0x90, marker | head.payload_type]);
    buffer.extend_from_slice(&head.sequence_number.to_be_bytes());
    buffer.extend_from_slice(&head.timestamp.to_be_bytes());
    buffer.extend_from_slice(&head.ssrc.to_be_bytes());
    // RFC 8285 section 4.2, one-byte headers.
    buffer.extend_from_slice(&[0xbe, 0xde, 0, 0]);
    let values = buffer.len();
    let rid_id = match head.is_repair {
        true => extensions.repaired_rid,
        false => extensions.rid,
    };
    put(buffer, extensions.mid, Some(head.mid.as_bytes()));
    put(buffer, rid_id, head.rid.map(str::as_bytes));
    let level = head.audio_level.map(|level| [level]);
    put(
        buffer,
        extensions.audio_level,
        level.as_ref().map(<[u8; 1]>::as_slice),
    );
    while !(buffer.len() - values).is_multiple_of(4) {
        buffer.push(0);
    }
    let words = ((buffer.len() - values) / 4) as u16;
    buffer[values - 2..values].copy_from_slice(&words.to_be_bytes());
    buffer.len() - start
}

fn put(buffer: &mut Vec<u8>, id: Option<u8>, value: Option<&[u8]>) {
    if let (Some(id @ 1..=14), Some(value)) = (id, value)
        && (1..=16).contains(&value.len())
    {
        buffer.push(id << 4 | (value.len() - 1) as u8);
        buffer.extend_from_slice(value);
    }
}

/// Append a payload: in a retransmission the number that the packet had comes first (RFC 4588 section 4).
pub(super) fn write_body(buffer: &mut Vec<u8>, original: Option<u16>, payload: &Bytes) {
    if let Some(number) = original {
        buffer.extend_from_slice(&number.to_be_bytes());
    }
    buffer.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use rtc::rtp;
    use rtc::shared::marshal::Unmarshal;

    use super::*;

    #[test]
    fn another_implementation_reads_what_is_written() {
        let extensions = Extensions {
            mid: Some(4),
            rid: Some(10),
            repaired_rid: Some(11),
            audio_level: Some(1),
            transport_cc: None,
        };
        for is_repair in [false, true] {
            let head = Head {
                marker: true,
                payload_type: 96,
                sequence_number: 500,
                timestamp: 90_000,
                ssrc: 77,
                mid: "12",
                rid: Some("f"),
                is_repair,
                audio_level: Some(0x80 | 30),
            };
            let mut buffer = vec![1];
            let length = write_head(&mut buffer, &head, &extensions);
            write_body(
                &mut buffer,
                is_repair.then_some(499),
                &Bytes::from_static(b"body"),
            );
            let packet = rtp::Packet::unmarshal(&mut &buffer[1..]).unwrap();
            let read = &packet.header;
            assert!(read.marker && read.payload_type == 96 && read.ssrc == 77);
            assert_eq!((read.sequence_number, read.timestamp), (500, 90_000));
            assert_eq!(read.get_extension(4).unwrap(), b"12"[..]);
            assert_eq!(
                read.get_extension(if is_repair { 11 } else { 10 }).unwrap(),
                b"f"[..]
            );
            assert_eq!(read.get_extension(1).unwrap(), [0x80 | 30][..]);
            let body = if is_repair {
                &b"\x01\xf3body"[..]
            } else {
                b"body"
            };
            assert_eq!(packet.payload, body);
            assert_eq!(buffer.len() - 1 - length, body.len());
        }
    }
}
