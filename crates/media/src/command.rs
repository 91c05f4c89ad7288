//! What is asked of the `Engine`.

use protocol::{ParticipantId, PeerId, TrackId, TrackSource, Viewport};

/// What is asked of the `Engine`. Commands that name an unknown peer or track are counted and passed over:
/// the two sides learn of an end at different moments.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Make ready for a client's `RTCPeerConnection`.
    OpenPeer {
        /// The peer.
        peer: PeerId,
        /// Whose it is: the `msid` stream of its tracks, so that sound and picture are played in sync, and
        /// the sender that its data-channel messages carry.
        participant: ParticipantId,
        /// Peers of one group receive each other's data-channel messages.
        data_group: u64,
        /// This peer's own messages are relayed; else they are dropped.
        publishes_data: bool,
    },
    /// End a peer, with its tracks and subscriptions. No `Event::PeerEnded` follows.
    ClosePeer {
        /// The peer.
        peer: PeerId,
    },
    /// Answer an SDP offer (JSEP, RFC 9429). `Event::Answered` or `Event::OfferRefused` follows.
    Offer {
        /// The peer.
        peer: PeerId,
        /// The offer.
        sdp: String,
    },
    /// A sending section of the peer's next offer is this track.
    Publish {
        /// The peer.
        peer: PeerId,
        /// The track.
        track: TrackId,
        /// The section's `mid`.
        mid: String,
        /// What it shows. Its kind must be the section's.
        source: TrackSource,
        /// Forward nothing of it.
        muted: bool,
    },
    /// A track is no more; its subscriptions end.
    Unpublish {
        /// The publisher.
        peer: PeerId,
        /// The track.
        track: TrackId,
    },
    /// Forward nothing of a track, or forward it again (from a key frame on).
    SetMuted {
        /// The track.
        track: TrackId,
        /// Forward nothing.
        muted: bool,
    },
    /// Forward a track to a peer. It starts when the peer has a media section for it.
    Subscribe {
        /// The receiver.
        peer: PeerId,
        /// The track.
        track: TrackId,
    },
    /// Send videos to a peer as large as it shows them, and not at all while it does not. What it is not
    /// subscribed to is passed over.
    SetViewport {
        /// The receiver.
        peer: PeerId,
        /// How large it shows which.
        viewports: Vec<Viewport>,
    },
    /// Say what a peer is sent, and why. `Event::Explained` follows, whether the peer is there or not.
    Explain {
        /// Repeated in the event.
        request: u64,
        /// The receiver.
        peer: PeerId,
    },
    /// Forward a track to a peer no longer.
    Unsubscribe {
        /// The receiver.
        peer: PeerId,
        /// The track.
        track: TrackId,
    },
    /// Pass a published track on to another engine of this process as well, packet by packet (`Batch`).
    Relay {
        /// The track.
        track: TrackId,
        /// The other engine's `Config::worker`.
        to: u8,
    },
    /// Pass a track on to another engine no longer. Passed over when the track is gone.
    StopRelay {
        /// The track.
        track: TrackId,
        /// The other engine's `Config::worker`.
        to: u8,
    },
    /// A track that a peer of another engine publishes, and whose packets that one passes on: it can be
    /// subscribed to like any other.
    OpenRelayedTrack {
        /// The track.
        track: TrackId,
        /// Whose it is.
        participant: ParticipantId,
        /// What it shows.
        source: TrackSource,
        /// Forward nothing of it.
        muted: bool,
        /// The other engine's `Config::worker`.
        from: u8,
    },
    /// A relayed track is no more here; its subscriptions end.
    CloseRelayedTrack {
        /// The track.
        track: TrackId,
    },
    /// Peers of a data group are on these engines as well, for now: they get its messages, and only the loudest of
    /// them all are heard.
    SetDataWorkers {
        /// The group.
        data_group: u64,
        /// Their `Config::worker`. Empty: they are all here.
        workers: Vec<u8>,
    },
}
