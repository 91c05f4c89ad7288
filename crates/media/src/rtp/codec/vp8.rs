//! The VP8 payload descriptor (RFC 7741, section 4.2): read, and its two running numbers written in place.
//! It never reads the picture beyond the one bit that says whether it is a key frame.

use super::{Numbers, PictureId};

/// Whether this payload begins a key frame.
pub(crate) fn is_key_frame_start(payload: &[u8]) -> bool {
    Descriptor::parse(payload).is_some_and(|descriptor| descriptor.is_key_frame_start)
}

/// What a payload descriptor says, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// The frame's number, if there is one.
    pub(crate) picture_id: Option<PictureId>,
    /// TL0PICIDX: the number of the frame of the lowest temporal layer that this one leans on.
    pub(crate) tl0_picture_index: Option<u8>,
    /// The temporal layer, TID, with Y and KEYIDX.
    pub(crate) temporal: Option<Temporal>,
    /// The packet is the first of its frame (S = 1, PID = 0) and the frame is a key frame (P = 0).
    pub(crate) is_key_frame_start: bool,
    /// Bytes before the VP8 payload itself.
    pub(crate) length: u8,
    /// Where the picture id begins; the tl0 index comes right after it, or here if there is no picture id.
    numbers_at: u8,
}

/// The temporal layer of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Temporal {
    /// TID: 0 is the lowest layer.
    pub(crate) layer: u8,
    /// Y: the frame leans only on the lowest layer, so that a receiver can step up here.
    pub(crate) is_layer_sync: bool,
    /// KEYIDX, if present.
    pub(crate) key_index: Option<u8>,
}

impl Descriptor {
    /// Read the descriptor at the beginning of a payload. `None` if it is cut off, or nothing follows it.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader {
            payload,
            position: 0,
        };
        let first = reader.byte()?;
        let present = if first & 0x80 != 0 { reader.byte()? } else { 0 };
        let numbers_at = reader.position as u8;
        let picture_id = if present & 0x80 != 0 {
            Some(reader.picture_id()?)
        } else {
            None
        };
        let tl0_picture_index = if present & 0x40 != 0 {
            Some(reader.byte()?)
        } else {
            None
        };
        // One byte carries TID and Y, KEYIDX, or both.
        let last = if present & 0x30 != 0 {
            reader.byte()?
        } else {
            0
        };
        let temporal = (present & 0x20 != 0).then_some(Temporal {
            layer: last >> 6,
            is_layer_sync: last & 0x20 != 0,
            key_index: (present & 0x10 != 0).then_some(last & 0x1f),
        });
        let length = reader.position as u8;
        let frame_header = reader.byte()?;
        let starts_frame = first & 0x17 == 0x10;
        Some(Self {
            picture_id,
            tl0_picture_index,
            temporal,
            is_key_frame_start: starts_frame && frame_header & 0x01 == 0,
            length,
            numbers_at,
        })
    }

    /// Write other numbers over those that `payload`, which this descriptor was read from, has. Fields it does
    /// not have stay absent: the length never changes.
    pub(crate) fn write(&self, payload: &mut [u8], numbers: Numbers) {
        let Some(payload) = payload.get_mut(..usize::from(self.length)) else {
            debug_assert!(
                false,
                "a payload shorter than its descriptor of {} bytes",
                self.length
            );
            return;
        };
        let mut position = usize::from(self.numbers_at);
        if let Some(picture_id) = self.picture_id {
            let [high, low] = (numbers.picture_id & picture_id.mask).to_be_bytes();
            if picture_id.mask > 0x7f {
                payload[position] = 0x80 | high;
                position += 1;
            }
            payload[position] = low;
            position += 1;
        }
        if self.tl0_picture_index.is_some() {
            payload[position] = numbers.tl0_picture_index;
        }
    }
}

struct Reader<'a> {
    payload: &'a [u8],
    position: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.payload.get(self.position)?;
        self.position += 1;
        Some(byte)
    }

    fn picture_id(&mut self) -> Option<PictureId> {
        let first = self.byte()?;
        if first & 0x80 == 0 {
            return Some(PictureId {
                value: u16::from(first),
                mask: 0x7f,
            });
        }
        let value = u16::from_be_bytes([first & 0x7f, self.byte()?]);
        Some(PictureId {
            value,
            mask: 0x7fff,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::seeded::Seeded;

    /// All fields: picture id 0x0123, tl0 index 0x45, layer 1, sync, key index 3, then a key frame's first byte.
    const FULL: [u8; 7] = [0x90, 0xf0, 0x81, 0x23, 0x45, 0x63, 0x10];

    #[test]
    fn every_field_is_read() {
        let descriptor = Descriptor::parse(&FULL).expect("whole");
        assert_eq!(
            descriptor.picture_id,
            Some(PictureId {
                value: 0x0123,
                mask: 0x7fff
            })
        );
        assert_eq!(descriptor.tl0_picture_index, Some(0x45));
        assert_eq!(
            descriptor.temporal,
            Some(Temporal {
                layer: 1,
                is_layer_sync: true,
                key_index: Some(3)
            })
        );
        assert_eq!(descriptor.length, 6);
        assert!(descriptor.is_key_frame_start);
    }

    #[test]
    fn every_field_may_be_absent() {
        let descriptor = Descriptor::parse(&[0x10, 0x10]).expect("whole");
        assert_eq!(
            (
                descriptor.picture_id,
                descriptor.tl0_picture_index,
                descriptor.temporal
            ),
            (None, None, None)
        );
        assert_eq!(descriptor.length, 1);
        assert!(descriptor.is_key_frame_start);
        let key_index_alone = Descriptor::parse(&[0x90, 0x10, 0x63, 0x10]).expect("whole");
        assert_eq!(
            (key_index_alone.temporal, key_index_alone.length),
            (None, 3)
        );
    }

    #[test]
    fn a_descriptor_that_is_cut_off_or_has_nothing_behind_it_is_refused() {
        for length in 0..FULL.len() {
            assert_eq!(Descriptor::parse(&FULL[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn only_the_first_packet_of_a_key_frame_begins_one() {
        assert!(is_key_frame_start(&[0x10, 0x10]));
        assert!(
            is_key_frame_start(&[0x30, 0x10]),
            "a frame that none leans on is still a key frame"
        );
        assert!(
            !is_key_frame_start(&[0x10, 0x11]),
            "a frame that leans on others"
        );
        assert!(
            !is_key_frame_start(&[0x00, 0x10]),
            "the middle of a partition"
        );
        assert!(!is_key_frame_start(&[0x11, 0x10]), "a later partition");
        assert!(!is_key_frame_start(&[0x14, 0x10]), "a later partition");
    }

    #[test]
    fn numbers_are_written_where_they_were_read() {
        let mut payload = FULL;
        let descriptor = Descriptor::parse(&payload).expect("whole");
        descriptor.write(
            &mut payload,
            Numbers {
                picture_id: 0x7ffe,
                tl0_picture_index: 0xfa,
                frame_number: 0,
            },
        );
        assert_eq!(payload, [0x90, 0xf0, 0xff, 0xfe, 0xfa, 0x63, 0x10]);
    }

    #[test]
    fn a_picture_id_of_7_bits_stays_one() {
        let mut payload = [0x90, 0xc0, 0x23, 0x45, 0x10];
        let descriptor = Descriptor::parse(&payload).expect("whole");
        assert_eq!(
            descriptor.picture_id,
            Some(PictureId {
                value: 0x23,
                mask: 0x7f
            })
        );
        descriptor.write(
            &mut payload,
            Numbers {
                picture_id: 0x1ff,
                tl0_picture_index: 1,
                frame_number: 0,
            },
        );
        assert_eq!(payload, [0x90, 0xc0, 0x7f, 1, 0x10]);
    }

    #[test]
    fn a_field_that_is_absent_stays_absent() {
        let mut payload = [0x90, 0x40, 0x45, 0x10];
        let descriptor = Descriptor::parse(&payload).expect("whole");
        descriptor.write(
            &mut payload,
            Numbers {
                picture_id: 0x1ff,
                tl0_picture_index: 9,
                frame_number: 0,
            },
        );
        assert_eq!(payload, [0x90, 0x40, 9, 0x10]);
        let mut payload = [0x10, 0x10, 0xaa];
        let descriptor = Descriptor::parse(&payload).expect("whole");
        descriptor.write(
            &mut payload,
            Numbers {
                picture_id: 0x1ff,
                tl0_picture_index: 9,
                frame_number: 0,
            },
        );
        assert_eq!(payload, [0x10, 0x10, 0xaa]);
    }

    #[test]
    fn writing_into_whatever_was_read_changes_the_numbers_alone() {
        let mut random = Seeded::new(5);
        let mut written = 0;
        for _ in 0..100_000 {
            let length = random.below(12);
            let mut payload = if random.chance(30) {
                random.bytes(length)
            } else {
                random.mutate(&FULL)
            };
            let before = payload.clone();
            let Some(descriptor) = Descriptor::parse(&payload) else {
                continue;
            };
            let numbers = Numbers {
                picture_id: random.next() as u16 & 0x7fff,
                tl0_picture_index: random.byte(),
                frame_number: 0,
            };
            descriptor.write(&mut payload, numbers);
            let after = Descriptor::parse(&payload).expect("still whole");
            let expected = Descriptor {
                picture_id: descriptor
                    .picture_id
                    .map(|PictureId { mask, .. }| PictureId {
                        value: numbers.picture_id & mask,
                        mask,
                    }),
                tl0_picture_index: descriptor
                    .tl0_picture_index
                    .map(|_| numbers.tl0_picture_index),
                ..descriptor
            };
            assert_eq!(after, expected);
            assert_eq!(
                payload[usize::from(descriptor.length)..],
                before[usize::from(descriptor.length)..]
            );
            written += 1;
        }
        assert!(written > 30_000, "{written}");
    }
}
