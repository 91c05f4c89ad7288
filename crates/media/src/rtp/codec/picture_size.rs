//! The width and height that the first packet of a key frame tells, where it is cheap to read: VP8's frame
//! header (RFC 6386 section 9.1). Of other codecs it says nothing.

use super::vp8;
use crate::codec::Codec;

/// Width and height in pixels, if this payload begins a key frame and says.
pub(crate) fn picture_size(codec: Codec, payload: &[u8]) -> Option<(u16, u16)> {
    match codec {
        Codec::Vp8 => vp8_size(payload),
        _ => None,
    }
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
    let size = (
        length(width_low, width_high),
        length(height_low, height_high),
    );
    (size.0 > 0 && size.1 > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::seeded::Seeded;

    const KEY_FRAME: [u8; 11] = [
        0x10, 0x50, 0x10, 0x02, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x41,
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
        let mut sizes = 0;
        for _ in 0..100_000 {
            let size = picture_size(Codec::Vp8, &random.mutate(&KEY_FRAME));
            sizes += u32::from(size.is_some());
            assert!(size.is_none_or(|(width, height)| width > 0 && height > 0));
        }
        assert!(sizes > 500);
    }
}
