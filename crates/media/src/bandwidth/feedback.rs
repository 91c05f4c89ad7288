//! Reads transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1) and the
//! receiver's estimate (draft-alvestrand-rmcat-remb-03) without copying either. It believes no length it is told.

/// Packets that one feedback may tell of: more than are remembered. Run lengths cost a stranger two bytes for
/// 8,191 packets, and each costs us a look.
const TOLD: usize = 4_096;

const HEADER: usize = 20;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
const FORMAT: u8 = 15;
/// The feedback counts arrival times in these.
pub(super) const TICK_US: i64 = 250;

/// One transport-wide feedback, whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransportFeedback<'a> {
    base: u16,
    count: u16,
    /// In 64 ms, of the receiver's clock; 24 bits.
    reference: u32,
    /// Status chunks, then differences.
    rest: &'a [u8],
}

/// What is said of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) number: u16,
    /// In microseconds after the reference time; `None` for one that is missing.
    pub(super) arrival_us: Option<i64>,
}

impl<'a> TransportFeedback<'a> {
    /// One RTCP packet, from its header to its end. `None` if it is something else, or broken.
    pub(crate) fn parse(packet: &'a [u8]) -> Option<Self> {
        let packet = body(packet, TRANSPORT_FEEDBACK)?;
        if packet.len() < HEADER {
            return None;
        }
        let count = u16::from_be_bytes([packet[14], packet[15]]);
        if count == 0 || usize::from(count) > TOLD {
            return None;
        }
        Some(Self {
            base: u16::from_be_bytes([packet[12], packet[13]]),
            count,
            reference: u32::from_be_bytes([0, packet[16], packet[17], packet[18]]),
            rest: &packet[HEADER..],
        })
    }

    /// The receiver's clock at the reference time, in units of 64 ms; 24 bits.
    pub(super) fn reference(&self) -> u32 {
        self.reference
    }

    /// What it tells, in the order of the numbers. It ends early where the feedback is cut short.
    pub(super) fn packets(&self) -> Packets<'a> {
        Packets {
            number: self.base,
            left: self.count,
            chunks: self.rest,
            chunk: Chunk::default(),
            differences: self.differences(),
            arrival_us: 0,
        }
    }

    /// The differences begin behind as many chunks as the count needs.
    fn differences(&self) -> &'a [u8] {
        let mut left = self.count;
        let mut rest = self.rest;
        while left > 0 {
            let Some((word, after)) = rest.split_first_chunk() else {
                return &[];
            };
            left = left.saturating_sub(Chunk::read(*word).symbols);
            rest = after;
        }
        rest
    }
}

/// An RTCP packet of this type with format 15, without its padding.
fn body(packet: &[u8], kind: u8) -> Option<&[u8]> {
    let &[first, packet_kind, high, low, ..] = packet else {
        return None;
    };
    if first & 0xDF != 0x80 | FORMAT || packet_kind != kind {
        return None;
    }
    let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
    let packet = packet.get(..length)?;
    let padding = match first & 0x20 {
        0 => 0,
        _ => usize::from(*packet.last()?),
    };
    packet.get(..length.checked_sub(padding)?)
}

/// A status chunk, read as far as `symbols` are left.
#[derive(Clone, Copy, Default)]
struct Chunk {
    symbols: u16,
    /// The next symbol is in the highest bits.
    bits: u16,
    width: u8,
}

impl Chunk {
    fn read(word: [u8; 2]) -> Self {
        let word = u16::from_be_bytes(word);
        match word >> 14 {
            // A run: its symbol is never shifted out.
            0 | 1 => Self {
                symbols: word & 0x1FFF,
                bits: (word >> 13 & 3) << 14,
                width: 0,
            },
            2 => Self {
                symbols: 14,
                bits: word << 2,
                width: 1,
            },
            _ => Self {
                symbols: 7,
                bits: word << 2,
                width: 2,
            },
        }
    }

    fn next(&mut self) -> u8 {
        let symbol = match self.width {
            1 => self.bits >> 15,
            _ => self.bits >> 14,
        };
        self.bits <<= self.width;
        self.symbols -= 1;
        symbol as u8
    }
}

/// The packets of one feedback.
pub(super) struct Packets<'a> {
    number: u16,
    left: u16,
    chunks: &'a [u8],
    chunk: Chunk,
    differences: &'a [u8],
    arrival_us: i64,
}

impl Iterator for Packets<'_> {
    type Item = Told;

    fn next(&mut self) -> Option<Told> {
        if self.left == 0 {
            return None;
        }
        while self.chunk.symbols == 0 {
            let (word, after) = self.chunks.split_first_chunk()?;
            self.chunk = Chunk::read(*word);
            self.chunks = after;
        }
        let difference = match self.chunk.next() {
            1 => {
                let (small, after) = self.differences.split_first()?;
                self.differences = after;
                Some(i64::from(*small))
            }
            2 => {
                let (large, after) = self.differences.split_first_chunk()?;
                self.differences = after;
                Some(i64::from(i16::from_be_bytes(*large)))
            }
            // 3 is reserved.
            _ => None,
        };
        // At most 4,096 differences of 8 s: no overflow.
        self.arrival_us += difference.unwrap_or(0) * TICK_US;
        let told = Told {
            number: self.number,
            arrival_us: difference.map(|_| self.arrival_us),
        };
        self.number = self.number.wrapping_add(1);
        self.left -= 1;
        Some(told)
    }
}

/// The bitrate that a receiver without transport-wide feedback thinks it can take, in bits per second.
pub(crate) fn receiver_estimate_bps(packet: &[u8]) -> Option<u64> {
    let packet = body(packet, PAYLOAD_FEEDBACK)?;
    let estimate = packet.get(12..)?.strip_prefix(b"REMB")?;
    let &[_, high, middle, low, ..] = estimate else {
        return None;
    };
    let mantissa = u64::from(high & 3) << 16 | u64::from(middle) << 8 | u64::from(low);
    let exponent = u32::from(high >> 2);
    // 18 bits of mantissa: an exponent above 46 is beyond any network.
    Some(
        mantissa
            .checked_shl(exponent)
            .filter(|_| exponent <= 46)
            .unwrap_or(u64::MAX),
    )
}

#[cfg(test)]
mod tests;
