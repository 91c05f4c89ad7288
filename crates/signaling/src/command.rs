//! What is asked of `Rooms`. Ids and secrets that a command may need are chosen by the caller, so that
//! the state machine draws no random numbers and a run can be repeated.

use protocol::{
    ConnectionId, Identity, LayerWanted, MediaSection, ParticipantId, PeerId, Publish, Resume,
    Role, RoomId, RoomName, SessionId, StateUpdate, TrackId, Viewport,
};

use serde::{Deserialize, Serialize};

use crate::api::ApiCommand;

/// What is asked of `Rooms`, by a client or by the media plane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// A connection with a verified token enters a room.
    Join(Box<Join>),
    /// A connection that has joined asks for something.
    Request {
        /// Who asks.
        connection: ConnectionId,
        /// Repeated in the answer or the error.
        request_id: Option<u32>,
        /// What is asked.
        request: Request,
    },
    /// A connection is closed or lost. Nothing may be sent to it any more.
    Disconnected {
        /// Which.
        connection: ConnectionId,
    },
    /// Somebody asks over HTTP. Exactly one `Reply` answers.
    Api(Box<ApiCommand>),
    /// The media plane reports.
    Media(MediaEvent),
    /// The server is being stopped: everybody is told, and their connections closed.
    Stop,
}

/// A connection with a verified token enters a room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Join {
    /// The connection.
    pub connection: ConnectionId,
    /// Repeated in an error.
    pub request_id: Option<u32>,
    /// What the token says. Nothing of it comes from a message's body.
    pub claims: Claims,
    /// To come back as the participant one was.
    pub resume: Option<Resume>,
    /// Camera, microphone and hand at the start.
    pub state: StateUpdate,
    /// Receive every track without asking.
    pub subscribe_automatically: bool,
    /// Ids for what this may create.
    pub fresh: Fresh,
}

/// Ids and a secret for what a join may create, unused before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fresh {
    /// For the room, if it is not open.
    pub room: RoomId,
    /// For the participant, if they are new.
    pub participant: ParticipantId,
    /// For the session that begins by itself in a room that is nobody's.
    pub session: SessionId,
    /// The secret for coming back: unguessable.
    pub resume_token: String,
}

/// What a verified token says of its bearer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// Who.
    pub identity: Identity,
    /// The name to show.
    pub name: String,
    /// The role to show.
    pub role: Role,
    /// A picture to show.
    pub avatar_url: Option<String>,
    /// The room that may be entered.
    pub room: RoomName,
    /// What may be done there.
    pub permissions: Permissions,
}

/// What may be done in a room: the token's `video` grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// `canPublish`: tracks.
    pub publish: bool,
    /// `canSubscribe`: tracks of others.
    pub subscribe: bool,
    /// `canPublishData`: messages on data channels.
    pub publish_data: bool,
    /// `roomAdmin`: mute others.
    pub moderate: bool,
    /// `hidden`: not shown to the others, and publishes nothing.
    pub hidden: bool,
}

/// What a connection that has joined asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Answer this offer.
    Offer {
        /// The client's number for its `RTCPeerConnection`.
        peer_connection: u32,
        /// The offer: opaque here.
        sdp: String,
        /// For the peer, if the number is a new one.
        fresh_peer: PeerId,
    },
    /// Publish a track in the next offer.
    Publish {
        /// Which section carries what.
        publish: Publish,
        /// For the track.
        fresh_track: TrackId,
    },
    /// Take a track of one's own away.
    Unpublish {
        /// Which.
        track: TrackId,
    },
    /// Mute or unmute a track.
    Mute {
        /// Which.
        track: TrackId,
        /// Muted from now on.
        muted: bool,
    },
    /// Change one's own states.
    UpdateState(StateUpdate),
    /// Refuse or take up a track.
    SetSubscription {
        /// Which.
        track: TrackId,
        /// To be received.
        subscribed: bool,
    },
    /// Send videos as large as they are shown.
    SetViewport {
        /// How large.
        viewports: Vec<Viewport>,
    },
    /// Who is live?
    LiveStatus,
    /// Go for good.
    Leave,
    /// Let guests gather.
    OpenLobby(Start),
    /// Make the session live.
    GoLive(Start),
    /// End the session for all.
    EndSession {
        /// Which; left out: whichever runs.
        session: Option<SessionId>,
    },
    /// Let these in who wait.
    Admit {
        /// Who.
        participants: Vec<ParticipantId>,
    },
    /// Send these away who wait.
    Deny {
        /// Who.
        participants: Vec<ParticipantId>,
    },
    /// Put somebody out.
    Remove {
        /// Who.
        participant: ParticipantId,
        /// For ever.
        ban: bool,
    },
    /// Let nobody new in, or let them in again.
    SetLocked {
        /// Locked from now on.
        locked: bool,
    },
    /// Make somebody else the host.
    HandOver {
        /// Who.
        participant: ParticipantId,
    },
    /// Ask a track's owner to unmute it.
    AskToUnmute {
        /// Which.
        track: TrackId,
    },
    /// Lower somebody's hand.
    LowerHand {
        /// Whose.
        participant: ParticipantId,
    },
}

/// A session is to begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Made by the client: the same key never makes a second session.
    pub key: String,
    /// For the session, if there is none yet.
    pub fresh_session: SessionId,
}

/// What the media plane reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MediaEvent {
    /// An offer is answered.
    Answered {
        /// Whose.
        peer: PeerId,
        /// The answer: opaque here.
        sdp: String,
        /// Which sections carry which tracks to the client.
        sections: Vec<MediaSection>,
    },
    /// An offer cannot be answered; the peer stays as it was.
    OfferRefused {
        /// Whose.
        peer: PeerId,
        /// Why, for people.
        reason: String,
    },
    /// The peer's offers have too few receiving sections for its subscriptions.
    SectionsRequired {
        /// Whose.
        peer: PeerId,
        /// Audio sections to add.
        audio: u32,
        /// Video sections to add.
        video: u32,
    },
    /// A published track cannot be received: its section is missing from the offer, or of the other kind.
    PublicationRefused {
        /// Which.
        track: TrackId,
        /// Why, for people.
        reason: String,
    },
    /// Other layers of a published track are watched than before.
    LayersWanted {
        /// Which.
        track: TrackId,
        /// All its layers, lowest first.
        layers: Vec<LayerWanted>,
    },
    /// Somebody speaks into a track, or no longer.
    Speaking {
        /// Which.
        track: TrackId,
        /// From 0 (loudest) to 127 (silence), as RFC 6464 has it; `None` when no longer speaking.
        level: Option<u8>,
    },
    /// A peer's media is over: consent lost, handshake failed, or closed by the client.
    PeerEnded {
        /// Whose.
        peer: PeerId,
        /// Why, for people.
        reason: String,
    },
}
