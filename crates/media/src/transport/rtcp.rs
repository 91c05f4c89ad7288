//! RTCP packets (RFC 3550, RFC 4585, RFC 5104) as plain values, read and written with `rtc::rtcp`.

use rtc::rtcp::goodbye::Goodbye;
use rtc::rtcp::packet::{Packet, unmarshal};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::source_description::{
    SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem,
};
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{
    TransportLayerNack, nack_pairs_from_sequence_numbers,
};
use rtc::shared::error::Error;
use rtc::shared::marshal::Marshal;

/// What a peer reports or asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Feedback {
    /// A sender's clock: which RTP timestamp is which moment.
    SenderReport {
        ssrc: u32,
        /// 32 bits of seconds since 1900, 32 bits of fraction.
        ntp_time: u64,
        rtp_time: u32,
    },
    /// How one of our streams arrives.
    Reception {
        ssrc: u32,
        /// Of 256, since the report before.
        fraction_lost: u8,
        /// The middle 32 bits of the last sender report's NTP time; 0 if none came.
        last_sender_report: u32,
        /// Since then, in 1/65,536 s.
        delay: u32,
    },
    /// Packets of one of our streams are missing.
    Nack {
        ssrc: u32,
        sequence_numbers: Vec<u16>,
    },
    /// A decoder of one of our streams needs a key frame (PLI or FIR).
    KeyFrameRequest { ssrc: u32 },
    /// One of the peer's streams is over.
    Goodbye { ssrcs: Vec<u32> },
}

/// Sequence numbers read from one NACK at most: what does not fit a cache is not worth naming.
const NACKED: usize = 512;

/// The packets of a compound one, each from its header to its end (RFC 3550 section 6.1); what is cut short is
/// left out.
pub(crate) fn packets(mut compound: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let &[_, _, high, low, ..] = compound else {
            return None;
        };
        let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
        let (packet, rest) = compound.split_at_checked(length)?;
        compound = rest;
        Some(packet)
    })
}

/// Read a compound or reduced-size packet. What Plenum does not use is passed over.
pub(crate) fn read(packet: &[u8]) -> Option<Vec<Feedback>> {
    let packets = unmarshal(&mut &packet[..]).ok()?;
    let mut feedback = Vec::new();
    for packet in packets {
        read_one(packet.as_ref(), &mut feedback);
    }
    Some(feedback)
}

fn read_one(packet: &dyn Packet, feedback: &mut Vec<Feedback>) {
    let any = packet.as_any();
    if let Some(report) = any.downcast_ref::<SenderReport>() {
        feedback.push(Feedback::SenderReport {
            ssrc: report.ssrc,
            ntp_time: report.ntp_time,
            rtp_time: report.rtp_time,
        });
        feedback.extend(report.reports.iter().map(reception));
    } else if let Some(report) = any.downcast_ref::<ReceiverReport>() {
        feedback.extend(report.reports.iter().map(reception));
    } else if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
        let sequence_numbers = nack
            .nacks
            .iter()
            .flat_map(|pair| pair.packet_list())
            .take(NACKED)
            .collect();
        feedback.push(Feedback::Nack {
            ssrc: nack.media_ssrc,
            sequence_numbers,
        });
    } else if let Some(request) = any.downcast_ref::<PictureLossIndication>() {
        feedback.push(Feedback::KeyFrameRequest {
            ssrc: request.media_ssrc,
        });
    } else if let Some(request) = any.downcast_ref::<FullIntraRequest>() {
        feedback.extend(
            request
                .fir
                .iter()
                .map(|entry| Feedback::KeyFrameRequest { ssrc: entry.ssrc }),
        );
    } else if let Some(goodbye) = any.downcast_ref::<Goodbye>() {
        feedback.push(Feedback::Goodbye {
            ssrcs: goodbye.sources.clone(),
        });
    }
}

fn reception(report: &ReceptionReport) -> Feedback {
    Feedback::Reception {
        ssrc: report.ssrc,
        fraction_lost: report.fraction_lost,
        last_sender_report: report.last_sender_report,
        delay: report.delay,
    }
}

/// How one of the peer's streams arrives here (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reception {
    pub(crate) ssrc: u32,
    pub(crate) fraction_lost: u8,
    pub(crate) total_lost: u32,
    pub(crate) extended_sequence_number: u32,
    pub(crate) jitter: u32,
    pub(crate) last_sender_report: u32,
    pub(crate) delay: u32,
}

/// Append a receiver report of at most 31 streams.
pub(crate) fn write_receiver_report(out: &mut Vec<u8>, sender: u32, receptions: &[Reception]) {
    let reports = receptions
        .iter()
        .take(31)
        .map(|reception| ReceptionReport {
            ssrc: reception.ssrc,
            fraction_lost: reception.fraction_lost,
            total_lost: reception.total_lost.min(0x7F_FFFF),
            last_sequence_number: reception.extended_sequence_number,
            jitter: reception.jitter,
            last_sender_report: reception.last_sender_report,
            delay: reception.delay,
        })
        .collect();
    append(
        out,
        ReceiverReport {
            ssrc: sender,
            reports,
            ..Default::default()
        }
        .marshal(),
    );
}

/// Append a sender report with its CNAME.
pub(crate) fn write_sender_report(
    out: &mut Vec<u8>,
    ssrc: u32,
    ntp_time: u64,
    rtp_time: u32,
    packet_count: u32,
    octet_count: u32,
    cname: &str,
) {
    let report = SenderReport {
        ssrc,
        ntp_time,
        rtp_time,
        packet_count,
        octet_count,
        ..Default::default()
    };
    append(out, report.marshal());
    let item = SourceDescriptionItem {
        sdes_type: SdesType::SdesCname,
        text: bytes::Bytes::copy_from_slice(cname.as_bytes()),
    };
    let chunk = SourceDescriptionChunk {
        source: ssrc,
        items: vec![item],
    };
    append(
        out,
        SourceDescription {
            chunks: vec![chunk],
        }
        .marshal(),
    );
}

/// Append a request for missing packets.
pub(crate) fn write_nack(out: &mut Vec<u8>, sender: u32, ssrc: u32, sequence_numbers: &[u16]) {
    let nacks = nack_pairs_from_sequence_numbers(sequence_numbers);
    append(
        out,
        TransportLayerNack {
            sender_ssrc: sender,
            media_ssrc: ssrc,
            nacks,
        }
        .marshal(),
    );
}

/// Append a request for a key frame.
pub(crate) fn write_key_frame_request(out: &mut Vec<u8>, sender: u32, ssrc: u32) {
    append(
        out,
        PictureLossIndication {
            sender_ssrc: sender,
            media_ssrc: ssrc,
        }
        .marshal(),
    );
}

fn append(out: &mut Vec<u8>, packet: Result<bytes::BytesMut, Error>) {
    match packet {
        Ok(bytes) => out.extend_from_slice(&bytes),
        Err(error) => debug_assert!(false, "an RTCP packet of ours cannot be written: {error}"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rtc::rtcp::transport_feedbacks::transport_layer_cc::{
        PacketStatusChunk, SymbolTypeTcc, TransportLayerCc,
    };
    use rtc::shared::marshal::Unmarshal;

    use super::*;

    /// Transport-wide feedback as the library reads it: each number with its arrival in microseconds after the
    /// reference time.
    pub(crate) fn arrivals(packet: &[u8]) -> Vec<(u16, Option<i64>)> {
        let feedback = TransportLayerCc::unmarshal(&mut &packet[..]).unwrap();
        let mut symbols = Vec::new();
        for chunk in &feedback.packet_chunks {
            match chunk {
                PacketStatusChunk::RunLengthChunk(run) => {
                    symbols.extend(std::iter::repeat_n(
                        run.packet_status_symbol,
                        run.run_length.into(),
                    ));
                }
                PacketStatusChunk::StatusVectorChunk(vector) => {
                    symbols.extend(vector.symbol_list.iter().copied())
                }
            }
        }
        symbols.truncate(feedback.packet_status_count.into());
        let mut differences = feedback.recv_deltas.iter();
        let mut time = i64::from(feedback.reference_time) * 64_000;
        let numbers = (0..).map(|step| feedback.base_sequence_number.wrapping_add(step));
        numbers
            .zip(symbols)
            .map(|(number, symbol)| {
                let arrived = symbol != SymbolTypeTcc::PacketNotReceived;
                (
                    number,
                    arrived.then(|| {
                        time += differences.next().unwrap().delta;
                        time
                    }),
                )
            })
            .collect()
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut out = Vec::new();
        write_sender_report(&mut out, 5, 1 << 40, 90_000, 3, 400, "cname");
        write_nack(&mut out, 1, 7, &[10, 11, 300]);
        write_key_frame_request(&mut out, 1, 8);
        let reception = Reception {
            ssrc: 9,
            fraction_lost: 12,
            total_lost: 5,
            extended_sequence_number: 70_000,
            jitter: 3,
            last_sender_report: 77,
            delay: 88,
        };
        write_receiver_report(&mut out, 1, &[reception]);
        let read = read(&out).unwrap();
        assert_eq!(
            read,
            [
                Feedback::SenderReport {
                    ssrc: 5,
                    ntp_time: 1 << 40,
                    rtp_time: 90_000
                },
                Feedback::Nack {
                    ssrc: 7,
                    sequence_numbers: vec![10, 11, 300]
                },
                Feedback::KeyFrameRequest { ssrc: 8 },
                Feedback::Reception {
                    ssrc: 9,
                    fraction_lost: 12,
                    last_sender_report: 77,
                    delay: 88
                },
            ]
        );
    }

    #[test]
    fn broken_packets_are_refused_without_a_panic() {
        let mut out = Vec::new();
        write_nack(&mut out, 1, 7, &[10, 11, 300]);
        write_sender_report(&mut out, 5, 1, 9, 3, 400, "cname");
        for length in 0..out.len() {
            let _ = read(&out[..length]);
        }
        for place in 0..out.len() {
            for value in [0, 0x7F, 0xFF] {
                let mut damaged = out.clone();
                damaged[place] = value;
                let _ = read(&damaged);
            }
        }
        assert_eq!(read(&[]), None);
    }
}
