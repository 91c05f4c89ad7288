//! One track of a publisher: what it sends when a frame is due, and again when the server asks. It keeps no
//! packets: each is written anew from its numbers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use protocol::ParticipantId;

use super::packet::{Head, write_body, write_head};
use super::{Outlet, TrackReport, Window};
use crate::crowd::content::{self, Piece, SMALLEST_BYTES};
use crate::crowd::track_number::TrackNumber;
use crate::crowd::{Layer, Member, PublishSpec, Sending, clock};
use crate::payload::Mark;

/// Of Opus at 32 kbit/s, every 20 ms.
const AUDIO_BYTES: usize = 80;
const AUDIO_INTERVAL: Duration = Duration::from_millis(20);
/// Packets that can be sent again.
const KEPT: usize = 512;
/// An encoder that is asked more often sends nothing else.
const KEY_FRAME_PAUSE: Duration = Duration::from_millis(300);
/// Bitrates of the smaller layers of simulcast in relation to the largest, as browsers have them.
const SHARES: [f64; 3] = [0.06, 0.2, 1.0];
/// Between sender reports.
const REPORTS: Duration = Duration::from_secs(1);
/// As of somebody who speaks: voice, 30 dB below full scale (RFC 6464).
const SPEAKING: u8 = 0x80 | 30;

pub(super) struct Track {
    sending: Sending,
    interval: Duration,
    clock_rate: u32,
    began: Instant,
    streams: Vec<Stream>,
}

/// One layer.
struct Stream {
    layer: Layer,
    number: TrackNumber,
    bytes_per_frame: f64,
    /// Bytes that the frames so far have fallen short of the bitrate.
    credit: f64,
    /// Index of the next packet, of the next retransmission, and the next counter.
    index: u64,
    repair_index: u64,
    counter: u64,
    picture_id: u16,
    wants_key_frame: bool,
    last_key_frame: Option<Instant>,
    kept: VecDeque<Kept>,
    sent_bytes: u64,
    next_report: Instant,
    counted: Option<Counted>,
    was_there: bool,
}

#[derive(Clone, Copy)]
struct Kept {
    index: u64,
    timestamp: u32,
    piece: Piece,
}

#[derive(Clone, Copy)]
struct Counted {
    first: u64,
    last: u64,
    smallest: usize,
    largest: usize,
}

impl Track {
    pub(super) fn new(now: Instant, member: &Member, at: usize, sending: Sending) -> Self {
        let (interval, clock_rate, bitrate) = match &sending.spec {
            PublishSpec::Audio => (AUDIO_INTERVAL, 48_000, 0.0),
            PublishSpec::Video(video) => {
                let interval = Duration::from_secs(1) / video.frames_per_second.max(1);
                (interval, 90_000, video.bitrate as f64)
            }
        };
        let count = sending.layers.len();
        let streams = sending.layers.iter().enumerate().map(|(place, layer)| {
            // A single stream has all of it.
            let share = SHARES[(SHARES.len() + place)
                .saturating_sub(count)
                .min(SHARES.len() - 1)];
            Stream {
                layer: layer.clone(),
                number: TrackNumber::new(member, at, place),
                bytes_per_frame: bitrate * share / 8.0 * interval.as_secs_f64(),
                credit: 0.0,
                index: u64::from(rand::random::<u16>()),
                repair_index: u64::from(rand::random::<u16>()),
                counter: 0,
                picture_id: rand::random(),
                wants_key_frame: true,
                last_key_frame: None,
                kept: VecDeque::with_capacity(KEPT),
                sent_bytes: 0,
                next_report: now + REPORTS,
                counted: None,
                was_there: false,
            }
        });
        Self {
            interval,
            clock_rate,
            began: now,
            streams: streams.collect(),
            sending,
        }
    }

    /// Between frames.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// A frame is due: of each layer, all its packets at once.
    pub(super) fn send(&mut self, now: Instant, outlet: &mut Outlet, window: &Window) {
        let sent_at_us = clock::microseconds(now);
        let elapsed = now.saturating_duration_since(self.began).as_secs_f64();
        let timestamp = (elapsed * f64::from(self.clock_rate)) as u64 as u32;
        for stream in &mut self.streams {
            outlet.buffer.clear();
            let (count, bytes) = stream.next_frame(&self.sending.spec);
            let is_key = stream.is_key_frame_now(now, &self.sending.spec);
            stream.picture_id = stream.picture_id.wrapping_add(1);
            let mut segment = 0;
            for place in 0..count {
                let piece = Piece {
                    mark: Mark {
                        publisher: ParticipantId::from_bits(stream.number.bits()),
                        counter: stream.counter,
                        sent_at_us,
                    },
                    is_key,
                    place,
                    is_last: place + 1 == count,
                    picture_id: stream.picture_id,
                    frame_bytes: count * bytes,
                    bytes,
                };
                let kept = Kept {
                    index: stream.index,
                    timestamp,
                    piece,
                };
                stream.write(&self.sending, &kept, None, outlet);
                // All packets of a frame are of one size, so that the kernel can cut them apart.
                segment = segment.max(outlet.buffer.len() / (place + 1));
                stream.keep(kept);
                if window.has(sent_at_us) {
                    stream.count(piece.mark.counter, bytes);
                }
            }
            if segment > 0 {
                outlet
                    .socket
                    .send_burst(outlet.address, &outlet.buffer, segment);
            }
            stream.report(now, timestamp, outlet);
        }
    }

    /// The server asks for a key frame of this SSRC.
    pub(super) fn want_key_frame(&mut self, ssrc: u32) {
        for stream in &mut self.streams {
            stream.wants_key_frame |= stream.layer.ssrc == ssrc;
        }
    }

    /// The server asks for these packets of this SSRC again: those that are still known are sent.
    pub(super) fn send_again(&mut self, ssrc: u32, numbers: &[u16], outlet: &mut Outlet) {
        let streams = self.streams.iter_mut();
        for stream in streams.filter(|stream| stream.layer.ssrc == ssrc) {
            for number in numbers {
                let known = stream.kept.iter().find(|kept| kept.index as u16 == *number);
                let Some(kept) = known.copied() else {
                    continue;
                };
                outlet.buffer.clear();
                let repair = self.sending.rtx_payload_type;
                if stream.write(&self.sending, &kept, repair, outlet) {
                    outlet.socket.send(outlet.address, &outlet.buffer);
                }
                stream.repair_index += u64::from(repair.is_some());
            }
        }
    }

    /// What was counted before is forgotten.
    pub(super) fn begin_counting(&mut self) {
        for stream in &mut self.streams {
            stream.counted = None;
            stream.was_there = stream.counter > 0;
        }
    }

    /// What was sent while packets were counted.
    pub(super) fn reports(&self) -> impl Iterator<Item = TrackReport> + '_ {
        self.streams.iter().filter_map(|stream| {
            let counted = stream.counted?;
            Some(TrackReport {
                track: stream.number,
                is_audio: self.sending.spec.is_audio(),
                first: counted.first,
                last: counted.last,
                was_there: stream.was_there,
                is_there: true,
                smallest_bytes: counted.smallest,
                largest_bytes: counted.largest,
            })
        })
    }
}

impl Stream {
    /// How many packets the next frame has, and of how many bytes. What does not fill a packet waits for
    /// the frame after: so every packet is full, and the bitrate is kept. Key frames are as large as
    /// others, as from an encoder that is held to its bitrate.
    fn next_frame(&mut self, spec: &PublishSpec) -> (usize, usize) {
        let PublishSpec::Video(video) = spec else {
            return (1, AUDIO_BYTES);
        };
        self.credit += self.bytes_per_frame;
        let full = video.packet_bytes.max(SMALLEST_BYTES);
        let count = (self.credit / full as f64) as usize;
        let (count, bytes) = match count {
            0 => (1, (self.credit as usize).clamp(SMALLEST_BYTES, full)),
            count => (count, full),
        };
        self.credit -= (count * bytes) as f64;
        (count, bytes)
    }

    fn is_key_frame_now(&mut self, now: Instant, spec: &PublishSpec) -> bool {
        let PublishSpec::Video(video) = spec else {
            return false;
        };
        let since = self
            .last_key_frame
            .map(|last| now.saturating_duration_since(last));
        let is_due = match since {
            None => true,
            Some(since) if self.wants_key_frame => since >= KEY_FRAME_PAUSE,
            Some(since) => since >= video.key_frame_interval,
        };
        if is_due {
            self.wants_key_frame = false;
            self.last_key_frame = Some(now);
        }
        is_due
    }

    /// Append a sealed packet to the outlet's buffer: the first time, or as a repair with this payload type.
    fn write(
        &mut self,
        sending: &Sending,
        kept: &Kept,
        repair: Option<u8>,
        outlet: &mut Outlet,
    ) -> bool {
        let (payload_type, ssrc, index) = match repair {
            Some(payload_type) => (payload_type, self.layer.rtx_ssrc, self.repair_index),
            None => (sending.payload_type, self.layer.ssrc, kept.index),
        };
        let head = Head {
            // Of sound it would say that a talkspurt begins.
            marker: kept.piece.is_last && !sending.spec.is_audio(),
            payload_type,
            sequence_number: index as u16,
            timestamp: kept.timestamp,
            ssrc,
            mid: &sending.mid,
            rid: self.layer.rid,
            is_repair: repair.is_some(),
            audio_level: sending.spec.is_audio().then_some(SPEAKING),
        };
        let start = outlet.buffer.len();
        let header = write_head(&mut outlet.buffer, &head, &sending.extensions);
        let payload = content::write(sending.spec.payload(), &kept.piece);
        let original = repair.map(|_| kept.index as u16);
        write_body(&mut outlet.buffer, original, &payload);
        outlet
            .sealer
            .seal_rtp(&mut outlet.buffer, start, header, ssrc, index)
    }

    fn keep(&mut self, kept: Kept) {
        self.index += 1;
        self.counter += 1;
        self.sent_bytes += kept.piece.bytes as u64;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(kept);
    }

    fn count(&mut self, counter: u64, bytes: usize) {
        let counted = self.counted.get_or_insert(Counted {
            first: counter,
            last: counter,
            smallest: bytes,
            largest: bytes,
        });
        counted.last = counter;
        counted.smallest = counted.smallest.min(bytes);
        counted.largest = counted.largest.max(bytes);
    }

    /// A sender report (RFC 3550 section 6.4.1), once a second.
    fn report(&mut self, now: Instant, timestamp: u32, outlet: &mut Outlet) {
        if now < self.next_report {
            return;
        }
        self.next_report = now + REPORTS;
        let report = rtc::rtcp::sender_report::SenderReport {
            ssrc: self.layer.ssrc,
            ntp_time: ntp_now(),
            rtp_time: timestamp,
            packet_count: self.counter as u32,
            octet_count: self.sent_bytes as u32,
            ..Default::default()
        };
        let packet = rtc::rtcp::packet::marshal(&[Box::new(report)]);
        if let Some(sealed) = packet
            .ok()
            .and_then(|packet| outlet.sealer.seal_rtcp(&packet))
        {
            outlet.socket.send(outlet.address, &sealed);
        }
    }
}

/// Seconds since 1900, with 32 bits of fraction.
fn ntp_now() -> u64 {
    const FROM_1900_TO_1970: u64 = 2_208_988_800;
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    (since.as_secs() + FROM_1900_TO_1970) << 32 | fraction
}
