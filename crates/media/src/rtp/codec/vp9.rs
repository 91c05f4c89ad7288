//! Key frames in the VP9 payload descriptor (RFC 9628, section 4.2). It never reads the picture.

/// Whether this payload begins a key picture: the first packet (B) of a frame that leans on no earlier picture
/// (P = 0), in the lowest spatial layer. Higher layers of a key picture also have P = 0, but lean on the lowest.
pub(crate) fn is_key_frame_start(payload: &[u8]) -> bool {
    frame_start(payload).is_some_and(|start| start)
}

/// `None` if the descriptor is cut off or nothing follows it.
fn frame_start(payload: &[u8]) -> Option<bool> {
    let (&first, mut rest) = payload.split_first()?;
    let is_set = |bit: u8| first & bit != 0;
    let (has_picture_id, is_predicted, has_layers, is_flexible) =
        (is_set(0x80), is_set(0x40), is_set(0x20), is_set(0x10));
    let (begins_frame, has_structure) = (is_set(0x08), is_set(0x02));
    if has_picture_id {
        let is_long = rest.first()? & 0x80 != 0;
        rest = rest.get(if is_long { 2 } else { 1 }..)?;
    }
    let mut spatial_layer = 0;
    if has_layers {
        spatial_layer = rest.first()? >> 1 & 0x07;
        // Outside the flexible mode the layers come with a TL0PICIDX.
        rest = rest.get(if is_flexible { 1 } else { 2 }..)?;
    }
    if is_predicted {
        return Some(false);
    }
    if has_structure {
        rest = skip_structure(rest)?;
    }
    Some(begins_frame && spatial_layer == 0 && !rest.is_empty())
}

/// The scalability structure: resolutions of the spatial layers, and the pictures of a group.
fn skip_structure(structure: &[u8]) -> Option<&[u8]> {
    let (&first, mut rest) = structure.split_first()?;
    let spatial_layers = usize::from(first >> 5) + 1;
    if first & 0x10 != 0 {
        rest = rest.get(spatial_layers * 4..)?;
    }
    if first & 0x08 != 0 {
        let (&pictures, after) = rest.split_first()?;
        rest = after;
        for _ in 0..pictures {
            let (&picture, after) = rest.split_first()?;
            let references = usize::from(picture >> 2 & 0x03);
            rest = after.get(references..)?;
        }
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Chromium sends it: I, L, B and V; picture id of 15 bits; layers and TL0PICIDX; a structure with one
    /// resolution; the frame.
    const KEY: [u8; 11] = [
        0xaa, 0x81, 0x23, 0x01, 0x00, 0x10, 0x01, 0x40, 0x00, 0xf0, 0x82,
    ];

    #[test]
    fn the_first_packet_of_a_key_picture_begins_it() {
        assert!(is_key_frame_start(&KEY));
        assert!(is_key_frame_start(&[0x08, 0x82]), "the shortest descriptor");
        assert!(
            is_key_frame_start(&[0xb8, 0x12, 0x01, 0x82]),
            "flexible mode, picture id of 7 bits"
        );
    }

    #[test]
    fn other_packets_do_not() {
        assert!(
            !is_key_frame_start(&[0x48, 0x82]),
            "leans on an earlier picture"
        );
        assert!(!is_key_frame_start(&[0x04, 0x82]), "the end of the frame");
        assert!(
            !is_key_frame_start(&[0xa8, 0x12, 0x03, 0x00, 0x82]),
            "the second spatial layer"
        );
        assert!(
            !is_key_frame_start(&[0x58, 0x03, 0x82]),
            "flexible mode with a reference"
        );
    }

    #[test]
    fn a_descriptor_that_is_cut_off_or_has_nothing_behind_it_is_refused() {
        for length in 0..KEY.len() {
            assert!(!is_key_frame_start(&KEY[..length]), "{length} bytes");
        }
    }

    #[test]
    fn a_structure_with_a_group_of_pictures_is_passed_over() {
        // Two spatial layers without resolutions; three pictures with 0, 1 and 2 references.
        let with_group = [0x0a, 0x28, 3, 0x00, 0x04, 1, 0x28, 1, 2, 0x82];
        assert!(is_key_frame_start(&with_group));
        for length in 0..with_group.len() {
            assert!(!is_key_frame_start(&with_group[..length]), "{length} bytes");
        }
    }
}
