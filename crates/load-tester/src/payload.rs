//! What a packet carries: the header bytes of its codec, then a mark that says who sent it, as which,
//! and when. Nothing here encodes or decodes sound or pictures.

use bytes::{BufMut, Bytes, BytesMut};
use protocol::{ParticipantId, TrackKind};

/// First bytes of every mark: "PLNM".
const MAGIC: u32 = 0x504c_4e4d;
/// Bytes of a mark: magic, publisher, counter, time.
const MARK_BYTES: usize = 4 + 8 + 8 + 8;
/// Opus' table of contents (RFC 6716 section 3.1): CELT, full band, 20 ms, stereo, one frame.
const OPUS_TOC: u8 = 0xfc;
/// VP8 payload descriptor (RFC 7741 section 4.2) as Chromium writes it: picture id of 15 bits,
/// TL0PICIDX, TID.
const VP8_DESCRIPTOR_BYTES: usize = 6;
/// Frame tag, start code and size of a VP8 key frame (RFC 6386 section 9.1).
const VP8_KEY_FRAME_HEADER: usize = 10;
/// Frame tag of any other VP8 frame.
const VP8_DELTA_FRAME_HEADER: usize = 3;

/// No packet is smaller: the longest codec header and the mark must fit.
pub const SMALLEST_PACKET_BYTES: usize = VP8_DESCRIPTOR_BYTES + VP8_KEY_FRAME_HEADER + MARK_BYTES;

/// Who sent a packet, as which, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The publisher.
    pub publisher: ParticipantId,
    /// From 0, one more for each packet of the track, without a gap.
    pub counter: u64,
    /// Microseconds since 1970, by the sender's clock.
    pub sent_at_us: u64,
}

/// Where a VP8 packet is in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The picture id: 15 bits.
    pub id: u16,
    /// Index of the base layer's picture: 8 bits.
    pub base_layer_index: u8,
    /// The packet begins its frame.
    pub begins_frame: bool,
    /// The packet begins a key frame.
    pub begins_key_frame: bool,
}

/// A packet, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its mark.
    pub mark: Mark,
    /// For video.
    pub picture: Option<Picture>,
    /// The bytes after the mark are as they were sent.
    pub intact: bool,
}

/// A packet of Opus: `bytes` in all.
pub fn write_audio(mark: Mark, bytes: usize) -> Bytes {
    let mut packet = BytesMut::with_capacity(bytes.max(SMALLEST_PACKET_BYTES));
    packet.put_u8(OPUS_TOC);
    put_mark(&mut packet, mark, bytes);
    packet.freeze()
}

/// A packet of VP8: `bytes` in all. `frame_bytes` is the size of its whole frame.
pub fn write_video(mark: Mark, picture: Picture, frame_bytes: usize, bytes: usize) -> Bytes {
    let mut packet = BytesMut::with_capacity(bytes.max(SMALLEST_PACKET_BYTES));
    packet.put_u8(0x80 | if picture.begins_frame { 0x10 } else { 0 }); // X, S
    packet.put_u8(0x80 | 0x40 | 0x20); // I, L, T
    packet.put_u16(0x8000 | (picture.id & 0x7fff)); // M: 15 bits
    packet.put_u8(picture.base_layer_index);
    packet.put_u8(0); // TID 0, Y 0
    if picture.begins_frame {
        put_frame_header(&mut packet, picture.begins_key_frame, frame_bytes);
    }
    put_mark(&mut packet, mark, bytes);
    packet.freeze()
}

fn put_frame_header(packet: &mut BytesMut, key_frame: bool, frame_bytes: usize) {
    const SHOW_FRAME: u32 = 1 << 4;
    // The first partition's size has 19 bits; a third of the frame is what an encoder makes of it.
    let first_partition = (frame_bytes as u32 / 3) & 0x7_ffff;
    let tag = u32::from(!key_frame) | SHOW_FRAME | first_partition << 5;
    packet.put_slice(&tag.to_le_bytes()[..3]);
    if key_frame {
        packet.put_slice(&[0x9d, 0x01, 0x2a]);
        packet.put_u16_le(640);
        packet.put_u16_le(360);
    }
}

fn put_mark(packet: &mut BytesMut, mark: Mark, bytes: usize) {
    packet.put_u32(MAGIC);
    packet.put_u64(mark.publisher.bits());
    packet.put_u64(mark.counter);
    packet.put_u64(mark.sent_at_us);
    let rest = bytes.saturating_sub(packet.len());
    packet.put_bytes(filling(mark.counter), rest);
}

/// The byte after the mark, different for neighbours.
fn filling(counter: u64) -> u8 {
    (counter.wrapping_mul(167) >> 3) as u8
}

/// Read a packet that a participant of this crate sent. `None` if it is none.
pub fn read(kind: TrackKind, payload: &[u8]) -> Option<Content> {
    let (picture, rest) = match kind {
        TrackKind::Audio => (None, payload.get(1..)?),
        TrackKind::Video => {
            read_video_header(payload).map(|(picture, rest)| (Some(picture), rest))?
        }
    };
    let (mark, rest) = (rest.get(..MARK_BYTES)?, rest.get(MARK_BYTES..)?);
    let number = |from: usize| -> Option<u64> {
        Some(u64::from_be_bytes(
            mark.get(from..from + 8)?.try_into().ok()?,
        ))
    };
    if mark[..4] != MAGIC.to_be_bytes() {
        return None;
    }
    let mark = Mark {
        publisher: ParticipantId::from_bits(number(4)?),
        counter: number(12)?,
        sent_at_us: number(20)?,
    };
    let expected = filling(mark.counter);
    Some(Content {
        mark,
        picture,
        // Without an early end this is compared many bytes at a time: 20 ns for a kilobyte, and not 800.
        intact: rest.iter().fold(0, |bits, &byte| bits | (byte ^ expected)) == 0,
    })
}

/// The descriptor (RFC 7741 section 4.2) with whichever of its fields are there, and the frame header.
fn read_video_header(payload: &[u8]) -> Option<(Picture, &[u8])> {
    let first = *payload.first()?;
    let mut at = 1;
    let (mut id, mut base_layer_index) = (0, 0);
    if first & 0x80 != 0 {
        let fields = *payload.get(at)?;
        at += 1;
        if fields & 0x80 != 0 {
            let high = *payload.get(at)?;
            at += 1;
            id = u16::from(high & 0x7f);
            if high & 0x80 != 0 {
                id = id << 8 | u16::from(*payload.get(at)?);
                at += 1;
            }
        }
        if fields & 0x40 != 0 {
            base_layer_index = *payload.get(at)?;
            at += 1;
        }
        if fields & 0x30 != 0 {
            at += 1;
        }
    }
    let begins_frame = first & 0x10 != 0 && first & 0x07 == 0;
    let begins_key_frame = begins_frame && *payload.get(at)? & 1 == 0;
    at += match (begins_frame, begins_key_frame) {
        (_, true) => VP8_KEY_FRAME_HEADER,
        (true, false) => VP8_DELTA_FRAME_HEADER,
        (false, false) => 0,
    };
    Some((
        Picture {
            id,
            base_layer_index,
            begins_frame,
            begins_key_frame,
        },
        payload.get(at..)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark {
        publisher: ParticipantId::from_bits(77),
        counter: 1_000_001,
        sent_at_us: 42,
    };

    #[test]
    fn sound_reads_back_as_what_was_sent() {
        let packet = write_audio(MARK, 80);
        assert_eq!(packet.len(), 80);
        assert_eq!(
            read(TrackKind::Audio, &packet),
            Some(Content {
                mark: MARK,
                picture: None,
                intact: true
            })
        );
    }

    #[test]
    fn pictures_read_back_as_what_was_sent() {
        for (begins_frame, begins_key_frame) in [(true, true), (true, false), (false, false)] {
            let picture = Picture {
                id: 0x7ffe,
                base_layer_index: 200,
                begins_frame,
                begins_key_frame,
            };
            let packet = write_video(MARK, picture, 5_000, 1_100);
            assert_eq!(packet.len(), 1_100);
            assert_eq!(
                read(TrackKind::Video, &packet),
                Some(Content {
                    mark: MARK,
                    picture: Some(picture),
                    intact: true
                })
            );
        }
    }

    #[test]
    fn a_damaged_packet_and_a_foreign_one_are_told_apart() {
        let mut packet = write_audio(MARK, 80).to_vec();
        packet[79] ^= 1;
        assert!(!read(TrackKind::Audio, &packet).unwrap().intact);
        packet[2] ^= 1;
        assert_eq!(read(TrackKind::Audio, &packet), None);
        for length in 0..MARK_BYTES {
            assert_eq!(read(TrackKind::Audio, &packet[..length]), None);
            assert_eq!(read(TrackKind::Video, &packet[..length]), None);
        }
    }

    #[test]
    fn the_smallest_packet_holds_a_key_frame_and_its_mark() {
        let picture = Picture {
            id: 1,
            base_layer_index: 1,
            begins_frame: true,
            begins_key_frame: true,
        };
        let packet = write_video(MARK, picture, 1, 1);
        assert_eq!(packet.len(), SMALLEST_PACKET_BYTES);
        assert!(read(TrackKind::Video, &packet).is_some());
    }
}
