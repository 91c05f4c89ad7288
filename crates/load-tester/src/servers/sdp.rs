//! Session descriptions, as much of them as the adapters need: what we offer, and what a server said. It keeps
//! no state and decides nothing.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::net::SocketAddr;

use anyhow::{Result, ensure};

pub use self::write::{answer, offer};
use crate::crowd::{Extensions, Layer, Payload, PublishSpec, Remote};

const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
const REPAIRED_RID: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// A media section of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its `mid`.
    pub mid: String,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a section is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// We send this, as these streams.
    Send(PublishSpec, Vec<Layer>),
    /// We receive sound.
    ReceiveAudio,
    /// We receive pictures.
    ReceiveVideo,
}

/// A server's description, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The first `a=ice-ufrag`: everything is in one bundle.
    pub ufrag: String,
    /// The first `a=ice-pwd`.
    pub password: String,
    /// The first `a=fingerprint` of SHA-256.
    pub fingerprint: Vec<u8>,
    /// The first `a=setup`.
    pub setup: String,
    /// `a=ice-lite` is there.
    pub ice_lite: bool,
    /// UDP candidates, best first.
    pub addresses: Vec<SocketAddr>,
    /// In order.
    pub sections: Vec<Described>,
}

/// A section of a server's description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Its `mid`.
    pub mid: String,
    /// It is for sound; else for pictures.
    pub is_audio: bool,
    /// It has a port, and something flows.
    pub is_used: bool,
    /// The payload types that we know.
    pub payload_types: Vec<(u8, Payload)>,
    /// The extensions that we know.
    pub extensions: Extensions,
    /// `a=rid` of the layers that the server takes.
    pub rids: Vec<String>,
}

impl Described {
    /// The payload type of a codec, and of its retransmissions.
    pub fn payload_type(&self, payload: Payload) -> Option<(u8, Option<u8>)> {
        let find = |wanted: Payload| {
            let mut types = self.payload_types.iter();
            types
                .find(|(_, known)| *known == wanted)
                .map(|(number, _)| *number)
        };
        let number = find(payload)?;
        Some((number, find(Payload::Rtx(number))))
    }
}

impl Description {
    /// We begin the DTLS handshake.
    pub fn dtls_client(&self) -> bool {
        self.setup != "active"
    }

    /// The other side of a transport. `we_offered`: this is the answer to an offer of ours.
    pub fn remote(&self, we_offered: bool) -> Result<Remote> {
        ensure!(
            !self.ufrag.is_empty() && !self.password.is_empty(),
            "the server's description has no a=ice-ufrag and a=ice-pwd"
        );
        ensure!(
            self.fingerprint.len() == 32,
            "the server's description has no a=fingerprint of SHA-256"
        );
        Ok(Remote {
            ufrag: self.ufrag.clone(),
            password: self.password.clone(),
            fingerprint: self.fingerprint.clone(),
            addresses: self.addresses.clone(),
            controlling: we_offered || self.ice_lite,
            dtls_client: self.dtls_client(),
        })
    }
}
