//! Makes one unbroken outbound stream of whatever sources are forwarded in turn, and knows the way back for
//! NACKs. It never sees a packet's bytes, and never decides what is forwarded.

mod pictures;
#[cfg(test)]
mod random_tests;
mod runs;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use self::pictures::Pictures;
use self::runs::{Offsets, Runs};
use crate::rtp::codec::vp8;
use crate::rtp::sequence::is_newer_timestamp;

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
    /// To be written with `vp8::Descriptor::write`; there whenever a descriptor was given.
    pub(crate) vp8: Option<vp8::Numbers>,
}

/// The numbers of one outbound track.
///
/// A *source* is one inbound stream with its own numbers, such as a simulcast layer; any small number names it,
/// as long as no two streams of the same subscription ever share one. The time in which a source is forwarded
/// without a break is a *stint*.
#[derive(Debug)]
pub(crate) struct Rewriter {
    clock_rate: u32,
    runs: Runs,
    pictures: Pictures,
    stint: Option<Stint>,
    pending: Option<Pending>,
    newest_timestamp: u32,
    /// When the first packet with the newest timestamp arrived: the rest of its frame says nothing about time.
    newest_arrival: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Stint {
    source: u8,
    timestamp_offset: u32,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    source: u8,
    alignment: Option<u32>,
}

impl Rewriter {
    /// A track whose first packet will have these numbers. `switch` comes first.
    pub(crate) fn new(first_sequence: u16, first_timestamp: u32, clock_rate: u32) -> Self {
        Self {
            clock_rate,
            runs: Runs::new(first_sequence),
            pictures: Pictures::default(),
            stint: None,
            pending: None,
            newest_timestamp: first_timestamp,
            newest_arrival: None,
        }
    }

    /// Another source is forwarded from now on, or the same one again after a break. Its next packet must be one
    /// at which a decoder can start; nothing that came before it is forwarded any more.
    ///
    /// `alignment`, where sender reports of both sources tell it, is what to add to the new source's timestamps
    /// to get those that the old one has for the same moments. Without it the time of arrival has to do, which
    /// is wrong by the jitter until the next sender report goes out.
    pub(crate) fn switch(&mut self, source: u8, alignment: Option<u32>) {
        self.pending = Some(Pending { source, alignment });
    }

    /// The outbound numbers of a packet. The same packet gets the same numbers again.
    ///
    /// `None`, and not to be forwarded: another source's, from before the switch, skipped, or too late.
    pub(crate) fn rewrite(
        &mut self,
        source: u8,
        incoming: Incoming,
        vp8: Option<&vp8::Descriptor>,
    ) -> Option<Rewritten> {
        if let Some(pending) = self.pending {
            if pending.source != source {
                return None;
            }
            self.begin(pending, incoming, vp8);
        }
        if self.stint?.source != source {
            return None;
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
            vp8,
        );
        if let (Some(descriptor), Some(numbers)) = (vp8, rewritten.vp8) {
            self.pictures.forwarded(descriptor, numbers);
        }
        if self.newest_arrival.is_none()
            || is_newer_timestamp(rewritten.timestamp, self.newest_timestamp)
        {
            self.newest_timestamp = rewritten.timestamp;
            self.newest_arrival = Some(incoming.arrival);
        }
        Some(rewritten)
    }

    /// A packet is deliberately not forwarded, and later numbers close over it; with it over its picture id,
    /// for frames are skipped as a whole.
    ///
    /// False if a later packet is out already: then this one's number is promised, the receiver will ask for it,
    /// and it is better forwarded after all.
    pub(crate) fn skip(
        &mut self,
        source: u8,
        sequence: u64,
        vp8: Option<&vp8::Descriptor>,
    ) -> bool {
        if self.pending.is_some() || self.stint.is_none_or(|stint| stint.source != source) {
            return true;
        }
        let Some(place) = self.runs.place(sequence) else {
            return true;
        };
        if self.runs.is_promised(place.outbound) {
            return false;
        }
        let picture_id = vp8.and_then(|descriptor| descriptor.picture_id);
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
        vp8: Option<&vp8::Descriptor>,
    ) -> Option<Rewritten> {
        let origin = self.runs.origin(sequence_number)?;
        Some(rewritten(
            sequence_number,
            origin.offsets,
            source_timestamp,
            vp8,
        ))
    }

    /// The outbound timestamp for a moment of `source`, for sender reports: `None` while it is not forwarded.
    pub(crate) fn timestamp(&self, source: u8, source_timestamp: u32) -> Option<u32> {
        let stint = self
            .stint
            .filter(|stint| stint.source == source && self.pending.is_none())?;
        Some(source_timestamp.wrapping_add(stint.timestamp_offset))
    }

    /// The first packet of a stint: its numbers follow the highest that went out.
    fn begin(&mut self, pending: Pending, incoming: Incoming, vp8: Option<&vp8::Descriptor>) {
        let timestamp = self.first_timestamp(pending, incoming);
        let timestamp_offset = timestamp.wrapping_sub(incoming.timestamp);
        let (picture, tl0) = self.pictures.begin(vp8);
        self.runs.begin(
            pending.source,
            incoming.sequence,
            Offsets {
                timestamp: timestamp_offset,
                picture,
                tl0,
            },
        );
        self.stint = Some(Stint {
            source: pending.source,
            timestamp_offset,
        });
        self.pending = None;
    }

    fn first_timestamp(&self, pending: Pending, incoming: Incoming) -> u32 {
        let Some(newest_arrival) = self.newest_arrival else {
            return self.newest_timestamp;
        };
        let elapsed = ticks(
            incoming.arrival.saturating_duration_since(newest_arrival),
            self.clock_rate,
        );
        let advance = self
            .aligned_advance(pending, incoming.timestamp, elapsed)
            .unwrap_or(elapsed);
        // The same moment may be newest already, from the layer before; two frames need two timestamps.
        self.newest_timestamp.wrapping_add(advance.max(1) as u32)
    }

    /// How far ahead of the newest timestamp the alignment puts a packet, if that is within a second of what the
    /// clock says: it comes from what a publisher claims.
    fn aligned_advance(&self, pending: Pending, timestamp: u32, elapsed: i32) -> Option<i32> {
        let stint = self.stint?;
        // The same source after a break is aligned with itself.
        let alignment = if stint.source == pending.source {
            Some(0)
        } else {
            pending.alignment
        }?;
        let aligned = timestamp
            .wrapping_add(alignment)
            .wrapping_add(stint.timestamp_offset);
        let advance = aligned.wrapping_sub(self.newest_timestamp) as i32;
        (advance.abs_diff(elapsed) <= self.clock_rate).then_some(advance)
    }
}

fn rewritten(
    sequence_number: u16,
    offsets: Offsets,
    source_timestamp: u32,
    vp8: Option<&vp8::Descriptor>,
) -> Rewritten {
    Rewritten {
        sequence_number,
        timestamp: source_timestamp.wrapping_add(offsets.timestamp),
        vp8: vp8.map(|descriptor| pictures::numbers(descriptor, offsets)),
    }
}

/// A time in ticks, but no more than can be told from a step back.
fn ticks(time: Duration, clock_rate: u32) -> i32 {
    let ticks = time.as_micros() * u128::from(clock_rate) / 1_000_000;
    i32::try_from(ticks).unwrap_or(i32::MAX)
}
