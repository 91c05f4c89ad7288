//! Which outbound number belongs to which source number, both ways, as a short list of runs in which both count
//! on together. A run ends where a packet is skipped or the source changes. It knows no time and no frames.

use std::collections::VecDeque;

use super::timeline::Timestamps;

/// Outbound numbers behind the highest that are remembered: twice what the packet caches hold.
pub(super) const HISTORY: u64 = 1_024;

/// Runs that are remembered, at 48 bytes each: with every second frame of 30 a second skipped, those of four
/// seconds. Grows as skips need it; a track of which nothing is skipped has a few.
pub(super) const MAXIMUM_RUNS: usize = 64;

/// What to add to a source's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offsets {
    pub(super) timestamps: Timestamps,
    pub(super) picture: u16,
    pub(super) tl0: u8,
    pub(super) frame_number: u16,
}

/// Where a packet of the present stint goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) outbound: u64,
    pub(super) offsets: Offsets,
}

/// Where an outbound number comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) source: u8,
    pub(super) sequence: u64,
    pub(super) offsets: Offsets,
}

/// The list, and how far it is used.
#[derive(Debug)]
pub(super) struct Runs {
    /// In the order of their outbound numbers, which are adjacent from run to run. The last is open-ended.
    runs: VecDeque<Run>,
    /// The highest outbound number that went out.
    highest: u64,
    /// The first outbound number of the present stint.
    stint_first: u64,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    first_source: u64,
    /// Exclusive.
    end_source: u64,
    first_outbound: u64,
    source: u8,
    offsets: Offsets,
}

impl Runs {
    pub(super) fn new(first_sequence: u16) -> Self {
        // One turn above zero, so that looking back never underflows.
        let first = (1 << 16) + u64::from(first_sequence);
        Self {
            runs: VecDeque::new(),
            highest: first - 1,
            stint_first: first,
        }
    }

    /// A stint begins with this packet; what is left of the one before ends at its highest number out.
    pub(super) fn begin(&mut self, source: u8, first_source: u64, offsets: Offsets) {
        let first_outbound = self.highest + 1;
        while self
            .runs
            .back()
            .is_some_and(|run| run.first_outbound >= first_outbound)
        {
            self.runs.pop_back();
        }
        if let Some(last) = self.runs.back_mut() {
            last.end_source = last.first_source + (first_outbound - last.first_outbound);
        }
        self.runs.push_back(Run {
            first_source,
            end_source: u64::MAX,
            first_outbound,
            source,
            offsets,
        });
        self.stint_first = first_outbound;
        self.forget_oldest();
    }

    /// See `Peer::fetch`.
    pub(super) fn fetch(&self) -> u64 {
        self.runs.back().map_or(0, |run| run.end_source)
    }

    /// Where a packet of the present stint goes: with the offsets in force at its number, however late it is.
    /// `None` if it is from before the stint, skipped, or of a run no longer remembered.
    pub(super) fn place(&self, sequence: u64) -> Option<Place> {
        let run = &self.runs[self.index(sequence)?];
        Some(Place {
            outbound: run.first_outbound + (sequence - run.first_source),
            offsets: run.offsets,
        })
    }

    /// A packet with this number goes out.
    pub(super) fn take(&mut self, outbound: u64) {
        self.highest = self.highest.max(outbound);
    }

    /// Whether this number or a later one went out, so that it cannot be given to another packet.
    pub(super) fn is_promised(&self, outbound: u64) -> bool {
        outbound <= self.highest
    }

    /// Whether this number is too far behind to be asked for again.
    pub(super) fn is_forgotten(&self, outbound: u64) -> bool {
        outbound + HISTORY <= self.highest
    }

    /// Later numbers, none of which is promised yet, close over this packet, and over its picture id if asked.
    pub(super) fn close_over(&mut self, sequence: u64, with_picture: bool) {
        let Some(index) = self.index(sequence) else {
            return;
        };
        let close_picture = |offsets: &mut Offsets| {
            offsets.picture = offsets.picture.wrapping_sub(u16::from(with_picture));
        };
        for later in self.runs.iter_mut().skip(index + 1) {
            later.first_outbound -= 1;
            close_picture(&mut later.offsets);
        }
        let run = &mut self.runs[index];
        let mut rest = *run;
        rest.first_source = sequence + 1;
        rest.first_outbound = run.first_outbound + (sequence - run.first_source);
        close_picture(&mut rest.offsets);
        run.end_source = sequence;
        match (
            run.first_source == sequence,
            rest.first_source == rest.end_source,
        ) {
            (false, false) => self.runs.insert(index + 1, rest),
            (true, false) => self.runs[index] = rest,
            (true, true) => drop(self.runs.remove(index)),
            (false, true) => {}
        }
        self.forget_oldest();
    }

    /// From this packet on timestamps are these.
    pub(super) fn set_timestamps(&mut self, sequence: u64, timestamps: Timestamps) {
        let Some(index) = self.index(sequence) else {
            return;
        };
        for later in self.runs.iter_mut().skip(index + 1) {
            later.offsets.timestamps = timestamps;
        }
        let run = &mut self.runs[index];
        let mut rest = *run;
        rest.first_source = sequence;
        rest.first_outbound = run.first_outbound + (sequence - run.first_source);
        rest.offsets.timestamps = timestamps;
        if run.first_source == sequence {
            self.runs[index] = rest;
        } else {
            run.end_source = sequence;
            self.runs.insert(index + 1, rest);
            self.forget_oldest();
        }
    }

    /// Where an outbound number comes from, if it is one of the last that went out.
    pub(super) fn origin(&self, sequence_number: u16) -> Option<Origin> {
        let behind = u64::from((self.highest as u16).wrapping_sub(sequence_number));
        let outbound = self.highest - behind;
        if self.is_forgotten(outbound) {
            return None;
        }
        let run = self
            .runs
            .iter()
            .rev()
            .find(|run| run.first_outbound <= outbound)?;
        let sequence = run.first_source + (outbound - run.first_outbound);
        debug_assert!(sequence < run.end_source, "{sequence} of {run:?}");
        Some(Origin {
            source: run.source,
            sequence,
            offsets: run.offsets,
        })
    }

    /// The run of the present stint with this source number.
    fn index(&self, sequence: u64) -> Option<usize> {
        for (index, run) in self.runs.iter().enumerate().rev() {
            if run.first_outbound < self.stint_first {
                return None;
            }
            if run.first_source <= sequence {
                return (sequence < run.end_source).then_some(index);
            }
        }
        None
    }

    fn forget_oldest(&mut self) {
        while self.runs.len() > MAXIMUM_RUNS {
            self.runs.pop_front();
        }
    }

    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        assert!(self.runs.len() <= MAXIMUM_RUNS);
        for (run, next) in self.runs.iter().zip(self.runs.iter().skip(1)) {
            assert!(run.first_source < run.end_source, "{run:?} is empty");
            assert_eq!(
                run.first_outbound + (run.end_source - run.first_source),
                next.first_outbound,
                "{run:?} {next:?}"
            );
            let same_stint = (run.first_outbound >= self.stint_first)
                == (next.first_outbound >= self.stint_first);
            if same_stint && run.first_outbound >= self.stint_first {
                assert!(run.end_source <= next.first_source, "{run:?} {next:?}");
            }
        }
        assert!(
            self.runs
                .back()
                .is_none_or(|last| last.end_source == u64::MAX)
        );
    }
}
