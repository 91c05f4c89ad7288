//! The running numbers of frames, which are picture id, TL0PICIDX and the dependency descriptor's frame number,
//! across switches and skipped frames. VP8's KEYIDX is left as it comes: receivers do not use it. It never
//! touches the bytes.

use super::runs::Offsets;
use crate::rtp::codec::{FrameNumbers, Numbers, PictureId};

/// Which numbers went out last, and which source frames of this stint were seen.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    newest_picture_id: Option<u16>,
    newest_tl0: Option<u8>,
    newest_frame_number: Option<u16>,
    newest_source: Option<u16>,
    /// Bit n: the source frame n before the newest was seen, forwarded or skipped.
    seen: u64,
}

/// The numbers of a frame with these offsets in force.
pub(super) fn numbers(frame: &FrameNumbers, offsets: Offsets) -> Numbers {
    let picture_id = frame
        .picture_id
        .map_or(0, |id| id.value.wrapping_add(offsets.picture) & id.mask);
    let tl0_picture_index = frame
        .tl0_picture_index
        .map_or(0, |tl0| tl0.wrapping_add(offsets.tl0));
    let frame_number = frame
        .frame_number
        .map_or(0, |number| number.wrapping_add(offsets.frame_number));
    Numbers {
        picture_id,
        tl0_picture_index,
        frame_number,
    }
}

impl Pictures {
    /// A stint begins with this frame: the offsets with which its numbers follow the newest.
    pub(super) fn begin(&mut self, frame: &FrameNumbers) -> (u16, u8, u16) {
        self.newest_source = None;
        self.seen = 0;
        let picture = match (frame.picture_id, self.newest_picture_id) {
            (Some(first), Some(newest)) => newest.wrapping_add(1).wrapping_sub(first.value),
            _ => 0,
        };
        let tl0 = match (frame.tl0_picture_index, self.newest_tl0) {
            (Some(first), Some(newest)) => newest.wrapping_add(1).wrapping_sub(first),
            _ => 0,
        };
        let frame_number = match (frame.frame_number, self.newest_frame_number) {
            (Some(first), Some(newest)) => newest.wrapping_add(1).wrapping_sub(first),
            _ => 0,
        };
        (picture, tl0, frame_number)
    }

    /// A packet went out with these numbers.
    pub(super) fn forwarded(&mut self, frame: &FrameNumbers, numbers: Numbers) {
        if let Some(picture_id) = frame.picture_id {
            self.is_first_sight(picture_id);
            let is_newer = |newest: u16| {
                is_ahead(
                    numbers.picture_id.wrapping_sub(newest) & picture_id.mask,
                    picture_id.mask,
                )
            };
            if self.newest_picture_id.is_none_or(is_newer) {
                self.newest_picture_id = Some(numbers.picture_id);
            }
        }
        if frame.tl0_picture_index.is_some() {
            let is_newer = |newest: u8| (numbers.tl0_picture_index.wrapping_sub(newest) as i8) > 0;
            if self.newest_tl0.is_none_or(is_newer) {
                self.newest_tl0 = Some(numbers.tl0_picture_index);
            }
        }
        if frame.frame_number.is_some() {
            let is_newer =
                |newest: u16| is_ahead(numbers.frame_number.wrapping_sub(newest), u16::MAX);
            if self.newest_frame_number.is_none_or(is_newer) {
                self.newest_frame_number = Some(numbers.frame_number);
            }
        }
    }

    /// Whether no packet of this source frame was seen before in this stint. Frames too old to tell count as seen.
    pub(super) fn is_first_sight(&mut self, picture_id: PictureId) -> bool {
        let PictureId { value, mask } = picture_id;
        let Some(newest) = self.newest_source else {
            self.newest_source = Some(value);
            self.seen = 1;
            return true;
        };
        let ahead = value.wrapping_sub(newest) & mask;
        if is_ahead(ahead, mask) {
            self.newest_source = Some(value);
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            return true;
        }
        let behind = newest.wrapping_sub(value) & mask;
        let Some(bit) = 1_u64.checked_shl(u32::from(behind)) else {
            return false;
        };
        let is_new = self.seen & bit == 0;
        self.seen |= bit;
        is_new
    }
}

/// Whether a distance in numbers of this width is a step forward.
fn is_ahead(distance: u16, mask: u16) -> bool {
    distance != 0 && distance <= mask / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(value: u16) -> PictureId {
        PictureId {
            value,
            mask: 0x7fff,
        }
    }

    #[test]
    fn each_frame_is_seen_first_once_in_any_order_and_across_the_wrap() {
        let mut pictures = Pictures::default();
        for (value, is_first) in [
            (0x7ffe, true),
            (0x7ffe, false),
            (1, true),
            (0, true),
            (0x7fff, true),
            (0, false),
            (1, false),
        ] {
            assert_eq!(pictures.is_first_sight(long(value)), is_first, "{value}");
        }
    }

    #[test]
    fn a_frame_too_old_to_tell_counts_as_seen() {
        let mut pictures = Pictures::default();
        assert!(pictures.is_first_sight(long(100)));
        assert!(pictures.is_first_sight(long(37)));
        assert!(!pictures.is_first_sight(long(36)));
        assert!(
            pictures.is_first_sight(long(10_000)),
            "a long jump forgets what was before"
        );
        assert!(pictures.is_first_sight(long(10_000 - 63)));
    }

    #[test]
    fn seven_bits_wrap_at_seven() {
        let mut pictures = Pictures::default();
        let short = |value| PictureId { value, mask: 0x7f };
        assert!(pictures.is_first_sight(short(127)));
        assert!(pictures.is_first_sight(short(0)));
        assert!(!pictures.is_first_sight(short(127)));
    }
}
