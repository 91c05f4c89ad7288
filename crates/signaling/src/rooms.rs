//! All rooms of the server: each command finds its room here, and is answered or refused. It draws no
//! ids: whoever commands brings them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;

use protocol::record::{Stored, Write};
use protocol::{
    ConnectionId, EndReason, ErrorBody, ErrorCode, Identity, RoomId, RoomName, ServerMessage,
    Timestamp,
};

use crate::index::{Index, Place};
use crate::peer::SectionsRequired;
use crate::recent::{Recent, Recorded, without_secrets};
use crate::room::{Audience, Room};
use crate::turn::{Turn, refusal, server_stopping};
use crate::{Command, Effect, Limits, MediaEvent, Request};

/// All rooms of the server.
#[derive(Debug)]
pub struct Rooms {
    pub(crate) limits: Limits,
    pub(crate) rooms: BTreeMap<RoomId, Room>,
    pub(crate) names: HashMap<RoomName, RoomId>,
    /// Of rooms that are somebody's: one each.
    pub(crate) owners: HashMap<Identity, RoomId>,
    /// Rooms that stay.
    pub(crate) kept: BTreeSet<RoomId>,
    pub(crate) index: Index,
    pub(crate) conflicts: u64,
    pub(crate) is_stopping: bool,
}

impl Rooms {
    /// No rooms yet.
    pub fn new(limits: Limits) -> Self {
        Self::restore(limits, Stored::default())
    }

    /// The rooms that were written down, as they are at the start. What should not be there any more (a
    /// session that runs, a room that nobody is in and that does not stay) is ended and closed by the first
    /// `handle_timeout`, or when the room is next asked for something.
    pub fn restore(limits: Limits, stored: Stored) -> Self {
        let mut rooms = Self {
            limits,
            rooms: BTreeMap::new(),
            names: HashMap::new(),
            owners: HashMap::new(),
            kept: BTreeSet::new(),
            index: Index::default(),
            conflicts: 0,
            is_stopping: false,
        };
        for record in stored.rooms {
            let mut room = Room::new(record);
            room.recent = Recent::beginning_later();
            rooms.insert(room);
        }
        for session in stored.sessions {
            if let Some(room) = rooms.rooms.get_mut(&session.room) {
                room.sessions.restore(session);
            }
        }
        for ban in stored.bans {
            if let Some(room) = rooms.rooms.get_mut(&ban.room) {
                room.bans.insert(ban.identity);
            }
        }
        for (id, room) in &mut rooms.rooms {
            room.due = room.next_due(rooms.limits.host_grace);
            rooms.index.due.extend(room.due.map(|due| (due, *id)));
        }
        rooms
    }

    /// Does what a command asks. The effects are to be carried out in order.
    pub fn handle(&mut self, now: Timestamp, command: Command) -> Vec<Effect> {
        let mut effects = Vec::new();
        let recorded = Recorded {
            at: now,
            command: Some(without_secrets(&command)),
        };
        match self.room_of_command(&command) {
            Some(room) => {
                self.remember(room, recorded);
                self.carry_out(now, command, &mut effects);
            }
            None => {
                self.carry_out(now, command, &mut effects);
                let made = recorded.command.as_ref();
                if let Some(room) = made.and_then(|command| self.room_of_command(command)) {
                    self.remember(room, recorded);
                }
            }
        }
        effects
    }

    fn carry_out(&mut self, now: Timestamp, command: Command, effects: &mut Vec<Effect>) {
        match command {
            Command::Join(join) => self.join(now, *join, effects),
            Command::Request {
                connection,
                request_id,
                request,
            } => self.request(now, connection, request_id, request, effects),
            Command::Disconnected { connection } => self.disconnected(now, connection, effects),
            Command::Api(command) => self.api(now, *command, effects),
            Command::Media(event) => self.media(now, event, effects),
            Command::Stop => self.stop(now, effects),
        }
    }

    /// Does what is due: those away for too long are gone, what is gathered is told, and a session that
    /// its host has abandoned ends.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        while self.poll_timeout().is_some_and(|due| due <= now) {
            let (away, due) = (self.index.away.first(), self.index.due.first());
            match (away.copied(), due.copied()) {
                (Some((gone_at, place)), due) if due.is_none_or(|(due, _)| gone_at <= due) => {
                    self.note_timeout(now, place.room);
                    self.in_room(now, place.room, &mut effects, |room, turn| {
                        room.give_up_on(turn, place.seat);
                    });
                }
                (_, Some((_, room))) => {
                    self.note_timeout(now, room);
                    self.in_room(now, room, &mut effects, Room::handle_due);
                }
                _ => break,
            }
        }
        effects
    }

    /// When `handle_timeout` is next due.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let away = self.index.away.first().map(|(until, _)| *until);
        let due = self.index.due.first().map(|(due, _)| *due);
        away.into_iter().chain(due).min()
    }

    fn note_timeout(&mut self, at: Timestamp, room: RoomId) {
        self.remember(room, Recorded { at, command: None });
    }

    fn remember(&mut self, room: RoomId, recorded: Recorded) {
        if let Some(room) = self.rooms.get_mut(&room) {
            room.recent.push(recorded);
        }
    }

    /// The room that has this name now.
    pub(crate) fn named(&self, name: &RoomName) -> Option<&Room> {
        self.rooms.get(self.names.get(name)?)
    }

    /// A room is there from now on.
    pub(crate) fn insert(&mut self, room: Room) {
        let record = &room.record;
        self.names.insert(record.name.clone(), record.id);
        if let Some(owner) = &record.owner {
            self.owners.insert(owner.clone(), record.id);
        }
        if record.is_kept {
            self.kept.insert(record.id);
        }
        self.rooms.insert(record.id, room);
    }

    fn forget(&mut self, id: RoomId) {
        let Some(room) = self.rooms.remove(&id) else {
            return;
        };
        self.names.remove(&room.record.name);
        if let Some(owner) = &room.record.owner {
            self.owners.remove(owner);
        }
        self.kept.remove(&id);
    }

    fn request(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        request_id: Option<u32>,
        request: Request,
        effects: &mut Vec<Effect>,
    ) {
        let Some(Place { room, seat }) = self.index.connections.get(&connection).copied() else {
            let error = ErrorBody::new(
                ErrorCode::NotJoined,
                "this connection has not joined a room",
            );
            effects.push(refusal(connection, request_id, error));
            return;
        };
        self.in_room(now, room, effects, |room, turn| {
            let result = room.carry_out(turn, seat, connection, request_id, request);
            if let Err(error) = result {
                turn.effects.push(refusal(connection, request_id, error));
            }
        });
    }

    fn disconnected(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        effects: &mut Vec<Effect>,
    ) {
        let Some(Place { room, seat }) = self.index.connections.get(&connection).copied() else {
            return;
        };
        self.in_room(now, room, effects, |room, turn| {
            room.lose_connection(turn, seat, connection)
        });
    }

    /// Where a peer or a track is that the media plane reports of, if it is still there.
    pub(crate) fn place_of_event(&self, event: &MediaEvent) -> Option<Place> {
        let place = match event {
            MediaEvent::Answered { peer, .. }
            | MediaEvent::OfferRefused { peer, .. }
            | MediaEvent::SectionsRequired { peer, .. }
            | MediaEvent::PeerEnded { peer, .. } => self.index.peers.get(peer),
            MediaEvent::PublicationRefused { track, .. }
            | MediaEvent::LayersWanted { track, .. }
            | MediaEvent::Speaking { track, .. } => self.index.tracks.get(track),
        };
        place.copied()
    }

    fn media(&mut self, now: Timestamp, event: MediaEvent, effects: &mut Vec<Effect>) {
        let Some(Place { room, seat }) = self.place_of_event(&event) else {
            return;
        };
        self.in_room(now, room, effects, |room, turn| match event {
            MediaEvent::Answered { sdp, sections, .. } => room.answered(turn, seat, sdp, sections),
            MediaEvent::OfferRefused { reason, .. } => room.offer_refused(turn, seat, reason),
            MediaEvent::SectionsRequired { audio, video, .. } => {
                room.sections_required(turn, seat, SectionsRequired { audio, video });
            }
            MediaEvent::PublicationRefused { track, reason } => {
                room.publication_refused(turn, seat, track, reason);
            }
            MediaEvent::LayersWanted { track, layers } => {
                room.layers_wanted(turn, seat, track, layers);
            }
            MediaEvent::Speaking { track, level } => room.speaking(seat, track, level),
            MediaEvent::PeerEnded { reason, .. } => room.peer_ended(turn, seat, reason),
        });
    }

    /// Everybody is told, what runs is ended, and nothing is left. The media plane ends as a whole.
    fn stop(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.is_stopping = true;
        for (id, room) in &mut mem::take(&mut self.rooms) {
            let mut turn = Turn {
                now,
                room: *id,
                limits: &self.limits,
                index: &mut self.index,
                effects,
                conflicts: &mut self.conflicts,
            };
            room.end_lost(&mut turn);
            room.end_session(&mut turn, EndReason::ServerStopped);
            if !room.record.is_kept {
                turn.write(Write::RoomClosed { room: *id, at: now });
            }
            let mut connections = room.connections(Audience::Everyone);
            connections.extend(room.waiting.connections());
            turn.send(
                connections.clone(),
                ServerMessage::Goodbye(server_stopping()),
            );
            let closes = connections.into_iter();
            effects.extend(closes.map(|connection| Effect::Close { connection }));
            if room.is_open {
                effects.push(Effect::RoomClosed { room: *id });
            }
        }
        self.index = Index::default();
        self.names.clear();
        self.owners.clear();
        self.kept.clear();
    }

    /// Acts in one room, and does what follows from it. `None`: there is no such room.
    pub(crate) fn in_room<T>(
        &mut self,
        now: Timestamp,
        id: RoomId,
        effects: &mut Vec<Effect>,
        act: impl FnOnce(&mut Room, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let Some(room) = self.rooms.get_mut(&id) else {
            debug_assert!(false, "the index names {id}, which is not there");
            return None;
        };
        let mut turn = Turn {
            now,
            room: id,
            limits: &self.limits,
            index: &mut self.index,
            effects,
            conflicts: &mut self.conflicts,
        };
        room.end_lost(&mut turn);
        let done = act(room, &mut turn);
        if room.finish(&mut turn) {
            self.forget(id);
        }
        Some(done)
    }
}
