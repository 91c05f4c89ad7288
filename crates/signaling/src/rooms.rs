//! All rooms of the server: each command finds its room here, and is answered or refused. It draws no
//! ids: whoever commands brings them.

use std::collections::{BTreeMap, HashMap};
use std::mem;

use protocol::{ConnectionId, ErrorBody, ErrorCode, RoomId, RoomName, ServerMessage, Timestamp};

use crate::index::{Index, Place, Seat};
use crate::offer::Offer;
use crate::peer::{PendingPublish, SectionsRequired};
use crate::room::{Audience, Room};
use crate::turn::{Turn, refusal, server_stopping};
use crate::{Command, Effect, Join, Limits, MediaEvent, Request};

/// All rooms of the server.
#[derive(Debug)]
pub struct Rooms {
    pub(crate) limits: Limits,
    pub(crate) rooms: BTreeMap<RoomId, Room>,
    pub(crate) names: HashMap<RoomName, RoomId>,
    pub(crate) index: Index,
    is_stopping: bool,
}

impl Rooms {
    /// No rooms yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            rooms: BTreeMap::new(),
            names: HashMap::new(),
            index: Index::default(),
            is_stopping: false,
        }
    }

    /// Does what a command asks. The effects are to be carried out in order.
    pub fn handle(&mut self, now: Timestamp, command: Command) -> Vec<Effect> {
        let mut effects = Vec::new();
        match command {
            Command::Join(join) => self.join(now, *join, &mut effects),
            Command::Request {
                connection,
                request_id,
                request,
            } => {
                self.request(now, connection, request_id, request, &mut effects);
            }
            Command::Disconnected { connection } => {
                self.disconnected(now, connection, &mut effects)
            }
            Command::Media(event) => self.media(now, event, &mut effects),
            Command::Stop => self.stop(&mut effects),
        }
        effects
    }

    /// Does what is due: those away for too long are gone.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some((until, place)) = self.index.away.first().copied() {
            if until > now {
                break;
            }
            self.in_room(now, place.room, &mut effects, |room, turn| {
                room.remove(turn, place.seat)
            });
        }
        effects
    }

    /// When `handle_timeout` is next due.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.index.away.first().map(|(until, _)| *until)
    }

    fn join(&mut self, now: Timestamp, join: Join, effects: &mut Vec<Effect>) {
        let (connection, request_id) = (join.connection, join.request_id);
        if self.is_stopping {
            effects.push(Effect::Send {
                to: vec![connection],
                message: ServerMessage::Goodbye(server_stopping()),
            });
            effects.push(Effect::Close { connection });
            return;
        }
        if let Err(error) = self.check_join(&join) {
            effects.push(refusal(connection, request_id, error));
            return;
        }
        if let Some(Place { room, seat }) = self.place_of(&join) {
            let is_hidden = self
                .rooms
                .get(&room)
                .map(|room| room.participant(seat).permissions.hidden);
            if is_hidden == Some(join.claims.permissions.hidden) {
                self.in_room(now, room, effects, |room, turn| {
                    room.come_back(turn, seat, join)
                });
                return;
            }
            // For the others somebody appears or disappears: another participant, not the same.
            self.in_room(now, room, effects, |room, turn| {
                room.leave_old_connection(turn, seat);
                room.remove(turn, seat);
            });
        }
        let room = self.open_room(&join, effects);
        self.in_room(now, room, effects, |room, turn| room.enter(turn, join));
    }

    /// Refuses a join for which there is no room, or that is not one.
    fn check_join(&self, join: &Join) -> Result<(), ErrorBody> {
        if self.index.connections.contains_key(&join.connection) {
            return Err(ErrorBody::new(
                ErrorCode::AlreadyJoined,
                "this connection has joined already",
            ));
        }
        self.limits.check_claims(&join.claims)?;
        if self.place_of(join).is_some() {
            return Ok(());
        }
        let room = self
            .names
            .get(&join.claims.room)
            .and_then(|id| self.rooms.get(id));
        if room.is_some_and(|room| room.participants.len() >= self.limits.participants_per_room) {
            let limit = self.limits.participants_per_room;
            let message = format!("the room has its {limit} participants");
            return Err(ErrorBody::new(ErrorCode::RoomFull, message));
        }
        if self.index.participants() >= self.limits.participants {
            let message = format!(
                "the server has its {} participants",
                self.limits.participants
            );
            return Err(ErrorBody::new(ErrorCode::ServerFull, message));
        }
        if room.is_none() && self.rooms.len() >= self.limits.rooms {
            let message = format!("the server has its {} rooms", self.limits.rooms);
            return Err(ErrorBody::new(ErrorCode::ServerFull, message));
        }
        Ok(())
    }

    /// Where the identity of a join is already, if it is in its room.
    fn place_of(&self, join: &Join) -> Option<Place> {
        let room = *self.names.get(&join.claims.room)?;
        let seat = *self.rooms.get(&room)?.seats.get(&join.claims.identity)?;
        Some(Place { room, seat })
    }

    fn open_room(&mut self, join: &Join, effects: &mut Vec<Effect>) -> RoomId {
        let name = &join.claims.room;
        if let Some(room) = self.names.get(name) {
            return *room;
        }
        let id = join.fresh.room;
        self.names.insert(name.clone(), id);
        self.rooms.insert(id, Room::new(id, name.clone()));
        effects.push(Effect::RoomOpened {
            room: id,
            name: name.clone(),
        });
        id
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
            if let Err(error) = carry_out(room, turn, seat, request_id, request) {
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

    fn media(&mut self, now: Timestamp, event: MediaEvent, effects: &mut Vec<Effect>) {
        let place = match &event {
            MediaEvent::Answered { peer, .. }
            | MediaEvent::OfferRefused { peer, .. }
            | MediaEvent::SectionsRequired { peer, .. }
            | MediaEvent::PeerEnded { peer, .. } => self.index.peers.get(peer),
            MediaEvent::PublicationRefused { track, .. } | MediaEvent::Speaking { track, .. } => {
                self.index.tracks.get(track)
            }
        };
        let Some(Place { room, seat }) = place.copied() else {
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
            MediaEvent::Speaking { track, level } => room.speaking(seat, track, level),
            MediaEvent::PeerEnded { reason, .. } => room.peer_ended(turn, seat, reason),
        });
    }

    /// Everybody is told, and nothing is left. The media plane ends as a whole.
    fn stop(&mut self, effects: &mut Vec<Effect>) {
        self.is_stopping = true;
        self.index = Index::default();
        self.names.clear();
        for (id, room) in mem::take(&mut self.rooms) {
            let connections = room.connections(Audience::Everyone);
            if !connections.is_empty() {
                let message = ServerMessage::Goodbye(server_stopping());
                effects.push(Effect::Send {
                    to: connections.clone(),
                    message,
                });
            }
            effects.extend(
                connections
                    .into_iter()
                    .map(|connection| Effect::Close { connection }),
            );
            effects.push(Effect::RoomClosed { room: id });
        }
    }

    /// Acts in one room, then tells who speaks if that changed, and closes the room behind the last.
    fn in_room(
        &mut self,
        now: Timestamp,
        id: RoomId,
        effects: &mut Vec<Effect>,
        act: impl FnOnce(&mut Room, &mut Turn<'_>),
    ) {
        let Some(room) = self.rooms.get_mut(&id) else {
            debug_assert!(false, "the index names {id}, which is not open");
            return;
        };
        let mut turn = Turn {
            now,
            room: id,
            limits: &self.limits,
            index: &mut self.index,
            effects,
        };
        act(room, &mut turn);
        room.tell_speakers(&mut turn);
        if room.participants.is_empty() {
            self.names.remove(&room.name);
            self.rooms.remove(&id);
            effects.push(Effect::RoomClosed { room: id });
        }
    }
}

/// Does what somebody in a room asks for.
fn carry_out(
    room: &mut Room,
    turn: &mut Turn<'_>,
    seat: Seat,
    request_id: Option<u32>,
    request: Request,
) -> Result<(), ErrorBody> {
    match request {
        Request::Offer {
            peer_connection: number,
            sdp,
            fresh_peer,
        } => room.offer(
            turn,
            seat,
            Offer {
                request_id,
                number,
                sdp,
                fresh_peer,
            },
        ),
        Request::Publish {
            publish,
            fresh_track: track,
        } => {
            let protocol::Publish { mid, source, muted } = publish;
            room.publish(
                turn,
                seat,
                PendingPublish {
                    request_id,
                    track,
                    mid,
                    source,
                    muted,
                },
            )
        }
        Request::Unpublish { track } => room.unpublish(turn, seat, track),
        Request::Mute { track, muted } => room.mute(turn, seat, track, muted),
        Request::UpdateState(state) => {
            room.update_state(turn, seat, state);
            Ok(())
        }
        Request::SetSubscription { track, subscribed } => {
            room.set_subscription(turn, seat, track, subscribed)
        }
        Request::LiveStatus => {
            let live = room.live_for(seat);
            let to = room.participant(seat).connection().into_iter().collect();
            turn.send(to, ServerMessage::LiveStatus { request_id, live });
            Ok(())
        }
        Request::Leave => {
            room.leave(turn, seat);
            Ok(())
        }
    }
}
