//! A packet of a track as its layer keeps it, read once for all its subscribers.

use std::time::Instant;

use crate::codec::Codec;
use crate::extension::{Extension, ExtensionMap};
use crate::inbound::{Track, track::Payload};
use crate::outbound::Lot;
use crate::rtp::codec::dependency::Structure;
use crate::rtp::codec::{Frame, red::Red};
use crate::rtp::packet::Packet;

/// Extensions of one packet that are passed on; Chromium 156 writes two or three.
const EXTENSIONS: usize = 6;

/// Where a packet is kept: its layer, and its number in that layer's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) layer: usize,
    /// Its extended number.
    pub(crate) sequence: u64,
    pub(crate) arrival: Instant,
}

/// A packet of a track, ready for each subscriber.
pub(crate) struct Forwarded<'a> {
    pub(crate) kept: Kept,
    pub(crate) marker: bool,
    pub(crate) timestamp: u32,
    /// Empty for packets that only probe the path.
    pub(crate) payload: &'a [u8],
    /// Its length as it came, opened.
    pub(crate) bytes: usize,
    pub(crate) codec: Codec,
    /// What it tells of its frame.
    pub(crate) frame: Frame,
    /// What the frames of its layer are made after, if they say so.
    pub(crate) structure: Option<&'a Structure>,
    /// What to add to its timestamp to get the track's, where a decoder can begin.
    pub(crate) to_track_clock: u32,
    /// The newest timestamp of the layer, if this packet is not forwarded as it came but from what was kept.
    pub(crate) newest: Option<u32>,
    /// Where RED's blocks are.
    pub(crate) red: Option<Red>,
    /// Which of the track's stints it belongs to, for sound that is not always heard.
    pub(crate) stint: u32,
    pub(crate) extensions: EndToEnd<'a>,
}

impl<'a> Forwarded<'a> {
    /// Read a packet that the track keeps, if it still does.
    pub(crate) fn read(track: &'a Track, kept: Kept) -> Option<Self> {
        let layer = track.layers.get(kept.layer)?;
        let plain = layer.cache.get(kept.sequence)?;
        let packet = Packet::parse(plain)?;
        let Payload::Media { codec, .. } = track.payload(packet.payload_type)? else {
            return None;
        };
        let extensions = EndToEnd::of(&packet, &track.extensions);
        let structure = layer.structure();
        let frame = Frame::read(codec, packet.payload, extensions.dependency(), structure);
        let to_track_clock = match frame.starts_key_frame {
            true => track.to_track_clock(kept.layer),
            false => 0,
        };
        Some(Self {
            kept,
            marker: packet.marker,
            timestamp: packet.timestamp,
            payload: packet.payload,
            bytes: plain.len(),
            codec,
            frame,
            structure,
            to_track_clock,
            newest: None,
            red: match codec {
                Codec::Red => track.red(packet.payload),
                _ => None,
            },
            stint: track.stint,
            extensions,
        })
    }
}

impl Forwarded<'_> {
    /// A packet with nothing in it, for a number that was promised for one that is not to go out.
    pub(crate) fn emptied(&self) -> Self {
        Self {
            payload: &[],
            frame: Frame::default(),
            extensions: EndToEnd::NONE,
            red: None,
            marker: false,
            ..*self
        }
    }

    /// Whether it is the last of its picture, as the subscriber gets it.
    pub(crate) fn ends_picture(&self, lot: Option<Lot>) -> bool {
        self.marker || (lot == Some(Lot::Topmost) && self.frame.ends_layer)
    }
}

/// A packet's extensions that say something about its media, and so are for the subscriber too.
#[derive(Clone, Copy)]
pub(crate) struct EndToEnd<'a> {
    values: [(Extension, &'a [u8]); EXTENSIONS],
    count: usize,
}

impl<'a> EndToEnd<'a> {
    const NONE: Self = Self {
        values: [(Extension::Mid, &[]); EXTENSIONS],
        count: 0,
    };

    fn of(packet: &Packet<'a>, numbers: &ExtensionMap) -> Self {
        let mut all = Self::NONE;
        for (id, value) in packet.extensions() {
            let known = numbers.extension(id);
            if let Some(extension) = known.filter(|extension| extension.is_end_to_end())
                && all.count < EXTENSIONS
            {
                all.values[all.count] = (extension, value);
                all.count += 1;
            }
        }
        all
    }

    /// The dependency descriptor, if there is one.
    pub(crate) fn dependency(&self) -> Option<&'a [u8]> {
        self.iter()
            .find(|(extension, _)| *extension == Extension::DependencyDescriptor)
            .map(|(_, value)| value)
    }

    /// What each is and what it says, in the order of the packet.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Extension, &'a [u8])> {
        self.values[..self.count].iter().copied()
    }
}
