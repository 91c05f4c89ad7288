//! One inbound RTP packet: whose track and layer it is, and whom it is for at the end of the turn.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use protocol::TrackKind;
use slab::Slab;

use crate::allocation::Size;
use crate::codec::Codec;
use crate::event::Event;
use crate::extension::Extension;
use crate::forwarded::Kept;
use crate::inbound::track::{Payload, Publisher};
use crate::inbound::{Arrival, Hearing, Loudest, Track};
use crate::link::{Links, RelayedPacket};
use crate::peer::{Peer, Stream};
use crate::rtp::codec::Frame;
use crate::rtp::codec::picture_size::picture_size;
use crate::rtp::packet::Packet;
use crate::statistics::{DropReason, Statistics};
use crate::turn::Turn;

/// What a packet needs on its way through the engine.
pub(crate) struct Router<'a> {
    pub(crate) now: Instant,
    pub(crate) peers: &'a mut Slab<Peer>,
    pub(crate) tracks: &'a mut Slab<Track>,
    pub(crate) statistics: &'a mut Statistics,
    pub(crate) events: &'a mut VecDeque<Event>,
    pub(crate) turn: &'a mut Turn,
    pub(crate) loudest: &'a mut HashMap<u64, Loudest>,
    pub(crate) links: &'a mut Links,
    pub(crate) inbound_ssrcs: usize,
    /// For packets taken out of their retransmission.
    pub(crate) scratch: &'a mut Vec<u8>,
}

impl Router<'_> {
    /// A packet of the peer at `place`, opened.
    pub(crate) fn route(&mut self, place: usize, plain: &[u8]) -> Result<(), DropReason> {
        let packet = Packet::parse(plain).ok_or(DropReason::Malformed)?;
        let peer = &mut self.peers[place];
        let is_within_rate =
            peer.packets.take(self.now, 1.0) && peer.bytes.take(self.now, plain.len() as f64);
        if !is_within_rate {
            return Err(DropReason::InboundRate);
        }
        if let Some(&[high, low]) = peer
            .transport_sequence_number()
            .and_then(|id| packet.extension(id))
        {
            peer.arrivals
                .on_packet(self.now, packet.ssrc, u16::from_be_bytes([high, low]));
        }
        let stream = match peer.streams.get(&packet.ssrc) {
            Some(stream) => *stream,
            None => self.learn(place, &packet).ok_or(DropReason::UnknownSsrc)?,
        };
        self.statistics.inbound_packets += 1;
        self.statistics.inbound_bytes += plain.len() as u64;
        if !stream.is_rtx {
            return self.accept(stream, &packet, plain);
        }
        // A probe: RTX with nothing in it.
        if packet.payload.len() <= 2 {
            return Ok(());
        }
        let mut scratch = std::mem::take(self.scratch);
        let original = self.unpack(stream, &packet, plain, &mut scratch);
        let result = match original.and_then(|()| Packet::parse(&scratch)) {
            Some(original) => self.accept(stream, &original, &scratch),
            None => Err(DropReason::Malformed),
        };
        *self.scratch = scratch;
        result
    }

    /// An SSRC that no offer named: the packet itself names its section, and its layer (RFC 8843 section 9.2,
    /// RFC 8852).
    fn learn(&mut self, place: usize, packet: &Packet<'_>) -> Option<Stream> {
        let peer = &mut self.peers[place];
        let text = |extension: Extension| {
            let id = peer.extensions.id(extension)?;
            std::str::from_utf8(packet.extension(id)?).ok()
        };
        let mid = text(Extension::Mid)?;
        let track = *peer
            .tracks
            .iter()
            .find(|index| self.tracks[**index].mid == mid)?;
        let repaired = text(Extension::RepairedRtpStreamId);
        let rid = repaired.or_else(|| text(Extension::RtpStreamId));
        let is_rtx = match self.tracks[track].payload(packet.payload_type)? {
            Payload::Media { .. } => false,
            Payload::Retransmission { .. } => true,
        };
        let layer = self.tracks[track].layer_of(rid)?;
        let stream = Stream {
            track,
            layer,
            is_rtx,
        };
        if !peer.learn_stream(packet.ssrc, stream, self.inbound_ssrcs) {
            return None;
        }
        if !is_rtx {
            self.tracks[track].layers[layer].ssrc = Some(packet.ssrc);
        }
        Some(stream)
    }

    /// The packet that a retransmission carries (RFC 4588 section 4), into `scratch`.
    fn unpack(
        &self,
        stream: Stream,
        packet: &Packet<'_>,
        plain: &[u8],
        scratch: &mut Vec<u8>,
    ) -> Option<()> {
        let track = &self.tracks[stream.track];
        let Payload::Retransmission { of } = track.payload(packet.payload_type)? else {
            return None;
        };
        let ssrc = track.layers[stream.layer].ssrc?;
        let (original_sequence, payload) = packet.payload.split_at(2);
        scratch.clear();
        scratch.extend_from_slice(&plain[..packet.header_len]);
        scratch.extend_from_slice(payload);
        scratch[0] &= !0x20;
        scratch[1] = scratch[1] & 0x80 | of;
        scratch[2..4].copy_from_slice(original_sequence);
        scratch[8..12].copy_from_slice(&ssrc.to_be_bytes());
        Some(())
    }

    /// A packet of a known layer: count it, keep it, note it for its subscribers.
    fn accept(
        &mut self,
        stream: Stream,
        packet: &Packet<'_>,
        plain: &[u8],
    ) -> Result<(), DropReason> {
        let track = &mut self.tracks[stream.track];
        let Some(Payload::Media { codec, .. }) = track.payload(packet.payload_type) else {
            return Err(DropReason::UnknownSsrc);
        };
        // Padding that probes the path has no blocks.
        let is_red = codec == Codec::Red && !packet.payload.is_empty();
        if is_red && track.red(packet.payload).is_none() {
            return Err(DropReason::RedMalformed);
        }
        let layer = track
            .layers
            .get_mut(stream.layer)
            .ok_or(DropReason::UnknownSsrc)?;
        let Some((sequence, arrival)) = layer.on_packet(self.now, packet, plain, stream.is_rtx)
        else {
            return Ok(());
        };
        if let (Arrival::AfterGap, Publisher::Here(place)) = (arrival, track.publisher) {
            self.peers[place].misses_packets = true;
        }
        track.clock_layer.get_or_insert(stream.layer);
        if arrival == Arrival::Recovered {
            self.statistics.inbound_retransmissions += u64::from(stream.is_rtx);
        }
        let kept = Kept {
            layer: stream.layer,
            sequence,
            arrival: self.now,
        };
        // Of sound only what is heard crosses.
        if track.kind == TrackKind::Video {
            self.relay(stream.track, kept, plain);
        }
        self.pass_on(stream.track, kept, codec, packet, plain.len())
    }

    /// Pass a packet on to the other engines that want its track.
    fn relay(&mut self, place: usize, kept: Kept, plain: &[u8]) {
        let track = &self.tracks[place];
        if !track.relays.is_empty() {
            self.statistics.relayed_packets += track.relays.len() as u64;
            let packet = RelayedPacket::new(track, kept, false);
            self.links.push_packet(&track.relays, packet, plain);
        }
    }

    /// A packet that the publisher's engine passes on: keep it, note it for its subscribers.
    pub(crate) fn accept_relayed(
        &mut self,
        place: usize,
        relayed: &RelayedPacket,
        plain: &[u8],
    ) -> Result<(), DropReason> {
        let packet = Packet::parse(plain).ok_or(DropReason::Malformed)?;
        let track = &mut self.tracks[place];
        let Some(Payload::Media { codec, .. }) = track.payload(packet.payload_type) else {
            return Err(DropReason::UnknownSsrc);
        };
        let kept = relayed.kept;
        let layer = track.layers.get_mut(kept.layer);
        let layer = layer.ok_or(DropReason::UnknownSsrc)?;
        let (arrival, is_shown_again) = (kept.arrival, relayed.is_shown_again);
        if !layer.on_relayed(arrival, kept.sequence, &packet, plain, is_shown_again) {
            return Ok(());
        }
        track.clock_layer.get_or_insert(kept.layer);
        track.stint = relayed.stint;
        // What is shown again came long ago: it is no rate.
        let counted = if is_shown_again { 0 } else { plain.len() };
        self.pass_on(place, kept, codec, &packet, counted)
    }

    /// A packet that was not here before, and is kept: note it for its subscribers. `counted`: its bytes, as far as
    /// they say how much comes.
    fn pass_on(
        &mut self,
        place: usize,
        kept: Kept,
        codec: Codec,
        packet: &Packet<'_>,
        counted: usize,
    ) -> Result<(), DropReason> {
        let track = &mut self.tracks[place];
        track.note_arrival(kept.layer, kept.arrival, packet.timestamp);
        let layer = track.layers.get_mut(kept.layer);
        let layer = layer.ok_or(DropReason::UnknownSsrc)?;
        let dependency = track.extensions.id(Extension::DependencyDescriptor);
        let descriptor = dependency.and_then(|id| packet.extension(id));
        if let Some(descriptor) = descriptor {
            layer.on_dependency(kept.sequence, descriptor);
        }
        let frame = Frame::read(codec, packet.payload, descriptor, layer.structure());
        let within = frame.layers.numbers();
        layer.bitrate.on_packet(kept.arrival, within, counted);
        if frame.starts_key_frame {
            layer.on_key_frame_start(kept.arrival, kept.sequence, packet.timestamp);
            if let Some((width, height)) = picture_size(codec, packet.payload) {
                layer.size = Some(Size { width, height });
            }
        }
        if track.muted {
            // What was said while it was muted is not said afterwards.
            if let Some(voice) = &mut track.voice {
                voice.forwarded = voice.forwarded.max(kept.sequence);
            }
            return Ok(());
        }
        if track.voice.is_some() {
            let level = self.listen(place, packet);
            return match self.hear(place, kept, packet.timestamp, level) {
                true => Ok(()),
                false => Err(DropReason::Unheard),
            };
        }
        self.turn.note(place, &mut self.tracks[place], kept);
        Ok(())
    }

    /// How loud a packet of sound is, and whether somebody begins to speak with it.
    fn listen(&mut self, place: usize, packet: &Packet<'_>) -> Option<u8> {
        let track = &mut self.tracks[place];
        let id = track.extensions.id(Extension::AudioLevel)?;
        let level = packet.extension(id)?.first().copied()?;
        if let Some(level) = track.speech.on_level(self.now, level) {
            let track = track.id;
            self.events.push_back(Event::Speaking { track, level });
        }
        Some(level)
    }

    /// A packet of sound of a publisher who is here: if it is among the loudest of its room, it is noted for its
    /// subscribers, here and on other engines. When that begins, its last moments are noted before it: what came
    /// while nobody listened.
    fn hear(&mut self, place: usize, packet: Kept, timestamp: u32, level: Option<u8>) -> bool {
        let track = &mut self.tracks[place];
        let Some(voice) = &mut track.voice else {
            return false;
        };
        let room = self.loudest.get_mut(&voice.room);
        let hearing = room.map_or(Hearing::Heard, |room| {
            room.on_packet(self.now, voice.key, level)
        });
        if hearing == Hearing::Unheard {
            return false;
        }
        let (layer, sequence) = (packet.layer, packet.sequence);
        let forwarded = voice.forwarded;
        voice.forwarded = forwarded.max(sequence);
        let mut sequences = sequence..=sequence;
        if hearing == Hearing::Begins {
            track.stint = track.stint.wrapping_add(1);
            let missed = track.layers[layer].last_moments(sequence, timestamp, forwarded);
            sequences = missed.start..=sequence;
        }
        for sequence in sequences {
            let kept = Kept {
                layer,
                sequence,
                arrival: self.now,
            };
            self.turn.note(place, &mut self.tracks[place], kept);
            self.relay_kept(place, kept);
        }
        true
    }

    /// The same of a packet that the track keeps.
    fn relay_kept(&mut self, place: usize, kept: Kept) {
        let track = &self.tracks[place];
        if track.relays.is_empty() {
            return;
        }
        if let Some(plain) = track.layers[kept.layer].cache.get(kept.sequence) {
            self.statistics.relayed_packets += track.relays.len() as u64;
            let packet = RelayedPacket::new(track, kept, false);
            self.links.push_packet(&track.relays, packet, plain);
        }
    }
}
