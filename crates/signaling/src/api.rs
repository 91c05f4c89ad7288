//! What is asked of `Rooms` over HTTP, and what it answers. The caller has verified the token and says
//! what it grants; whether that is enough is decided here, at the action.

use protocol::record::{RoomRecord, SessionRecord};
use protocol::{
    ErrorBody, Identity, Participant, ParticipantId, PeerId, RoomId, RoomInfo, RoomName,
    RoomSettings, SessionId, Timestamp, TrackId,
};

use serde::{Deserialize, Serialize};

use crate::{Permissions, Start};

mod answer;
mod make_room;

/// The caller's number for one HTTP request: `Reply` repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AskerId(pub u64);

/// Somebody asks over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiCommand {
    /// Repeated in the reply.
    pub asker: AskerId,
    /// Who asks, as the verified token says.
    pub caller: Caller,
    /// What is asked.
    pub request: ApiRequest,
}

/// Who asks over HTTP. A room's owner may do everything to it; else the grants decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The token's `sub`, if it names somebody; else the API key, for a backend.
    pub identity: Identity,
    /// `roomCreate`: make, change and delete rooms that are nobody's or anybody's.
    pub may_create: bool,
    /// `roomList`: see every room.
    pub may_list: bool,
    /// `roomAdmin`: moderate the room that the token names.
    pub admin_of: Option<RoomName>,
}

/// A room, by its id or its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomRef {
    /// By id.
    Id(RoomId),
    /// By name, of the room that has it now.
    Name(RoomName),
}

/// What is asked over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ApiRequest {
    /// Make a room that stays. `roomCreate`. The same name and owner again: the room that is there.
    CreateRoom {
        /// Its name.
        name: RoomName,
        /// Whose it is, if anybody's.
        owner: Option<Identity>,
        /// What is set.
        settings: RoomSettings,
        /// For the room, if it is new.
        fresh_room: RoomId,
    },
    /// The caller's own permanent room; made if there is none. Its name is the identity, or the identity
    /// and a number if that name is taken.
    MyRoom {
        /// For the room, if it is new.
        fresh_room: RoomId,
    },
    /// Look at a room.
    GetRoom(RoomRef),
    /// Look at what is kept of it: its sessions, their attendance, its bans. Answered with the room.
    ReadHistory(RoomRef),
    /// Change its settings, as a whole.
    UpdateRoom {
        /// Which.
        room: RoomRef,
        /// From now on.
        settings: RoomSettings,
    },
    /// Delete it. What runs is ended; everybody is told. Its history stays.
    DeleteRoom(RoomRef),
    /// Let guests gather.
    OpenLobby(RoomRef, Start),
    /// Make the session live.
    GoLive(RoomRef, Start),
    /// End the session for all; of one that is over, how it ended.
    EndSession {
        /// The room.
        room: RoomRef,
        /// Which; left out: whichever runs.
        session: Option<SessionId>,
    },
    /// Plan a session.
    ScheduleSession {
        /// The room.
        room: RoomRef,
        /// The same key never makes a second session.
        start: Start,
        /// A title to show.
        title: String,
        /// When it is to begin. It begins when its host goes live.
        scheduled_for: Timestamp,
    },
    /// Give up a planned session; of one given up before, how it is.
    CancelSession {
        /// The room.
        room: RoomRef,
        /// Which.
        session: SessionId,
    },
    /// Those in the room.
    Participants(RoomRef),
    /// Change what somebody in the room shows and may do, at once and until the session ends.
    UpdateParticipant {
        /// The room.
        room: RoomRef,
        /// Who.
        participant: ParticipantId,
        /// Left out: as it is.
        name: Option<String>,
        /// Left out: as they are.
        permissions: Option<Permissions>,
    },
    /// Whose media connection it is about, when somebody asks what is forwarded to a participant and why.
    Forwarding {
        /// The room.
        room: RoomRef,
        /// Who.
        participant: ParticipantId,
    },
    /// Mute a track. Nobody but its owner can unmute it.
    MuteTrack {
        /// The room.
        room: RoomRef,
        /// Which.
        track: TrackId,
    },
    /// Put somebody out of the room.
    RemoveParticipant {
        /// The room.
        room: RoomRef,
        /// Who.
        participant: ParticipantId,
    },
    /// Let somebody never in again, and put them out if they are in.
    Ban {
        /// The room.
        room: RoomRef,
        /// Who.
        identity: Identity,
    },
    /// Let them in again.
    Unban {
        /// The room.
        room: RoomRef,
        /// Who.
        identity: Identity,
    },
}

impl ApiRequest {
    /// The room that is meant, if it has to be there.
    pub fn room(&self) -> Option<&RoomRef> {
        match self {
            ApiRequest::CreateRoom { .. } | ApiRequest::MyRoom { .. } => None,
            ApiRequest::GetRoom(room)
            | ApiRequest::ReadHistory(room)
            | ApiRequest::DeleteRoom(room)
            | ApiRequest::OpenLobby(room, _)
            | ApiRequest::GoLive(room, _)
            | ApiRequest::Participants(room)
            | ApiRequest::UpdateRoom { room, .. }
            | ApiRequest::EndSession { room, .. }
            | ApiRequest::ScheduleSession { room, .. }
            | ApiRequest::CancelSession { room, .. }
            | ApiRequest::UpdateParticipant { room, .. }
            | ApiRequest::Forwarding { room, .. }
            | ApiRequest::MuteTrack { room, .. }
            | ApiRequest::RemoveParticipant { room, .. }
            | ApiRequest::Ban { room, .. }
            | ApiRequest::Unban { room, .. } => Some(room),
        }
    }
}

/// The answer to an HTTP request.
#[derive(Clone, Debug, PartialEq)]
pub enum ApiReply {
    /// A room as it is now.
    Room(Box<RoomDetails>),
    /// A session as it is now.
    Session(SessionRecord),
    /// Somebody as they are now.
    Participant(Box<Participant>),
    /// Those in the room, hidden ones left out, in the order of joining.
    Participants(Vec<Participant>),
    /// The media connection of somebody, if there is one: the media plane knows the rest.
    Receiver(Option<PeerId>),
    /// It is done.
    Done,
}

/// A room as it is now, for those who may see all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomDetails {
    /// As it is kept.
    pub record: RoomRecord,
    /// As its participants see it.
    pub info: RoomInfo,
    /// How many are in it, those away included and those hidden left out.
    pub participants: usize,
}

/// What an HTTP request comes to.
pub type ApiResult = Result<ApiReply, ErrorBody>;
