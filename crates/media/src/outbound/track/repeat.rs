//! What one peer is sent again of one track: what it misses, and what its path is probed with.

use std::time::Instant;

use super::{OutboundTrack, Way, header};
use crate::forwarded::Forwarded;
use crate::outbound::layer_selector::Lot;
use crate::outbound::rewriter::Rewritten;

impl OutboundTrack {
    /// The layer and number of a packet that the subscriber misses.
    pub(crate) fn missed(&self, sequence_number: u16) -> Option<(usize, u64)> {
        let (source, sequence) = self.rewriter.source_of(sequence_number)?;
        Some((source.into(), sequence))
    }

    /// Whether the subscriber may have this packet again. If so, it counts.
    pub(crate) fn may_repeat(&mut self, now: Instant, sequence_number: u16) -> bool {
        self.retransmissions.allows(now, sequence_number)
    }

    /// Send a packet again, as RTX (RFC 4588). True if it went out: subscribers without RTX get nothing, for
    /// sealing twice under one number would have to repeat the packet byte for byte.
    pub(crate) fn resend(
        &mut self,
        way: &mut Way<'_>,
        sequence_number: u16,
        packet: &Forwarded<'_>,
    ) -> bool {
        self.retransmissions.take(packet.payload.len()) && self.repeat(way, sequence_number, packet)
    }

    /// Send a packet again, whether or not it is missed: for a probe. It counts for no limit.
    pub(crate) fn repeat(
        &mut self,
        way: &mut Way<'_>,
        sequence_number: u16,
        packet: &Forwarded<'_>,
    ) -> bool {
        let Some(payload_type) = self
            .payload_type(packet.codec)
            .and_then(|kind| kind.retransmission)
        else {
            return false;
        };
        let lot = self.lot(packet);
        let emptied = (lot == Some(Lot::Dropped)).then(|| packet.emptied());
        let packet = emptied.as_ref().unwrap_or(packet);
        let Some(numbers) =
            self.rewriter
                .again(sequence_number, packet.timestamp, &packet.frame.numbers)
        else {
            return false;
        };
        let number = self.number(way, packet);
        self.rtx_sequence = self.rtx_sequence.wrapping_add(1);
        let rtx_sequence = self.rtx_sequence;
        let mut position = self.rtx_position;
        let ssrc = self.rtx_ssrc;
        way.transport
            .send_rtp(&mut position, ssrc, rtx_sequence, |buffer| {
                let outer = Rewritten {
                    sequence_number: rtx_sequence,
                    ..numbers
                };
                let header = header(payload_type, packet.ends_picture(lot), ssrc, outer);
                let original = Some(sequence_number);
                self.write(buffer, &header, original, number, packet, numbers)
            });
        self.rtx_position = position;
        true
    }

    /// What became of the frame of a packet that was sent, if it is of the layer that is forwarded.
    fn lot(&self, packet: &Forwarded<'_>) -> Option<Lot> {
        (self.selector.current() == Some(packet.kept.layer))
            .then(|| self.selector.lot(packet.timestamp, &packet.frame))
            .flatten()
    }

    /// The numbers of packets that went out lately, the newest first, and where each is kept.
    pub(crate) fn sent(&self, count: u16) -> impl Iterator<Item = (u16, usize, u64)> {
        (0..count).filter_map(|back| {
            let number = self.last_sequence.wrapping_sub(back);
            let (source, sequence) = self.rewriter.source_of(number)?;
            Some((number, source.into(), sequence))
        })
    }

    /// Whether the subscriber takes retransmissions.
    pub(crate) fn takes_retransmissions(&self) -> bool {
        self.payload_types
            .iter()
            .any(|kind| kind.retransmission.is_some())
    }
}
