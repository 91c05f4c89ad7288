//! A session's life: planned, opened, live, ended. Each step can be asked for again and again and is done
//! once. Who may ask is decided by whoever calls.

use protocol::record::{SessionRecord, Write};
use protocol::{EndReason, ErrorBody, ErrorCode, SessionId, SessionInfo, SessionState, Timestamp};

use crate::Start;
use crate::limits::{SCHEDULE_HORIZON, SCHEDULE_WINDOW};
use crate::room::Room;
use crate::turn::Turn;

/// A session to be planned.
pub(crate) struct Plan {
    pub(crate) start: Start,
    pub(crate) title: String,
    pub(crate) scheduled_for: Timestamp,
}

impl Room {
    /// Opens the lobby, or goes live. The session as it is then: the one that the key made, or else the
    /// one that runs, or else the one that is scheduled for now, or else a new one.
    pub(crate) fn start(
        &mut self,
        turn: &mut Turn<'_>,
        start: Start,
        state: SessionState,
    ) -> Result<SessionRecord, ErrorBody> {
        turn.limits.check_key(&start.key)?;
        let known = self.sessions.by_key(&start.key);
        if let Some(over) = known.filter(|of| of.ended_at.is_some()) {
            return Ok(over.clone());
        }
        let planned = known
            .filter(|of| of.state == SessionState::Scheduled)
            .map(|of| of.id);
        if planned.is_some() && self.sessions.running().is_some() {
            let message =
                "another session of the room runs; the one that this key planned cannot begin";
            return Err(ErrorBody::new(ErrorCode::SessionState, message));
        }
        if let Some(running) = self.sessions.running() {
            *turn.conflicts += u64::from(known.is_none_or(|of| of.id != running.id));
            let id = running.id;
            let is_to_go_live = running.state == SessionState::Lobby && state == SessionState::Live;
            self.sessions.join(start.key, id);
            if is_to_go_live {
                self.set_state(turn, state);
            }
        } else if self.record.owner.is_none() {
            let message = "a session of this room begins by itself, with the first who comes in";
            return Err(ErrorBody::new(ErrorCode::SessionState, message));
        } else if let Some(id) = planned.or_else(|| self.sessions.due(turn.now)) {
            self.sessions.join(start.key, id);
            self.begin_planned(turn, id, state);
        } else {
            let session = self.new_session(turn.now, start, state);
            self.begin_new(turn, session);
        }
        let running = self.sessions.running().cloned();
        running.ok_or_else(|| ErrorBody::new(ErrorCode::Internal, "the session did not begin"))
    }

    /// The session of a room that is nobody's begins with the first who is in.
    pub(crate) fn begin_by_itself(&mut self, turn: &mut Turn<'_>, fresh_session: SessionId) {
        if self.record.owner.is_some() || self.sessions.running().is_some() {
            return;
        }
        let start = Start {
            key: String::new(),
            fresh_session,
        };
        let session = SessionRecord {
            key: None,
            ..self.new_session(turn.now, start, SessionState::Live)
        };
        self.begin_new(turn, session);
    }

    fn new_session(&self, now: Timestamp, start: Start, state: SessionState) -> SessionRecord {
        SessionRecord {
            id: start.fresh_session,
            room: self.record.id,
            state,
            host: self.record.owner.clone(),
            title: String::new(),
            key: Some(start.key),
            scheduled_for: None,
            created_at: now,
            live_at: (state == SessionState::Live).then_some(now),
            ended_at: None,
            end_reason: None,
        }
    }

    fn begin_new(&mut self, turn: &mut Turn<'_>, session: SessionRecord) {
        turn.write(Write::SessionCreated(session.clone()));
        let is_live = session.state == SessionState::Live;
        self.sessions.run(session);
        turn.index.running += 1;
        if is_live {
            self.open_books(turn);
        }
    }

    fn begin_planned(&mut self, turn: &mut Turn<'_>, id: SessionId, state: SessionState) {
        let Some(planned) = self.sessions.by_id(id) else {
            return;
        };
        let session = SessionRecord {
            state: SessionState::Lobby,
            ..planned.clone()
        };
        self.sessions.run(session);
        turn.index.running += 1;
        self.set_state(turn, state);
    }

    fn set_state(&mut self, turn: &mut Turn<'_>, state: SessionState) {
        let Some(session) = self.sessions.running_mut() else {
            return;
        };
        session.state = state;
        if state == SessionState::Live {
            session.live_at = Some(turn.now);
        }
        let session = session.clone();
        turn.write(Write::SessionChanged(session));
        if state == SessionState::Live {
            self.open_books(turn);
        }
    }

    /// Ends a session that was asked for, and says whether that was done now; of one that is over, how it
    /// ended.
    pub(crate) fn end(
        &mut self,
        turn: &mut Turn<'_>,
        session: Option<SessionId>,
    ) -> Result<(SessionRecord, bool), ErrorBody> {
        let meant = match session {
            Some(id) => self.sessions.by_id(id),
            None => self.sessions.running().or(self.sessions.last()),
        };
        let meant = meant.ok_or_else(|| session_not_found(session))?;
        if meant.state == SessionState::Scheduled {
            let message = "the session has not begun; it can be cancelled";
            return Err(ErrorBody::new(ErrorCode::SessionState, message));
        }
        let over = meant.clone();
        match self.is_running(over.id) {
            true => Ok((
                self.end_session(turn, EndReason::Ended).unwrap_or(over),
                true,
            )),
            false => Ok((over, false)),
        }
    }

    fn is_running(&self, session: SessionId) -> bool {
        self.sessions.running().is_some_and(|of| of.id == session)
    }

    /// Ends what runs, with its attendance. Those inside stay: whoever calls puts them out.
    pub(crate) fn end_session(
        &mut self,
        turn: &mut Turn<'_>,
        reason: EndReason,
    ) -> Option<SessionRecord> {
        self.sessions.running()?;
        self.close_books(turn);
        let session = self.sessions.end(turn.now, reason)?;
        turn.write(Write::SessionChanged(session.clone()));
        turn.index.running -= 1;
        self.people.clear();
        Some(session)
    }

    /// Plans a session. The same key never plans a second one.
    pub(crate) fn schedule(
        &mut self,
        turn: &mut Turn<'_>,
        plan: Plan,
    ) -> Result<SessionRecord, ErrorBody> {
        turn.limits.check_key(&plan.start.key)?;
        turn.limits.check_title(&plan.title)?;
        if let Some(known) = self.sessions.by_key(&plan.start.key) {
            return Ok(known.clone());
        }
        if self.record.owner.is_none() {
            let message = "a session of this room begins by itself, with the first who comes in";
            return Err(ErrorBody::new(ErrorCode::SessionState, message));
        }
        let is_past = plan.scheduled_for + SCHEDULE_WINDOW <= turn.now;
        if is_past || plan.scheduled_for > turn.now + SCHEDULE_HORIZON {
            let message = "scheduled_for is past, or more than five years ahead";
            return Err(ErrorBody::new(ErrorCode::InvalidRequest, message));
        }
        let limit = turn.limits.scheduled_per_room;
        if self.sessions.scheduled().len() >= limit {
            let message = format!("the room has its {limit} scheduled sessions");
            return Err(ErrorBody::new(ErrorCode::ServerFull, message));
        }
        let session = SessionRecord {
            title: plan.title,
            scheduled_for: Some(plan.scheduled_for),
            ..self.new_session(turn.now, plan.start, SessionState::Scheduled)
        };
        turn.write(Write::SessionCreated(session.clone()));
        self.sessions.schedule(session.clone());
        Ok(session)
    }

    /// Gives up a planned session; of one given up before, how it is.
    pub(crate) fn cancel(
        &mut self,
        turn: &mut Turn<'_>,
        id: SessionId,
    ) -> Result<SessionRecord, ErrorBody> {
        let session = self.sessions.by_id(id);
        let session = session.ok_or_else(|| session_not_found(Some(id)))?;
        match session.state {
            SessionState::Cancelled => Ok(session.clone()),
            SessionState::Scheduled => {
                let session = session.clone();
                Ok(self
                    .give_up(turn, id, EndReason::Cancelled)
                    .unwrap_or(session))
            }
            SessionState::Lobby | SessionState::Live | SessionState::Ended => {
                let message = "the session has begun; it can be ended";
                Err(ErrorBody::new(ErrorCode::SessionState, message))
            }
        }
    }

    /// A planned session will not be.
    pub(crate) fn give_up(
        &mut self,
        turn: &mut Turn<'_>,
        id: SessionId,
        reason: EndReason,
    ) -> Option<SessionRecord> {
        let session = self.sessions.cancel(id, turn.now, reason)?;
        turn.write(Write::SessionChanged(session.clone()));
        Some(session)
    }

    /// Ends what was found running at the start.
    pub(crate) fn end_lost(&mut self, turn: &mut Turn<'_>) {
        while let Some(session) = self.sessions.end_lost(turn.now) {
            turn.write(Write::SessionChanged(session));
        }
    }
}

/// A session as participants see it.
pub(crate) fn session_info(session: &SessionRecord) -> SessionInfo {
    SessionInfo {
        id: session.id,
        state: session.state,
        title: session.title.clone(),
        scheduled_for: session.scheduled_for,
        live_at: session.live_at,
        ended_at: session.ended_at,
        end_reason: session.end_reason,
    }
}

fn session_not_found(session: Option<SessionId>) -> ErrorBody {
    let message = match session {
        Some(id) => format!("this room has no session {id}, or no longer remembers it"),
        None => "this room has had no session".into(),
    };
    ErrorBody::new(ErrorCode::SessionNotFound, message)
}
