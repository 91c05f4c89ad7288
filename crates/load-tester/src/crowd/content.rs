//! What the payloads of the crowd are like, for each codec: writes them, and reads and checks them again.
//! VP8 and Opus are `payload`'s; H.264 is here. Nothing is encoded or decoded.

use bytes::{BufMut, Bytes, BytesMut};
use protocol::TrackKind;

use super::Payload;
use crate::payload::{self, Content, Mark, Picture};

/// NAL unit types (RFC 6184 section 5.2): slices, and what goes before a key frame.
const SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
/// `nal_ref_idc` 3: others refer to it.
const REFERRED: u8 = 0x60;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;
/// The parameter sets of constrained baseline, 640 × 360, as an encoder writes them.
const SPS_UNIT: [u8; 12] = [
    REFERRED | SPS,
    0x42,
    0xc0,
    0x1e,
    0xd9,
    0x00,
    0xa0,
    0x2f,
    0xf9,
    0x61,
    0x00,
    0x00,
];
const PPS_UNIT: [u8; 4] = [REFERRED | 8, 0xce, 0x3c, 0x80];

/// The smallest packet of any codec.
pub(super) const SMALLEST_BYTES: usize = 80;

/// One packet of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) mark: Mark,
    /// Of a key frame.
    pub(super) is_key: bool,
    /// Its place in its frame, from 0.
    pub(super) place: usize,
    /// The last packet of its frame.
    pub(super) is_last: bool,
    pub(super) picture_id: u16,
    pub(super) frame_bytes: usize,
    pub(super) bytes: usize,
}

/// Write the payload of a packet: `bytes` in all.
pub(super) fn write(codec: Payload, piece: &Piece) -> Bytes {
    match codec {
        Payload::Opus | Payload::Rtx(_) => payload::write_audio(piece.mark, piece.bytes),
        Payload::Vp8 => {
            let picture = Picture {
                id: piece.picture_id & 0x7fff,
                // One temporal layer: every picture is of the base.
                base_layer_index: piece.picture_id as u8,
                begins_frame: piece.place == 0,
                begins_key_frame: piece.place == 0 && piece.is_key,
            };
            payload::write_video(piece.mark, picture, piece.frame_bytes, piece.bytes)
        }
        Payload::H264 => write_h264(piece),
    }
}

/// Read and check the payload of a packet. `None`: the crowd has sent no such packet.
pub(super) fn read(codec: Payload, payload: &[u8]) -> Option<Content> {
    match codec {
        Payload::Opus => payload::read(TrackKind::Audio, payload),
        Payload::Vp8 => payload::read(TrackKind::Video, payload),
        Payload::H264 => read_h264(payload),
        Payload::Rtx(_) => None,
    }
}

/// A key frame begins with its parameter sets in one packet (STAP-A), and with its slice if that is all;
/// else an SEI unit is there for the mark. Larger slices are in fragments (FU-A).
fn write_h264(piece: &Piece) -> Bytes {
    let mut packet = BytesMut::with_capacity(piece.bytes);
    let slice = if piece.is_key { IDR_SLICE } else { SLICE };
    match (piece.place, piece.is_last) {
        (0, is_last) if piece.is_key => {
            packet.put_u8(REFERRED | STAP_A);
            for unit in [&SPS_UNIT[..], &PPS_UNIT[..]] {
                packet.put_u16(unit.len() as u16);
                packet.put_slice(unit);
            }
            let rest = piece.bytes.saturating_sub(packet.len() + 2);
            packet.put_u16(rest as u16);
            packet.put_u8(if is_last { REFERRED | slice } else { SEI });
        }
        (0, true) => packet.put_u8(REFERRED | slice),
        (place, is_last) => {
            let begins = place == usize::from(piece.is_key);
            let begins = if begins { FU_START } else { 0 };
            // RFC 6184 section 5.8: a fragment is never the whole.
            let ends = if is_last && begins == 0 { FU_END } else { 0 };
            packet.put_slice(&[REFERRED | FU_A, begins | ends | slice]);
        }
    }
    let rest = piece.bytes.saturating_sub(packet.len());
    packet.put_slice(&payload::write_audio(piece.mark, rest));
    packet.freeze()
}

fn read_h264(payload: &[u8]) -> Option<Content> {
    let (begins_frame, begins_key_frame, at) = match payload.first()? & 0x1f {
        STAP_A => (
            true,
            true,
            1 + 2 + SPS_UNIT.len() + 2 + PPS_UNIT.len() + 2 + 1,
        ),
        FU_A => {
            let fragment = *payload.get(1)?;
            let begins = fragment & FU_START != 0 && fragment & 0x1f == SLICE;
            (begins, false, 2)
        }
        SLICE => (true, false, 1),
        _ => return None,
    };
    let content = payload::read(TrackKind::Audio, payload.get(at..)?)?;
    let picture = Picture {
        id: 0,
        base_layer_index: 0,
        begins_frame,
        begins_key_frame,
    };
    Some(Content {
        picture: Some(picture),
        ..content
    })
}

#[cfg(test)]
mod tests {
    use protocol::ParticipantId;

    use super::*;

    fn piece(is_key: bool, place: usize, is_last: bool, bytes: usize) -> Piece {
        Piece {
            mark: Mark {
                publisher: ParticipantId::from_bits(9),
                counter: 12,
                sent_at_us: 34,
            },
            is_key,
            place,
            is_last,
            picture_id: 5,
            frame_bytes: 3 * bytes,
            bytes,
        }
    }

    #[test]
    fn every_piece_of_every_codec_has_the_size_asked_for_and_reads_back() {
        for codec in [Payload::Opus, Payload::Vp8, Payload::H264] {
            for is_key in [true, false] {
                for (place, is_last) in [(0, false), (1, false), (2, true), (0, true), (1, true)] {
                    for bytes in [SMALLEST_BYTES, 1_100] {
                        let piece = piece(is_key, place, is_last, bytes);
                        let mut packet = write(codec, &piece).to_vec();
                        assert_eq!(packet.len(), bytes);
                        let content = read(codec, &packet).unwrap();
                        assert!(content.intact && content.mark == piece.mark);
                        if codec != Payload::Opus {
                            let picture = content.picture.unwrap();
                            assert_eq!(picture.begins_frame, place == 0, "{codec:?} {piece:?}");
                            assert_eq!(picture.begins_key_frame, place == 0 && is_key);
                        }
                        *packet.last_mut().unwrap() ^= 1;
                        assert!(!read(codec, &packet).unwrap().intact);
                    }
                }
            }
        }
    }

    #[test]
    fn h264_is_written_as_its_payload_format_has_it() {
        let begins = |piece| write(Payload::H264, &piece)[..2].to_vec();
        assert_eq!(begins(piece(true, 0, false, 1_100))[0] & 0x1f, STAP_A);
        assert_eq!(begins(piece(true, 1, false, 1_100)), [0x7c, 0x85]);
        assert_eq!(begins(piece(true, 2, true, 1_100)), [0x7c, 0x45]);
        assert_eq!(begins(piece(false, 0, false, 1_100)), [0x7c, 0x81]);
        assert_eq!(begins(piece(false, 1, false, 1_100)), [0x7c, 0x01]);
        assert_eq!(begins(piece(false, 0, true, 300))[0], 0x61);
    }

    #[test]
    fn foreign_payloads_are_none_and_no_panic() {
        for codec in [Payload::Opus, Payload::Vp8, Payload::H264, Payload::Rtx(96)] {
            for length in 0..60 {
                for first in 0..=255 {
                    assert_eq!(read(codec, &vec![first; length]), None);
                }
            }
        }
    }
}
