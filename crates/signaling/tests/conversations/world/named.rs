//! Who and what is meant by a name in a test: looked up, never changed.

use protocol::{
    ConnectionId, Participant, ParticipantId, PeerId, Resume, RoomId, RoomInfo, RoomName, TrackId,
};

use super::{ROOM, World};

impl World {
    /// The connections that are open, those that tabs have forgotten included.
    pub(crate) fn open_connections(&self) -> Vec<ConnectionId> {
        let all = self.clients.values().chain(&self.retired);
        all.filter(|client| client.is_open)
            .map(|client| client.connection)
            .collect()
    }

    pub(crate) fn connection(&self, tab: &str) -> ConnectionId {
        self.clients[tab].connection
    }

    /// The participant whom a tab last joined as.
    pub(crate) fn id(&self, tab: &str) -> ParticipantId {
        self.clients[tab]
            .view
            .as_ref()
            .expect("a tab that joined")
            .own
    }

    /// The id under which a tab waits outside.
    pub(crate) fn waiting_id(&self, tab: &str) -> ParticipantId {
        let outside = self.clients[tab].outside.as_ref();
        outside.expect("a tab that waits").participant_id
    }

    /// The room as it is told now.
    pub(crate) fn info(&self) -> RoomInfo {
        let room = self.rooms.room(&RoomName(ROOM.into()));
        room.expect("a room").info
    }

    pub(crate) fn peer(&self, tab: &str) -> PeerId {
        self.peers[tab]
    }

    /// The track that a tab last published on a section.
    pub(crate) fn track(&self, tab: &str, mid: &str) -> TrackId {
        self.tracks[&(tab.to_string(), mid.to_string())]
    }

    pub(crate) fn room_id(&self) -> RoomId {
        self.rooms
            .room(&RoomName(ROOM.into()))
            .expect("an open room")
            .id
    }

    pub(crate) fn last_change(&self) -> u64 {
        self.rooms
            .room(&RoomName(ROOM.into()))
            .expect("an open room")
            .last_change
    }

    /// A participant as the room sees them now.
    pub(crate) fn participant(&self, tab: &str) -> Participant {
        let id = self.id(tab);
        let room = self
            .rooms
            .room(&RoomName(ROOM.into()))
            .expect("an open room");
        room.participants
            .into_iter()
            .find(|other| other.id == id)
            .expect("a visible participant")
    }

    /// With the last secret of this tab, and what it saw.
    pub(crate) fn resume(&self, tab: &str) -> Resume {
        let client = &self.clients[tab];
        let last_change = client.view.as_ref().map(|view| view.last_change);
        Resume {
            token: client.resume_token.clone(),
            last_change,
        }
    }

    /// With the last secret of this tab, after a refresh.
    pub(crate) fn refresh(&self, tab: &str) -> Resume {
        Resume {
            last_change: None,
            ..self.resume(tab)
        }
    }
}
