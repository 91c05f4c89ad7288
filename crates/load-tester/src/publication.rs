//! One published track: the synthetic packets of a microphone or a camera, sent at an even pace. It
//! negotiates nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use protocol::{ParticipantId, TrackId, TrackKind};
use rtc::rtp;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_local::{TrackLocal, TrackLocalEvent};

use crate::PublishOptions;
use crate::payload::{self, Mark, Picture};
use crate::peer::payload_type;

/// A published track, and what was sent of it so far.
#[derive(Clone)]
pub struct Publication {
    /// The id by which the room knows it.
    pub id: TrackId,
    /// What it is made of.
    pub options: PublishOptions,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    packets: AtomicU64,
    key_frames: AtomicU64,
    key_frame_requests: AtomicU64,
    key_frame_due: AtomicBool,
    paused: AtomicBool,
    level: AtomicU64,
}

impl Publication {
    pub(crate) fn new(id: TrackId, options: PublishOptions) -> Self {
        let state = State {
            level: AtomicU64::new(LOUD),
            ..State::default()
        };
        state.key_frame_due.store(true, Relaxed);
        state.paused.store(options.paused, Relaxed);
        Self {
            id,
            options,
            state: Arc::new(state),
        }
    }

    /// Packets sent. The counter of the next one.
    pub fn packets(&self) -> u64 {
        self.state.packets.load(Relaxed)
    }

    /// Key frames sent.
    pub fn key_frames(&self) -> u64 {
        self.state.key_frames.load(Relaxed)
    }

    /// Key frames asked for by the other side, by PLI or FIR.
    pub fn key_frame_requests(&self) -> u64 {
        self.state.key_frame_requests.load(Relaxed)
    }

    /// Send nothing for now, or go on. The room is not told: that is `Participant::mute`.
    pub fn pause(&self, is_paused: bool) {
        self.state.paused.store(is_paused, Relaxed);
    }

    /// Whether nothing is sent for now.
    pub fn is_paused(&self) -> bool {
        self.state.paused.load(Relaxed)
    }

    /// How loud the sound claims to be from now on: 0 (loudest) to 127 (silence).
    pub fn set_level(&self, level: u8) {
        self.state.level.store(u64::from(level.min(127)), Relaxed);
    }
}

/// The audio level of somebody who speaks.
const LOUD: u64 = 20;

/// What the sending task needs to know.
pub(crate) struct Sending {
    pub(crate) publication: Publication,
    pub(crate) publisher: ParticipantId,
    pub(crate) source: u32,
    pub(crate) track: Arc<TrackLocalStaticRTP>,
    /// The number of the extension for the audio level, if the server takes it.
    pub(crate) level_extension: Option<u8>,
    /// The media connection is there: sooner, each packet would only be a warning.
    pub(crate) connected: watch::Receiver<bool>,
}

/// Hear when a key frame is wanted. Ends with the connection.
pub(crate) async fn hear_requests(publication: Publication, track: Arc<TrackLocalStaticRTP>) {
    while let Some(TrackLocalEvent::OnRtcpPacket(_)) = track.poll().await {
        publication.state.key_frame_requests.fetch_add(1, Relaxed);
        publication.state.key_frame_due.store(true, Relaxed);
    }
}

/// Send until the connection ends.
pub(crate) async fn send(mut sending: Sending) {
    if sending
        .connected
        .wait_for(|is_connected| *is_connected)
        .await
        .is_err()
    {
        return;
    }
    let options = sending.publication.options;
    let mut ticks =
        tokio::time::interval(Duration::from_secs(1) / options.frames_per_second.max(1));
    // After a pause of the machine the missed frames are not made up for: no camera does.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut frame = Frame {
        number: 0,
        sequence: rand::random(),
        timestamp: rand::random(),
        picture: rand::random(),
    };
    loop {
        ticks.tick().await;
        frame.number += 1;
        frame.timestamp = frame.timestamp.wrapping_add(ticks_of_a_frame(options));
        if sending.publication.state.paused.load(Relaxed) {
            continue;
        }
        let is_sent = match options.source.kind() {
            TrackKind::Audio => sending.send_sound(&mut frame).await,
            TrackKind::Video => sending.send_picture(&mut frame).await,
        };
        if !is_sent {
            return;
        }
    }
}

struct Frame {
    number: u64,
    sequence: u16,
    timestamp: u32,
    picture: u16,
}

const fn ticks_of_a_frame(options: PublishOptions) -> u32 {
    let clock_rate = match options.source.kind() {
        TrackKind::Audio => 48_000,
        TrackKind::Video => 90_000,
    };
    clock_rate
        / if options.frames_per_second == 0 {
            1
        } else {
            options.frames_per_second
        }
}

impl Sending {
    /// One packet. `false` when the connection is over.
    async fn send_sound(&self, frame: &mut Frame) -> bool {
        let payload = payload::write_audio(self.next_mark(), self.publication.options.packet_bytes);
        let mut packet = self.packet(frame, false, payload);
        if let Some(id) = self.level_extension {
            let level = self.publication.state.level.load(Relaxed) as u8;
            // RFC 6464: the first bit says that it is speech.
            let level = level | if level < 127 { 0x80 } else { 0 };
            if packet
                .header
                .set_extension(id, Bytes::copy_from_slice(&[level]))
                .is_err()
            {
                return false;
            }
        }
        self.track.write_rtp(packet).await.is_ok()
    }

    /// The packets of one frame. `false` when the connection is over.
    async fn send_picture(&self, frame: &mut Frame) -> bool {
        let state = &self.publication.state;
        let options = self.publication.options;
        let is_key_frame = state.key_frame_due.swap(false, Relaxed);
        let frame_bytes = options.frame_bytes * if is_key_frame { 4 } else { 1 };
        let packet_bytes = options.packet_bytes.max(payload::SMALLEST_PACKET_BYTES);
        let packets = frame_bytes.div_ceil(packet_bytes).max(1);
        state.key_frames.fetch_add(u64::from(is_key_frame), Relaxed);
        frame.picture = frame.picture.wrapping_add(1) & 0x7fff;
        for index in 0..packets {
            let picture = Picture {
                id: frame.picture,
                base_layer_index: frame.picture as u8,
                begins_frame: index == 0,
                begins_key_frame: index == 0 && is_key_frame,
            };
            let bytes = packet_bytes.min(frame_bytes.saturating_sub(index * packet_bytes));
            let payload = payload::write_video(self.next_mark(), picture, frame_bytes, bytes);
            let packet = self.packet(frame, index + 1 == packets, payload);
            if self.track.write_rtp(packet).await.is_err() {
                return false;
            }
        }
        true
    }

    fn next_mark(&self) -> Mark {
        let counter = self.publication.state.packets.fetch_add(1, Relaxed);
        Mark {
            publisher: self.publisher,
            counter,
            sent_at_us: now_us(),
        }
    }

    fn packet(&self, frame: &mut Frame, marker: bool, payload: Bytes) -> rtp::Packet {
        let sequence_number = frame.sequence;
        frame.sequence = frame.sequence.wrapping_add(1);
        let header = rtp::Header {
            version: 2,
            marker,
            payload_type: payload_type(self.publication.options.source.kind()),
            sequence_number,
            timestamp: frame.timestamp,
            ssrc: self.source,
            ..Default::default()
        };
        rtp::Packet { header, payload }
    }
}

/// Microseconds since 1970: the one clock that the participants of a machine share.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
