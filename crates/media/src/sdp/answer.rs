//! Write the answer to an offer. It never names a payload type, an extension or a layer that was not
//! offered in that section, and never answers a section otherwise than its offer allows.

use std::fmt::{Display, Write};
use std::net::SocketAddr;

use super::{Direction, Media, Offer, OfferedCodec, OfferedSection};
use crate::codec::Codec;
use crate::extension::Extension;

/// What an answer says that the offer does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    /// The same in every answer on one connection.
    pub session_id: u64,
    /// One more in each.
    pub version: u64,
    /// The server's ICE username fragment.
    pub ice_ufrag: &'a str,
    /// The server's ICE password.
    pub ice_pwd: &'a str,
    /// The server's certificate: hexadecimal SHA-256 with colons.
    pub fingerprint: &'a str,
    /// Where the server can be reached, best first.
    pub candidates: &'a [SocketAddr],
    /// The largest data message that the server takes, in bytes.
    pub max_message_size: usize,
    /// One for each offered section, in the same order; missing ones are rejected.
    pub sections: Vec<AnsweredSection>,
}

/// How a section is answered. What its offer does not allow is taken away: a `Receive` where the client
/// does not send becomes inactive, and a section that is not `OfferedSection::is_usable`, or is of the
/// other kind, is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AnsweredSection {
    /// Not used, for good: port 0. The client may put something new in its place.
    Rejected,
    /// Kept, but nothing flows for now.
    Inactive,
    /// The client sends.
    Receive {
        /// The simulcast layers accepted; those that were not offered are left out. May be empty.
        rids: Vec<String>,
    },
    /// The client receives.
    Send(SentTrack),
    /// The client sends and receives, in a section that it offers `sendrecv`.
    SendReceive {
        /// As in `Receive`.
        rids: Vec<String>,
        /// As in `Send`.
        track: SentTrack,
    },
    /// Data channels.
    Data,
}

/// A track on its way to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentTrack {
    /// The `MediaStream` it belongs to: tracks of one stream are played in lip-sync.
    pub stream_id: String,
    /// The id of the `MediaStreamTrack`, for clients that keep it.
    pub track_id: String,
    /// The SSRC.
    pub ssrc: u32,
    /// The SSRC of its retransmissions; left out where the section offers none.
    pub rtx_ssrc: Option<u32>,
    /// Equal for tracks with one clock (RFC 3550).
    pub cname: String,
}

/// Write the answer to an offer.
pub(crate) fn write_answer(offer: &Offer, answer: &Answer<'_>) -> String {
    let answered = |index: usize| {
        answer
            .sections
            .get(index)
            .unwrap_or(&AnsweredSection::Rejected)
    };
    let resolved: Vec<(&OfferedSection, Resolved<'_>)> = offer
        .sections
        .iter()
        .enumerate()
        .map(|(index, section)| (section, resolve(section, answered(index))))
        .collect();
    let is_accepted = |mid: &String| {
        resolved
            .iter()
            .any(|(section, how)| section.mid == *mid && *how != Resolved::Rejected)
    };
    let bundle: Vec<&str> = offer
        .bundle
        .iter()
        .filter(|mid| is_accepted(mid))
        .map(String::as_str)
        .collect();

    let mut sdp = String::with_capacity(16 * 1024);
    write_session(&mut sdp, offer, answer, &bundle);
    for (section, how) in &resolved {
        let transport = |sdp: &mut String| {
            // RFC 8843, section 7.1.3: candidates are those of the first section in the group.
            let is_first = bundle.first() == Some(&section.mid.as_str());
            write_transport(sdp, answer, if is_first { answer.candidates } else { &[] });
        };
        match how {
            Resolved::Rejected => write_rejection(&mut sdp, section),
            Resolved::Data => {
                write_data(&mut sdp, section, answer.max_message_size);
                transport(&mut sdp);
            }
            Resolved::Media { rids, track } => {
                write_media(&mut sdp, offer, section, *rids, *track);
                transport(&mut sdp);
            }
        }
    }
    sdp
}

/// How a section is answered after all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resolved<'a> {
    Rejected,
    Data,
    /// With neither it is inactive.
    Media {
        rids: Option<&'a [String]>,
        track: Option<&'a SentTrack>,
    },
}

fn resolve<'a>(section: &OfferedSection, answered: &'a AnsweredSection) -> Resolved<'a> {
    let (rids, track) = match answered {
        AnsweredSection::Rejected => return Resolved::Rejected,
        AnsweredSection::Data if section.is_usable() && section.media == Media::Application => {
            return Resolved::Data;
        }
        AnsweredSection::Data => return Resolved::Rejected,
        AnsweredSection::Inactive => (None, None),
        AnsweredSection::Receive { rids } => (Some(rids.as_slice()), None),
        AnsweredSection::Send(track) => (None, Some(track)),
        AnsweredSection::SendReceive { rids, track } => (Some(rids.as_slice()), Some(track)),
    };
    if !section.is_usable() || section.media.kind().is_none() {
        return Resolved::Rejected;
    }
    let rids = rids.filter(|_| section.direction.sends());
    let track = track.filter(|_| section.direction.receives());
    Resolved::Media { rids, track }
}

fn write_session(sdp: &mut String, offer: &Offer, answer: &Answer<'_>, bundle: &[&str]) {
    line(sdp, "v=0");
    line(
        sdp,
        format_args!(
            "o=- {} {} IN IP4 127.0.0.1",
            answer.session_id, answer.version
        ),
    );
    line(sdp, "s=-");
    line(sdp, "t=0 0");
    line(sdp, "a=ice-lite");
    if !bundle.is_empty() {
        line(sdp, format_args!("a=group:BUNDLE {}", bundle.join(" ")));
    }
    if offer.extmap_allow_mixed {
        line(sdp, "a=extmap-allow-mixed");
    }
}

fn write_rejection(sdp: &mut String, section: &OfferedSection) {
    write_media_line(sdp, section, 0, &section.first_format);
    if !section.mid.is_empty() {
        line(sdp, format_args!("a=mid:{}", section.mid));
    }
    if section.media != Media::Application {
        line(sdp, "a=inactive");
    }
}

fn write_data(sdp: &mut String, section: &OfferedSection, max_message_size: usize) {
    write_media_line(sdp, section, 9, &section.first_format);
    line(sdp, format_args!("a=mid:{}", section.mid));
    line(sdp, "a=sctp-port:5000");
    line(sdp, format_args!("a=max-message-size:{max_message_size}"));
}

fn write_media(
    sdp: &mut String,
    offer: &Offer,
    section: &OfferedSection,
    rids: Option<&[String]>,
    track: Option<&SentTrack>,
) {
    let payload_types: Vec<String> = section
        .codecs
        .iter()
        .flat_map(|codec| [Some(codec.payload_type), codec.rtx_payload_type])
        .flatten()
        .map(|payload_type| payload_type.to_string())
        .collect();
    write_media_line(sdp, section, 9, &payload_types.join(" "));
    line(sdp, format_args!("a=mid:{}", section.mid));
    let direction = match (rids, track) {
        (None, None) => Direction::Inactive,
        (Some(_), None) => Direction::RecvOnly,
        (None, Some(_)) => Direction::SendOnly,
        (Some(_), Some(_)) => Direction::SendRecv,
    };
    line(sdp, format_args!("a={}", direction.as_str()));
    line(sdp, "a=rtcp-mux");
    if section.rtcp_rsize {
        line(sdp, "a=rtcp-rsize");
    }
    // What the session has said need not be said again.
    if section.extmap_allow_mixed && !offer.extmap_allow_mixed {
        line(sdp, "a=extmap-allow-mixed");
    }
    write_extensions(sdp, section, direction);
    for codec in &section.codecs {
        write_codec(sdp, codec);
    }
    write_layers(sdp, section, rids.unwrap_or_default());
    if let Some(track) = track {
        write_track(sdp, section, track);
    }
}

fn write_media_line(sdp: &mut String, section: &OfferedSection, port: u16, formats: &str) {
    let media = match &section.media {
        Media::Audio => "audio",
        Media::Video => "video",
        Media::Application => "application",
        Media::Other(name) => name,
    };
    line(
        sdp,
        format_args!("m={media} {port} {} {formats}", section.protocol),
    );
    line(sdp, "c=IN IP4 0.0.0.0");
}

/// An inactive section keeps the extensions of both directions, so that nothing changes when it wakes.
fn write_extensions(sdp: &mut String, section: &OfferedSection, direction: Direction) {
    let (inbound, outbound) = (section.inbound_extensions(), section.outbound_extensions());
    let is_inactive = direction == Direction::Inactive;
    for extension in Extension::ALL {
        let from_client = inbound
            .id(extension)
            .filter(|_| direction.receives() || is_inactive);
        let to_client = outbound
            .id(extension)
            .filter(|_| direction.sends() || is_inactive);
        let Some(id) = from_client.or(to_client) else {
            continue;
        };
        // RFC 8285, section 6: one offered for one direction is answered for the reverse of it.
        match section.extension_direction(extension).reversed() {
            Direction::SendRecv => line(sdp, format_args!("a=extmap:{id} {}", extension.uri())),
            one_way => line(
                sdp,
                format_args!("a=extmap:{id}/{} {}", one_way.as_str(), extension.uri()),
            ),
        }
    }
}

fn write_codec(sdp: &mut String, codec: &OfferedCodec) {
    let OfferedCodec {
        payload_type, fmtp, ..
    } = codec;
    let name = match codec.codec {
        Codec::Opus => "opus/48000/2",
        Codec::Red => "red/48000/2",
        Codec::Vp8 => "VP8/90000",
        Codec::Vp9 { .. } => "VP9/90000",
        Codec::H264 { .. } => "H264/90000",
        Codec::Av1 { .. } => "AV1/90000",
    };
    line(sdp, format_args!("a=rtpmap:{payload_type} {name}"));
    // Parameters of VP8 (`max-fs`, `max-fr`) are limits of the client's own decoder. Repeated they would
    // be the server's, which has none.
    if !fmtp.is_empty() && codec.codec != Codec::Vp8 {
        line(sdp, format_args!("a=fmtp:{payload_type} {fmtp}"));
    }
    let feedback = [
        (codec.transport_cc, "transport-cc"),
        (codec.remb && !codec.transport_cc, "goog-remb"),
        (codec.nack, "nack"),
        (codec.pli, "nack pli"),
        (codec.fir, "ccm fir"),
    ];
    for (_, kind) in feedback.into_iter().filter(|(offered, _)| *offered) {
        line(sdp, format_args!("a=rtcp-fb:{payload_type} {kind}"));
    }
    if let Some(rtx) = codec.rtx_payload_type {
        line(
            sdp,
            format_args!("a=rtpmap:{rtx} rtx/{}", codec.codec.clock_rate()),
        );
        line(sdp, format_args!("a=fmtp:{rtx} apt={payload_type}"));
    }
}

fn write_layers(sdp: &mut String, section: &OfferedSection, accepted: &[String]) {
    let rids: Vec<&str> = section
        .rids
        .iter()
        .filter(|rid| accepted.contains(rid))
        .map(String::as_str)
        .collect();
    if rids.is_empty() {
        return;
    }
    for rid in &rids {
        line(sdp, format_args!("a=rid:{rid} recv"));
    }
    line(sdp, format_args!("a=simulcast:recv {}", rids.join(";")));
}

fn write_track(sdp: &mut String, section: &OfferedSection, track: &SentTrack) {
    let SentTrack {
        stream_id,
        track_id,
        ssrc,
        cname,
        ..
    } = track;
    line(sdp, format_args!("a=msid:{stream_id} {track_id}"));
    let has_rtx = section
        .codecs
        .iter()
        .any(|codec| codec.rtx_payload_type.is_some());
    let rtx_ssrc = track.rtx_ssrc.filter(|_| has_rtx);
    if let Some(rtx_ssrc) = rtx_ssrc {
        line(sdp, format_args!("a=ssrc-group:FID {ssrc} {rtx_ssrc}"));
    }
    for ssrc in [Some(*ssrc), rtx_ssrc].into_iter().flatten() {
        line(sdp, format_args!("a=ssrc:{ssrc} cname:{cname}"));
        line(
            sdp,
            format_args!("a=ssrc:{ssrc} msid:{stream_id} {track_id}"),
        );
    }
}

fn write_transport(sdp: &mut String, answer: &Answer<'_>, candidates: &[SocketAddr]) {
    line(sdp, format_args!("a=ice-ufrag:{}", answer.ice_ufrag));
    line(sdp, format_args!("a=ice-pwd:{}", answer.ice_pwd));
    line(
        sdp,
        format_args!("a=fingerprint:sha-256 {}", answer.fingerprint),
    );
    line(sdp, "a=setup:passive");
    for (index, candidate) in candidates.iter().enumerate() {
        // RFC 8445, section 5.1.1.3: candidates of one type and address share a foundation.
        let foundation = 1 + candidates
            .iter()
            .position(|other| other.ip() == candidate.ip())
            .unwrap_or(index);
        let (ip, port) = (candidate.ip(), candidate.port());
        line(
            sdp,
            format_args!(
                "a=candidate:{foundation} 1 udp {} {ip} {port} typ host",
                priority(index)
            ),
        );
    }
    if !candidates.is_empty() {
        line(sdp, "a=end-of-candidates");
    }
}

/// RFC 8445, section 5.1.2.1, for a host candidate of component 1; the first is the best.
fn priority(index: usize) -> u32 {
    let local_preference = 65_535_u32.saturating_sub(u32::try_from(index).unwrap_or(u32::MAX));
    (126 << 24) + (local_preference << 8) + 255
}

fn line(sdp: &mut String, line: impl Display) {
    // Writing into a String does not fail.
    let _ = write!(sdp, "{line}\r\n");
}
