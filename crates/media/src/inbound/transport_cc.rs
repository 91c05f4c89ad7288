//! Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01): tells a
//! publisher when each of its packets arrived, so that its encoder finds the bitrate that the path carries.

use std::time::{Duration, Instant};

use crate::rtp::sequence::Unwrapper;

/// How often feedback is sent while packets come. libwebrtc, too, takes 50 to 250 ms.
pub(crate) const INTERVAL: Duration = Duration::from_millis(50);

/// Packets in one feedback: 5,000 packets/s at 50 ms, twice over.
const PACKETS: usize = 512;
/// A gap in the numbers longer than this is a new start: feedback names each number in it.
const GAP: u64 = 512;

/// Feedback counts time in quarters of a millisecond, and its reference in 64 ms.
const TICK_MICROSECONDS: i64 = 250;
const REFERENCE_MICROSECONDS: i64 = 64_000;

const RTPFB: u8 = 205;
const FORMAT: u8 = 15;

/// The arrivals since the last feedback.
pub(crate) struct ArrivalRecorder {
    start: Instant,
    unwrapper: Unwrapper,
    /// Number and microseconds since `start`, in the order of arrival.
    arrivals: Vec<(u64, i64)>,
    /// The number after the last one that was reported on.
    next: Option<u64>,
    feedback_count: u8,
    last_feedback: Instant,
    /// The SSRC that the last packet had: feedback must name one of the sender's.
    media_ssrc: u32,
}

impl ArrivalRecorder {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            start: now,
            unwrapper: Unwrapper::default(),
            arrivals: Vec::new(),
            next: None,
            feedback_count: 0,
            last_feedback: now,
            media_ssrc: 0,
        }
    }

    /// A packet with this transport-wide number has come.
    pub(crate) fn on_packet(&mut self, now: Instant, media_ssrc: u32, sequence_number: u16) {
        if self.arrivals.len() >= PACKETS {
            return;
        }
        self.media_ssrc = media_ssrc;
        let sequence = self.unwrapper.unwrap(sequence_number);
        let microseconds = now.saturating_duration_since(self.start).as_micros() as i64;
        self.arrivals.push((sequence, microseconds));
    }

    /// Whether feedback is due.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        !self.arrivals.is_empty() && now.saturating_duration_since(self.last_feedback) >= INTERVAL
    }

    /// Append the feedback about what came since the last.
    pub(crate) fn write(&mut self, now: Instant, sender_ssrc: u32, out: &mut Vec<u8>) {
        self.last_feedback = now;
        self.arrivals.sort_unstable();
        self.arrivals.dedup_by_key(|(sequence, _)| *sequence);
        let (Some(&(first, _)), Some(&(last, _))) = (self.arrivals.first(), self.arrivals.last())
        else {
            return;
        };
        // From where the last feedback ended, so that what never came is reported as such; but a packet older
        // than that is told too, it had been reported missing.
        let base = match self.next {
            Some(next) if next <= first && first - next <= GAP => next,
            _ => first,
        };
        let last = last.min(base + u64::from(u16::MAX) / 2);
        self.next = Some(self.next.map_or(last + 1, |next| next.max(last + 1)));
        write_feedback(
            out,
            sender_ssrc,
            self.media_ssrc,
            base,
            last,
            self.feedback_count,
            &self.arrivals,
        );
        self.feedback_count = self.feedback_count.wrapping_add(1);
        self.arrivals.clear();
    }
}

/// What feedback says of one packet: two bits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Symbol {
    NotReceived = 0,
    /// With a difference of one byte.
    Small = 1,
    /// With a difference of two bytes, signed.
    Large = 2,
}

fn write_feedback(
    out: &mut Vec<u8>,
    sender_ssrc: u32,
    media_ssrc: u32,
    base: u64,
    last: u64,
    feedback_count: u8,
    arrivals: &[(u64, i64)],
) {
    let reference = arrivals
        .first()
        .map_or(0, |(_, time)| time / REFERENCE_MICROSECONDS);
    let mut symbols = Vec::with_capacity((last - base + 1) as usize);
    let mut differences = Vec::with_capacity(arrivals.len() * 2);
    // Differences are taken between rounded times, so that rounding does not add up.
    let mut before = reference * REFERENCE_MICROSECONDS / TICK_MICROSECONDS;
    let mut arrivals = arrivals.iter().peekable();
    for sequence in base..=last {
        let Some((_, time)) = arrivals.next_if(|(arrived, _)| *arrived == sequence) else {
            symbols.push(Symbol::NotReceived);
            continue;
        };
        let ticks = time / TICK_MICROSECONDS;
        let difference = (ticks - before).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        before += i64::from(difference);
        if let Ok(small) = u8::try_from(difference) {
            symbols.push(Symbol::Small);
            differences.push(small);
        } else {
            symbols.push(Symbol::Large);
            differences.extend_from_slice(&difference.to_be_bytes());
        }
    }

    let start = out.len();
    out.extend_from_slice(&[0x80 | FORMAT, RTPFB, 0, 0]);
    out.extend_from_slice(&sender_ssrc.to_be_bytes());
    out.extend_from_slice(&media_ssrc.to_be_bytes());
    out.extend_from_slice(&(base as u16).to_be_bytes());
    out.extend_from_slice(&(symbols.len() as u16).to_be_bytes());
    out.extend_from_slice(&(reference as u32).to_be_bytes()[1..]);
    out.push(feedback_count);
    write_chunks(out, &symbols);
    out.extend_from_slice(&differences);
    let padding = (4 - (out.len() - start) % 4) % 4;
    if padding > 0 {
        out.resize(out.len() + padding - 1, 0);
        out.push(padding as u8);
        out[start] |= 0x20;
    }
    let words = ((out.len() - start) / 4 - 1) as u16;
    out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
}

/// Runs of one symbol as run-length chunks, the rest seven to a vector chunk.
fn write_chunks(out: &mut Vec<u8>, mut symbols: &[Symbol]) {
    while let Some(&first) = symbols.first() {
        let run = symbols
            .iter()
            .take_while(|symbol| **symbol == first)
            .count()
            .min(0x1FFF);
        let (chunk, covered) = if run >= 7 || run == symbols.len() {
            ((first as u16) << 13 | run as u16, run)
        } else {
            let covered = symbols.len().min(7);
            let bits = (0..7).fold(0u16, |bits, index| {
                bits << 2 | symbols.get(index).map_or(0, |symbol| *symbol as u16)
            });
            (0xC000 | bits, covered)
        };
        out.extend_from_slice(&chunk.to_be_bytes());
        symbols = &symbols[covered..];
    }
}

#[cfg(test)]
mod tests;
