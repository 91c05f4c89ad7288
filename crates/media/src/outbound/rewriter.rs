//! Makes one unbroken outbound stream of whatever sources are forwarded in turn, and knows the way back for
//! NACKs. It never sees a packet's bytes, and never decides what is forwarded.

mod pictures;
#[cfg(test)]
mod random_tests;
mod runs;
#[cfg(test)]
mod tests;
mod timeline;
#[cfg(test)]
mod timing_tests;

use std::time::Instant;

use self::pictures::Pictures;
use self::runs::{Offsets, Runs};
use self::timeline::{Timeline, Timestamps};
use crate::rtp::codec::{FrameNumbers, Numbers};

/// The numbers of a packet as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    /// Extended by its source's own `Unwrapper`.
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) arrival: Instant,
}

/// The numbers of a packet as it goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rewritten {
    pub(crate) sequence_number: u16,
    pub(crate) timestamp: u32,
    /// To be written with `Frame::write`.
    pub(crate) frame: Numbers,
}

/// The beginning of a stint: another source is forwarded, or the same one again after a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Switch {
    /// Which.
    pub(crate) source: u8,
    /// What to add to the source's timestamps to get those of the track's clock, which all its sources share.
    /// Held against the time of arrival, which has to do where this is off by more than a second.
    pub(crate) to_track: u32,
    /// The source's newest timestamp, where its packets are not forwarded as they come but from what was kept.
    pub(crate) newest: Option<u32>,
}

/// The numbers of one outbound track.
///
/// A *source* is one inbound stream with its own numbers, such as a simulcast layer; any small number names it,
/// as long as no two streams of the same subscription ever share one. The time in which a source is forwarded
/// without a break is a *stint*.
#[derive(Debug)]
#[repr(C)] // What packets of sound do without comes last: see `OutboundTrack`.
pub(crate) struct Rewriter {
    runs: Runs,
    stint: Option<Stint>,
    pending: Option<Switch>,
    timeline: Timeline,
    pictures: Pictures,
}

#[derive(Clone, Copy, Debug)]
struct Stint {
    source: u8,
    timestamps: Timestamps,
}

impl Rewriter {
    /// A track whose first packet will have these numbers. `switch` comes first.
    pub(crate) fn new(first_sequence: u16, first_timestamp: u32, clock_rate: u32) -> Self {
        Self {
            runs: Runs::new(first_sequence),
            pictures: Pictures::default(),
            timeline: Timeline::new(first_timestamp, clock_rate),
            stint: None,
            pending: None,
        }
    }

    /// A stint is to begin. The source's next packet must be one at which a decoder can start; nothing that
    /// came before it is forwarded any more.
    pub(crate) fn switch(&mut self, switch: Switch) {
        self.pending = Some(switch);
    }

    /// See `Peer::fetch`.
    pub(crate) fn fetch(&self) -> u64 {
        self.runs.fetch() ^ self.stint.map_or(0, |stint| stint.source.into())
    }

    /// The outbound numbers of a packet. The same packet gets the same numbers again.
    ///
    /// `None`, and not to be forwarded: another source's, from before the switch, skipped, or too late.
    pub(crate) fn rewrite(
        &mut self,
        source: u8,
        incoming: Incoming,
        frame: &FrameNumbers,
    ) -> Option<Rewritten> {
        if let Some(pending) = self.pending {
            if pending.source != source {
                return None;
            }
            self.begin(pending, incoming, frame);
        }
        let stint = self.stint.as_mut().filter(|stint| stint.source == source)?;
        if let Some(rest) = stint.timestamps.caught_up(incoming.timestamp) {
            stint.timestamps = rest;
            self.runs.set_timestamps(incoming.sequence, rest);
        }
        let place = self.runs.place(incoming.sequence)?;
        if self.runs.is_forgotten(place.outbound) {
            return None;
        }
        self.runs.take(place.outbound);
        let rewritten = rewritten(
            place.outbound as u16,
            place.offsets,
            incoming.timestamp,
            frame,
        );
        self.pictures.forwarded(frame, rewritten.frame);
        self.timeline
            .forwarded(rewritten.timestamp, incoming.arrival);
        Some(rewritten)
    }

    /// A packet is deliberately not forwarded, and later numbers close over it; with it, where the
    /// codec wants that, over its picture id, for frames are skipped as a whole.
    ///
    /// False if a later packet is out already: then this one's number is promised, the receiver will ask for it,
    /// and it is better forwarded after all.
    pub(crate) fn skip(&mut self, source: u8, sequence: u64, frame: &FrameNumbers) -> bool {
        if self.pending.is_some() || self.stint.is_none_or(|stint| stint.source != source) {
            return true;
        }
        let Some(place) = self.runs.place(sequence) else {
            return true;
        };
        if self.runs.is_promised(place.outbound) {
            return false;
        }
        let picture_id = frame.picture_id.filter(|_| frame.closes_gaps);
        let is_new_picture =
            picture_id.is_some_and(|picture_id| self.pictures.is_first_sight(picture_id));
        self.runs.close_over(sequence, is_new_picture);
        true
    }

    /// The source of a number that a receiver asks for: which, and the extended number there. It may be of a
    /// source before the last switch, and it may be one that never came.
    pub(crate) fn source_of(&self, sequence_number: u16) -> Option<(u8, u64)> {
        self.runs
            .origin(sequence_number)
            .map(|origin| (origin.source, origin.sequence))
    }

    /// The outbound numbers of a packet that `source_of` has named, for sending it again: those it had, whatever
    /// was switched since.
    pub(crate) fn again(
        &self,
        sequence_number: u16,
        source_timestamp: u32,
        frame: &FrameNumbers,
    ) -> Option<Rewritten> {
        let origin = self.runs.origin(sequence_number)?;
        Some(rewritten(
            sequence_number,
            origin.offsets,
            source_timestamp,
            frame,
        ))
    }

    /// The outbound timestamp for a moment of `source`, for sender reports: `None` while it is not forwarded.
    pub(crate) fn timestamp(&self, source: u8, source_timestamp: u32) -> Option<u32> {
        let stint = self
            .stint
            .filter(|stint| stint.source == source && self.pending.is_none())?;
        Some(stint.timestamps.moment(source_timestamp))
    }

    /// The first packet of a stint: its numbers follow the highest that went out.
    fn begin(&mut self, switch: Switch, incoming: Incoming, frame: &FrameNumbers) {
        let timestamps = self.timeline.begin(switch, incoming);
        let (picture, tl0, frame_number) = self.pictures.begin(frame);
        self.runs.begin(
            switch.source,
            incoming.sequence,
            Offsets {
                timestamps,
                picture,
                tl0,
                frame_number,
            },
        );
        self.stint = Some(Stint {
            source: switch.source,
            timestamps,
        });
        self.pending = None;
    }
}

fn rewritten(
    sequence_number: u16,
    offsets: Offsets,
    source_timestamp: u32,
    frame: &FrameNumbers,
) -> Rewritten {
    Rewritten {
        sequence_number,
        timestamp: offsets.timestamps.outbound(source_timestamp),
        frame: pictures::numbers(frame, offsets),
    }
}
