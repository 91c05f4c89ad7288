//! The size in an AV1 sequence header (AV1 specification, section 5.5), the first OBU of a coded video sequence. It
//! reads the aggregation header and this OBU, and nothing behind the size.

use super::super::av1::is_key_frame_start;
use super::super::bits::Bits;

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;

/// The size of the largest frame of the sequence.
pub(super) fn size(payload: &[u8]) -> Option<(u16, u16)> {
    if !is_key_frame_start(payload) {
        return None;
    }
    let (&aggregation, mut rest) = payload.split_first()?;
    // W: so many elements, of which the last has no length; 0: all have one.
    let elements = aggregation >> 4 & 0x03;
    let mut count = 0;
    loop {
        count += 1;
        let is_last = elements != 0 && count == elements;
        let element = match is_last {
            true => std::mem::take(&mut rest),
            false => take_element(&mut rest)?,
        };
        let (kind, body) = obu(element)?;
        match kind {
            SEQUENCE_HEADER => return read(&mut Bits::new(body)),
            TEMPORAL_DELIMITER if !is_last => {}
            _ => return None,
        }
    }
}

fn take_element<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_leb128(rest)?;
    let (element, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(element)
}

/// A number of up to 4 bytes with 7 bits each, the lowest first (section 4.10.5); more is no length of a packet's part.
fn take_leb128(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for position in 0..4 {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= usize::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// An OBU's type, and what is behind its header.
fn obu(element: &[u8]) -> Option<(u8, &[u8])> {
    let (&header, mut rest) = element.split_first()?;
    if header & 0x04 != 0 {
        rest = rest.get(1..)?;
    }
    if header & 0x02 != 0 {
        take_leb128(&mut rest)?;
    }
    Some((header >> 3 & 0x0f, rest))
}

fn read(bits: &mut Bits<'_>) -> Option<(u16, u16)> {
    let _profile = bits.read(3)?;
    let _still_picture = bits.flag()?;
    let is_reduced = bits.flag()?;
    if is_reduced {
        bits.read(5)?;
    } else {
        skip_operating_points(bits)?;
    }
    let width_bits = bits.read(4)? + 1;
    let height_bits = bits.read(4)? + 1;
    let mut length = |count| u16::try_from(bits.read(count)? + 1).ok();
    Some((length(width_bits)?, length(height_bits)?))
}

fn skip_operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut delay_bits = None;
    if bits.flag()? {
        delay_bits = skip_timing(bits)?;
    }
    let has_display_delays = bits.flag()?;
    let points = bits.read(5)? + 1;
    for _ in 0..points {
        bits.read(12)?;
        if bits.read(5)? > 7 {
            bits.flag()?;
        }
        if let Some(count) = delay_bits
            && bits.flag()?
        {
            bits.read(2 * count + 1)?;
        }
        if has_display_delays && bits.flag()? {
            bits.read(4)?;
        }
    }
    Some(())
}

/// Gives the number of bits of a buffer's delay, if there is a decoder model.
fn skip_timing(bits: &mut Bits<'_>) -> Option<Option<u32>> {
    bits.read(64)?;
    if bits.flag()? {
        bits.read_golomb()?;
    }
    if !bits.flag()? {
        return Some(None);
    }
    let delay_bits = bits.read(5)? + 1;
    bits.read(42)?;
    Some(Some(delay_bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chromium's for 320 by 180, behind a temporal delimiter, and with sizes of OBUs.
    const SEQUENCE: [u8; 10] = [0x00, 0x00, 0x00, 0x04, 0x3c, 0xfe, 0xcc, 0x01, 0xa0, 0x08];

    fn element(header: &[u8], body: &[u8]) -> Vec<u8> {
        let mut element = vec![(header.len() + body.len()) as u8];
        element.extend(header);
        element.extend(body);
        element
    }

    #[test]
    fn the_sequence_header_is_found_in_whatever_form_it_comes() {
        let plain = element(&[0x08], &SEQUENCE);
        let sized = element(&[0x0a, SEQUENCE.len() as u8], &SEQUENCE);
        let layered = element(&[0x0c, 0x00], &SEQUENCE);
        let delimiter = element(&[0x12, 0x00], &[]);
        for (count, elements) in [
            (0, vec![&plain]),
            (2, vec![&sized, &plain]),
            (0, vec![&delimiter, &layered]),
        ] {
            let mut payload = vec![0x08 | count << 4];
            elements.iter().for_each(|element| payload.extend(*element));
            assert_eq!(size(&payload), Some((320, 180)), "{payload:02x?}");
        }
        let mut alone = vec![0x18, 0x08];
        alone.extend(SEQUENCE);
        assert_eq!(
            size(&alone),
            Some((320, 180)),
            "the only element has no length"
        );
    }

    #[test]
    fn a_payload_that_begins_with_something_else_tells_nothing() {
        let frame = element(&[0x30], &SEQUENCE);
        let mut payload = vec![0x08];
        payload.extend(frame);
        assert_eq!(size(&payload), None);
        assert_eq!(
            size(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff]),
            None,
            "no length"
        );
    }
}
