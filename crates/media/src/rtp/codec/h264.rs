//! Key frames in H.264 payloads (RFC 6184): single units, STAP-A and FU-A, which is all that packetization
//! modes 0 and 1 have. It never reads a slice beyond its first bit.

const IDR_SLICE: u8 = 5;
const SEQUENCE_PARAMETERS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// Whether this payload begins a key frame: with the sequence's parameters, or, where those were told in SDP,
/// with the first slice of an IDR picture.
pub(crate) fn is_key_frame_start(payload: &[u8]) -> bool {
    let Some((&first, rest)) = payload.split_first() else {
        return false;
    };
    match first & 0x1f {
        STAP_A => aggregate_begins_key_frame(rest),
        FU_A => match rest {
            [header, body @ ..] => header & 0x80 != 0 && unit_begins_key_frame(header & 0x1f, body),
            [] => false,
        },
        kind => unit_begins_key_frame(kind, rest),
    }
}

/// A STAP-A's units, each behind its length: often an access unit delimiter comes first.
fn aggregate_begins_key_frame(mut units: &[u8]) -> bool {
    while let Some((length, rest)) = units.split_first_chunk() {
        let Some((unit, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
        else {
            return false;
        };
        if let Some((&header, body)) = unit.split_first()
            && unit_begins_key_frame(header & 0x1f, body)
        {
            return true;
        }
        units = rest;
    }
    false
}

fn unit_begins_key_frame(kind: u8, body: &[u8]) -> bool {
    let Some(&first) = body.first() else {
        return false;
    };
    match kind {
        SEQUENCE_PARAMETERS => true,
        // first_mb_in_slice is 0, written as a single 1: a later slice of the picture is no beginning.
        IDR_SLICE => first & 0x80 != 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_the_first_idr_slice_begin_a_key_frame() {
        assert!(is_key_frame_start(&[0x67, 0x42, 0xe0, 0x1f]));
        assert!(is_key_frame_start(&[0x65, 0xb8]));
    }

    #[test]
    fn other_units_do_not() {
        assert!(
            !is_key_frame_start(&[0x61, 0xe0]),
            "a slice of another picture"
        );
        assert!(
            !is_key_frame_start(&[0x65, 0x40]),
            "a later slice of an IDR picture"
        );
        assert!(!is_key_frame_start(&[0x68, 0xce]), "picture parameters");
        assert!(!is_key_frame_start(&[0x06, 0x05]) && !is_key_frame_start(&[0x09, 0xf0]));
        assert!(
            !is_key_frame_start(&[0x67])
                && !is_key_frame_start(&[0x65])
                && !is_key_frame_start(&[])
        );
    }

    #[test]
    fn any_unit_of_an_aggregate_may_begin_it() {
        assert!(is_key_frame_start(&[
            0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xce
        ]));
        assert!(is_key_frame_start(&[
            0x78, 0, 2, 0x09, 0x10, 0, 2, 0x67, 0x42
        ]));
        assert!(
            is_key_frame_start(&[0x78, 0, 0, 0, 2, 0x65, 0xb8]),
            "an empty unit is passed over"
        );
        assert!(!is_key_frame_start(&[
            0x78, 0, 2, 0x68, 0xce, 0, 2, 0x61, 0xe0
        ]));
        assert!(
            !is_key_frame_start(&[0x78, 0, 3, 0x67, 0x42]),
            "a unit longer than the packet"
        );
        assert!(!is_key_frame_start(&[0x78, 0]) && !is_key_frame_start(&[0x78]));
    }

    #[test]
    fn of_a_fragmented_unit_only_the_start_counts() {
        assert!(is_key_frame_start(&[0x7c, 0x85, 0xb8]));
        assert!(is_key_frame_start(&[0x7c, 0x87, 0x42]));
        assert!(!is_key_frame_start(&[0x7c, 0x05, 0xb8]), "the middle");
        assert!(!is_key_frame_start(&[0x7c, 0x45, 0xb8]), "the end");
        assert!(
            !is_key_frame_start(&[0x7c, 0x81, 0xe0]),
            "the start of another picture"
        );
        assert!(!is_key_frame_start(&[0x7c, 0x85]) && !is_key_frame_start(&[0x7c]));
    }
}
