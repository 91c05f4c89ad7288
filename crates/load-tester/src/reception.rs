//! What a participant received of one track, counted packet by packet. It keeps no packet.

use std::time::{Duration, Instant};

use protocol::{ParticipantId, TrackKind};
use rtc::rtp;

use crate::OrderLog;
use crate::payload::{self, Content, Picture};

/// What was received of one track so far.
#[derive(Clone, Debug)]
pub struct Reception {
    /// Sound or pictures.
    pub kind: TrackKind,
    /// Who sent the first packet, as it says itself.
    pub publisher: Option<ParticipantId>,
    /// RTP packets.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// The publisher's own count: what was lost, doubled or overtaken anywhere on the way.
    pub counters: OrderLog,
    /// RTP's sequence number: what was lost, doubled or overtaken since the last hop, as a browser sees it.
    pub sequence: OrderLog,
    /// Times that the synchronisation source changed.
    pub source_changes: u64,
    /// Packets whose payload is not of this crate, or of another publisher than the first.
    pub foreign: u64,
    /// Packets with other bytes than were sent.
    pub damaged: u64,
    /// Key frames begun.
    pub key_frames: u64,
    /// Frames that do not follow the one before: a picture id that is not one more.
    pub picture_breaks: u64,
    /// Times that the timestamp went back from one packet to the next in order.
    pub timestamp_breaks: u64,
    /// When the first packet came.
    pub first_packet_at: Option<Instant>,
    /// When the first key frame began to come.
    pub first_key_frame_at: Option<Instant>,
    /// When the last packet came.
    pub last_packet_at: Option<Instant>,
    /// Longest time from sending to receiving.
    pub longest_delay: Duration,
    /// Sum of these times.
    pub total_delay: Duration,
    source: Option<u32>,
    last_picture: Option<Picture>,
    last_timestamp: Option<u32>,
}

/// Where a packet stands among those before it, by its sequence number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Next,
    AfterGap,
    /// It came before, or after a later one: nothing follows it.
    Late,
}

impl Reception {
    /// Nothing yet.
    pub fn new(kind: TrackKind) -> Self {
        Self {
            kind,
            publisher: None,
            packets: 0,
            bytes: 0,
            counters: OrderLog::default(),
            sequence: OrderLog::default(),
            source_changes: 0,
            foreign: 0,
            damaged: 0,
            key_frames: 0,
            picture_breaks: 0,
            timestamp_breaks: 0,
            first_packet_at: None,
            first_key_frame_at: None,
            last_packet_at: None,
            longest_delay: Duration::ZERO,
            total_delay: Duration::ZERO,
            source: None,
            last_picture: None,
            last_timestamp: None,
        }
    }

    /// A packet came, at `now` by both clocks.
    pub fn add(&mut self, now: Instant, now_us: u64, packet: &rtp::Packet) {
        // Padding alone, as a server may send to probe the line, is no part of the track.
        if packet.payload.is_empty() {
            self.sequence.add_wrapping(packet.header.sequence_number);
            return;
        }
        self.packets += 1;
        self.bytes += packet.payload.len() as u64;
        self.first_packet_at.get_or_insert(now);
        self.last_packet_at = Some(now);
        let place = self.add_header(&packet.header);
        match payload::read(self.kind, &packet.payload) {
            Some(content) => self.add_content(now, now_us, content, place),
            None => self.foreign += 1,
        }
    }

    fn add_header(&mut self, header: &rtp::Header) -> Place {
        if self.source.is_some_and(|source| source != header.ssrc) {
            self.source_changes += 1;
            self.sequence.begin_anew();
            self.last_timestamp = None;
        }
        self.source = Some(header.ssrc);
        let before = self.sequence.highest();
        self.sequence.add_wrapping(header.sequence_number);
        let place = match (before, self.sequence.highest()) {
            (Some(before), now) if now == Some(before) => Place::Late,
            (Some(before), now) if now != Some(before + 1) => Place::AfterGap,
            _ => Place::Next,
        };
        if place == Place::Late {
            return place;
        }
        if place == Place::Next
            && self
                .last_timestamp
                .is_some_and(|last| (header.timestamp.wrapping_sub(last) as i32) < 0)
        {
            self.timestamp_breaks += 1;
        }
        self.last_timestamp = Some(header.timestamp);
        place
    }

    fn add_content(&mut self, now: Instant, now_us: u64, content: Content, place: Place) {
        let mark = content.mark;
        if *self.publisher.get_or_insert(mark.publisher) != mark.publisher {
            self.foreign += 1;
            return;
        }
        self.counters.add(mark.counter);
        self.damaged += u64::from(!content.intact);
        let delay = Duration::from_micros(now_us.saturating_sub(mark.sent_at_us));
        self.longest_delay = self.longest_delay.max(delay);
        self.total_delay += delay;
        if let Some(picture) = content.picture {
            self.add_picture(now, picture, place);
        }
    }

    fn add_picture(&mut self, now: Instant, picture: Picture, place: Place) {
        if picture.begins_key_frame {
            self.key_frames += 1;
            self.first_key_frame_at.get_or_insert(now);
        }
        if place == Place::Late {
            return;
        }
        if let Some(last) = self.last_picture
            && place == Place::Next
        {
            let step = u16::from(picture.begins_frame);
            let follows = picture.id == (last.id + step) & 0x7fff
                && picture.base_layer_index == last.base_layer_index.wrapping_add(step as u8);
            self.picture_breaks += u64::from(!follows);
        }
        self.last_picture = Some(picture);
    }

    /// The mean time from sending to receiving.
    pub fn mean_delay(&self) -> Duration {
        self.total_delay
            .checked_div(self.packets.try_into().unwrap_or(u32::MAX))
            .unwrap_or_default()
    }

    /// What a viewer could complain of, in words; `None` if each packet came once, whole and in order.
    pub fn faults(&self) -> Option<String> {
        let faults = [
            ("lost", self.counters.lost()),
            ("doubled", self.counters.duplicated()),
            ("overtaken", self.counters.reordered()),
            ("missing sequence numbers", self.sequence.lost()),
            ("doubled sequence numbers", self.sequence.duplicated()),
            ("overtaken sequence numbers", self.sequence.reordered()),
            ("changes of source", self.source_changes),
            ("foreign", self.foreign),
            ("damaged", self.damaged),
            ("picture breaks", self.picture_breaks),
            ("timestamp breaks", self.timestamp_breaks),
        ];
        let words: Vec<String> = faults
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        (!words.is_empty()).then(|| format!("{} of {} packets", words.join(", "), self.packets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{Mark, write_video};

    fn packet(sequence_number: u16, counter: u64, id: u16, begins_frame: bool) -> rtp::Packet {
        let mark = Mark {
            publisher: ParticipantId::from_bits(9),
            counter,
            sent_at_us: 1_000,
        };
        let picture = Picture {
            id,
            base_layer_index: id as u8,
            begins_frame,
            begins_key_frame: begins_frame && id == 7,
        };
        rtp::Packet {
            header: rtp::Header {
                sequence_number,
                timestamp: u32::from(id) * 3_000,
                ssrc: 5,
                ..Default::default()
            },
            payload: write_video(mark, picture, 500, 200),
        }
    }

    fn received(packets: &[rtp::Packet]) -> Reception {
        let mut reception = Reception::new(TrackKind::Video);
        let now = Instant::now();
        packets
            .iter()
            .for_each(|packet| reception.add(now, 3_500, packet));
        reception
    }

    #[test]
    fn an_unbroken_track_has_no_faults() {
        let reception = received(&[
            packet(65_535, 0, 7, true),
            packet(0, 1, 7, false),
            packet(1, 2, 8, true),
        ]);
        assert_eq!(reception.faults(), None);
        assert_eq!((reception.packets, reception.key_frames), (3, 1));
        assert_eq!(reception.mean_delay(), Duration::from_micros(2_500));
    }

    #[test]
    fn what_comes_late_or_again_breaks_no_picture() {
        let reception = received(&[
            packet(1, 0, 7, true),
            packet(2, 1, 8, true),
            packet(3, 2, 9, true),
            packet(1, 0, 7, true),
            packet(4, 3, 10, true),
            packet(6, 5, 12, true),
            packet(5, 4, 11, true),
            packet(7, 6, 13, true),
        ]);
        assert_eq!(
            reception.faults().unwrap(),
            "1 doubled, 1 overtaken, 1 doubled sequence numbers, 1 overtaken sequence numbers of 8 packets"
        );
    }

    #[test]
    fn each_fault_is_named() {
        let lost = received(&[packet(1, 0, 7, true), packet(3, 2, 8, true)]);
        assert_eq!(
            lost.faults().unwrap(),
            "1 lost, 1 missing sequence numbers of 2 packets"
        );
        let skipped_picture = received(&[packet(1, 0, 7, true), packet(2, 1, 9, true)]);
        assert_eq!(
            skipped_picture.faults().unwrap(),
            "1 picture breaks of 2 packets"
        );
        let back_in_time = received(&[packet(1, 0, 7, true), packet(2, 1, 6, true)]);
        assert_eq!(
            back_in_time.faults().unwrap(),
            "1 picture breaks, 1 timestamp breaks of 2 packets"
        );
        let mut of_another = packet(2, 1, 8, true);
        of_another.payload = bytes::Bytes::from_static(&[0; 60]);
        assert_eq!(
            received(&[packet(1, 0, 7, true), of_another])
                .faults()
                .unwrap(),
            "1 foreign of 2 packets"
        );
    }
}
