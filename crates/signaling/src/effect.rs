//! What `Rooms` asks of the world, in the order in which it is to be done.

use protocol::record::Write;
use protocol::{
    ConnectionId, ParticipantId, PeerId, RoomId, RoomName, ServerMessage, TrackId, TrackSource,
    Viewport,
};

use crate::api::{ApiResult, AskerId};

/// What `Rooms` asks of the world. A refusal is an effect like any other: a `Send` of an error.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a message to each of these connections.
    Send {
        /// In the order of joining; never empty.
        to: Vec<ConnectionId>,
        /// The message.
        message: ServerMessage,
    },
    /// Send a message that promises something: only when every `Write` asked for until now is committed.
    /// Whatever is for this connection afterwards waits behind it.
    Acknowledge {
        /// To whom.
        to: ConnectionId,
        /// The message.
        message: ServerMessage,
    },
    /// Answer an HTTP request, when every `Write` asked for until now is committed.
    Reply {
        /// Which request.
        asker: AskerId,
        /// The answer.
        result: ApiResult,
    },
    /// Write this down. All writes of one command are one transaction.
    Write(Write),
    /// Close a connection, after what was sent to it. No `Disconnected` is owed for it.
    Close {
        /// Which.
        connection: ConnectionId,
    },
    /// A room is open from now on.
    RoomOpened {
        /// Its id.
        room: RoomId,
        /// Its name.
        name: RoomName,
    },
    /// A room is gone; nothing of it is left.
    RoomClosed {
        /// Its id.
        room: RoomId,
    },
    /// Something for the media plane that serves this room.
    Media {
        /// The room.
        room: RoomId,
        /// What.
        effect: MediaEffect,
    },
}

/// What `Rooms` asks of the media plane.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaEffect {
    /// Make ready for a client's `RTCPeerConnection`. Its first offer follows.
    OpenPeer {
        /// The peer.
        peer: PeerId,
        /// Whose it is: its tracks are played in sync under this id, and its data is sent on with it.
        participant: ParticipantId,
        /// Its data-channel messages are relayed to the room; else dropped.
        publishes_data: bool,
    },
    /// End a peer with its tracks and subscriptions. No `PeerEnded` is owed for it.
    ClosePeer {
        /// The peer.
        peer: PeerId,
    },
    /// Answer an offer.
    Offer {
        /// The peer.
        peer: PeerId,
        /// The offer.
        sdp: String,
    },
    /// A section of the peer's next offer carries this track.
    Publish {
        /// The peer.
        peer: PeerId,
        /// The track.
        track: TrackId,
        /// The section.
        mid: String,
        /// What it shows; says whether it is audio or video.
        source: TrackSource,
        /// Forward nothing of it.
        muted: bool,
    },
    /// A track is no more; its subscriptions end with it.
    Unpublish {
        /// The publisher's peer.
        peer: PeerId,
        /// The track.
        track: TrackId,
    },
    /// Forward nothing of a track, or forward it again.
    SetMuted {
        /// The track.
        track: TrackId,
        /// Forward nothing.
        muted: bool,
    },
    /// Forward a track to a peer.
    Subscribe {
        /// The receiver.
        peer: PeerId,
        /// The track, published by another peer of the room.
        track: TrackId,
    },
    /// Send videos to a peer as large as it shows them.
    SetViewport {
        /// The receiver.
        peer: PeerId,
        /// Of tracks that it is subscribed to; not empty.
        viewports: Vec<Viewport>,
    },
    /// Forward a track to a peer no longer.
    Unsubscribe {
        /// The receiver.
        peer: PeerId,
        /// The track.
        track: TrackId,
    },
}
