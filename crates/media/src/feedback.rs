//! RTCP from one peer: what it says as a publisher about its clocks, and what it asks as a subscriber.

use std::time::{Duration, Instant};

use slab::Slab;

use crate::inbound::{SenderClock, Track, track::Payload};
use crate::peer::Peer;
use crate::rtp::packet::Packet;
use crate::statistics::{DropReason, Statistics};
use crate::transport::rtcp::{self, Feedback};

/// What serving feedback needs of the engine.
pub(crate) struct FeedbackDesk<'a> {
    pub(crate) now: Instant,
    pub(crate) peers: &'a mut Slab<Peer>,
    pub(crate) tracks: &'a mut Slab<Track>,
    pub(crate) statistics: &'a mut Statistics,
}

impl FeedbackDesk<'_> {
    /// An RTCP packet of the peer at `place`, opened.
    pub(crate) fn handle(&mut self, place: usize, plain: &[u8]) -> Result<(), DropReason> {
        if !self.peers[place].rtcp.take(self.now, 1.0) {
            return Err(DropReason::RtcpRate);
        }
        for feedback in rtcp::read(plain).ok_or(DropReason::RtcpMalformed)? {
            match feedback {
                Feedback::SenderReport {
                    ssrc,
                    ntp_time,
                    rtp_time,
                } => {
                    self.note_clock(
                        place,
                        ssrc,
                        SenderClock {
                            ntp_time,
                            rtp_time,
                            arrival: self.now,
                        },
                    );
                }
                Feedback::Reception {
                    ssrc,
                    last_sender_report,
                    delay,
                    ..
                } => {
                    self.note_round_trip(place, ssrc, last_sender_report, delay);
                }
                Feedback::Nack {
                    ssrc,
                    sequence_numbers,
                } => self.send_again(place, ssrc, &sequence_numbers),
                Feedback::KeyFrameRequest { ssrc } => self.want_key_frame(place, ssrc),
                // A browser says goodbye to an SSRC when a sender stops; the track's end is signaling's to tell.
                Feedback::Goodbye { .. } => {}
            }
        }
        Ok(())
    }

    fn note_clock(&mut self, place: usize, ssrc: u32, clock: SenderClock) {
        if let Some(stream) = self.peers[place]
            .streams
            .get(&ssrc)
            .filter(|stream| !stream.is_rtx)
            && let Some(layer) = self.tracks[stream.track].layers.get_mut(stream.layer)
        {
            layer.on_sender_report(clock);
        }
    }

    /// The round trip (RFC 3550 section 6.4.1): now, less the report that is echoed, less the time it lay there.
    fn note_round_trip(&mut self, place: usize, ssrc: u32, last_sender_report: u32, delay: u32) {
        let peer = &mut self.peers[place];
        let Some(outbound) = peer.outbound_by_ssrc(ssrc) else {
            return;
        };
        let (Some(layer), track) = (outbound.selector.current(), &self.tracks[outbound.track])
        else {
            return;
        };
        let Some(clock) = track
            .layers
            .get(layer)
            .and_then(|layer| layer.sender_clock())
        else {
            return;
        };
        if last_sender_report == 0 {
            return;
        }
        // Our reports carry the publisher's clock, so its reading of this moment is compared.
        let passed = self.now.saturating_duration_since(clock.arrival);
        let passed_ntp = ((passed.as_micros() << 32) / 1_000_000) as u64;
        let now = (clock.ntp_time.wrapping_add(passed_ntp) >> 16) as u32;
        let round_trip = now.wrapping_sub(last_sender_report).wrapping_sub(delay);
        // More than a few seconds, or a negative time, is a broken clock.
        if round_trip < 5 << 16 {
            outbound.on_round_trip(Duration::from_micros(
                (u64::from(round_trip) * 1_000_000) >> 16,
            ));
        }
    }

    fn send_again(&mut self, place: usize, ssrc: u32, sequence_numbers: &[u16]) {
        let peer = &mut self.peers[place];
        let transport = &mut peer.transport;
        let Some(outbound) = peer
            .outbound
            .iter_mut()
            .find(|outbound| outbound.ssrc == ssrc)
        else {
            return;
        };
        let track = &self.tracks[outbound.track];
        for &sequence_number in sequence_numbers {
            self.statistics.inbound_nacks += 1;
            let sent =
                outbound
                    .missed(self.now, sequence_number)
                    .is_some_and(|(layer, sequence)| {
                        let plain = track
                            .layers
                            .get(layer)
                            .and_then(|layer| layer.cache.get(sequence));
                        let packet = plain.and_then(Packet::parse);
                        let payload = packet
                            .as_ref()
                            .and_then(|packet| track.payload(packet.payload_type));
                        match (packet, payload) {
                            (Some(packet), Some(Payload::Media { codec, .. })) => outbound.resend(
                                transport,
                                sequence_number,
                                codec,
                                &packet,
                                &track.extensions,
                            ),
                            _ => false,
                        }
                    });
            if sent {
                self.statistics.outbound_retransmissions += 1;
                self.statistics.outbound_packets += 1;
            } else {
                self.statistics.drop_for(DropReason::RetransmissionRefused);
            }
        }
    }

    fn want_key_frame(&mut self, place: usize, ssrc: u32) {
        self.statistics.inbound_key_frame_requests += 1;
        let Some(outbound) = self.peers[place].outbound_by_ssrc(ssrc) else {
            return;
        };
        let selector = &outbound.selector;
        let Some(layer) = selector.wants_key_frame().or(selector.current()) else {
            return;
        };
        if let Some(layer) = self.tracks[outbound.track].layers.get_mut(layer) {
            layer.key_frames.want();
        }
    }
}
