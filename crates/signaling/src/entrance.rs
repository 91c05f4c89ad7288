//! Who may enter a room: is seated, waits, or is refused, and why. It looks only at the room as it is and
//! at what the token says.

use protocol::record::{RoomRecord, Write};
use protocol::{ErrorBody, ErrorCode, RoomId, RoomSettings, ServerMessage, Timestamp};

use crate::index::Place;
use crate::participant::Participant;
use crate::room::Room;
use crate::rooms::Rooms;
use crate::turn::{refusal, server_stopping};
use crate::{Claims, Effect, Join, Limits};

/// What becomes of somebody who comes to a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Seat,
    Wait,
}

impl Rooms {
    /// A connection with a verified token wants to enter a room.
    pub(crate) fn join(&mut self, now: Timestamp, mut join: Join, effects: &mut Vec<Effect>) {
        let (connection, request_id) = (join.connection, join.request_id);
        if self.is_stopping {
            effects.push(Effect::Send {
                to: vec![connection],
                message: ServerMessage::Goodbye(server_stopping()),
            });
            effects.push(Effect::Close { connection });
            return;
        }
        if let Some(room) = self.named(&join.claims.room) {
            room.apply_changes(&mut join.claims);
        }
        let entry = match self.check_join(&join) {
            Ok(entry) => entry,
            Err(error) => return effects.push(refusal(connection, request_id, error)),
        };
        let mut left = None;
        if let Some(Place { room, seat }) = self.place_of(&join) {
            let inside = self
                .rooms
                .get(&room)
                .and_then(|of| of.participants.get(&seat));
            let Some(participant) = inside else {
                self.in_room(now, room, effects, |room, turn| {
                    room.wait_again(turn, seat, join)
                });
                return;
            };
            if participant.permissions.hidden == join.claims.permissions.hidden {
                self.in_room(now, room, effects, |room, turn| {
                    room.come_back(turn, seat, join)
                });
                return;
            }
            // For the others somebody appears or disappears: another participant, not the same.
            left = Some(seat);
        }
        let room = self.open_room(now, &join, effects);
        self.in_room(now, room, effects, |room, turn| match entry {
            Entry::Wait => room.wait(turn, join),
            Entry::Seat => {
                // In one turn, or somebody who waits has the place between the two.
                if let Some(seat) = left {
                    room.leave_old_connection(turn, seat);
                    room.remove(turn, seat);
                }
                let fresh_session = join.fresh.session;
                room.enter(turn, Participant::new(turn.now, join), fresh_session);
            }
        });
    }

    /// Refuses a join for which there is no place, or that is not one.
    fn check_join(&self, join: &Join) -> Result<Entry, ErrorBody> {
        if self.index.connections.contains_key(&join.connection) {
            return Err(ErrorBody::new(
                ErrorCode::AlreadyJoined,
                "this connection has joined already",
            ));
        }
        self.limits.check_claims(&join.claims)?;
        if self.place_of(join).is_some() {
            return Ok(Entry::Seat);
        }
        let room = self.named(&join.claims.room);
        let entry = match room {
            Some(room) => room.entry(&self.limits, &join.claims)?,
            None => Entry::Seat,
        };
        if self.index.participants() >= self.limits.participants {
            let message = format!(
                "the server has its {} participants",
                self.limits.participants
            );
            return Err(ErrorBody::new(ErrorCode::ServerFull, message));
        }
        if room.is_none() && self.rooms.len() - self.kept.len() >= self.limits.rooms {
            let message = format!("the server has its {} rooms", self.limits.rooms);
            return Err(ErrorBody::new(ErrorCode::ServerFull, message));
        }
        Ok(entry)
    }

    /// Where the identity of a join is already, if it is in its room or waits outside.
    fn place_of(&self, join: &Join) -> Option<Place> {
        let room = *self.names.get(&join.claims.room)?;
        let seat = *self.rooms.get(&room)?.seats.get(&join.claims.identity)?;
        Some(Place { room, seat })
    }

    /// The room that a join is for; made if there is none.
    fn open_room(&mut self, now: Timestamp, join: &Join, effects: &mut Vec<Effect>) -> RoomId {
        let name = &join.claims.room;
        if let Some(room) = self.names.get(name) {
            return *room;
        }
        let record = RoomRecord {
            id: join.fresh.room,
            name: name.clone(),
            owner: None,
            is_kept: false,
            settings: RoomSettings::default(),
            created_at: now,
            closed_at: None,
        };
        effects.push(Effect::Write(Write::RoomCreated(record.clone())));
        self.insert(Room::new(record));
        join.fresh.room
    }
}

impl Room {
    /// What becomes of somebody new.
    fn entry(&self, limits: &Limits, claims: &Claims) -> Result<Entry, ErrorBody> {
        let identity = &claims.identity;
        if self.bans.contains(identity) {
            let message = "you are banned from this room";
            return Err(ErrorBody::new(ErrorCode::Banned, message));
        }
        if claims.permissions.moderate || self.is_led_by(identity) {
            return self.check_place(limits, true).map(|()| Entry::Seat);
        }
        if self.record.settings.locked {
            let message = "the room is locked";
            return Err(ErrorBody::new(ErrorCode::RoomLocked, message));
        }
        self.check_place(limits, false)?;
        if self.lets_in(claims.permissions.hidden) || self.is_admitted(identity) {
            return Ok(Entry::Seat);
        }
        if self.waiting.people.len() >= limits.waiting_per_room {
            let message = format!("{} people wait already", limits.waiting_per_room);
            return Err(ErrorBody::new(ErrorCode::RoomFull, message));
        }
        Ok(Entry::Wait)
    }

    /// Whether a guest need not be admitted. Whom nobody sees, nobody could admit.
    pub(crate) fn lets_in(&self, is_hidden: bool) -> bool {
        let is_live = self.sessions.live().is_some() || self.record.owner.is_none();
        is_live && (!self.record.settings.lobby || is_hidden)
    }

    /// Refuses when the room is full. Its own limit is for guests.
    pub(crate) fn check_place(&self, limits: &Limits, is_moderator: bool) -> Result<(), ErrorBody> {
        let own = self
            .record
            .settings
            .max_participants
            .filter(|_| !is_moderator);
        let own = own.and_then(|own| usize::try_from(own).ok());
        let limit = limits.participants_per_room.min(own.unwrap_or(usize::MAX));
        if self.participants.len() < limit {
            return Ok(());
        }
        let message = format!("the room has its {limit} participants");
        Err(ErrorBody::new(ErrorCode::RoomFull, message))
    }
}
