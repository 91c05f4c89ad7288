//! Who leads a room: known from its record and its session, never from a token or a page. Whether the host
//! is there, and for how long not.

use protocol::record::Write;
use protocol::{ErrorBody, ErrorCode, HostInfo, Identity, ParticipantId, Timestamp};

use crate::index::Seat;
use crate::participant::Participant;
use crate::room::{Audience, Room};
use crate::turn::Turn;

impl Room {
    /// Who leads the session that runs, or would lead the next. A room that is nobody's has none.
    pub(crate) fn host(&self) -> Option<&Identity> {
        match self.sessions.running() {
            Some(session) => session.host.as_ref(),
            None => self.record.owner.as_ref(),
        }
    }

    pub(crate) fn host_info(&self) -> Option<HostInfo> {
        let identity = self.host()?.clone();
        let present = self.is_host_present();
        Some(HostInfo { identity, present })
    }

    fn is_host_present(&self) -> bool {
        let seat = self.host().and_then(|host| self.seats.get(host));
        let host = seat.and_then(|seat| self.participants.get(seat));
        host.is_some_and(|host| !host.is_away())
    }

    /// The host, and the owner also after handing over.
    pub(crate) fn is_led_by(&self, identity: &Identity) -> bool {
        self.host() == Some(identity) || self.record.owner.as_ref() == Some(identity)
    }

    /// May let in, mute and remove others, and begin and end sessions.
    pub(crate) fn is_moderator(&self, participant: &Participant) -> bool {
        participant.permissions.moderate || self.is_led_by(&participant.identity)
    }

    /// Refuses whoever may not moderate.
    pub(crate) fn check_moderator(&self, seat: Seat) -> Result<(), ErrorBody> {
        if self.is_moderator(self.participant(seat)) {
            return Ok(());
        }
        let message = "only the host, the owner and moderators may do that";
        Err(ErrorBody::new(ErrorCode::NotPermitted, message))
    }

    /// Refuses to put out who leads the room.
    pub(crate) fn check_not_leading(&self, identity: &Identity) -> Result<(), ErrorBody> {
        if !self.is_led_by(identity) {
            return Ok(());
        }
        let message = "the host and the owner cannot be put out of the room";
        Err(ErrorBody::new(ErrorCode::NotPermitted, message))
    }

    /// Makes somebody else the host of the session that runs.
    pub(crate) fn hand_over(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Seat,
        to: ParticipantId,
    ) -> Result<(), ErrorBody> {
        if !self.is_led_by(&self.participant(asker).identity) {
            let message = "only the host and the owner may hand the session over";
            return Err(ErrorBody::new(ErrorCode::NotPermitted, message));
        }
        let heir = self.seat_of(to)?;
        if self.participant(heir).permissions.hidden {
            let message = "somebody hidden cannot lead a session";
            return Err(ErrorBody::new(ErrorCode::NotPermitted, message));
        }
        let identity = self.participant(heir).identity.clone();
        let before: Vec<(Seat, protocol::Participant)> = [self.host(), Some(&identity)]
            .into_iter()
            .flatten()
            .filter_map(|identity| self.seats.get(identity))
            .filter_map(|seat| Some((*seat, self.view(self.participants.get(seat)?))))
            .collect();
        let Some(session) = self.sessions.running_mut() else {
            let message = "no session runs that could be handed over";
            return Err(ErrorBody::new(ErrorCode::SessionState, message));
        };
        if session.host.as_ref() == Some(&identity) {
            return Ok(());
        }
        session.host = Some(identity);
        let session = session.clone();
        turn.write(Write::SessionChanged(session));
        for (seat, before) in before {
            self.tell_update(turn, seat, &before, Audience::Everyone);
        }
        self.tell_room(turn, Audience::Everyone);
        Ok(())
    }

    /// Notes since when a running session has been without its host.
    pub(crate) fn note_host(&mut self, now: Timestamp) {
        let has_host = self.sessions.running().is_some() && self.host().is_some();
        if !has_host || self.is_host_present() {
            self.host_absent_since = None;
        } else {
            self.host_absent_since.get_or_insert(now);
        }
    }
}
