//! What the `Engine` reports.

use std::time::Duration;

use protocol::{LayerWanted, MediaSection, PeerId, TrackId, TrackKind};

use crate::allocation::Forwarding;

/// What the `Engine` reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An offer is answered.
    Answered {
        /// Whose.
        peer: PeerId,
        /// The answer.
        sdp: String,
        /// Which receiving sections of the client carry which tracks.
        sections: Vec<MediaSection>,
    },
    /// An offer cannot be answered; the peer stays as it was.
    OfferRefused {
        /// Whose.
        peer: PeerId,
        /// Why, for people.
        reason: String,
    },
    /// A peer has too few receiving sections for its subscriptions. Reported once, until its next offer.
    SectionsRequired {
        /// Whose.
        peer: PeerId,
        /// Audio sections to add.
        audio: u32,
        /// Video sections to add.
        video: u32,
    },
    /// A published track has no section in the offer, or one of the other kind. It is forgotten.
    PublicationRefused {
        /// Which.
        track: TrackId,
        /// Why, for people.
        reason: String,
    },
    /// ICE and DTLS are done: media may flow.
    PeerConnected {
        /// Whose.
        peer: PeerId,
        /// From the first offer.
        after: Duration,
    },
    /// The first packet of a subscription went out.
    FirstPacketSent {
        /// To whom.
        peer: PeerId,
        /// Of which track.
        track: TrackId,
        /// Video begins with a key frame.
        kind: TrackKind,
        /// From the moment the subscription had a section and a connection.
        after: Duration,
    },
    /// Somebody speaks into a track, or no longer (RFC 6464 levels, with hysteresis).
    Speaking {
        /// Which.
        track: TrackId,
        /// From 0 (loudest) to 127 (silence); `None` when no longer speaking.
        level: Option<u8>,
    },
    /// Other layers of a track are watched than before: the publisher need send no other. At most twice in
    /// two seconds for each track.
    LayersWanted {
        /// Which.
        track: TrackId,
        /// All its layers, lowest first.
        layers: Vec<LayerWanted>,
    },
    /// What a peer is sent, and why: the answer to `Command::Explain`.
    Explained {
        /// Which command is answered.
        request: u64,
        /// `None`: there is no such peer.
        forwarding: Option<Forwarding>,
    },
    /// A peer's media is over, and the peer forgotten: consent lost, handshake failed, closed by the client.
    PeerEnded {
        /// Whose.
        peer: PeerId,
        /// Why, for people.
        reason: String,
    },
}
