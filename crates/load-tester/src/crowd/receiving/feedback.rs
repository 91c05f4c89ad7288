//! RTCP of a client, both ways: what the server asks of a publisher, and what a receiver tells the server.
//! Pure functions of packets.

use bytes::{Bytes, BytesMut};
use rtc::rtcp::Packet;
use rtc::rtcp::packet::{marshal, unmarshal};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;

/// A count of 5 bits (RFC 3550 section 6.4.2).
const MOST_REPORTS: usize = 31;

/// What the server asks of a publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// A key frame of this SSRC.
    KeyFrame(u32),
    /// These packets of this SSRC again.
    Again(u32, Vec<u16>),
}

/// What is asked for in an RTCP packet. What is broken is passed over.
pub(super) fn wishes(mut packet: Bytes) -> Vec<Wish> {
    let packets = unmarshal(&mut packet).unwrap_or_default();
    let mut wishes = Vec::new();
    for packet in packets {
        let packet = packet.as_any();
        if let Some(request) = packet.downcast_ref::<PictureLossIndication>() {
            wishes.push(Wish::KeyFrame(request.media_ssrc));
        } else if let Some(request) = packet.downcast_ref::<FullIntraRequest>() {
            wishes.extend(request.fir.iter().map(|entry| Wish::KeyFrame(entry.ssrc)));
        } else if let Some(nack) = packet.downcast_ref::<TransportLayerNack>() {
            let numbers = nack.nacks.iter().flat_map(|pair| pair.packet_list());
            wishes.push(Wish::Again(nack.media_ssrc, numbers.collect()));
        }
    }
    wishes
}

/// Receiver reports, as many as it takes.
pub(super) fn receiver_reports(own_ssrc: u32, reports: Vec<ReceptionReport>) -> Vec<BytesMut> {
    let packets = reports.chunks(MOST_REPORTS).filter_map(|reports| {
        written(ReceiverReport {
            ssrc: own_ssrc,
            reports: reports.to_vec(),
            ..ReceiverReport::default()
        })
    });
    packets.collect()
}

/// A request for a key frame.
pub(super) fn key_frame_request(own_ssrc: u32, ssrc: u32) -> Option<BytesMut> {
    written(PictureLossIndication {
        sender_ssrc: own_ssrc,
        media_ssrc: ssrc,
    })
}

/// A packet as bytes.
pub(super) fn written(packet: impl Packet + 'static) -> Option<BytesMut> {
    marshal(&[Box::new(packet)]).ok()
}

#[cfg(test)]
mod tests {
    use rtc::rtcp::transport_feedbacks::transport_layer_nack::nack_pairs_from_sequence_numbers;

    use super::*;

    #[test]
    fn requests_for_key_frames_and_packets_are_read() {
        let nack = TransportLayerNack {
            sender_ssrc: 1,
            media_ssrc: 8,
            nacks: nack_pairs_from_sequence_numbers(&[5, 7, 65_535]),
        };
        let again = written(nack).unwrap();
        let mut both = key_frame_request(1, 9).unwrap();
        both.extend_from_slice(&again);
        let wishes = wishes(both.freeze());
        assert_eq!(wishes[0], Wish::KeyFrame(9));
        assert_eq!(wishes[1], Wish::Again(8, vec![5, 7, 65_535]));
    }

    #[test]
    fn what_is_broken_asks_for_nothing() {
        let request = key_frame_request(1, 9).unwrap();
        for length in 0..request.len() {
            assert_eq!(wishes(Bytes::copy_from_slice(&request[..length])), []);
        }
    }

    #[test]
    fn a_hundred_streams_take_four_reports() {
        let reports = vec![ReceptionReport::default(); 100];
        assert_eq!(receiver_reports(1, reports).len(), 4);
        assert!(receiver_reports(1, Vec::new()).is_empty());
    }
}
