//! The size in an H.264 sequence parameter set (ITU-T H.264 section 7.3.2.1.1), at the beginning of a payload or in
//! its first aggregate. It reads the first bytes of it alone, and no picture parameters.

use super::super::bits::Bits;

const SEQUENCE_PARAMETERS: u8 = 7;
const STAP_A: u8 = 24;
/// Of the parameters; those of a browser have 10 to 30 bytes, scaling lists a few hundred more.
const LONGEST: usize = 512;
/// Profiles that tell of colours and scaling lists before the size.
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// A macroblock's width and height.
const BLOCK: u32 = 16;
/// More than a frame has in any level of the standard.
const MOST_BLOCKS: u32 = 4_095;

/// The size that these parameters tell, as it is shown: after cropping.
pub(super) fn size(payload: &[u8]) -> Option<(u16, u16)> {
    let parameters = parameters(payload)?;
    let mut plain = [0; LONGEST];
    let length = unescape(parameters, &mut plain);
    read(&mut Bits::new(&plain[..length]))
}

/// The sequence's parameters behind their unit's header.
fn parameters(payload: &[u8]) -> Option<&[u8]> {
    let (&first, mut rest) = payload.split_first()?;
    match first & 0x1f {
        SEQUENCE_PARAMETERS => return Some(rest),
        STAP_A => {}
        _ => return None,
    }
    while let Some((length, after)) = rest.split_first_chunk() {
        let (unit, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        if let Some((header, body)) = unit.split_first()
            && header & 0x1f == SEQUENCE_PARAMETERS
        {
            return Some(body);
        }
        rest = after;
    }
    None
}

/// Take out the bytes that keep start codes out of the stream (section 7.3.1): 0, 0, 3 stands for 0, 0.
fn unescape(escaped: &[u8], plain: &mut [u8; LONGEST]) -> usize {
    let mut length = 0;
    let mut zeros = 0;
    for &byte in escaped {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        let Some(place) = plain.get_mut(length) else {
            break;
        };
        *place = byte;
        length += 1;
        zeros = if byte == 0 { zeros + 1 } else { 0 };
    }
    length
}

fn read(bits: &mut Bits<'_>) -> Option<(u16, u16)> {
    let profile = bits.read(8)?;
    let _constraints_and_level = bits.read(16)?;
    let _id = bits.read_golomb()?;
    let chroma = match HIGH_PROFILES.contains(&profile) {
        true => read_colours(bits)?,
        false => 1,
    };
    let _frame_number_bits = bits.read_golomb()?;
    match bits.read_golomb()? {
        0 => {
            bits.read_golomb()?;
        }
        1 => skip_order_of_pictures(bits)?,
        _ => {}
    }
    let _reference_frames = bits.read_golomb()?;
    let _may_have_gaps = bits.flag()?;
    let width_blocks = bits.read_golomb()?;
    let height_units = bits.read_golomb()?;
    if width_blocks >= MOST_BLOCKS || height_units >= MOST_BLOCKS {
        return None;
    }
    let is_frames_only = bits.flag()?;
    if !is_frames_only {
        bits.flag()?;
    }
    let _direct_8x8 = bits.flag()?;
    let fields = if is_frames_only { 1 } else { 2 };
    let mut width = (width_blocks + 1) * BLOCK;
    let mut height = (height_units + 1) * BLOCK * fields;
    if bits.flag()? {
        let (across, down) = match chroma {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let mut cut = |unit: u32| Some(bits.read_golomb()?.saturating_mul(unit));
        let (left, right) = (cut(across)?, cut(across)?);
        let (top, bottom) = (cut(down * fields)?, cut(down * fields)?);
        width = width.checked_sub(left.saturating_add(right))?;
        height = height.checked_sub(top.saturating_add(bottom))?;
    }
    Some((width.try_into().ok()?, height.try_into().ok()?))
}

/// Colours and scaling lists. Gives chroma_format_idc, or 0 where the colours are pictures of their own.
fn read_colours(bits: &mut Bits<'_>) -> Option<u32> {
    let chroma = bits.read_golomb()?;
    let has_separate_colours = chroma == 3 && bits.flag()?;
    let _luma_depth = bits.read_golomb()?;
    let _chroma_depth = bits.read_golomb()?;
    let _is_lossless = bits.flag()?;
    if bits.flag()? {
        let lists = if chroma == 3 { 12 } else { 8 };
        for list in 0..lists {
            if bits.flag()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(if has_separate_colours { 0 } else { chroma })
}

fn skip_scaling_list(bits: &mut Bits<'_>, length: u32) -> Option<()> {
    let mut last = 8;
    for _ in 0..length {
        last = (last + bits.read_signed_golomb()?).rem_euclid(256);
        if last == 0 {
            break;
        }
    }
    Some(())
}

fn skip_order_of_pictures(bits: &mut Bits<'_>) -> Option<()> {
    bits.flag()?;
    bits.read_golomb()?;
    bits.read_golomb()?;
    // At most 255 by the standard; the end of the bytes comes first.
    for _ in 0..bits.read_golomb()?.min(255) {
        bits.read_golomb()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters as bits, written as they are in the standard.
    fn unit(bits: &str) -> Vec<u8> {
        let bits: Vec<u8> = bits.bytes().filter(|bit| *bit != b' ').collect();
        let mut bytes = vec![0x67];
        for eight in bits.chunks(8) {
            let byte = eight.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0'));
            bytes.push(byte << (8 - eight.len()));
        }
        bytes
    }

    #[test]
    fn cropping_is_taken_off() {
        // 40 by 23 macroblocks, the last row's lower half cut: 640 by 360.
        let text =
            "01000010 00000000 00011111 1 1 1 1 011 0 00000101000 000010111 1 1 1 1 1 1 00101 1";
        assert_eq!(size(&unit(text)), Some((640, 360)));
    }

    #[test]
    fn a_high_profile_with_scaling_lists_in_two_fields_is_read() {
        // High: 4:2:0, 8 bits, one list that ends at once; 120 by 34 units of two fields, 1,920 by 1,080.
        let text = "01100100 00000000 00101000 1 010 1 1 0 1 1 0001000 1 0000000 1 1 1 011 0 \
                    0000001111000 00000100010 0 1 1 1 1 1 1 011 1";
        let text = text.replace('\\', "").replace("0001000 1", "000010001 ");
        assert_eq!(size(&unit(&text)), Some((1_920, 1_080)));
    }

    #[test]
    fn sizes_beyond_every_level_are_not_believed() {
        let huge = "01000010 00000000 00011111 1 1 1 1 011 0 0000000000001000000000000 1 1 1 1";
        assert_eq!(size(&unit(huge)), None);
    }
}
