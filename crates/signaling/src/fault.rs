//! When something in a room is not as it must be, by a fault of our own: that room is closed, and the others
//! go on. It believes as little as it can of what the room says of itself.

#![expect(
    clippy::disallowed_methods,
    reason = "the index is not believed to be complete: it is walked. What is found is sorted, and \
              what is forgotten has no order"
)]

use protocol::record::Write;
use protocol::{
    ConnectionId, EndReason, ErrorCode, Goodbye, PeerId, RoomId, ServerMessage, Timestamp,
};

use crate::index::Place;
use crate::recent::Recent;
use crate::room::Room;
use crate::rooms::Rooms;
use crate::turn::Turn;
use crate::{Command, Effect, MediaEffect};

impl Rooms {
    /// The room that a command is for, if it is there by now.
    pub fn room_for(&self, command: &Command) -> Option<RoomId> {
        self.room_of_command(command)
    }

    /// The ids of all rooms, in order.
    pub fn ids(&self) -> impl Iterator<Item = RoomId> {
        self.rooms.keys().copied()
    }

    /// Closes a room in which something is wrong: what runs is ended, everybody is told to come anew, and
    /// a room that stays is as empty as after a start.
    pub fn close_faulty(&mut self, now: Timestamp, id: RoomId) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(mut room) = self.rooms.remove(&id) else {
            return effects;
        };
        let mut turn = Turn {
            now,
            room: id,
            limits: &self.limits,
            index: &mut self.index,
            effects: &mut effects,
            conflicts: &mut self.conflicts,
        };
        room.end_lost(&mut turn);
        room.end_session(&mut turn, EndReason::ServerLost);
        if !room.record.is_kept {
            turn.write(Write::RoomClosed { room: id, at: now });
        }
        self.put_out_of(id, &mut effects);
        if room.is_open {
            effects.push(Effect::RoomClosed { room: id });
        }
        self.names.retain(|_, room| *room != id);
        self.owners.retain(|_, room| *room != id);
        self.kept.remove(&id);
        self.forget_places(id);
        if room.record.is_kept {
            let mut anew = Room::new(room.record);
            anew.recent = Recent::beginning_later();
            anew.sessions = room.sessions;
            anew.bans = room.bans;
            anew.due = anew.next_due(self.limits.host_grace);
            self.index.due.extend(anew.due.map(|due| (due, id)));
            self.insert(anew);
        }
        effects
    }

    /// Ends the media and the connections that the index has of a room.
    fn put_out_of(&self, id: RoomId, effects: &mut Vec<Effect>) {
        let is_here = |place: &Place| place.room == id;
        let peers = self.index.peers.iter();
        let mut peers: Vec<PeerId> = peers
            .filter(|(_, place)| is_here(place))
            .map(|(peer, _)| *peer)
            .collect();
        peers.sort();
        effects.extend(peers.into_iter().map(|peer| Effect::Media {
            room: id,
            effect: MediaEffect::ClosePeer { peer },
        }));
        let connections = self.index.connections.iter();
        let mut connections: Vec<ConnectionId> = connections
            .filter(|(_, place)| is_here(place))
            .map(|(connection, _)| *connection)
            .collect();
        connections.sort();
        if connections.is_empty() {
            return;
        }
        let goodbye = Goodbye {
            code: ErrorCode::Internal,
            message: "The room was closed by a fault of the server's.".into(),
            reconnect: true,
        };
        effects.push(Effect::Send {
            to: connections.clone(),
            message: ServerMessage::Goodbye(goodbye),
        });
        let closes = connections.into_iter();
        effects.extend(closes.map(|connection| Effect::Close { connection }));
    }

    /// The index without a room, and its counts as the other rooms say them.
    fn forget_places(&mut self, id: RoomId) {
        let index = &mut self.index;
        index.connections.retain(|_, place| place.room != id);
        index.peers.retain(|_, place| place.room != id);
        index.tracks.retain(|_, place| place.room != id);
        index.away.retain(|(_, place)| place.room != id);
        index.due.retain(|(_, room)| *room != id);
        let rooms = || self.rooms.values();
        index.open_rooms = rooms().filter(|room| room.is_open).count();
        index.waiting = rooms().map(|room| room.waiting.people.len()).sum();
        index.running = rooms()
            .filter(|room| room.sessions.running().is_some())
            .count();
    }
}
