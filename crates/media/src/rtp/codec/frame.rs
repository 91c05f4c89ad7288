//! What a packet tells of the frame it belongs to, whatever the codec: its running numbers, and its layers. It
//! never says who should get it.

use super::dependency::{self, Structure};
use super::{is_key_frame_start, vp8, vp9};
use crate::codec::Codec;

/// A picture id with its width: it wraps at 7 or at 15 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PictureId {
    /// The number.
    pub(crate) value: u16,
    /// The greatest number of this width: 127 or 32,767.
    pub(crate) mask: u16,
}

/// The running numbers of a frame, as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FrameNumbers {
    pub(crate) picture_id: Option<PictureId>,
    /// TL0PICIDX: the number of the frame of the lowest temporal layer that this one leans on.
    pub(crate) tl0_picture_index: Option<u8>,
    /// In the dependency descriptor.
    pub(crate) frame_number: Option<u16>,
    /// Picture ids are to be without gaps where frames are skipped. So it is with VP8, whose decoders wait for a
    /// picture that is missing; the others count on the gaps, for their references are told as distances.
    pub(crate) closes_gaps: bool,
}

/// The running numbers of a frame, as they go out. What the frame does not have is passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// 15 bits; a field of 7 takes the low ones.
    pub(crate) picture_id: u16,
    /// TL0PICIDX.
    pub(crate) tl0_picture_index: u8,
    /// In the dependency descriptor.
    pub(crate) frame_number: u16,
}

/// From where on a viewer of few temporal layers can take more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Opens {
    /// Not here.
    #[default]
    Nothing,
    /// This frame leans on the lowest layer alone (VP8, Y).
    Itself,
    /// The frames after this one lean on no earlier frame above it (VP9, U).
    Everything,
}

/// The layers that a frame belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FrameLayers {
    /// Nothing is told: it is for everybody.
    #[default]
    Untold,
    /// By the payload's own descriptor.
    Numbered {
        spatial: u8,
        temporal: u8,
        opens: Opens,
    },
    /// By the dependency descriptor.
    Described(dependency::Descriptor),
}

impl FrameLayers {
    /// The numbers of the layers, spatial and temporal; of what is not told, the lowest.
    pub(crate) fn numbers(&self) -> (u8, u8) {
        match self {
            FrameLayers::Untold => (0, 0),
            FrameLayers::Numbered {
                spatial, temporal, ..
            } => (*spatial, *temporal),
            FrameLayers::Described(descriptor) => (descriptor.spatial, descriptor.temporal),
        }
    }
}

/// What a packet tells of its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// A decoder can begin with this packet.
    pub(crate) starts_key_frame: bool,
    pub(crate) numbers: FrameNumbers,
    pub(crate) layers: FrameLayers,
    /// The packet is the last of its frame, which with spatial layers is only a part of the picture.
    pub(crate) ends_layer: bool,
    written: Written,
}

/// Where the payload has the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Written {
    #[default]
    Nowhere,
    Vp8(vp8::Descriptor),
    Vp9(vp9::Descriptor),
}

impl Frame {
    /// Read a packet: its payload, and its dependency descriptor with the structure in force.
    pub(crate) fn read(
        codec: Codec,
        payload: &[u8],
        dependency: Option<&[u8]>,
        structure: Option<&Structure>,
    ) -> Self {
        let mut frame = match codec {
            Codec::Vp8 => vp8::Descriptor::parse(payload).map_or_else(Self::default, Self::vp8),
            Codec::Vp9 { .. } => {
                vp9::Descriptor::parse(payload).map_or_else(Self::default, Self::vp9)
            }
            _ => Self {
                starts_key_frame: is_key_frame_start(codec, payload),
                ..Self::default()
            },
        };
        let Some(dependency) = dependency else {
            return frame;
        };
        frame.numbers.frame_number = dependency::frame_number(dependency);
        if frame.layers == FrameLayers::Untold
            && let Some(descriptor) = dependency::read(dependency, structure)
        {
            frame.layers = FrameLayers::Described(descriptor);
            frame.ends_layer = descriptor.ends_frame;
        }
        frame
    }

    fn vp8(descriptor: vp8::Descriptor) -> Self {
        let layers =
            descriptor
                .temporal
                .map_or(FrameLayers::Untold, |temporal| FrameLayers::Numbered {
                    spatial: 0,
                    temporal: temporal.layer,
                    opens: match temporal.is_layer_sync {
                        true => Opens::Itself,
                        false => Opens::Nothing,
                    },
                });
        Self {
            starts_key_frame: descriptor.is_key_frame_start,
            numbers: FrameNumbers {
                picture_id: descriptor.picture_id,
                tl0_picture_index: descriptor.tl0_picture_index,
                frame_number: None,
                closes_gaps: true,
            },
            layers,
            ends_layer: false,
            written: Written::Vp8(descriptor),
        }
    }

    fn vp9(descriptor: vp9::Descriptor) -> Self {
        let layers =
            descriptor
                .layers
                .map_or(FrameLayers::Untold, |layers| FrameLayers::Numbered {
                    spatial: layers.spatial,
                    temporal: layers.temporal,
                    opens: match layers.is_switching_point {
                        true => Opens::Everything,
                        false => Opens::Nothing,
                    },
                });
        Self {
            starts_key_frame: descriptor.is_key_frame_start(),
            numbers: FrameNumbers {
                picture_id: descriptor.picture_id,
                tl0_picture_index: descriptor.tl0_picture_index,
                frame_number: None,
                closes_gaps: false,
            },
            layers,
            ends_layer: descriptor.ends_frame,
            written: Written::Vp9(descriptor),
        }
    }

    /// Write other numbers over those that `payload`, which this was read from, has.
    pub(crate) fn write(&self, payload: &mut [u8], numbers: Numbers) {
        match &self.written {
            Written::Nowhere => {}
            Written::Vp8(descriptor) => descriptor.write(payload, numbers),
            Written::Vp9(descriptor) => descriptor.write(payload, numbers),
        }
    }
}
