//! Who waits outside a room, in their order: until the session is live, or until a moderator lets them in.
//! They see the room's state, and nothing of those inside.

use std::collections::BTreeMap;

use protocol::{
    ConnectionId, ErrorBody, ErrorCode, ParticipantId, ServerMessage, SessionId, Timestamp,
    WaitingParticipant,
};

use crate::index::Seat;
use crate::limits::{PEOPLE_REMEMBERED, WAITING_TOLD};
use crate::participant::{Participant, Presence};
use crate::room::Room;
use crate::turn::{Turn, denied, left, taken_over};
use crate::{Join, Limits};

/// Who waits, in their order.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) people: BTreeMap<Seat, Waiter>,
    /// Grows with each change of what moderators are told.
    pub(crate) version: u64,
    /// The version that all moderators who were there then were told.
    told: u64,
}

/// Somebody who waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// Whom they will be inside.
    pub(crate) participant: Participant,
    pub(crate) since: Timestamp,
    /// For the session that begins by itself if they are the first inside.
    pub(crate) fresh_session: SessionId,
}

impl Line {
    pub(crate) fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Of those who are not away, in their order.
    pub(crate) fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        let people = self.people.values();
        people.filter_map(|waiter| waiter.participant.connection())
    }

    fn insert(&mut self, seat: Seat, waiter: Waiter) {
        self.people.insert(seat, waiter);
        self.version += u64::from(self.people.len() <= WAITING_TOLD);
    }

    /// As moderators are told.
    pub(crate) fn view(&self) -> Vec<WaitingParticipant> {
        let shown = self
            .people
            .values()
            .filter(|waiter| !waiter.participant.permissions.hidden);
        let told = shown.map(
            |Waiter {
                 participant, since, ..
             }| WaitingParticipant {
                id: participant.id,
                identity: participant.identity.clone(),
                name: participant.name.clone(),
                role: participant.role.clone(),
                since: *since,
            },
        );
        told.take(WAITING_TOLD).collect()
    }
}

impl Room {
    /// Somebody new has to wait.
    pub(crate) fn wait(&mut self, turn: &mut Turn<'_>, join: Join) {
        let seat = self.next_seat();
        let (connection, fresh_session) = (join.connection, join.fresh.session);
        let participant = Participant::new(turn.now, join);
        turn.index.connections.insert(connection, turn.place(seat));
        turn.index.waiting += 1;
        self.seats.insert(participant.identity.clone(), seat);
        let waiter = Waiter {
            participant,
            since: turn.now,
            fresh_session,
        };
        self.waiting.insert(seat, waiter);
        self.know_room();
        self.send_waiting(turn, seat);
    }

    /// Somebody who waits joins again: in their old place, as the new token says.
    pub(crate) fn wait_again(&mut self, turn: &mut Turn<'_>, seat: Seat, join: Join) {
        let Some(waiter) = self.waiting.people.get_mut(&seat) else {
            return;
        };
        let participant = &mut waiter.participant;
        match participant.presence {
            Presence::Present { connection } => turn.say_goodbye(connection, taken_over()),
            Presence::Away { until, .. } => {
                turn.index.away.remove(&(until, turn.place(seat)));
            }
        }
        turn.index
            .connections
            .insert(join.connection, turn.place(seat));
        waiter.fresh_session = join.fresh.session;
        participant.come_back(join);
        self.waiting.version += 1;
        if self.may_be_let_in(turn.limits, seat) {
            self.let_in_one(turn, seat);
        } else {
            self.send_waiting(turn, seat);
        }
    }

    /// A connection of somebody who waits is lost: they keep their place for a while.
    pub(crate) fn lose_waiting(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        connection: ConnectionId,
    ) {
        let (since, until) = (turn.now, turn.now + turn.limits.away_time);
        turn.index.connections.remove(&connection);
        turn.index.away.insert((until, turn.place(seat)));
        if let Some(waiter) = self.waiting.people.get_mut(&seat) {
            waiter.participant.presence = Presence::Away { since, until };
        }
    }

    /// Somebody waits no longer; as they were.
    pub(crate) fn leave_line(&mut self, turn: &mut Turn<'_>, seat: Seat) -> Option<Waiter> {
        let waiter = self.waiting.people.remove(&seat)?;
        self.waiting.version += 1;
        self.seats.remove(&waiter.participant.identity);
        turn.index.waiting -= 1;
        match waiter.participant.presence {
            Presence::Present { connection } => drop(turn.index.connections.remove(&connection)),
            Presence::Away { until, .. } => {
                turn.index.away.remove(&(until, turn.place(seat)));
            }
        }
        Some(waiter)
    }

    /// Somebody who waits goes, and says so.
    pub(crate) fn stop_waiting(&mut self, turn: &mut Turn<'_>, seat: Seat) {
        self.send_away(turn, seat, left());
    }

    /// Somebody who waits is sent away.
    pub(crate) fn send_away(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        goodbye: protocol::Goodbye,
    ) {
        let waiter = self.leave_line(turn, seat);
        if let Some(connection) = waiter.and_then(|waiter| waiter.participant.connection()) {
            turn.say_goodbye(connection, goodbye);
        }
    }

    /// A moderator lets people in. Who no longer waits is passed over.
    pub(crate) fn admit(&mut self, participants: &[ParticipantId]) -> Result<(), ErrorBody> {
        if self.record.owner.is_some() && self.sessions.live().is_none() {
            let message = "nobody can be let in before the session is live";
            return Err(ErrorBody::new(ErrorCode::SessionState, message));
        }
        for waiter in self.waiting.people.values() {
            let is_known = self.people.len() < PEOPLE_REMEMBERED
                || self.people.contains_key(&waiter.participant.identity);
            if is_known && participants.contains(&waiter.participant.id) {
                let known = self.people.entry(waiter.participant.identity.clone());
                known.or_default().is_admitted = true;
            }
        }
        Ok(())
    }

    /// A moderator sends people away. Who no longer waits is passed over.
    pub(crate) fn deny(&mut self, turn: &mut Turn<'_>, participants: &[ParticipantId]) {
        let people = self.waiting.people.iter();
        let denied_seats: Vec<Seat> = people
            .filter(|(_, waiter)| participants.contains(&waiter.participant.id))
            .map(|(seat, _)| *seat)
            .collect();
        for seat in denied_seats {
            self.send_away(turn, seat, denied());
        }
    }

    /// Whoever waits and may be in, is: in the order of waiting, while there is a place.
    pub(crate) fn let_in(&mut self, turn: &mut Turn<'_>) {
        if self.waiting.is_empty() {
            return;
        }
        let seats: Vec<Seat> = self.waiting.people.keys().copied().collect();
        for seat in seats {
            if self.may_be_let_in(turn.limits, seat) {
                self.let_in_one(turn, seat);
            }
        }
    }

    /// Whether somebody who waits need not wait.
    pub(crate) fn may_be_let_in(&self, limits: &Limits, seat: Seat) -> bool {
        let Some(Waiter { participant, .. }) = self.waiting.people.get(&seat) else {
            return false;
        };
        !participant.is_away()
            && (self.is_moderator(participant) || self.is_expected(participant))
            && self
                .check_place(limits, self.is_moderator(participant))
                .is_ok()
    }

    /// Nothing but a place is needed.
    fn is_expected(&self, participant: &Participant) -> bool {
        let is_open = !self.record.settings.locked && self.lets_in(participant.permissions.hidden);
        is_open || self.is_admitted(&participant.identity)
    }

    fn let_in_one(&mut self, turn: &mut Turn<'_>, seat: Seat) {
        let Some(mut waiter) = self.leave_line(turn, seat) else {
            return;
        };
        waiter.participant.joined_at = turn.now;
        self.enter(turn, waiter.participant, waiter.fresh_session);
    }

    /// Tells somebody who waits what they wait for.
    pub(crate) fn send_waiting(&self, turn: &mut Turn<'_>, seat: Seat) {
        let Some(Waiter { participant, .. }) = self.waiting.people.get(&seat) else {
            return;
        };
        let waiting = protocol::Waiting {
            room: self.info(),
            participant_id: participant.id,
            resume_token: participant.resume_token.clone(),
            ping_interval_ms: crate::turn::milliseconds(turn.limits.ping_interval),
            ping_timeout_ms: crate::turn::milliseconds(turn.limits.ping_timeout),
        };
        let to = participant.connection().into_iter().collect();
        turn.send(to, ServerMessage::Waiting(Box::new(waiting)));
    }

    /// Tells all who wait how the room is now.
    pub(crate) fn tell_those_waiting(&self, turn: &mut Turn<'_>) {
        for seat in self.waiting.people.keys() {
            self.send_waiting(turn, *seat);
        }
    }

    /// Tells moderators who waits, if they do not know.
    pub(crate) fn tell_waiting_list(&mut self, turn: &mut Turn<'_>) {
        let version = self.waiting.version;
        let is_empty = self.waiting.is_empty();
        if is_empty && self.waiting.told == version {
            return;
        }
        self.waiting.told = version;
        let uninformed: Vec<Seat> = self
            .participants
            .iter()
            .filter(|(_, participant)| participant.waiting_told != version)
            // Who was never told of anybody needs no word that there is nobody.
            .filter(|(_, participant)| !is_empty || participant.waiting_told != 0)
            .filter(|(_, participant)| !participant.is_away() && self.is_moderator(participant))
            .map(|(seat, _)| *seat)
            .collect();
        if uninformed.is_empty() {
            return;
        }
        let participants = self.waiting.view();
        let to = uninformed
            .iter()
            .filter_map(|seat| self.participant(*seat).connection())
            .collect();
        for seat in uninformed {
            self.participant_mut(seat).waiting_told = version;
        }
        turn.send(to, ServerMessage::WaitingList { participants });
    }
}
