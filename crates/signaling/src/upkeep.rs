//! What follows from a turn in a room, whatever was asked: who may be let in is, who does not know yet is
//! told, and what has no reason to be any more is closed. And what is due by the clock.

use std::time::Duration;

use protocol::record::Write;
use protocol::{Change, EndReason, Timestamp};

use crate::Effect;
use crate::room::{Audience, Room};
use crate::session::session_info;
use crate::turn::{Turn, session_ended};

impl Room {
    /// Ends a turn. Whether the room is over with it: nothing of it is left.
    #[must_use]
    pub(crate) fn finish(&mut self, turn: &mut Turn<'_>) -> bool {
        if self.participants.is_empty() && self.record.owner.is_none() {
            self.end_session(turn, EndReason::Empty);
        }
        self.let_in(turn);
        self.note_host(turn.now);
        self.tell_room(turn, Audience::Everyone);
        self.tell_waiting_list(turn);
        self.tell_speakers(turn);
        let is_over = self.close_behind_the_last(turn);
        self.set_due(turn, is_over);
        is_over
    }

    fn close_behind_the_last(&mut self, turn: &mut Turn<'_>) -> bool {
        if !self.participants.is_empty() {
            return false;
        }
        self.log.forget();
        self.gathered = Default::default();
        let is_over = self.waiting.is_empty() && !self.record.is_kept;
        if is_over {
            let (room, at) = (self.record.id, turn.now);
            self.record.closed_at = Some(at);
            turn.write(Write::RoomClosed { room, at });
        }
        if self.waiting.is_empty() {
            self.told = None;
        }
        if self.sessions.running().is_none() {
            self.people.clear();
            self.recent.forget();
        }
        if self.is_open {
            self.is_open = false;
            turn.index.open_rooms -= 1;
            let room = self.record.id;
            turn.effects.push(Effect::RoomClosed { room });
        }
        is_over
    }

    /// Does what is due.
    pub(crate) fn handle_due(&mut self, turn: &mut Turn<'_>) {
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= turn.now);
        if is_due(self.gathered.until()) {
            self.tell_presence(turn, Audience::Everyone);
        }
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= turn.now);
        if is_due(self.host_missed_at(turn.limits.host_grace)) {
            self.end_session(turn, EndReason::HostAbsent);
            let goodbye = session_ended("The session ended: its host was away for too long.");
            self.put_everybody_out(turn, &goodbye);
        }
        while self.sessions.missed_at().is_some_and(|at| at <= turn.now) {
            let missed = self.sessions.scheduled().first().map(|of| of.id);
            if let Some(id) = missed {
                self.give_up(turn, id, EndReason::Cancelled);
            }
        }
    }

    /// When a running session ends for want of its host.
    pub(crate) fn host_missed_at(&self, grace: Duration) -> Option<Timestamp> {
        self.host_absent_since.map(|since| since + grace)
    }

    /// When something is due next.
    pub(crate) fn next_due(&self, grace: Duration) -> Option<Timestamp> {
        let is_unused = self.participants.is_empty() && self.waiting.is_empty();
        // As it may be at the start: closed, or ended, before anything else.
        let is_left_over = self.sessions.has_lost() || (is_unused && !self.record.is_kept);
        [
            is_left_over.then_some(Timestamp(0)),
            self.gathered.until(),
            self.speaking.due(),
            self.host_missed_at(grace),
            self.sessions.missed_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn set_due(&mut self, turn: &mut Turn<'_>, is_over: bool) {
        let due = self.next_due(turn.limits.host_grace).filter(|_| !is_over);
        if due == self.due {
            return;
        }
        if let Some(before) = self.due {
            turn.index.due.remove(&(before, turn.room));
        }
        if let Some(due) = due {
            turn.index.due.insert((due, turn.room));
        }
        self.due = due;
    }

    /// Tells those inside and those who wait how the room is, if that is other than they know.
    pub(crate) fn tell_room(&mut self, turn: &mut Turn<'_>, audience: Audience) {
        if self.told.as_deref().is_none_or(|told| self.is_as(told)) {
            return;
        }
        let room = self.info();
        self.told = Some(Box::new(room.clone()));
        if !self.participants.is_empty() {
            self.record(turn, Change::RoomUpdated { room }, audience);
        }
        self.tell_those_waiting(turn);
    }

    /// Somebody is told the room for the first time.
    pub(crate) fn know_room(&mut self) {
        if self.told.is_none() {
            self.told = Some(Box::new(self.info()));
        }
    }

    /// Whether the room is as in these words: asked in every turn, so that no text is copied for it.
    pub(crate) fn is_as(&self, told: &protocol::RoomInfo) -> bool {
        let session = self.sessions.current();
        let is_same_session = match (session, &told.session) {
            (None, None) => true,
            (Some(now), Some(told)) => {
                now.id == told.id && now.state == told.state && session_info(now) == *told
            }
            _ => false,
        };
        is_same_session
            && self.state() == told.state
            && self.record.settings == told.settings
            && self.host() == told.host.as_ref().map(|host| &host.identity)
            && self.host_info() == told.host
    }
}
