//! The width and height that the first packet of a key frame tells: in VP8 by the frame's own header (RFC 6386
//! section 9.1), in VP9 by the scalability structure, in H.264 by the sequence's parameters, in AV1 by the sequence
//! header. With spatial layers it is the size of the highest. It reads no further, and believes no length.

mod av1;
mod h264;

use super::{vp8, vp9};
use crate::codec::Codec;

/// Width and height in pixels, if this payload begins a key frame and says.
pub(crate) fn picture_size(codec: Codec, payload: &[u8]) -> Option<(u16, u16)> {
    let size = match codec {
        Codec::Vp8 => vp8_size(payload),
        Codec::Vp9 { .. } => vp9_size(payload),
        Codec::H264 { .. } => h264::size(payload),
        Codec::Av1 { .. } => av1::size(payload),
        Codec::Opus | Codec::Red => None,
    };
    size.filter(|(width, height)| *width > 0 && *height > 0)
}

fn vp8_size(payload: &[u8]) -> Option<(u16, u16)> {
    let descriptor = vp8::Descriptor::parse(payload).filter(|of| of.is_key_frame_start)?;
    let frame = payload.get(usize::from(descriptor.length)..)?;
    let &[
        _,
        _,
        _,
        0x9d,
        0x01,
        0x2a,
        width_low,
        width_high,
        height_low,
        height_high,
        ..,
    ] = frame
    else {
        return None;
    };
    // The upper two bits say how to scale it for display.
    let length = |low, high| u16::from_le_bytes([low, high]) & 0x3FFF;
    Some((
        length(width_low, width_high),
        length(height_low, height_high),
    ))
}

fn vp9_size(payload: &[u8]) -> Option<(u16, u16)> {
    let (descriptor, size) = vp9::Descriptor::parse_with_size(payload)?;
    size.filter(|_| descriptor.is_key_frame_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::H264Profile;
    use crate::rtp::seeded::Seeded;

    const KEY_FRAME: [u8; 11] = [
        0x10, 0x50, 0x10, 0x02, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x41,
    ];
    /// As Chromium 156 sends them: the size of each is 640 by 360 or half of it.
    const VP9: [u8; 12] = [
        0x9b, 0xc3, 0x22, 0x10, 0x02, 0x80, 0x01, 0x68, 0x82, 0x49, 0x83, 0x42,
    ];
    const H264: [u8; 22] = [
        0x78, 0x00, 0x13, 0x67, 0x42, 0xc0, 0x15, 0x8c, 0x8d, 0x40, 0xa0, 0xcb, 0xcf, 0x37, 0x01,
        0x0d, 0x01, 0x07, 0x84, 0x42, 0x35, 0x00,
    ];
    const AV1: [u8; 16] = [
        0x28, 0x0b, 0x08, 0x00, 0x00, 0x00, 0x04, 0x3c, 0xfe, 0xcc, 0x01, 0xa0, 0x08, 0x30, 0x10,
        0x4a,
    ];
    const EXAMPLES: [(Codec, &[u8]); 4] = [
        (Codec::Vp8, &KEY_FRAME),
        (Codec::Vp9 { profile: 0 }, &VP9),
        (
            Codec::H264 {
                profile: H264Profile::Baseline,
                packetization_mode: 1,
            },
            &H264,
        ),
        (Codec::Av1 { profile: 0 }, &AV1),
    ];

    #[test]
    fn a_vp8_key_frame_tells_its_size_and_what_follows_does_not() {
        assert_eq!(picture_size(Codec::Vp8, &KEY_FRAME), Some((640, 360)));
        let mut delta = KEY_FRAME;
        delta[1] |= 1;
        assert_eq!(picture_size(Codec::Vp8, &delta), None);
        assert_eq!(picture_size(Codec::Vp8, &KEY_FRAME[..10]), None);
        assert_eq!(picture_size(Codec::Opus, &KEY_FRAME), None);
    }

    #[test]
    fn no_random_bytes_make_it_panic_or_give_a_picture_without_pixels() {
        let mut random = Seeded::new(9);
        for (codec, example) in EXAMPLES {
            let mut sizes = 0;
            for _ in 0..100_000 {
                let size = picture_size(codec, &random.mutate(example));
                sizes += u32::from(size.is_some());
                assert!(size.is_none_or(|(width, height)| width > 0 && height > 0));
            }
            assert!(sizes > 500, "{codec:?} {sizes}");
        }
    }

    #[test]
    fn what_is_cut_off_tells_no_size_and_makes_nothing_panic() {
        for (codec, example) in EXAMPLES {
            assert!(picture_size(codec, example).is_some(), "{codec:?}");
            for length in 0..example.len() {
                let _ = picture_size(codec, &example[..length]);
            }
            assert_eq!(picture_size(codec, &example[..4]), None, "{codec:?}");
        }
    }
}
