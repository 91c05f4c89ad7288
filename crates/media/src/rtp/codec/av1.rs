//! Key frames in AV1's aggregation header (RTP Payload Format for AV1, section 4.4). It never reads an OBU.

/// Whether this payload begins a coded video sequence: N is set, and the first element is not the rest of one
/// that began in an earlier packet (Z), which the specification forbids together with N.
pub(crate) fn is_key_frame_start(payload: &[u8]) -> bool {
    const CONTINUES: u8 = 0x80;
    const NEW_SEQUENCE: u8 = 0x08;
    match payload {
        [header, _, ..] => header & (CONTINUES | NEW_SEQUENCE) == NEW_SEQUENCE,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_packet_of_a_coded_video_sequence_begins_a_key_frame() {
        assert!(is_key_frame_start(&[0x08, 0x0a]));
        assert!(
            is_key_frame_start(&[0x68, 0x0a]),
            "its last element goes on in the next packet"
        );
    }

    #[test]
    fn other_packets_do_not() {
        assert!(!is_key_frame_start(&[0x10, 0x32]), "a later frame");
        assert!(!is_key_frame_start(&[0x88, 0x0a]), "the rest of an element");
        assert!(
            !is_key_frame_start(&[0x08]) && !is_key_frame_start(&[]),
            "nothing behind the header"
        );
    }
}
