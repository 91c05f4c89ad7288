//! One inbound stream of a track: its only one, or a simulcast layer. It counts and keeps what comes, and
//! never knows who receives it.

use std::time::Instant;

use super::activity::Activity;
use super::alignment::{EarliestArrival, StreamClock};
use super::bitrate::Bitrate;
use super::key_frame::KeyFrameRequests;
use super::nack::{Arrival, MissingPackets};
use super::picture::PresentPicture;
use super::reception::ReceptionCount;
use super::{PacketCache, SenderClock};
use crate::Limits;
use crate::allocation::Size;
use crate::rtp::codec::dependency::{self, Structure};
use crate::rtp::packet::Packet;
use crate::rtp::sequence::Unwrapper;
use crate::transport::rtcp;

/// Of a voice that is heard from now on, what was held back and is sent at once: 200 ms at 48 kHz. The detector
/// needs two to four packets, and a word may begin softly; more would delay the listener's jitter buffer.
const LAST_MOMENTS: u32 = 9_600;
const LAST_PACKETS: u64 = 12;

/// One inbound stream.
pub(crate) struct Layer {
    /// The layer's name in simulcast (RFC 8851).
    pub(crate) rid: Option<String>,
    /// Known from the offer, or from the first packet that names its section and layer.
    pub(crate) ssrc: Option<u32>,
    pub(crate) cache: PacketCache,
    pub(crate) key_frames: KeyFrameRequests,
    pub(crate) bitrate: Bitrate,
    /// Of its last key frame, where that tells.
    pub(crate) size: Option<Size>,
    unwrapper: Unwrapper,
    missing: MissingPackets,
    reception: ReceptionCount,
    pub(crate) activity: Activity,
    arrivals: EarliestArrival,
    picture: PresentPicture,
    /// What its frames are made after, and since which packet.
    structure: Option<(u64, Structure)>,
}

impl Layer {
    pub(crate) fn new(
        rid: Option<String>,
        ssrc: Option<u32>,
        clock_rate: u32,
        cached: usize,
        limits: &Limits,
    ) -> Self {
        Self {
            rid,
            ssrc,
            cache: PacketCache::new(cached),
            key_frames: KeyFrameRequests::new(limits.key_frame_interval),
            bitrate: Bitrate::default(),
            size: None,
            unwrapper: Unwrapper::default(),
            missing: MissingPackets::default(),
            reception: ReceptionCount::new(clock_rate),
            activity: Activity::default(),
            arrivals: EarliestArrival::new(clock_rate),
            picture: PresentPicture::default(),
            structure: None,
        }
    }

    /// A packet has come, for the first time or as a retransmission. Gives its extended number; `None` if it
    /// was here before.
    pub(crate) fn on_packet(
        &mut self,
        now: Instant,
        packet: &Packet<'_>,
        plain: &[u8],
        is_retransmission: bool,
    ) -> Option<(u64, Arrival)> {
        let sequence = self.unwrapper.unwrap(packet.sequence_number);
        let arrival = self.missing.on_packet(now, sequence, is_retransmission);
        match arrival {
            Arrival::Old => return None,
            // What is lost cannot be asked for packet by packet any more.
            Arrival::Broken => self.key_frames.want(),
            Arrival::New | Arrival::AfterGap | Arrival::Recovered => {}
        }
        if arrival != Arrival::Recovered {
            self.arrivals.on_packet(now, packet.timestamp);
        }
        self.picture
            .on_packet(sequence, packet.timestamp, plain.len());
        // A retransmission has come, but the packet was lost (RFC 4588 section 6.3).
        if !is_retransmission {
            self.reception.on_packet(now, sequence, packet.timestamp);
        }
        self.cache.store(now, sequence, plain);
        Some((sequence, arrival))
    }

    /// A packet has come from the engine that has the publisher, which gave it its number and asks for what is
    /// missing. False if it was here before. The times of those that are shown again say nothing of clocks.
    pub(crate) fn on_relayed(
        &mut self,
        arrival: Instant,
        sequence: u64,
        packet: &Packet<'_>,
        plain: &[u8],
        is_shown_again: bool,
    ) -> bool {
        if self.cache.get(sequence).is_some() {
            return false;
        }
        if sequence > self.picture.newest() && !is_shown_again {
            self.arrivals.on_packet(arrival, packet.timestamp);
        }
        self.picture
            .on_packet(sequence, packet.timestamp, plain.len());
        self.cache.store(arrival, sequence, plain);
        true
    }

    /// Packets were lost that nobody can send again: the present picture is not whole, and needs a key frame.
    pub(crate) fn on_lost(&mut self) {
        self.picture.forget();
        self.key_frames.want();
    }

    /// A packet at which a decoder can begin has come: whoever waited for one has it.
    pub(crate) fn on_key_frame_start(&mut self, now: Instant, sequence: u64, timestamp: u32) {
        self.key_frames.satisfy();
        self.picture.on_key_frame_start(now, sequence, timestamp);
    }

    /// A packet came with a dependency descriptor: key frames bring the structure of those that follow.
    pub(crate) fn on_dependency(&mut self, sequence: u64, descriptor: &[u8]) {
        let is_newer = |known: &(u64, Structure)| sequence > known.0;
        if self.structure.as_ref().is_none_or(is_newer)
            && let Some(structure) = dependency::structure(descriptor)
        {
            self.structure = Some((sequence, structure));
        }
    }

    /// What its frames are made after, if they say so.
    pub(crate) fn structure(&self) -> Option<&Structure> {
        self.structure.as_ref().map(|(_, structure)| structure)
    }

    /// The packets that show the present picture at once: the last key frame, and what followed.
    pub(crate) fn replay(&self, now: Instant) -> Option<std::ops::RangeInclusive<u64>> {
        self.picture.replay(now, self.cache.size())
    }

    /// Whether the present picture is to be shown now. Where a key frame is on its way, that is there sooner than many
    /// pictures are sent and decoded.
    pub(crate) fn is_to_be_shown(&self, now: Instant) -> bool {
        let is_better_coming = self.picture.is_many() && self.key_frames.is_coming(now);
        !is_better_coming && self.replay(now).is_some()
    }

    /// The last moments of a sound before this packet, back to the number `after`, which is no part of them: what a
    /// listener should have heard of a voice that is noticed only now.
    pub(crate) fn last_moments(
        &self,
        before: u64,
        timestamp: u32,
        after: u64,
    ) -> std::ops::Range<u64> {
        let is_young = |sequence: &u64| {
            let packet = self.cache.get(*sequence).and_then(Packet::parse);
            packet.is_some_and(|packet| timestamp.wrapping_sub(packet.timestamp) <= LAST_MOMENTS)
        };
        let oldest = after.max(before.saturating_sub(LAST_PACKETS) - 1) + 1;
        let first = (oldest..before).rev().take_while(is_young).last();
        first.unwrap_or(before)..before
    }

    /// When the last key frame began to come.
    pub(crate) fn key_frame_arrival(&self) -> Option<Instant> {
        self.picture.key_frame_arrival()
    }

    /// Somebody will want the picture, who cannot receive yet: have a key frame then that is still young enough,
    /// also in a while if it may take that long.
    pub(crate) fn prepare_picture(&mut self, now: Instant, is_wanted_soon: bool) {
        let cached = self.cache.size();
        let is_there = match is_wanted_soon {
            true => self.picture.replay(now, cached).is_some(),
            false => self.picture.is_fresh(now, cached),
        };
        if !is_there {
            self.key_frames.want();
        }
    }

    /// Whether the publisher sends this layer.
    pub(crate) fn is_active(&self, now: Instant) -> bool {
        self.activity.is_active(now)
    }

    /// Whether the publisher has sent this layer, and does no longer: there is no use in asking it for anything.
    pub(crate) fn has_gone_silent(&self, now: Instant) -> bool {
        self.activity.has_begun() && !self.is_active(now)
    }

    /// The packets to ask the publisher for now; those asked for in vain need a key frame.
    pub(crate) fn missing(&mut self, now: Instant, requests: &mut Vec<u16>) {
        if !self.missing.is_empty() && self.missing.due(now, requests) {
            self.key_frames.want();
        }
    }

    pub(crate) fn on_sender_report(&mut self, clock: SenderClock) {
        self.reception.on_sender_report(clock);
    }

    pub(crate) fn sender_clock(&self) -> Option<SenderClock> {
        self.reception.sender_clock()
    }

    /// By what its clock can be held against that of another layer: `None` if nothing came yet.
    pub(crate) fn clock(&self) -> Option<StreamClock<'_>> {
        self.activity.has_begun().then(|| StreamClock {
            report: self.sender_clock(),
            arrivals: &self.arrivals,
        })
    }

    /// The timestamp of its newest packet.
    pub(crate) fn newest_timestamp(&self) -> u32 {
        self.picture.newest_timestamp()
    }

    /// The block of a receiver report.
    pub(crate) fn reception(&mut self, now: Instant) -> Option<rtcp::Reception> {
        let ssrc = self.ssrc?;
        let figures = self.reception.figures(now)?;
        Some(rtcp::Reception {
            ssrc,
            fraction_lost: figures.fraction_lost,
            total_lost: figures.total_lost,
            extended_sequence_number: figures.extended_sequence_number,
            jitter: figures.jitter,
            last_sender_report: figures.last_sender_report,
            delay: figures.delay,
        })
    }
}
