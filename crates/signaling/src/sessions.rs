//! The sessions of one room: the one that runs, those that are planned, and the last that are over, with
//! the keys that made them. Bookkeeping alone: it tells nobody, and writes nothing down.

use std::collections::VecDeque;

use protocol::record::SessionRecord;
use protocol::{EndReason, SessionId, SessionState, Timestamp};

use crate::limits::{KEYS_REMEMBERED, SCHEDULE_WINDOW, SESSIONS_REMEMBERED};

/// The sessions of one room.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// In the lobby or live.
    running: Option<SessionRecord>,
    /// The one that begins first, first.
    scheduled: Vec<SessionRecord>,
    /// Ended and cancelled, the last one last.
    over: VecDeque<SessionRecord>,
    /// Keys whose session another key had made.
    joined_keys: VecDeque<(String, SessionId)>,
    /// Found running at the start, which a recovered store has none of: ended before anything else.
    lost: Vec<SessionRecord>,
}

impl Sessions {
    pub(crate) fn running(&self) -> Option<&SessionRecord> {
        self.running.as_ref()
    }

    pub(crate) fn running_mut(&mut self) -> Option<&mut SessionRecord> {
        self.running.as_mut()
    }

    /// The running session, if it is live.
    pub(crate) fn live(&self) -> Option<&SessionRecord> {
        self.running().filter(|of| of.state == SessionState::Live)
    }

    pub(crate) fn scheduled(&self) -> &[SessionRecord] {
        &self.scheduled
    }

    /// The running session, or else the one that is scheduled next.
    pub(crate) fn current(&self) -> Option<&SessionRecord> {
        self.running().or(self.scheduled.first())
    }

    /// The one that was over last.
    pub(crate) fn last(&self) -> Option<&SessionRecord> {
        self.over.back()
    }

    pub(crate) fn by_id(&self, id: SessionId) -> Option<&SessionRecord> {
        self.all().find(|of| of.id == id)
    }

    /// The session that this key made, or joined.
    pub(crate) fn by_key(&self, key: &str) -> Option<&SessionRecord> {
        let made = self.all().find(|of| of.key.as_deref() == Some(key));
        made.or_else(|| {
            let (_, id) = self.joined_keys.iter().find(|(known, _)| known == key)?;
            self.by_id(*id)
        })
    }

    /// Everything that is known, in no order that matters.
    pub(crate) fn all(&self) -> impl Iterator<Item = &SessionRecord> {
        self.running
            .iter()
            .chain(&self.scheduled)
            .chain(self.over.iter().rev())
    }

    /// Remembers a key that joined a session.
    pub(crate) fn join(&mut self, key: String, session: SessionId) {
        if self.by_key(&key).is_none() {
            self.joined_keys.push_back((key, session));
        }
        if self.joined_keys.len() > KEYS_REMEMBERED {
            self.joined_keys.pop_front();
        }
    }

    /// The scheduled session that whoever begins now begins: the earliest within its window.
    pub(crate) fn due(&self, now: Timestamp) -> Option<SessionId> {
        let first = self.scheduled.first()?;
        (scheduled_for(first) <= now + SCHEDULE_WINDOW).then_some(first.id)
    }

    /// When the first scheduled session that nobody begins is cancelled.
    pub(crate) fn missed_at(&self) -> Option<Timestamp> {
        let first = self.scheduled.first()?;
        Some(scheduled_for(first) + SCHEDULE_WINDOW)
    }

    /// A session runs from now on.
    pub(crate) fn run(&mut self, session: SessionRecord) {
        debug_assert!(self.running.is_none(), "one session of a room runs");
        debug_assert!(session.state.is_running());
        self.scheduled.retain(|of| of.id != session.id);
        self.running = Some(session);
    }

    /// A session is planned.
    pub(crate) fn schedule(&mut self, session: SessionRecord) {
        let at = scheduled_for(&session);
        let place = self.scheduled.partition_point(|of| scheduled_for(of) <= at);
        self.scheduled.insert(place, session);
    }

    /// The running session is over. As it is now.
    pub(crate) fn end(&mut self, now: Timestamp, reason: EndReason) -> Option<SessionRecord> {
        let session = self.running.take()?;
        Some(self.put_away(session, SessionState::Ended, now, reason))
    }

    /// A planned session will not be. As it is now.
    pub(crate) fn cancel(
        &mut self,
        id: SessionId,
        now: Timestamp,
        reason: EndReason,
    ) -> Option<SessionRecord> {
        let place = self.scheduled.iter().position(|of| of.id == id)?;
        let session = self.scheduled.remove(place);
        Some(self.put_away(session, SessionState::Cancelled, now, reason))
    }

    /// What was written as running, ended. As it is now.
    pub(crate) fn end_lost(&mut self, now: Timestamp) -> Option<SessionRecord> {
        let session = self.lost.pop()?;
        Some(self.put_away(session, SessionState::Ended, now, EndReason::ServerLost))
    }

    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// A session as it was written down, at the start.
    pub(crate) fn restore(&mut self, session: SessionRecord) {
        match session.state {
            SessionState::Scheduled => self.schedule(session),
            SessionState::Lobby | SessionState::Live => self.lost.push(session),
            SessionState::Ended | SessionState::Cancelled => self.remember(session),
        }
    }

    fn put_away(
        &mut self,
        mut session: SessionRecord,
        state: SessionState,
        now: Timestamp,
        reason: EndReason,
    ) -> SessionRecord {
        session.state = state;
        session.ended_at = Some(now);
        session.end_reason = Some(reason);
        // The last, also if the clock was set back since the others ended.
        self.over.push_back(session.clone());
        self.forget_the_oldest();
        session
    }

    /// Among those that are over, in the order in which they were.
    fn remember(&mut self, session: SessionRecord) {
        let place = self
            .over
            .partition_point(|of| of.ended_at <= session.ended_at);
        self.over.insert(place, session);
        self.forget_the_oldest();
    }

    fn forget_the_oldest(&mut self) {
        if self.over.len() > SESSIONS_REMEMBERED
            && let Some(forgotten) = self.over.pop_front()
        {
            self.joined_keys.retain(|(_, id)| *id != forgotten.id);
        }
    }

    pub(crate) fn check_invariants(&self) {
        assert!(
            self.running.iter().all(|of| of.state.is_running()),
            "what runs is in the lobby or live"
        );
        assert!(
            self.scheduled
                .iter()
                .all(|of| of.state == SessionState::Scheduled),
            "what is planned has not begun"
        );
        assert!(
            self.scheduled
                .is_sorted_by_key(|of| (scheduled_for(of), of.created_at)),
            "the next one is first"
        );
        assert!(
            self.over
                .iter()
                .all(|of| !of.state.is_running() && of.ended_at.is_some())
        );
        assert!(self.over.len() <= SESSIONS_REMEMBERED);
        assert!(self.joined_keys.len() <= KEYS_REMEMBERED);
    }
}

/// When it is to begin; what has no time begins at once.
fn scheduled_for(session: &SessionRecord) -> Timestamp {
    session.scheduled_for.unwrap_or(session.created_at)
}
