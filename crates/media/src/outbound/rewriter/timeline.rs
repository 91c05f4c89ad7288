//! Which outbound timestamp a source's timestamp becomes: the source's own pace, on the track's clock, and never
//! a step back. Frames that come late, because they are shown from what was kept, are drawn together until they
//! have caught up. It knows no sequence numbers.

use std::time::{Duration, Instant};

use super::{Incoming, Switch};
use crate::rtp::sequence::is_newer_timestamp;

/// Frames that catch up go by so many times as fast as they were taken: a second in 31 ms. Frames at least this
/// many ticks apart (0.36 ms of video) still have timestamps of their own.
const HASTE: i32 = 32;

/// A claimed time may differ this much from what the clock says, in seconds.
const BELIEVED: u32 = 1;

/// Frames can be this late, in seconds: more than any replay, and far from half a turn of the clock.
const LATEST: u32 = 60;

/// How the timestamps of a run go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Timestamps {
    offset: u32,
    catching_up: Option<CatchingUp>,
}

/// Frames before `until`, a source timestamp, are late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CatchingUp {
    until: u32,
}

impl Timestamps {
    pub(super) fn outbound(self, source: u32) -> u32 {
        let early = self.catching_up.map_or(0, |catching_up| {
            (catching_up.until.wrapping_sub(source) as i32).max(0)
        });
        source
            .wrapping_add(self.offset)
            .wrapping_add((early - early / HASTE) as u32)
    }

    /// From this source timestamp on nothing is to be caught up: these are the timestamps of the rest.
    pub(super) fn caught_up(self, source: u32) -> Option<Self> {
        let until = self.catching_up?.until;
        let is_there = source.wrapping_sub(until) as i32 >= 0;
        is_there.then_some(Self {
            catching_up: None,
            ..self
        })
    }

    /// Where a moment of the source's clock lies on the outbound one, for sender reports.
    pub(super) fn moment(self, source: u32) -> u32 {
        source.wrapping_add(self.offset)
    }
}

/// The outbound clock of one track.
#[derive(Debug)]
pub(super) struct Timeline {
    clock_rate: u32,
    newest: u32,
    /// When the first packet with the newest timestamp came: the rest of its frame says nothing about time.
    newest_arrival: Option<Instant>,
    /// From the track's clock to the outbound one.
    from_track: u32,
}

impl Timeline {
    pub(super) fn new(first_timestamp: u32, clock_rate: u32) -> Self {
        Self {
            clock_rate,
            newest: first_timestamp,
            newest_arrival: None,
            from_track: 0,
        }
    }

    /// A packet went out.
    pub(super) fn forwarded(&mut self, timestamp: u32, arrival: Instant) {
        if self.newest_arrival.is_none() || is_newer_timestamp(timestamp, self.newest) {
            self.newest = timestamp;
            self.newest_arrival = Some(arrival);
        }
    }

    /// A stint begins with this packet.
    pub(super) fn begin(&mut self, switch: Switch, incoming: Incoming) -> Timestamps {
        let timestamp = incoming.timestamp;
        let lateness = switch.newest.map_or(0, |newest| {
            (newest.wrapping_sub(timestamp) as i32).clamp(0, self.seconds(LATEST))
        });
        let Some(newest_arrival) = self.newest_arrival else {
            let first = Timestamps {
                offset: 0,
                catching_up: catching_up(timestamp, lateness),
            };
            let offset = self.newest.wrapping_sub(first.outbound(timestamp));
            self.from_track = offset.wrapping_sub(switch.to_track);
            return Timestamps { offset, ..first };
        };
        let elapsed = ticks(
            incoming.arrival.saturating_duration_since(newest_arrival),
            self.clock_rate,
        );
        let mut offset = self.from_track.wrapping_add(switch.to_track);
        let advance = |offset: u32| {
            let aligned = timestamp.wrapping_add(offset);
            aligned.wrapping_sub(self.newest) as i32
        };
        // What a publisher claims is held against the clock.
        let present = advance(offset).saturating_add(lateness);
        if present.abs_diff(elapsed) > self.clock_rate * BELIEVED {
            let expected = self.newest.wrapping_add((elapsed - lateness) as u32);
            offset = expected.wrapping_sub(timestamp);
            self.from_track = offset.wrapping_sub(switch.to_track);
        }
        // After the newest, which two frames cannot share.
        let needed = 1_i32.saturating_sub(advance(offset));
        let span = if needed > 0 {
            lateness.max(needed.saturating_add((needed - 1) / (HASTE - 1)))
        } else {
            lateness
        };
        Timestamps {
            offset,
            catching_up: catching_up(timestamp, span),
        }
    }

    fn seconds(&self, seconds: u32) -> i32 {
        i32::try_from(self.clock_rate.saturating_mul(seconds)).unwrap_or(i32::MAX)
    }
}

fn catching_up(first: u32, span: i32) -> Option<CatchingUp> {
    (span > 0).then(|| CatchingUp {
        until: first.wrapping_add(span as u32),
    })
}

/// A time in ticks, but no more than can be told from a step back.
fn ticks(time: Duration, clock_rate: u32) -> i32 {
    let ticks = time.as_micros() * u128::from(clock_rate) / 1_000_000;
    i32::try_from(ticks).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_frames_are_drawn_together_in_order_until_they_have_caught_up() {
        let timestamps = Timestamps {
            offset: 1_000,
            catching_up: catching_up(u32::MAX - 20_000, 90_000),
        };
        let frame = |number: i32| (u32::MAX - 20_000).wrapping_add((number * 3_000) as u32);
        let joined = timestamps.moment(frame(30));
        for number in 0..30 {
            let before = timestamps.outbound(frame(number));
            let step = timestamps.outbound(frame(number + 1)).wrapping_sub(before);
            assert!((93..=94).contains(&step), "{number}: {step}");
            assert_eq!(timestamps.caught_up(frame(number)), None);
        }
        assert_eq!(timestamps.outbound(frame(30)), joined);
        assert_eq!(timestamps.outbound(frame(31)), joined + 3_000);
        let rest = timestamps.caught_up(frame(30)).expect("it is there");
        assert_eq!(rest.outbound(frame(30)), joined);
        assert_eq!(rest.caught_up(frame(31)), None, "once");
    }
}
