//! One SSRC that a client receives: its numbers for the reports, and whether it has its key frame. It
//! counts no delivery.

use std::time::{Duration, Instant};

use rtc::rtcp::reception_report::ReceptionReport;

use super::frames::Frames;
use super::header::Header;
use crate::crowd::srtp::nearest_index;
use crate::crowd::track_number::TrackNumber;

/// How long a newcomer waits for a key frame before it asks, and before it asks again.
const KEY_FRAME_PATIENCE: Duration = Duration::from_millis(200);
const KEY_FRAME_AGAIN: Duration = Duration::from_millis(500);

/// One SSRC.
pub(super) struct Stream {
    pub(super) ssrc: u32,
    /// Rollover counter and sequence number of the highest packet.
    pub(super) highest: u64,
    first: u64,
    received: u64,
    /// As they were in the report before.
    reported: (u64, u64),
    /// What the last packet was of, and where that is counted.
    pub(super) account: Option<(TrackNumber, usize)>,
    /// When a key frame is to be asked for.
    pub(super) key_frame_due: Option<Instant>,
    /// What a decoder would make of it.
    pub(super) frames: Frames,
    /// A key frame that is coming: its timestamp, and the index of its next packet.
    key_frame: Option<(u32, u64)>,
}

impl Stream {
    /// With its first packet, whose index this is.
    pub(super) fn new(ssrc: u32, index: u64) -> Self {
        Self {
            ssrc,
            highest: index,
            first: index,
            received: 0,
            reported: (index, 0),
            account: None,
            key_frame_due: None,
            frames: Frames::default(),
            key_frame: None,
        }
    }

    /// The index of a packet, before it is known to be authentic.
    pub(super) fn index(&self, sequence_number: u16) -> u64 {
        nearest_index(self.highest, sequence_number)
    }

    /// An authentic packet.
    pub(super) fn note(&mut self, index: u64) {
        self.highest = self.highest.max(index);
        self.received += 1;
    }

    /// A packet of a picture. True when it makes a key frame whole.
    pub(super) fn note_picture(
        &mut self,
        now: Instant,
        index: u64,
        header: &Header,
        begins_key_frame: bool,
    ) -> bool {
        if begins_key_frame {
            self.key_frame_due = None;
            self.key_frame = Some((header.timestamp, index));
        } else if self.received == 1 {
            self.key_frame_due = Some(now + KEY_FRAME_PATIENCE);
        }
        let Some((timestamp, next)) = &mut self.key_frame else {
            return false;
        };
        if (*timestamp, *next) != (header.timestamp, index) {
            return false;
        }
        *next += 1;
        header.marker
    }

    /// A key frame is asked for now.
    pub(super) fn ask_again(&mut self, now: Instant) {
        self.key_frame_due = Some(now + KEY_FRAME_AGAIN);
    }

    /// For a receiver report (RFC 3550 section 6.4.1). `None`: nothing has come since the last one.
    pub(super) fn report(&mut self) -> Option<ReceptionReport> {
        let (highest_before, received_before) = self.reported;
        if self.received == received_before {
            return None;
        }
        let expected = (self.highest - highest_before).max(1);
        let lost = expected.saturating_sub(self.received - received_before);
        self.reported = (self.highest, self.received);
        let expected_in_all = self.highest - self.first + 1;
        Some(ReceptionReport {
            ssrc: self.ssrc,
            fraction_lost: (lost * 256 / expected).min(255) as u8,
            // 24 bits.
            total_lost: expected_in_all.saturating_sub(self.received).min(0x7f_ffff) as u32,
            last_sequence_number: self.highest as u32,
            jitter: 0,
            last_sender_report: 0,
            delay: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence_number: u16, timestamp: u32, marker: bool) -> Header {
        Header {
            length: 12,
            has_padding: false,
            marker,
            payload_type: 96,
            sequence_number,
            timestamp,
            ssrc: 1,
        }
    }

    #[test]
    fn a_key_frame_is_whole_when_each_of_its_packets_came() {
        let now = Instant::now();
        for (missing, whole) in [(None, true), (Some(1), false)] {
            let mut stream = Stream::new(1, 100);
            let mut is_whole = false;
            for place in (0..3_u64).filter(|place| Some(*place) != missing) {
                let header = header(100 + place as u16, 9, place == 2);
                stream.note(100 + place);
                is_whole |= stream.note_picture(now, 100 + place, &header, place == 0);
            }
            assert_eq!(is_whole, whole);
        }
    }

    #[test]
    fn a_stream_that_begins_without_a_key_frame_asks_for_one_until_it_comes() {
        let now = Instant::now();
        let mut stream = Stream::new(1, 100);
        stream.note(100);
        stream.note_picture(now, 100, &header(100, 9, true), false);
        assert_eq!(stream.key_frame_due, Some(now + KEY_FRAME_PATIENCE));
        stream.ask_again(now);
        stream.note(101);
        stream.note_picture(now, 101, &header(101, 10, false), true);
        assert_eq!(stream.key_frame_due, None);
    }

    #[test]
    fn a_report_tells_what_was_lost_since_the_one_before_and_in_all() {
        let mut stream = Stream::new(1, 65_535);
        for index in [65_535, 65_536, 65_539, 65_540] {
            stream.note(index);
        }
        let report = stream.report().unwrap();
        assert_eq!(
            (report.total_lost, report.last_sequence_number),
            (2, 65_540)
        );
        assert!(stream.report().is_none());
        stream.note(65_541);
        let report = stream.report().unwrap();
        assert_eq!((report.fraction_lost, report.total_lost), (0, 2));
    }
}
