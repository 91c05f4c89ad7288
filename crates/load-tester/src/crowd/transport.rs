//! What those who speak with a server say to a transport of the crowd, and learn from it: plain values in
//! and out. Nothing here sends or receives.

use std::net::SocketAddr;

use crate::command_line::{Codec, Video};

/// What our side of a transport is called in a session description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`.
    pub password: String,
    /// `a=fingerprint`, of SHA-256: hexadecimal with colons.
    pub fingerprint: String,
    /// Where we are reached, for a candidate.
    pub address: SocketAddr,
}

/// What the server's side of a transport is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`.
    pub password: String,
    /// `a=fingerprint`, of SHA-256: its 32 bytes.
    pub fingerprint: Vec<u8>,
    /// Its UDP candidates, best first.
    pub addresses: Vec<SocketAddr>,
    /// We nominate: we offered, or the server is ICE-lite.
    pub controlling: bool,
    /// We begin the DTLS handshake: the server's `a=setup` is `passive` or `actpass`.
    pub dtls_client: bool,
}

/// What packets of a payload type carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Sound.
    Opus,
    /// Pictures.
    Vp8,
    /// Pictures.
    H264,
    /// Retransmissions of packets of this payload type.
    Rtx(u8),
}

/// The numbers of header extensions, for those that both sides know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`.
    pub mid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id`.
    pub rid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id`.
    pub repaired_rid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level`.
    pub audio_level: Option<u8>,
    /// transport-wide congestion control's sequence number.
    pub transport_cc: Option<u8>,
}

/// What a transport receives: how to read its packets. Which track each is of, its mark says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receiving {
    /// What each payload type carries.
    pub payload_types: Vec<(u8, Payload)>,
    /// The number of the extension on which feedback is given, if it is to be given.
    pub transport_cc: Option<u8>,
}

/// A track that a transport is to send, from when it is connected on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sending {
    /// What it is like.
    pub spec: PublishSpec,
    /// The media section's `mid`.
    pub mid: String,
    /// As negotiated in that section.
    pub payload_type: u8,
    /// Of its retransmissions. `None`: they go out as they were.
    pub rtx_payload_type: Option<u8>,
    /// As negotiated in that section.
    pub extensions: Extensions,
    /// One, or the layers of simulcast, smallest first.
    pub layers: Vec<Layer>,
}

/// One stream of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its SSRC.
    pub ssrc: u32,
    /// The SSRC of its retransmissions.
    pub rtx_ssrc: u32,
    /// Its name, in simulcast.
    pub rid: Option<&'static str>,
}

/// The names of the layers, smallest first, as browsers' pages commonly give them.
const RIDS: [&str; 3] = ["q", "h", "f"];

impl Layer {
    /// The layers of a track, with SSRCs drawn for them.
    pub fn of(spec: &PublishSpec) -> Vec<Self> {
        let layer = |rid| Self {
            // Never 0, and unlike all others by chance.
            ssrc: rand::random::<u32>().max(1),
            rtx_ssrc: rand::random::<u32>().max(1),
            rid,
        };
        match spec {
            PublishSpec::Video(video) if video.simulcast => {
                RIDS.iter().map(|rid| layer(Some(*rid))).collect()
            }
            _ => vec![layer(None)],
        }
    }
}

/// A track that somebody publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishSpec {
    /// Sound: 50 packets per second, in Opus' size.
    Audio,
    /// Pictures.
    Video(Video),
}

impl PublishSpec {
    /// How its payloads are written.
    pub fn payload(&self) -> Payload {
        match self {
            Self::Audio => Payload::Opus,
            Self::Video(video) => match video.codec {
                Codec::Vp8 => Payload::Vp8,
                Codec::H264 => Payload::H264,
            },
        }
    }

    /// It is sound.
    pub fn is_audio(&self) -> bool {
        matches!(self, Self::Audio)
    }
}
