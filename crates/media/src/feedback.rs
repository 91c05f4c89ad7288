//! RTCP from one peer: what it says as a publisher about its clocks, and what it asks as a subscriber.

use std::time::Instant;

use slab::Slab;

use crate::bandwidth::{self, TransportFeedback};
use crate::forwarded::{Forwarded, Kept};
use crate::inbound::{SenderClock, Track};
use crate::outbound::Way;
use crate::peer::Peer;
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
        if self.note_arrivals(place, plain) {
            return Ok(());
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
                    if let Some(outbound) = self.peers[place].outbound_by_ssrc(ssrc) {
                        outbound.on_reception(self.now, last_sender_report, delay);
                    }
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

    /// What the peer tells of its path: when each packet arrived, or how much it thinks it can take. True if that
    /// is all it tells.
    fn note_arrivals(&mut self, place: usize, plain: &[u8]) -> bool {
        let bandwidth = &mut self.peers[place].bandwidth;
        let mut told = 0;
        for packet in rtcp::packets(plain) {
            if let Some(feedback) = TransportFeedback::parse(packet) {
                bandwidth.on_feedback(self.now, &feedback);
            } else if let Some(bps) = bandwidth::receiver_estimate_bps(packet) {
                bandwidth.on_receiver_estimate(self.now, bps);
            } else {
                continue;
            }
            told += packet.len();
        }
        told == plain.len()
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

    fn send_again(&mut self, place: usize, ssrc: u32, sequence_numbers: &[u16]) {
        let peer = &mut self.peers[place];
        let mut way = Way {
            now: self.now,
            transport: &mut peer.transport,
            bandwidth: &mut peer.bandwidth,
        };
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
            let missed = outbound.missed(sequence_number);
            let forwarded = missed.and_then(|(layer, sequence)| {
                let kept = Kept {
                    layer,
                    sequence,
                    arrival: self.now,
                };
                Forwarded::read(track, kept)
            });
            // Only what is there is counted as repeated: what the publisher must first send again is forwarded
            // when it comes.
            let sent = forwarded.is_some_and(|packet| {
                outbound.may_repeat(self.now, sequence_number)
                    && outbound.resend(&mut way, sequence_number, &packet)
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
        // The layer that is to come may never do; the picture that stands still is that of the present one.
        let selector = &outbound.selector;
        let layers = [selector.wants_key_frame(), selector.current()];
        let track = outbound.track;
        for layer in layers.into_iter().flatten() {
            if let Some(layer) = self.tracks[track].layers.get_mut(layer) {
                layer.key_frames.want();
            }
        }
    }
}
