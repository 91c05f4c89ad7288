//! What the first bytes of a payload tell a forwarder, codec by codec. It never decodes, and trusts no length.

pub(crate) mod av1;
mod bits;
pub(crate) mod dependency;
pub(crate) mod frame;
pub(crate) mod h264;
pub(crate) mod picture_size;
#[cfg(test)]
mod recorded;
pub(crate) mod red;
pub(crate) mod vp8;
pub(crate) mod vp9;

pub(crate) use frame::{Frame, FrameLayers, FrameNumbers, Numbers, Opens, PictureId};

use crate::codec::Codec;

/// Whether a packet with this payload begins a frame at which a decoder can start without what came before.
pub(crate) fn is_key_frame_start(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Opus | Codec::Red => !payload.is_empty(),
        Codec::Vp8 => vp8::is_key_frame_start(payload),
        Codec::Vp9 { .. } => vp9::is_key_frame_start(payload),
        Codec::H264 { .. } => h264::is_key_frame_start(payload),
        Codec::Av1 { .. } => av1::is_key_frame_start(payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::H264Profile;
    use crate::rtp::seeded::Seeded;

    const H264: Codec = Codec::H264 {
        profile: H264Profile::Baseline,
        packetization_mode: 1,
    };
    /// Of each codec, the beginning of a key frame.
    const KEY_FRAMES: [(Codec, &[u8]); 5] = [
        (Codec::Opus, &[0xfc, 0xff, 0xfe]),
        (
            Codec::Vp8,
            &[
                0x90, 0xe0, 0x81, 0x23, 0x45, 0x20, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a,
            ],
        ),
        (
            Codec::Vp9 { profile: 0 },
            &[
                0xaa, 0x81, 0x23, 0x01, 0x00, 0x18, 0x01, 0x40, 0x00, 0xf0, 0x01, 0x04, 0x01, 0x82,
            ],
        ),
        (
            H264,
            &[
                0x78, 0, 4, 0x67, 0x42, 0xe0, 0x1f, 0, 3, 0x68, 0xce, 0x06, 0, 2, 0x65, 0xb8,
            ],
        ),
        (Codec::Av1 { profile: 0 }, &[0x28, 0x0a, 0x0b, 0x00]),
    ];

    #[test]
    fn each_codec_knows_its_own_key_frame_and_not_an_empty_payload() {
        for (codec, payload) in KEY_FRAMES {
            assert!(is_key_frame_start(codec, payload), "{codec:?}");
            assert!(!is_key_frame_start(codec, &[]), "{codec:?}");
        }
    }

    #[test]
    fn a_codec_is_asked_about_its_own_payloads() {
        assert!(!is_key_frame_start(Codec::Vp8, KEY_FRAMES[4].1));
        assert!(!is_key_frame_start(H264, KEY_FRAMES[4].1));
        assert!(!is_key_frame_start(
            Codec::Av1 { profile: 0 },
            KEY_FRAMES[1].1
        ));
    }

    #[test]
    fn no_random_bytes_make_it_panic() {
        let mut random = Seeded::new(4);
        let mut told = [[0_u32; 2]; KEY_FRAMES.len()];
        for _ in 0..100_000 {
            for (index, (codec, example)) in KEY_FRAMES.into_iter().enumerate() {
                let length = random.below(24);
                let payload = if random.chance(30) {
                    random.bytes(length)
                } else {
                    random.mutate(example)
                };
                told[index][usize::from(is_key_frame_start(codec, &payload))] += 1;
            }
        }
        assert!(
            told.iter().flatten().all(|&count| count > 500),
            "both answers occur: {told:?}"
        );
    }
}
