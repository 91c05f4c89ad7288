//! What the rooms look like from outside: for lists, metrics and tests. It changes nothing.

use protocol::{
    ConnectionId, Live, LiveRoom, Participant, ParticipantId, PeerId, RoomId, RoomName,
};

use crate::live::live_among;
use crate::room::Room;
use crate::rooms::Rooms;

/// How much there is, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rooms open.
    pub rooms: usize,
    /// Participants in them, those away and those hidden included.
    pub participants: usize,
    /// Participants whose connection is lost.
    pub away: usize,
    /// Tracks published.
    pub tracks: usize,
}

/// A room as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomView {
    /// Its id.
    pub id: RoomId,
    /// Those whom others may see, in the order of joining.
    pub participants: Vec<Participant>,
    /// Who is live, longest first.
    pub live: Vec<Live>,
    /// The number of the last change.
    pub last_change: u64,
}

impl Rooms {
    /// The rooms in which somebody is live, longest first.
    pub fn live_rooms(&self) -> Vec<LiveRoom> {
        let mut rooms: Vec<LiveRoom> = self.rooms.values().filter_map(Room::live_room).collect();
        rooms.sort_by(|one, other| {
            (one.started_at, &one.name).cmp(&(other.started_at, &other.name))
        });
        rooms
    }

    /// How much there is.
    pub fn counts(&self) -> Counts {
        Counts {
            rooms: self.rooms.len(),
            participants: self.index.participants(),
            away: self.index.away.len(),
            tracks: self.index.tracks.len(),
        }
    }

    /// A room as it is now, if it is open.
    pub fn room(&self, name: &RoomName) -> Option<RoomView> {
        let room = self.rooms.get(self.names.get(name)?)?;
        let visible = || room.visible_to(None).map(|(_, participant)| participant);
        Some(RoomView {
            id: room.id,
            participants: visible().map(|participant| participant.view()).collect(),
            live: live_among(visible()),
            last_change: room.log.last(),
        })
    }

    /// The room that a peer belongs to.
    pub fn room_of(&self, peer: PeerId) -> Option<RoomId> {
        self.index.peers.get(&peer).map(|place| place.room)
    }

    /// Who has joined with a connection, and where.
    pub fn participant_of(&self, connection: ConnectionId) -> Option<(RoomId, ParticipantId)> {
        let place = self.index.connections.get(&connection)?;
        let participant = self.rooms.get(&place.room)?.participants.get(&place.seat)?;
        Some((place.room, participant.id))
    }

    /// Nothing is left: no room, no name, no entry in the index.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
            && self.names.is_empty()
            && self.index.participants() == 0
            && self.index.peers.is_empty()
            && self.index.tracks.is_empty()
    }
}
