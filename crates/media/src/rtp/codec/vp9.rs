//! The VP9 payload descriptor (RFC 9628, section 4.2): key frames and layers read, and its two running numbers
//! written in place. It never reads the picture.

use super::{Numbers, PictureId};

/// Whether this payload begins a key picture.
pub(crate) fn is_key_frame_start(payload: &[u8]) -> bool {
    Descriptor::parse(payload).is_some_and(|descriptor| descriptor.is_key_frame_start())
}

/// Width and height in pixels.
type PictureSize = (u16, u16);

/// What a payload descriptor says, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// The picture's number, if there is one.
    pub(crate) picture_id: Option<PictureId>,
    /// TL0PICIDX, outside the flexible mode.
    pub(crate) tl0_picture_index: Option<u8>,
    pub(crate) layers: Option<Layers>,
    /// E: the packet is the last of its frame, which is one spatial layer of the picture.
    pub(crate) ends_frame: bool,
    begins_frame: bool,
    /// P: the frame leans on an earlier picture.
    is_predicted: bool,
}

/// The layers of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layers {
    /// SID.
    pub(crate) spatial: u8,
    /// TID.
    pub(crate) temporal: u8,
    /// U: later pictures lean on no earlier one that is above this in time.
    pub(crate) is_switching_point: bool,
}

impl Descriptor {
    /// Read the descriptor at the beginning of a payload. `None` if it is cut off, or nothing follows it.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        Self::parse_with_size(payload).map(|(descriptor, _)| descriptor)
    }

    /// The same, and the size of the highest spatial layer that a scalability structure tells.
    pub(crate) fn parse_with_size(payload: &[u8]) -> Option<(Self, Option<PictureSize>)> {
        let (&first, mut rest) = payload.split_first()?;
        let is_set = |bit: u8| first & bit != 0;
        let (has_picture_id, is_predicted, has_layers, is_flexible) =
            (is_set(0x80), is_set(0x40), is_set(0x20), is_set(0x10));
        let picture_id = match has_picture_id {
            true => Some(take_picture_id(&mut rest)?),
            false => None,
        };
        let mut layers = None;
        let mut tl0_picture_index = None;
        if has_layers {
            let indices = take(&mut rest)?;
            layers = Some(Layers {
                spatial: indices >> 1 & 0x07,
                temporal: indices >> 5,
                is_switching_point: indices & 0x10 != 0,
            });
            if !is_flexible {
                tl0_picture_index = Some(take(&mut rest)?);
            }
        }
        if is_predicted && is_flexible {
            skip_references(&mut rest)?;
        }
        let mut size = None;
        if is_set(0x02) {
            (rest, size) = take_structure(rest)?;
        }
        let descriptor = Self {
            picture_id,
            tl0_picture_index,
            layers,
            ends_frame: is_set(0x04),
            begins_frame: is_set(0x08),
            is_predicted,
        };
        (!rest.is_empty()).then_some((descriptor, size))
    }

    /// Whether this is the first packet (B) of a frame that leans on no earlier picture (P = 0), in the lowest
    /// spatial layer. Higher layers of a key picture also have P = 0, but lean on the lowest.
    pub(crate) fn is_key_frame_start(&self) -> bool {
        let is_lowest = self.layers.is_none_or(|layers| layers.spatial == 0);
        self.begins_frame && !self.is_predicted && is_lowest
    }

    /// Write other numbers over those that `payload`, which this descriptor was read from, has. Fields it does
    /// not have stay absent: the length never changes.
    pub(crate) fn write(&self, payload: &mut [u8], numbers: Numbers) {
        let mut position = 1;
        let mut put = |at: usize, byte: u8| {
            if let Some(place) = payload.get_mut(at) {
                *place = byte;
            }
        };
        if let Some(picture_id) = self.picture_id {
            let [high, low] = (numbers.picture_id & picture_id.mask).to_be_bytes();
            if picture_id.mask > 0x7f {
                put(position, 0x80 | high);
                position += 1;
            }
            put(position, low);
            position += 1;
        }
        if self.tl0_picture_index.is_some() {
            // Behind the layer indices.
            put(position + 1, numbers.tl0_picture_index);
        }
    }
}

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (&first, after) = rest.split_first()?;
    *rest = after;
    Some(first)
}

fn take_picture_id(rest: &mut &[u8]) -> Option<PictureId> {
    let first = take(rest)?;
    if first & 0x80 == 0 {
        return Some(PictureId {
            value: first.into(),
            mask: 0x7f,
        });
    }
    Some(PictureId {
        value: u16::from_be_bytes([first & 0x7f, take(rest)?]),
        mask: 0x7fff,
    })
}

/// The distances to the pictures it leans on: three at most, the last without N.
fn skip_references(rest: &mut &[u8]) -> Option<()> {
    for _ in 0..3 {
        if take(rest)? & 0x01 == 0 {
            return Some(());
        }
    }
    None
}

/// The scalability structure: resolutions of the spatial layers, of which the last is given, and the pictures of a
/// group.
fn take_structure(structure: &[u8]) -> Option<(&[u8], Option<PictureSize>)> {
    let (&first, mut rest) = structure.split_first()?;
    let spatial_layers = usize::from(first >> 5) + 1;
    let mut size = None;
    if first & 0x10 != 0 {
        let (resolutions, after) = rest.split_at_checked(spatial_layers * 4)?;
        rest = after;
        size = resolutions
            .last_chunk()
            .map(|[a, b, c, d]| (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])));
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
    Some((rest, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::seeded::Seeded;

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

    #[test]
    fn layers_and_numbers_are_read_and_written_where_they_are() {
        let mut payload = KEY;
        // TID 2, U, SID 1, D; TL0PICIDX 0x45.
        (payload[3], payload[4]) = (0x53, 0x45);
        let descriptor = Descriptor::parse(&payload).expect("whole");
        assert_eq!(
            descriptor.layers,
            Some(Layers {
                spatial: 1,
                temporal: 2,
                is_switching_point: true
            })
        );
        assert_eq!(descriptor.tl0_picture_index, Some(0x45));
        let picture_id = descriptor.picture_id.expect("there");
        assert_eq!((picture_id.value, picture_id.mask), (0x0123, 0x7fff));
        assert!(!descriptor.is_key_frame_start(), "not the lowest layer");
        descriptor.write(
            &mut payload,
            Numbers {
                picture_id: 0x7ffe,
                tl0_picture_index: 9,
                frame_number: 0,
            },
        );
        assert_eq!(payload[..6], [0xaa, 0xff, 0xfe, 0x53, 9, 0x10]);
        assert_eq!(payload[6..], KEY[6..]);
    }

    #[test]
    fn references_of_the_flexible_mode_are_passed_over() {
        let mut payload = [0xfc, 0x12, 0x21, 0x03, 0x05, 0x08, 0x82];
        let descriptor = Descriptor::parse(&payload).expect("whole");
        assert!(descriptor.ends_frame && !descriptor.is_key_frame_start());
        assert_eq!(descriptor.tl0_picture_index, None);
        let layers = descriptor.layers.expect("there");
        assert_eq!((layers.spatial, layers.temporal), (0, 1));
        for length in 0..payload.len() {
            assert_eq!(Descriptor::parse(&payload[..length]), None, "{length}");
        }
        let numbers = Numbers {
            picture_id: 0x1ff,
            ..Numbers::default()
        };
        descriptor.write(&mut payload, numbers);
        assert_eq!(payload, [0xfc, 0x7f, 0x21, 0x03, 0x05, 0x08, 0x82]);
        payload[5] = 0x09;
        assert_eq!(Descriptor::parse(&payload), None, "four references");
    }

    #[test]
    fn writing_into_whatever_was_read_changes_the_numbers_alone() {
        let mut random = Seeded::new(9);
        let mut written = 0;
        for _ in 0..100_000 {
            let length = random.below(14);
            let mut payload = match random.chance(30) {
                true => random.bytes(length),
                false => random.mutate(&KEY),
            };
            let Some(before) = Descriptor::parse(&payload) else {
                continue;
            };
            let numbers = Numbers {
                picture_id: random.next() as u16 & 0x7fff,
                tl0_picture_index: random.byte(),
                frame_number: 0,
            };
            before.write(&mut payload, numbers);
            let after = Descriptor::parse(&payload).expect("still whole");
            let expected = Descriptor {
                picture_id: before.picture_id.map(|PictureId { mask, .. }| PictureId {
                    value: numbers.picture_id & mask,
                    mask,
                }),
                tl0_picture_index: before.tl0_picture_index.map(|_| numbers.tl0_picture_index),
                ..before
            };
            assert_eq!(after, expected);
            written += 1;
        }
        assert!(written > 30_000, "{written}");
    }
}
