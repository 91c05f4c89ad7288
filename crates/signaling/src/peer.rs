//! A participant's media as signaling knows it: one peer, what it publishes and what it receives. It
//! reads no SDP.

use std::collections::{BTreeSet, VecDeque};

use protocol::{LayerWanted, PeerId, Timestamp, Track, TrackId, TrackSource};

/// The life story of a participant's media.
#[derive(Debug)]
pub(crate) enum Media {
    /// No offer came yet, or what was there belonged to a page that is gone.
    None,
    /// There is a peer.
    Open(Peer),
    /// The media plane has ended the peer; the client must start anew with a higher number.
    Ended { number: u32, reason: String },
}

impl Media {
    /// The client's number for the last `RTCPeerConnection` that the server knows.
    pub(crate) fn number(&self) -> Option<u32> {
        match self {
            Media::None => None,
            Media::Open(peer) => Some(peer.number),
            Media::Ended { number, .. } => Some(*number),
        }
    }
}

/// One `RTCPeerConnection` of a client. Tracks and subscriptions live in it, so none outlives it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    /// The client's number for it.
    pub(crate) number: u32,
    /// Oldest first.
    pub(crate) tracks: Vec<PublishedTrack>,
    /// What the media plane was asked to forward to it.
    pub(crate) subscribed: BTreeSet<TrackId>,
    /// Offers that wait for their answer, oldest first: answers come in this order.
    pub(crate) unanswered: VecDeque<UnansweredOffer>,
    /// What the media plane asked for since the last offer: said again to one who comes back.
    pub(crate) sections_required: Option<SectionsRequired>,
}

impl Peer {
    pub(crate) fn new(id: PeerId, number: u32) -> Self {
        Self {
            id,
            number,
            tracks: Vec::new(),
            subscribed: BTreeSet::new(),
            unanswered: VecDeque::new(),
            sections_required: None,
        }
    }
}

/// A track that the room knows.
#[derive(Debug)]
pub(crate) struct PublishedTrack {
    pub(crate) id: TrackId,
    pub(crate) mid: String,
    pub(crate) source: TrackSource,
    pub(crate) muted: bool,
    pub(crate) published_at: Timestamp,
    /// What the media plane said last of who watches: said again to one who comes back.
    pub(crate) layers_wanted: Option<Vec<LayerWanted>>,
}

impl PublishedTrack {
    /// The track as the room sees it.
    pub(crate) fn view(&self) -> Track {
        Track {
            id: self.id,
            kind: self.source.kind(),
            source: self.source,
            muted: self.muted,
            published_at: self.published_at,
        }
    }
}

/// A `publish` whose offer has not come yet.
#[derive(Debug)]
pub(crate) struct PendingPublish {
    pub(crate) request_id: Option<u32>,
    pub(crate) track: TrackId,
    pub(crate) mid: String,
    pub(crate) source: TrackSource,
    pub(crate) muted: bool,
}

/// An offer without an answer yet.
#[derive(Debug)]
pub(crate) struct UnansweredOffer {
    pub(crate) request_id: Option<u32>,
    /// The tracks that came with it: gone again if it is refused.
    pub(crate) published: Vec<TrackId>,
}

/// Receiving sections to add.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SectionsRequired {
    pub(crate) audio: u32,
    pub(crate) video: u32,
}
