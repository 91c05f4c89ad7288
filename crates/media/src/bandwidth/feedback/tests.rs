//! Feedback from our own writer, from another one, and from strangers.

use std::time::Duration;

use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc::shared::marshal::Marshal;

use super::*;
use crate::inbound::ArrivalRecorder;
use crate::rtp::seeded::Seeded;

fn read(packet: &[u8]) -> Option<Vec<(u16, Option<i64>)>> {
    let feedback = TransportFeedback::parse(packet)?;
    let reference = i64::from(feedback.reference()) * 64_000;
    let packets = feedback.packets();
    Some(
        packets
            .map(|told| {
                (
                    told.number,
                    told.arrival_us.map(|arrival| arrival + reference),
                )
            })
            .collect(),
    )
}

/// Feedback of our writer about random arrivals: gaps, bursts and long silences.
fn example(random: &mut Seeded) -> Vec<u8> {
    let start = crate::test_time::start();
    let mut now = start;
    let mut recorder = ArrivalRecorder::new(start);
    let mut number = random.next() as u16;
    for _ in 0..1 + random.below(120) {
        number = number.wrapping_add(1 + [0, 0, 0, 1, 30][random.below(5) as usize]);
        now += Duration::from_micros([0, 100, 5_000, 90_000][random.below(4) as usize]);
        recorder.on_packet(now, 9, number);
    }
    let mut out = Vec::new();
    recorder.write(now, 1, &mut out);
    out
}

#[test]
fn what_our_writer_and_the_library_say_is_read_alike() {
    let mut random = Seeded::new(11);
    for _ in 0..2_000 {
        let packet = example(&mut random);
        let expected = crate::transport::rtcp::tests::arrivals(&packet);
        assert_eq!(read(&packet).unwrap(), expected);
    }
}

#[test]
fn vectors_of_single_bits_are_read() {
    // 9 packets from 65,534 on: 1 0 1 1 0 0 0 0 1 in one chunk of 14 symbols; reference 2.
    let mut packet = vec![0x8F, 205, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2];
    packet.extend_from_slice(&[0xFF, 0xFE, 0, 9, 0, 0, 2, 7]);
    packet.extend_from_slice(&[0b1010_1100, 0b0010_0000, 4, 8, 0, 40, 0, 0]);
    let told = read(&packet).unwrap();
    let arrived: Vec<_> = told.iter().filter(|(_, at)| at.is_some()).collect();
    assert_eq!(told.len(), 9);
    assert_eq!(
        arrived,
        [
            &(65_534, Some(129_000)),
            &(0, Some(131_000)),
            &(1, Some(131_000)),
            &(6, Some(141_000))
        ]
    );
}

#[test]
fn no_bytes_make_it_panic_or_tell_of_more_than_the_limit() {
    let mut random = Seeded::new(12);
    let mut read_some = 0;
    for _ in 0..60_000 {
        let packet = if random.chance(70) {
            let example = example(&mut random);
            random.mutate(&example)
        } else {
            let length = random.below(80);
            let mut packet = random.bytes(length);
            if let Some(start) = packet.first_chunk_mut() {
                let words = (length / 4).saturating_sub(1) as u8;
                *start = [0x8F, 205, 0, words];
            }
            packet
        };
        if let Some(told) = read(&packet) {
            read_some += 1;
            assert!(told.len() <= TOLD);
        }
        let _ = receiver_estimate_bps(&packet);
    }
    assert!(read_some > 10_000, "{read_some}");
}

#[test]
fn a_feedback_that_claims_more_packets_than_any_history_has_is_refused() {
    let mut packet = vec![
        0x8F, 205, 0, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0,
    ];
    packet.resize(36, 0x1F);
    assert!(read(&packet).is_none());
    packet[14..16].copy_from_slice(&4_096u16.to_be_bytes());
    assert_eq!(read(&packet).unwrap().len(), TOLD);
}

#[test]
fn a_receivers_estimate_is_read_and_a_boundless_one_is_no_overflow() {
    for (bitrate, expected) in [(250_000.0, 250_000), (8_388_608.0, 8_388_608)] {
        let estimate = ReceiverEstimatedMaximumBitrate {
            sender_ssrc: 1,
            bitrate,
            ssrcs: vec![5, 6],
        };
        let packet = estimate.marshal().unwrap();
        assert_eq!(receiver_estimate_bps(&packet), Some(expected));
    }
    let mut packet = vec![0x8F, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0];
    packet.extend_from_slice(b"REMB\x00\xFF\xFF\xFF");
    assert_eq!(receiver_estimate_bps(&packet), Some(u64::MAX));
    assert_eq!(receiver_estimate_bps(&packet[..16]), None);
}
