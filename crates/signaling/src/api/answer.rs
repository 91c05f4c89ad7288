//! Answers what is asked over HTTP: finds the room, asks whether the caller may, and does it. Making rooms
//! is in `make_room`; all else is what moderators do in the room as well.

use protocol::record::SessionRecord;
use protocol::{EndReason, ErrorBody, ErrorCode, RoomId, SessionState, Timestamp};

use super::{ApiCommand, ApiReply, ApiRequest, ApiResult, Caller, RoomDetails, RoomRef};
use crate::Effect;
use crate::room::Room;
use crate::rooms::Rooms;
use crate::session::Plan;
use crate::turn::{Turn, session_ended};

impl Rooms {
    /// Exactly one reply, behind whatever follows from the request.
    pub(crate) fn api(&mut self, now: Timestamp, command: ApiCommand, effects: &mut Vec<Effect>) {
        let ApiCommand {
            asker,
            caller,
            request,
        } = command;
        let result = if self.is_stopping {
            let message = "the server is being stopped";
            Err(ErrorBody::new(ErrorCode::Unavailable, message))
        } else {
            self.answer(now, &caller, request, effects)
        };
        effects.push(Effect::Reply { asker, result });
    }

    fn answer(
        &mut self,
        now: Timestamp,
        caller: &Caller,
        request: ApiRequest,
        effects: &mut Vec<Effect>,
    ) -> ApiResult {
        // It is written down with what they do.
        self.limits.check_caller(caller)?;
        match request {
            ApiRequest::CreateRoom {
                name,
                owner,
                settings,
                fresh_room,
            } => {
                if !caller.may_create {
                    return Err(not_permitted(
                        "only a token that grants roomCreate may do that",
                    ));
                }
                let wanted = self.wanted(name, owner, settings, fresh_room, now);
                self.create_room(now, wanted, effects)
            }
            ApiRequest::MyRoom { fresh_room } => {
                self.my_room(now, &caller.identity, fresh_room, effects)
            }
            request => {
                let id = request.room().and_then(|room| self.find(room));
                let id = id.ok_or_else(room_not_found)?;
                let act = |room: &mut Room, turn: &mut Turn<'_>| room.answer(turn, caller, request);
                let result = self.in_room(now, id, effects, act);
                result.unwrap_or_else(|| Err(room_not_found()))
            }
        }
    }

    /// The room that is meant, if it is there.
    pub(crate) fn find(&self, room: &RoomRef) -> Option<RoomId> {
        match room {
            RoomRef::Id(id) => self.rooms.contains_key(id).then_some(*id),
            RoomRef::Name(name) => self.names.get(name).copied(),
        }
    }
}

impl Room {
    fn answer(&mut self, turn: &mut Turn<'_>, caller: &Caller, request: ApiRequest) -> ApiResult {
        self.check_caller(caller, &request)?;
        match request {
            ApiRequest::CreateRoom { .. } | ApiRequest::MyRoom { .. } => Err(room_not_found()),
            ApiRequest::GetRoom(_) | ApiRequest::ReadHistory(_) => Ok(self.details()),
            ApiRequest::UpdateRoom { settings, .. } => {
                turn.limits.check_settings(&settings)?;
                self.set_settings(turn, settings);
                Ok(self.details())
            }
            ApiRequest::DeleteRoom(_) => {
                self.delete(turn);
                Ok(ApiReply::Done)
            }
            ApiRequest::OpenLobby(_, start) => {
                let session = self.start(turn, start, SessionState::Lobby);
                session.map(ApiReply::Session)
            }
            ApiRequest::GoLive(_, start) => {
                let session = self.start(turn, start, SessionState::Live);
                session.map(ApiReply::Session)
            }
            ApiRequest::EndSession { session, .. } => {
                let (session, is_new): (SessionRecord, bool) = self.end(turn, session)?;
                if is_new {
                    self.put_everybody_out(turn, &session_ended("The session was ended."));
                }
                Ok(ApiReply::Session(session))
            }
            ApiRequest::ScheduleSession {
                start,
                title,
                scheduled_for,
                ..
            } => {
                let plan = Plan {
                    start,
                    title,
                    scheduled_for,
                };
                self.schedule(turn, plan).map(ApiReply::Session)
            }
            ApiRequest::CancelSession { session, .. } => {
                self.cancel(turn, session).map(ApiReply::Session)
            }
            ApiRequest::Participants(_) => {
                let visible = self.visible_to(None);
                let views = visible.map(|(_, participant)| self.view(participant));
                Ok(ApiReply::Participants(views.collect()))
            }
            ApiRequest::UpdateParticipant {
                participant,
                name,
                permissions,
                ..
            } => {
                let seat = self.seat_of(participant)?;
                self.change_participant(turn, seat, name, permissions)?;
                let view = self.view(self.participant(seat));
                Ok(ApiReply::Participant(Box::new(view)))
            }
            ApiRequest::Forwarding { participant, .. } => {
                let peer = self.participant(self.seat_of(participant)?).peer();
                Ok(ApiReply::Receiver(peer.map(|peer| peer.id)))
            }
            ApiRequest::MuteTrack { track, .. } => {
                self.mute_from_outside(turn, track, &caller.identity)?;
                Ok(ApiReply::Done)
            }
            ApiRequest::RemoveParticipant { participant, .. } => {
                self.put_out(turn, participant, None)?;
                Ok(ApiReply::Done)
            }
            ApiRequest::Ban { identity, .. } => {
                self.ban_and_put_out(turn, &identity, &caller.identity)?;
                Ok(ApiReply::Done)
            }
            ApiRequest::Unban { identity, .. } => {
                self.unban(turn, identity);
                Ok(ApiReply::Done)
            }
        }
    }

    /// Refuses a caller who may not ask for this.
    fn check_caller(&self, caller: &Caller, request: &ApiRequest) -> Result<(), ErrorBody> {
        let is_owner = self.record.owner.as_ref() == Some(&caller.identity);
        let moderates =
            caller.may_create || self.is_led_by(&caller.identity) || self.is_run_by(caller);
        let (is_permitted, needed) = match request {
            ApiRequest::GetRoom(_) | ApiRequest::Participants(_) => (
                moderates || caller.may_list,
                "only the host, the owner, and tokens that grant roomAdmin, roomList or roomCreate may see that",
            ),
            ApiRequest::DeleteRoom(_) => (
                is_owner || caller.may_create,
                "only the owner, and a token that grants roomCreate, may delete the room",
            ),
            _ => (
                moderates,
                "only the host, the owner, and tokens that grant roomAdmin for this room or roomCreate may do that",
            ),
        };
        match is_permitted {
            true => Ok(()),
            false => Err(not_permitted(needed)),
        }
    }

    /// Their token grants `roomAdmin` here, and nobody took that from them since: neither permissions that
    /// were changed nor a ban wait for the token's end.
    fn is_run_by(&self, caller: &Caller) -> bool {
        let changed = self
            .people
            .get(&caller.identity)
            .and_then(|of| of.permissions);
        caller.admin_of.as_ref() == Some(&self.record.name)
            && changed.is_none_or(|permissions| permissions.moderate)
            && !self.bans.contains(&caller.identity)
    }

    /// Ends everything, and sends everybody away. The room is over with this turn.
    fn delete(&mut self, turn: &mut Turn<'_>) {
        let goodbye = session_ended("The room was deleted.");
        self.end_session(turn, EndReason::RoomDeleted);
        let scheduled = self.sessions.scheduled().iter().map(|of| of.id);
        for id in scheduled.collect::<Vec<_>>() {
            self.give_up(turn, id, EndReason::RoomDeleted);
        }
        self.put_everybody_out(turn, &goodbye);
        for seat in self.waiting.people.keys().copied().collect::<Vec<_>>() {
            self.send_away(turn, seat, goodbye.clone());
        }
        self.record.is_kept = false;
    }

    pub(crate) fn details(&self) -> ApiReply {
        ApiReply::Room(Box::new(RoomDetails {
            record: self.record.clone(),
            info: self.info(),
            participants: self.visible_to(None).count(),
        }))
    }
}

fn not_permitted(message: &str) -> ErrorBody {
    ErrorBody::new(ErrorCode::NotPermitted, message)
}

fn room_not_found() -> ErrorBody {
    ErrorBody::new(ErrorCode::RoomNotFound, "there is no such room")
}
