//! What a client offers, section by section: only what the server can use or must repeat. It holds no
//! line of the offer that nobody will ask for.

use protocol::TrackKind;

use crate::codec::Codec;
use crate::extension::{Extension, ExtensionMap};

/// A client's offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The client's ICE username fragment.
    pub ice_ufrag: String,
    /// The client's ICE password.
    pub ice_pwd: String,
    /// The certificate that the client's DTLS must show.
    pub fingerprint: Fingerprint,
    /// `a=extmap-allow-mixed` for the whole session. A section may say it for itself.
    pub extmap_allow_mixed: bool,
    /// In the order of the m-lines, rejected ones too.
    pub sections: Vec<OfferedSection>,
    /// The mids of the BUNDLE group in its order, as far as there are such sections.
    pub bundle: Vec<String>,
}

/// A certificate's fingerprint (RFC 8122).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// How it is computed.
    pub algorithm: HashFunction,
    /// As many bytes as the function gives.
    pub bytes: Vec<u8>,
}

/// The hash functions accepted for fingerprints. Not SHA-1 and MD5: an attacker can make collisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HashFunction {
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

/// A media section of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfferedSection {
    /// A token of at most 16 characters; empty only in a rejected section.
    pub mid: String,
    /// What kind of section it is.
    pub media: Media,
    /// The client's own view: `SendOnly` is a publisher's.
    pub direction: Direction,
    /// Port 0 without `bundle-only`, or not in the BUNDLE group: it is not to be used.
    pub rejected: bool,
    /// The transport protocol, as in the m-line.
    pub protocol: String,
    /// The first format of the m-line: a rejection must name one.
    pub first_format: String,
    /// The codecs that Plenum forwards, in the client's order of preference.
    pub codecs: Vec<OfferedCodec>,
    /// Each known extension that has a usable number. A section may restrict some to one direction:
    /// see `inbound_extensions` and `outbound_extensions`.
    pub extensions: ExtensionMap,
    /// The extensions that are not offered for both directions, in the client's own view.
    pub(super) one_way_extensions: Vec<(Extension, Direction)>,
    /// One-byte and two-byte header extensions may be mixed, whether the session or the section says so.
    pub extmap_allow_mixed: bool,
    /// `a=rtcp-rsize`: reduced-size RTCP (RFC 5506).
    pub rtcp_rsize: bool,
    /// The simulcast layers that the client would send, in the order of `a=simulcast`.
    pub rids: Vec<String>,
    /// The SSRCs of media, in order, without those of retransmissions and forward error correction. Some
    /// clients name one in receive-only sections: for their receiver reports.
    pub ssrcs: Vec<u32>,
    /// Each SSRC of media with that of its retransmissions.
    pub rtx_ssrcs: Vec<(u32, u32)>,
    /// The SSRCs of a `SIM` group: simulcast without rids, smallest layer first.
    pub simulcast_ssrcs: Vec<u32>,
    /// The client's SCTP port, in a data section.
    pub sctp_port: Option<u16>,
    /// The largest data message that the client takes; 0 is unlimited.
    pub max_message_size: u64,
}

/// What kind of media a section is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
    /// Data channels.
    Application,
    /// Anything else: always rejected.
    Other(String),
}

/// Which way media flows, in the view of whoever says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Both ways.
    SendRecv,
    /// From the speaker.
    SendOnly,
    /// To the speaker.
    RecvOnly,
    /// Neither way.
    Inactive,
}

/// A codec under its payload type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfferedCodec {
    /// The section's number for it.
    pub payload_type: u8,
    /// The codec.
    pub codec: Codec,
    /// The format parameters, as offered; empty if there are none.
    pub fmtp: String,
    /// The number for its retransmissions (RFC 4588).
    pub rtx_payload_type: Option<u8>,
    /// Generic NACK is offered.
    pub nack: bool,
    /// Picture loss indication is offered.
    pub pli: bool,
    /// Full intra request is offered.
    pub fir: bool,
    /// Transport-wide congestion control feedback is offered.
    pub transport_cc: bool,
    /// Receiver-estimated maximum bitrate is offered.
    pub remb: bool,
}

impl HashFunction {
    /// The function with this name in `a=fingerprint`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "sha-256" => Some(HashFunction::Sha256),
            "sha-384" => Some(HashFunction::Sha384),
            "sha-512" => Some(HashFunction::Sha512),
            _ => None,
        }
    }

    /// Bytes of a fingerprint.
    pub(crate) const fn length(self) -> usize {
        match self {
            HashFunction::Sha256 => 32,
            HashFunction::Sha384 => 48,
            HashFunction::Sha512 => 64,
        }
    }
}

impl Media {
    /// Audio or video, where it is either.
    pub(crate) const fn kind(&self) -> Option<TrackKind> {
        match self {
            Media::Audio => Some(TrackKind::Audio),
            Media::Video => Some(TrackKind::Video),
            Media::Application | Media::Other(_) => None,
        }
    }
}

impl Direction {
    /// The speaker sends.
    pub(crate) const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// The speaker receives.
    pub(crate) const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The word in SDP.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The direction with this word.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        use Direction::*;
        [SendRecv, SendOnly, RecvOnly, Inactive]
            .into_iter()
            .find(|direction| direction.as_str() == name)
    }

    /// The same flow, in the other side's view.
    pub(crate) const fn reversed(self) -> Self {
        match self {
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            both_or_neither => both_or_neither,
        }
    }
}

impl OfferedSection {
    /// Whether the answer can be anything but a rejection: the transport is one of WebRTC's, and there
    /// is a codec that Plenum forwards.
    pub(crate) fn is_usable(&self) -> bool {
        !self.rejected
            && match self.media {
                Media::Audio | Media::Video => is_rtp(&self.protocol) && !self.codecs.is_empty(),
                Media::Application => self.protocol == "UDP/DTLS/SCTP" && self.sctp_port.is_some(),
                Media::Other(_) => false,
            }
    }

    /// The SSRC of the retransmissions of an SSRC of media.
    pub(crate) fn rtx_ssrc(&self, ssrc: u32) -> Option<u32> {
        self.rtx_ssrcs
            .iter()
            .find(|(primary, _)| *primary == ssrc)
            .map(|(_, rtx)| *rtx)
    }
}

/// JSEP (RFC 9429, section 5.1.2) has old and new names for the same protocol.
fn is_rtp(protocol: &str) -> bool {
    matches!(
        protocol,
        "UDP/TLS/RTP/SAVPF" | "TCP/DTLS/RTP/SAVPF" | "RTP/SAVPF" | "UDP/TLS/RTP/SAVP" | "RTP/SAVP"
    )
}
