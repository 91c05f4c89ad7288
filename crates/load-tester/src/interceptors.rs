//! Three links that the WebRTC stack's chain of interceptors lacks for a receiver that is to behave like
//! a browser. They change no packet but a retransmission, which they turn back into what it repeats, or pass over
//! if that is there already.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

/// Turns RTX packets (RFC 4588) back before the NACK generator sees them. Without it the generator never
/// learns that a packet has come after all, and asks for it again and again.
#[derive(Default)]
pub(crate) struct UnpackRetransmissions {
    /// By RTX source: the source and payload type of what is repeated.
    streams: HashMap<u32, (u32, u8)>,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl UnpackRetransmissions {
    /// `None`: padding, to be passed over.
    fn unpack(&self, mut message: TaggedPacket) -> Option<TaggedPacket> {
        if let Packet::Rtp(packet) = &mut message.message.packet
            && let Some(&(source, payload_type)) = self.streams.get(&packet.header.ssrc)
        {
            let original: [u8; 2] = packet.payload.get(..2)?.try_into().ok()?;
            packet.header.ssrc = source;
            packet.header.payload_type = payload_type;
            packet.header.sequence_number = u16::from_be_bytes(original);
            packet.header.padding = false;
            packet.payload = packet.payload.slice(2..);
            message.message.add(Attribute::Retransmission);
        }
        Some(message)
    }
}

/// Sequence numbers of a source that are remembered: more than a server keeps to send again.
const REMEMBERED: usize = 4_096;

/// How a packet came first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    ByItself,
    AsRetransmission,
}

/// Passes over retransmissions of what is there already (RFC 4588 section 3: a receiver does not care in which
/// stream a packet came first), as browsers do, and counts them. A server may send them to probe the line. A packet
/// that is no retransmission and comes again is a fault, and goes on to be seen as one.
///
/// Between it and [`UnpackRetransmissions`] are those who tell the server what has arrived.
pub(crate) struct PassOverRepetitions {
    /// By source, in the place of its number: what was there.
    there: HashMap<u32, Vec<Option<(u16, Came)>>>,
    repetitions: Arc<AtomicU64>,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl PassOverRepetitions {
    /// Adds what it passes over to `repetitions`.
    pub(crate) fn new(repetitions: Arc<AtomicU64>) -> Self {
        Self {
            there: HashMap::new(),
            repetitions,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        }
    }

    fn select(&mut self, message: TaggedPacket) -> Option<TaggedPacket> {
        let Packet::Rtp(packet) = &message.message.packet else {
            return Some(message);
        };
        let Some(there) = self.there.get_mut(&packet.header.ssrc) else {
            return Some(message);
        };
        let came = match message.message.has(&Attribute::Retransmission) {
            true => Came::AsRetransmission,
            false => Came::ByItself,
        };
        let number = packet.header.sequence_number;
        let place = &mut there[usize::from(number) % REMEMBERED];
        let first = place.filter(|(known, _)| *known == number);
        let is_repetition =
            first.is_some_and(|(_, first)| [first, came].contains(&Came::AsRetransmission));
        if is_repetition {
            // What came by itself later: once more would be a fault again.
            *place = Some((number, Came::ByItself))
                .filter(|_| came == Came::ByItself)
                .or(*place);
            self.repetitions.fetch_add(1, Relaxed);
            return None;
        }
        *place = Some((number, came));
        Some(message)
    }
}

/// Lets the application hear that a key frame is wanted: only it can make one.
#[derive(Default)]
pub(crate) struct DeliverKeyFrameRequests {
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl DeliverKeyFrameRequests {
    /// `None`: feedback that the links before have dealt with.
    fn select(message: TaggedPacket) -> Option<TaggedPacket> {
        let mut message = message;
        if let Packet::Rtcp(packets) = &mut message.message.packet {
            packets.retain(|packet| is_key_frame_request(packet.as_ref()));
            if packets.is_empty() {
                return None;
            }
            message.message.add(Attribute::DeliverToApplication);
        }
        Some(message)
    }
}

/// PLI or FIR.
fn is_key_frame_request(packet: &dyn rtcp::Packet) -> bool {
    let packet = packet.as_any();
    packet.is::<PictureLossIndication>() || packet.is::<FullIntraRequest>()
}

macro_rules! link {
    ($name:ty, $read:expr) => {
        impl Protocol<TaggedPacket, TaggedPacket, ()> for $name {
            type Rout = TaggedPacket;
            type Wout = TaggedPacket;
            type Eout = ();
            type Error = Error;
            type Time = Instant;

            fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
                let read: fn(&mut Self, TaggedPacket) -> Option<TaggedPacket> = $read;
                let message = read(self, message);
                self.reads.extend(message);
                Ok(())
            }

            fn poll_read(&mut self) -> Option<TaggedPacket> {
                self.reads.pop_front()
            }

            fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
                self.writes.push_back(message);
                Ok(())
            }

            fn poll_write(&mut self) -> Option<TaggedPacket> {
                self.writes.pop_front()
            }
        }
    };
}

link!(UnpackRetransmissions, |link, message| link.unpack(message));
link!(PassOverRepetitions, |link, message| link.select(message));
link!(DeliverKeyFrameRequests, |_, message| Self::select(message));

impl Interceptor for UnpackRetransmissions {
    fn bind_remote_stream(&mut self, stream: &StreamInfo) {
        if let Some(retransmissions) = stream.ssrc_rtx {
            self.streams
                .insert(retransmissions, (stream.ssrc, stream.payload_type));
        }
    }

    fn unbind_remote_stream(&mut self, stream: &StreamInfo) {
        if let Some(retransmissions) = stream.ssrc_rtx {
            self.streams.remove(&retransmissions);
        }
    }

    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
}

impl Interceptor for PassOverRepetitions {
    fn bind_remote_stream(&mut self, stream: &StreamInfo) {
        if stream.ssrc_rtx.is_some() {
            self.there
                .entry(stream.ssrc)
                .or_insert_with(|| vec![None; REMEMBERED]);
        }
    }

    fn unbind_remote_stream(&mut self, stream: &StreamInfo) {
        self.there.remove(&stream.ssrc);
    }

    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
}

impl Interceptor for DeliverKeyFrameRequests {
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc::interceptor::AttributedPacket;
    use rtc::rtcp::receiver_report::ReceiverReport;
    use rtc::rtp;
    use rtc::shared::TransportContext;

    fn tagged(packet: Packet) -> TaggedPacket {
        TaggedPacket {
            now: Instant::now(),
            transport: TransportContext::default(),
            message: AttributedPacket::new(packet),
        }
    }

    fn retransmission(payload: &'static [u8]) -> TaggedPacket {
        let header = rtp::Header {
            ssrc: 20,
            payload_type: 97,
            sequence_number: 3,
            ..Default::default()
        };
        tagged(Packet::Rtp(rtp::Packet {
            header,
            payload: bytes::Bytes::from_static(payload),
        }))
    }

    #[test]
    fn a_retransmission_becomes_the_packet_it_repeats() {
        let mut link = UnpackRetransmissions::default();
        link.bind_remote_stream(&StreamInfo {
            ssrc: 10,
            ssrc_rtx: Some(20),
            payload_type: 96,
            ..Default::default()
        });
        link.handle_read(retransmission(&[0x12, 0x34, 7, 8]))
            .unwrap();
        let message = link.poll_read().unwrap();
        let Packet::Rtp(packet) = &message.message.packet else {
            panic!("RTP")
        };
        let header = &packet.header;
        assert_eq!(
            (header.ssrc, header.payload_type, header.sequence_number),
            (10, 96, 0x1234)
        );
        assert_eq!(packet.payload[..], [7, 8]);
        assert!(message.message.has(&Attribute::Retransmission));
    }

    #[test]
    fn a_retransmission_that_is_only_padding_is_passed_over() {
        let mut link = UnpackRetransmissions::default();
        link.bind_remote_stream(&StreamInfo {
            ssrc: 10,
            ssrc_rtx: Some(20),
            payload_type: 96,
            ..Default::default()
        });
        link.handle_read(retransmission(&[])).unwrap();
        assert!(link.poll_read().is_none());
    }

    /// Which of these packets of one source go on, and how many are counted as repetitions.
    fn passed(packets: &[(u16, Came)]) -> (Vec<u16>, u64) {
        let repetitions = Arc::new(AtomicU64::new(0));
        let mut link = PassOverRepetitions::new(repetitions.clone());
        link.bind_remote_stream(&StreamInfo {
            ssrc: 10,
            ssrc_rtx: Some(20),
            ..Default::default()
        });
        for (sequence_number, came) in packets {
            let header = rtp::Header {
                ssrc: 10,
                sequence_number: *sequence_number,
                ..Default::default()
            };
            let payload = bytes::Bytes::new();
            let mut message = tagged(Packet::Rtp(rtp::Packet { header, payload }));
            if *came == Came::AsRetransmission {
                message.message.add(Attribute::Retransmission);
            }
            link.handle_read(message).unwrap();
        }
        let passed = std::iter::from_fn(|| link.poll_read());
        let numbers = passed.map(|message| match message.message.packet {
            Packet::Rtp(packet) => packet.header.sequence_number,
            _ => panic!("RTP"),
        });
        (numbers.collect(), repetitions.load(Relaxed))
    }

    #[test]
    fn a_retransmission_of_what_is_there_is_passed_over_and_of_what_is_missing_is_not() {
        use Came::{AsRetransmission as Again, ByItself};
        let came = [
            (1, ByItself),
            (3, ByItself),
            (1, Again),
            (2, Again),
            (2, Again),
        ];
        assert_eq!(passed(&came), (vec![1, 3, 2], 2));
        // The number is used again after a while.
        let later = 1 + REMEMBERED as u16;
        assert_eq!(
            passed(&[(1, ByItself), (later, Again)]),
            (vec![1, later], 0)
        );
    }

    #[test]
    fn a_packet_that_comes_twice_by_itself_is_not_hidden() {
        use Came::{AsRetransmission as Again, ByItself};
        assert_eq!(passed(&[(1, ByItself), (1, ByItself)]), (vec![1, 1], 0));
        // One whose retransmission was quicker is none.
        let came = [(1, Again), (1, ByItself), (1, ByItself)];
        assert_eq!(passed(&came), (vec![1, 1], 1));
    }

    #[test]
    fn only_key_frame_requests_reach_the_application() {
        let mut link = DeliverKeyFrameRequests::default();
        let report = || Box::new(ReceiverReport::default()) as Box<dyn rtcp::Packet>;
        let request = Box::new(PictureLossIndication {
            sender_ssrc: 1,
            media_ssrc: 2,
        });
        link.handle_read(tagged(Packet::Rtcp(vec![report()])))
            .unwrap();
        assert!(link.poll_read().is_none());
        link.handle_read(tagged(Packet::Rtcp(vec![report(), request])))
            .unwrap();
        let Packet::Rtcp(packets) = link.poll_read().unwrap().message.packet else {
            panic!("RTCP")
        };
        assert_eq!(packets.len(), 1);
    }
}
