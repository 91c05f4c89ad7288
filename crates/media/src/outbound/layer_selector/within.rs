//! Which frames of one stream a subscriber gets: those of its temporal layers, and of its spatial ones where one
//! stream has several. It changes where a decoder can go on without a key frame, and a frame goes out whole or
//! not at all.

use crate::rtp::codec::dependency::{Descriptor, Indication, Structure};
use crate::rtp::codec::{Frame, FrameLayers, Opens};
use crate::rtp::sequence::is_newer_timestamp;

/// Frames whose lot is remembered, for packets that come late: at 30 pictures a second a quarter of a second.
const REMEMBERED: usize = 8;

/// The highest layers to forward: temporal of the frame rate, spatial of the size. `ALL` is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) spatial: u8,
    pub(super) temporal: u8,
}

/// Every layer there is.
pub(super) const ALL: Bounds = Bounds {
    spatial: u8::MAX,
    temporal: u8::MAX,
};

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lot {
    Forwarded,
    /// Forwarded, and the last of its picture: what comes above it is not.
    Topmost,
    Dropped,
}

/// The choice of frames for one subscriber.
#[derive(Clone, Copy, Debug)]
pub(super) struct Within {
    wanted: Bounds,
    /// The bound of temporal layers that comes with the stream which is awaited, or is here.
    awaited_temporal: u8,
    current: Choice,
    /// What was chosen up to the last change: frames from before it that come late are judged by it.
    before: Choice,
    changed_at: Option<u32>,
    newest: Option<u32>,
    recent: [Known; REMEMBERED],
    next: usize,
    /// The highest spatial layers that are forwarded, and wanted, as far as the last frame told.
    spatial: u8,
    wanted_spatial: u8,
}

/// What is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Choice {
    bounds: Bounds,
    /// Where frames are described: the decode target; `None` is everything.
    target: Option<u8>,
}

/// The lot of a frame, which timestamp and spatial layer name.
#[derive(Clone, Copy, Debug)]
struct Known {
    timestamp: u32,
    spatial: u8,
    /// None: nothing is known yet.
    lot: Option<Lot>,
}

const UNKNOWN: Known = Known {
    timestamp: 0,
    spatial: 0,
    lot: None,
};

const EVERYTHING: Choice = Choice {
    bounds: ALL,
    target: None,
};

impl Within {
    pub(super) fn new() -> Self {
        Self {
            wanted: ALL,
            awaited_temporal: ALL.temporal,
            current: EVERYTHING,
            before: EVERYTHING,
            changed_at: None,
            newest: None,
            recent: [UNKNOWN; REMEMBERED],
            next: 0,
            spatial: ALL.spatial,
            wanted_spatial: ALL.spatial,
        }
    }

    pub(super) fn want(&mut self, bounds: Bounds) {
        self.wanted = bounds;
    }

    pub(super) fn wanted(&self) -> Bounds {
        self.wanted
    }

    /// More spatial layers are wanted than are forwarded: that takes a key frame.
    pub(super) fn awaits_key_frame(&self) -> bool {
        self.spatial < self.wanted_spatial
    }

    /// The highest spatial layer that is forwarded.
    pub(super) fn spatial(&self) -> u8 {
        self.spatial
    }

    /// The stream that is awaited comes with this bound of temporal layers.
    pub(super) fn await_temporal(&mut self, highest: u8) {
        self.awaited_temporal = highest;
    }

    /// Another stream begins with a key frame: the one that is awaited, or a smaller one meanwhile, all of which is
    /// less than part of that.
    pub(super) fn restart(&mut self, is_awaited: bool) {
        let temporal = match is_awaited {
            true => self.awaited_temporal,
            false => ALL.temporal,
        };
        *self = Self {
            wanted: Bounds {
                temporal,
                ..self.wanted
            },
            awaited_temporal: self.awaited_temporal,
            ..Self::new()
        };
    }

    /// What becomes of the frame of this packet.
    pub(super) fn on_packet(
        &mut self,
        timestamp: u32,
        frame: &Frame,
        structure: Option<&Structure>,
    ) -> Lot {
        if frame.layers == FrameLayers::Untold {
            return Lot::Forwarded;
        }
        let (spatial, _) = frame.layers.numbers();
        if let Some(lot) = self.lot(timestamp, spatial) {
            return lot;
        }
        // Only what is newer than everything seen can change anything: what was dropped behind it is gone.
        let is_new_picture = self
            .newest
            .is_none_or(|newest| is_newer_timestamp(timestamp, newest));
        if is_new_picture {
            self.newest = Some(timestamp);
        }
        if self.newest == Some(timestamp) {
            let next = self.next_choice(frame, structure, is_new_picture);
            if next != self.current {
                self.before = self.current;
                self.current = next;
                self.changed_at = Some(timestamp);
            }
            (self.spatial, self.wanted_spatial) = self.spatial_bounds(frame, structure);
        }
        let is_from_before = self
            .changed_at
            .is_some_and(|changed_at| is_newer_timestamp(changed_at, timestamp));
        let choice = match is_from_before {
            true => self.before,
            false => self.current,
        };
        let lot = choice.lot(frame, structure);
        self.recent[self.next] = Known {
            timestamp,
            spatial,
            lot: Some(lot),
        };
        self.next = (self.next + 1) % REMEMBERED;
        lot
    }

    /// What became of the frame of this packet, if that is still known.
    pub(super) fn lot(&self, timestamp: u32, spatial: u8) -> Option<Lot> {
        let is_it = |known: &&Known| known.timestamp == timestamp && known.spatial == spatial;
        self.recent.iter().filter(is_it).find_map(|known| known.lot)
    }

    /// The highest spatial layers that are forwarded and wanted, as this frame has them.
    fn spatial_bounds(&self, frame: &Frame, structure: Option<&Structure>) -> (u8, u8) {
        let (current, wanted) = (self.current, self.wanted);
        // Most get everything: then there is nothing to find out.
        if current == EVERYTHING && wanted == ALL {
            return (ALL.spatial, ALL.spatial);
        }
        match (frame.layers, structure) {
            (FrameLayers::Described(_), Some(structure)) => {
                let spatial_of = |target| structure.spatial_of(target);
                let best = structure.target_within(wanted.spatial, wanted.temporal);
                let highest = best.map_or(ALL.spatial, spatial_of);
                (current.target.map_or(ALL.spatial, spatial_of), highest)
            }
            _ => (current.bounds.spatial, wanted.spatial),
        }
    }

    /// What is forwarded from this frame on.
    fn next_choice(
        &self,
        frame: &Frame,
        structure: Option<&Structure>,
        is_new_picture: bool,
    ) -> Choice {
        match (frame.layers, structure) {
            (
                FrameLayers::Numbered {
                    temporal, opens, ..
                },
                _,
            ) => Choice {
                bounds: self.next_bounds(temporal, opens, frame.starts_key_frame, is_new_picture),
                ..self.current
            },
            (FrameLayers::Described(descriptor), Some(structure)) => Choice {
                target: self.next_target(&descriptor, structure, frame.starts_key_frame),
                ..self.current
            },
            _ => self.current,
        }
    }

    fn next_bounds(
        &self,
        temporal: u8,
        opens: Opens,
        is_key_frame: bool,
        is_new_picture: bool,
    ) -> Bounds {
        if is_key_frame {
            return self.wanted;
        }
        let (wanted, mut next) = (self.wanted, self.current.bounds);
        if is_new_picture {
            next.spatial = next.spatial.min(wanted.spatial);
            next.temporal = next.temporal.min(wanted.temporal);
        }
        // A layer above what was forwarded leans on frames that were not, but for where it says otherwise.
        match opens {
            Opens::Itself if temporal == next.temporal.saturating_add(1) => {
                next.temporal = temporal.min(wanted.temporal);
            }
            Opens::Everything if temporal <= next.temporal => next.temporal = wanted.temporal,
            _ => {}
        }
        next
    }

    /// The decode target may change with a frame that is forwarded, and after which the new target has all it
    /// needs.
    fn next_target(
        &self,
        descriptor: &Descriptor,
        structure: &Structure,
        is_key_frame: bool,
    ) -> Option<u8> {
        let wanted = structure.target_within(self.wanted.spatial, self.wanted.temporal);
        if is_key_frame {
            // The best target has not every frame: those that only lower ones need are not in it.
            return wanted.filter(|_| self.wanted != ALL);
        }
        let of = |target: u8| descriptor.indications.of(target.into());
        let is_present = |target| of(target) != Indication::NotPresent;
        let is_satisfied = self.current.target.is_none() && self.wanted == ALL;
        let opens = wanted.is_some_and(|wanted| of(wanted) == Indication::Switch);
        match opens && !is_satisfied && self.current.target.is_none_or(is_present) {
            true => wanted,
            false => self.current.target,
        }
    }
}

impl Choice {
    fn lot(self, frame: &Frame, structure: Option<&Structure>) -> Lot {
        let (is_within, is_top) = match frame.layers {
            FrameLayers::Untold => (true, false),
            FrameLayers::Numbered {
                spatial, temporal, ..
            } => (
                temporal <= self.bounds.temporal && spatial <= self.bounds.spatial,
                spatial == self.bounds.spatial,
            ),
            FrameLayers::Described(descriptor) => {
                let (Some(target), Some(structure)) = (self.target, structure) else {
                    return Lot::Forwarded;
                };
                let indication = descriptor.indications.of(target.into());
                (
                    indication != Indication::NotPresent,
                    structure.spatial_of(target) == descriptor.spatial,
                )
            }
        };
        // Without a key frame nothing can begin.
        match (is_within || frame.starts_key_frame, is_top) {
            (false, _) => Lot::Dropped,
            (true, true) => Lot::Topmost,
            (true, false) => Lot::Forwarded,
        }
    }
}

#[cfg(test)]
mod tests;
