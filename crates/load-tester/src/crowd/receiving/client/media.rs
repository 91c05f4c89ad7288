//! Media that comes to a client: each packet is opened, checked and counted. Nothing is said to the server here.

use std::time::Instant;

use super::{Client, FEEDBACK};
use crate::crowd::receiving::account::Account;
use crate::crowd::receiving::frames::{Packet, Pictures};
use crate::crowd::receiving::header::{Header, extension};
use crate::crowd::receiving::stream::Stream;
use crate::crowd::receiving::{AccountReport, Desk};
use crate::crowd::track_number::TrackNumber;
use crate::crowd::{Payload, content};
use crate::payload::{Content, Picture};

/// Streams of one client; a server that opens more is not believed.
const MOST_STREAMS: usize = 4_096;

/// An authentic packet.
struct Opened {
    header: Header,
    payload: Payload,
    /// The place of its stream.
    stream: usize,
    /// Its number in the stream, without end.
    index: u64,
    /// Of the header and what follows it.
    length: usize,
}

/// What a packet carries, read.
struct Carried {
    content: Content,
    /// It was sent before, and comes again.
    is_repair: bool,
    bytes: usize,
}

impl Client {
    pub(super) fn handle_rtp(
        &mut self,
        now: Instant,
        now_us: u64,
        packet: &mut [u8],
        desk: &mut Desk,
    ) {
        let Some(opened) = self.open(packet, desk) else {
            return;
        };
        self.note_arrival(now, now_us, packet, &opened.header);
        let Some((codec, is_repair, body)) = self.body(packet, &opened) else {
            return;
        };
        if !self.has_packet {
            self.has_packet = true;
            self.member.note_packet(now);
        }
        let Some(content) = content::read(codec, body) else {
            desk.damaged += u64::from(desk.counting.is_some());
            return;
        };
        let pictures = match content.picture {
            Some(picture) if !is_repair => {
                self.note_picture(now, &opened, picture, content.mark.counter)
            }
            _ => Pictures::default(),
        };
        let carried = Carried {
            content,
            is_repair,
            bytes: body.len(),
        };
        self.count(now_us, opened.stream, &carried, pictures, desk);
    }

    /// `None`: it is not for us, or not as it was sealed.
    fn open(&mut self, packet: &mut [u8], desk: &mut Desk) -> Option<Opened> {
        let opener = self.opener.as_mut()?;
        let header = Header::read(packet)?;
        let payload = self.payloads[usize::from(header.payload_type)]?;
        let known = self.by_ssrc.get(&header.ssrc).copied();
        if known.is_none() && self.streams.len() >= MOST_STREAMS {
            return None;
        }
        let index = known.map_or(u64::from(header.sequence_number), |at| {
            self.streams[at].index(header.sequence_number)
        });
        let Some(length) = opener.open_rtp(packet, header.length, header.ssrc, index) else {
            // Not as it was sealed: the packet itself is missing too.
            desk.damaged += u64::from(desk.counting.is_some());
            return None;
        };
        let stream = known.unwrap_or_else(|| {
            self.streams.push(Stream::new(header.ssrc, index));
            self.by_ssrc.insert(header.ssrc, self.streams.len() - 1);
            self.streams.len() - 1
        });
        self.streams[stream].note(index);
        Some(Opened {
            header,
            payload,
            stream,
            index,
            length,
        })
    }

    /// For the feedback, where there is any.
    fn note_arrival(&mut self, now: Instant, now_us: u64, packet: &[u8], header: &Header) {
        if let Some(id) = self.transport_cc
            && let Some([high, low]) = extension(packet, header, id)
        {
            let number = u16::from_be_bytes([*high, *low]);
            self.arrivals.note(number, now_us);
            self.next_feedback.get_or_insert(now + FEEDBACK);
        }
    }

    /// What a packet carries, as which codec, and whether it comes again. `None`: a probe of the server's, which is
    /// padding alone.
    fn body<'a>(&self, packet: &'a [u8], opened: &Opened) -> Option<(Payload, bool, &'a [u8])> {
        let mut body = &packet[opened.header.length..opened.length];
        if opened.header.has_padding {
            let padding = body.last().map_or(0, |count| usize::from(*count));
            body = &body[..body.len().saturating_sub(padding)];
        }
        let (codec, is_repair) = match opened.payload {
            Payload::Rtx(original) => {
                // RFC 4588 section 4: the number that it had, then what it was.
                body = body.get(2..).unwrap_or_default();
                (self.payloads[usize::from(original & 0x7f)], true)
            }
            codec => (Some(codec), false),
        };
        codec
            .filter(|_| !body.is_empty())
            .map(|codec| (codec, is_repair, body))
    }

    /// A packet of a picture that came the first time. Gives what became of frames with it.
    fn note_picture(
        &mut self,
        now: Instant,
        opened: &Opened,
        picture: Picture,
        counter: u64,
    ) -> Pictures {
        let stream = &mut self.streams[opened.stream];
        let header = &opened.header;
        let is_whole = stream.note_picture(now, opened.index, header, picture.begins_key_frame);
        if is_whole && !self.has_key_frame {
            self.has_key_frame = true;
            self.member.note_key_frame(now);
        }
        if let Some(due) = stream.key_frame_due {
            self.next_report = self.next_report.map(|next| next.min(due));
        }
        stream.frames.note(Packet {
            counter,
            begins_frame: picture.begins_frame,
            begins_key_frame: picture.begins_key_frame,
            ends_frame: header.marker,
        })
    }

    /// While packets are counted, and if it was sent in that time.
    fn count(
        &mut self,
        now_us: u64,
        stream: usize,
        carried: &Carried,
        pictures: Pictures,
        desk: &mut Desk,
    ) {
        let Some(counting) = desk.counting else {
            return;
        };
        let Carried {
            content,
            is_repair,
            bytes,
        } = *carried;
        let sent_at_us = content.mark.sent_at_us;
        if sent_at_us < counting.from_us || sent_at_us >= counting.until_us {
            return;
        }
        let track = TrackNumber::from_bits(content.mark.publisher.bits());
        if !content.intact || !track.is_for(&self.member) {
            desk.damaged += 1;
            return;
        }
        desk.pictures += pictures;
        desk.second.packets += 1;
        desk.second.bytes += bytes as u64;
        // What the server had kept for a newcomer is as old as it is.
        if sent_at_us >= self.connected_us && !is_repair {
            let delay_us = now_us.saturating_sub(sent_at_us);
            desk.second.delay_us.saturating_record(delay_us);
            if content.picture.is_none() {
                desk.sound_delay_us.saturating_record(delay_us);
            }
        }
        let stream = &mut self.streams[stream];
        let account = match stream.account {
            Some((last, at)) if last == track => at,
            before => {
                let before = before.filter(|_| !is_repair);
                let at = account_for(&mut self.accounts, track, before);
                stream.account = Some((track, at));
                at
            }
        };
        self.accounts[account]
            .1
            .add(content.mark.counter, bytes, is_repair);
    }

    pub(in super::super) fn forget_accounts(&mut self) {
        self.accounts.clear();
        for stream in &mut self.streams {
            stream.account = None;
        }
    }

    pub(in super::super) fn reports(&self) -> impl Iterator<Item = AccountReport> + '_ {
        self.accounts.iter().map(|(track, account)| AccountReport {
            member: self.member.id,
            track: *track,
            account: account.clone(),
        })
    }
}

/// Where the packets of a stream are counted, which before were of another (or of another layer).
fn account_for(
    accounts: &mut Vec<(TrackNumber, Account)>,
    track: TrackNumber,
    before: Option<(TrackNumber, usize)>,
) -> usize {
    if let Some((other, at)) = before
        && other.track() == track.track()
    {
        accounts[at].1.switch_away();
    }
    let known = accounts.iter().position(|(known, _)| *known == track);
    known.unwrap_or_else(|| {
        accounts.push((track, Account::default()));
        accounts.len() - 1
    })
}
