//! One person's stay in a room: who they are, what they may do, and whether they are there. It never
//! tells anybody: rooms do.

use std::collections::BTreeMap;

use protocol::{ConnectionId, Identity, ParticipantId, Role, StateUpdate, Timestamp, TrackId};

use crate::peer::{Media, Peer, PendingPublish, PublishedTrack};
use crate::{Claims, Join, Permissions};

/// One person's stay in a room.
#[derive(Debug)]
pub(crate) struct Participant {
    pub(crate) id: ParticipantId,
    pub(crate) identity: Identity,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) avatar_url: Option<String>,
    pub(crate) permissions: Permissions,
    pub(crate) camera: bool,
    pub(crate) microphone: bool,
    pub(crate) hand_raised: bool,
    pub(crate) joined_at: Timestamp,
    pub(crate) presence: Presence,
    /// The secret for coming back: each join makes a new one.
    pub(crate) resume_token: String,
    pub(crate) subscribe_automatically: bool,
    /// Tracks of others taken up or refused by name, while they exist.
    pub(crate) choices: BTreeMap<TrackId, bool>,
    /// What the next offer publishes, in the order asked for.
    pub(crate) pending: Vec<PendingPublish>,
    pub(crate) media: Media,
    /// The version of the list of who waits that their connection was told; 0 if none.
    pub(crate) waiting_told: u64,
}

/// Whether a participant is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// With this connection.
    Present { connection: ConnectionId },
    /// The connection was lost at `since`; gone at `until`.
    Away { since: Timestamp, until: Timestamp },
}

impl Participant {
    /// Somebody new, as the token and the join say.
    pub(crate) fn new(now: Timestamp, join: Join) -> Self {
        let Claims {
            identity,
            name,
            role,
            avatar_url,
            permissions,
            ..
        } = join.claims;
        Self {
            id: join.fresh.participant,
            identity,
            name,
            role,
            avatar_url,
            permissions,
            camera: join.state.camera.unwrap_or(false),
            microphone: join.state.microphone.unwrap_or(false),
            hand_raised: join.state.hand_raised.unwrap_or(false),
            joined_at: now,
            presence: Presence::Present {
                connection: join.connection,
            },
            resume_token: join.fresh.resume_token,
            subscribe_automatically: join.subscribe_automatically,
            choices: BTreeMap::new(),
            pending: Vec::new(),
            media: Media::None,
            waiting_told: 0,
        }
    }

    /// The same person with another connection, as the new token and join say.
    pub(crate) fn come_back(&mut self, join: Join) {
        let Claims {
            name,
            role,
            avatar_url,
            permissions,
            ..
        } = join.claims;
        self.name = name;
        self.role = role;
        self.avatar_url = avatar_url;
        self.permissions = permissions;
        self.presence = Presence::Present {
            connection: join.connection,
        };
        self.resume_token = join.fresh.resume_token;
        self.waiting_told = 0;
        self.subscribe_automatically = join.subscribe_automatically;
        self.update_state(join.state);
    }

    /// Takes over what the owner says; what is left out stays.
    pub(crate) fn update_state(&mut self, state: StateUpdate) {
        self.camera = state.camera.unwrap_or(self.camera);
        self.microphone = state.microphone.unwrap_or(self.microphone);
        self.hand_raised = state.hand_raised.unwrap_or(self.hand_raised);
    }

    /// The connection to send to, unless away.
    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        match self.presence {
            Presence::Present { connection } => Some(connection),
            Presence::Away { .. } => None,
        }
    }

    pub(crate) fn is_away(&self) -> bool {
        matches!(self.presence, Presence::Away { .. })
    }

    /// Hidden participants publish nothing: a track would show them.
    pub(crate) fn may_publish(&self) -> bool {
        self.permissions.publish && !self.permissions.hidden
    }

    pub(crate) fn peer(&self) -> Option<&Peer> {
        match &self.media {
            Media::Open(peer) => Some(peer),
            Media::None | Media::Ended { .. } => None,
        }
    }

    pub(crate) fn peer_mut(&mut self) -> Option<&mut Peer> {
        match &mut self.media {
            Media::Open(peer) => Some(peer),
            Media::None | Media::Ended { .. } => None,
        }
    }

    /// What is published now, oldest first.
    pub(crate) fn tracks(&self) -> &[PublishedTrack] {
        self.peer().map_or(&[], |peer| &peer.tracks)
    }

    /// The participant by what is known of them alone: rooms know who leads.
    pub(crate) fn view(&self) -> protocol::Participant {
        protocol::Participant {
            id: self.id,
            identity: self.identity.clone(),
            name: self.name.clone(),
            role: self.role.clone(),
            avatar_url: self.avatar_url.clone(),
            camera: self.camera,
            microphone: self.microphone,
            hand_raised: self.hand_raised,
            away: self.is_away(),
            moderator: self.permissions.moderate,
            host: false,
            joined_at: self.joined_at,
            tracks: self.tracks().iter().map(PublishedTrack::view).collect(),
        }
    }
}
