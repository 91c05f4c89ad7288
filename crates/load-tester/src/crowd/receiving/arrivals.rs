//! When packets came, told to the server for its congestion control, as
//! draft-holmer-rmcat-transport-wide-cc-extensions-01 has it. It estimates nothing.

use bytes::BytesMut;
use rtc::rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, RecvDelta, StatusChunkTypeTcc, StatusVectorChunk, SymbolSizeTypeTcc,
    SymbolTypeTcc, TransportLayerCc,
};

use super::feedback;
use crate::crowd::srtp::nearest_index;

/// A reference time has units of 64 ms and 24 bits, a difference of times units of 250 µs.
const REFERENCE_US: u64 = 64_000;
const REFERENCE_MASK: u64 = 0xff_ffff;
const TICK_US: i64 = 250;
/// Symbols of two bits in a chunk.
const SYMBOLS: usize = 7;
/// Packets that one feedback tells of; those before are left out.
const MOST: u64 = 2_048;

/// When packets came since the last feedback.
#[derive(Default)]
pub(super) struct Arrivals {
    /// Transport-wide number without its wrapping around, and microseconds.
    came: Vec<(u64, u64)>,
    /// The number after the last one that was told.
    next: Option<u64>,
    highest: u64,
    feedbacks: u8,
}

impl Arrivals {
    /// A packet came.
    pub(super) fn note(&mut self, number: u16, now_us: u64) {
        let index = match self.next {
            // Room below for what comes late at the very start.
            None => (1 << 16) | u64::from(number),
            Some(_) => nearest_index(self.highest, number),
        };
        self.next.get_or_insert(index);
        self.highest = self.highest.max(index);
        self.came.push((index, now_us));
    }

    /// The feedback that is due, if anything came.
    pub(super) fn feedback(&mut self, own_ssrc: u32, media_ssrc: u32) -> Option<BytesMut> {
        let begin = self.next?.max(self.highest.saturating_sub(MOST - 1));
        let mut came = std::mem::take(&mut self.came);
        came.retain(|(index, _)| *index >= begin);
        came.sort_unstable();
        came.dedup_by_key(|(index, _)| *index);
        let reference = came.first()?.1 / REFERENCE_US;
        let mut last_tick = (reference * REFERENCE_US) as i64 / TICK_US;
        let (mut symbols, mut deltas) = (Vec::new(), Vec::new());
        for (index, came_us) in came {
            symbols.resize((index - begin) as usize, SymbolTypeTcc::PacketNotReceived);
            let tick = came_us as i64 / TICK_US;
            let ticks = (tick - last_tick).clamp(i16::MIN.into(), i16::MAX.into());
            last_tick += ticks;
            let symbol = match u8::try_from(ticks) {
                Ok(_) => SymbolTypeTcc::PacketReceivedSmallDelta,
                Err(_) => SymbolTypeTcc::PacketReceivedLargeDelta,
            };
            symbols.push(symbol);
            deltas.push(RecvDelta {
                type_tcc_packet: symbol,
                delta: ticks * TICK_US,
            });
        }
        let feedback = TransportLayerCc {
            sender_ssrc: own_ssrc,
            media_ssrc,
            base_sequence_number: begin as u16,
            packet_status_count: symbols.len() as u16,
            reference_time: (reference & REFERENCE_MASK) as u32,
            fb_pkt_count: self.feedbacks,
            packet_chunks: symbols.chunks(SYMBOLS).map(chunk).collect(),
            recv_deltas: deltas,
        };
        self.next = Some(begin + symbols.len() as u64);
        self.feedbacks = self.feedbacks.wrapping_add(1);
        feedback::written(feedback)
    }
}

fn chunk(symbols: &[SymbolTypeTcc]) -> PacketStatusChunk {
    let mut symbol_list = symbols.to_vec();
    symbol_list.resize(SYMBOLS, SymbolTypeTcc::PacketNotReceived);
    PacketStatusChunk::StatusVectorChunk(StatusVectorChunk {
        type_tcc: StatusChunkTypeTcc::StatusVectorChunk,
        symbol_size: SymbolSizeTypeTcc::TwoBit,
        symbol_list,
    })
}

#[cfg(test)]
mod tests {
    use rtc::rtcp::packet::unmarshal;

    use super::*;

    /// What a server reads: base, whether each came, and when the first did, in microseconds.
    fn read(packet: BytesMut) -> (u16, Vec<bool>, Vec<i64>) {
        let packets = unmarshal(&mut packet.freeze()).unwrap();
        let read = packets[0]
            .as_any()
            .downcast_ref::<TransportLayerCc>()
            .unwrap();
        let symbols = read.packet_chunks.iter().flat_map(|chunk| match chunk {
            PacketStatusChunk::StatusVectorChunk(chunk) => chunk.symbol_list.clone(),
            PacketStatusChunk::RunLengthChunk(_) => panic!("not written"),
        });
        let came = symbols.map(|symbol| symbol != SymbolTypeTcc::PacketNotReceived);
        let mut at = i64::from(read.reference_time) * REFERENCE_US as i64;
        let times = read.recv_deltas.iter().map(|delta| {
            at += delta.delta;
            at
        });
        let count = usize::from(read.packet_status_count);
        (
            read.base_sequence_number,
            came.take(count).collect(),
            times.collect(),
        )
    }

    #[test]
    fn what_came_and_when_is_told_once_also_where_numbers_wrap_around_and_overtake() {
        let mut arrivals = Arrivals::default();
        assert!(arrivals.feedback(1, 2).is_none());
        for (number, at) in [
            (65_534, 100_000),
            (0, 101_000),
            (65_535, 101_500),
            (3, 180_000),
        ] {
            arrivals.note(number, at);
        }
        let (base, came, times) = read(arrivals.feedback(1, 2).unwrap());
        assert_eq!(base, 65_534);
        assert_eq!(came, [true, true, true, false, false, true]);
        assert_eq!(times, [100_000, 101_500, 101_000, 180_000]);
        assert!(arrivals.feedback(1, 2).is_none(), "it was told");
        arrivals.note(5, 200_000);
        let (base, came, _) = read(arrivals.feedback(1, 2).unwrap());
        assert_eq!((base, came), (4, vec![false, true]));
    }

    #[test]
    fn a_long_silence_costs_no_memory() {
        let mut arrivals = Arrivals::default();
        arrivals.note(0, 0);
        arrivals.note(30_000, 10);
        let (_, came, _) = read(arrivals.feedback(1, 2).unwrap());
        assert_eq!(came.len(), MOST as usize);
    }
}
