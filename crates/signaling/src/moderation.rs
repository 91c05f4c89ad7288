//! What moderators do to others: put out, ban, lock, ask to unmute, lower hands, and change what somebody
//! may do. Asked at the action, and done at once. Letting in is with those who wait.

use protocol::record::Write;
use protocol::{
    ErrorBody, ErrorCode, Identity, ParticipantId, RoomSettings, ServerMessage, StateUpdate,
    TrackId,
};

use crate::index::Seat;
use crate::peer::Media;
use crate::room::{Audience, Room};
use crate::turn::{Turn, removed};
use crate::{MediaEffect, Permissions};

/// Somebody who can be put out.
enum Target {
    Inside(Seat),
    Waiting(Seat),
}

impl Room {
    /// Puts somebody out who is in or waits.
    pub(crate) fn put_out(
        &mut self,
        turn: &mut Turn<'_>,
        participant: ParticipantId,
        banned_by: Option<&Identity>,
    ) -> Result<(), ErrorBody> {
        let target = self.target(participant)?;
        let identity = match target {
            Target::Inside(seat) => self.participant(seat).identity.clone(),
            Target::Waiting(seat) => match self.waiting.people.get(&seat) {
                Some(waiter) => waiter.participant.identity.clone(),
                None => return Ok(()),
            },
        };
        self.check_not_leading(&identity)?;
        if let Some(by) = banned_by {
            self.ban(turn, &identity, by)?;
        }
        self.send_off(turn, target, banned_by.is_some());
        Ok(())
    }

    /// Bans somebody by identity, and puts them out if they are in or wait.
    pub(crate) fn ban_and_put_out(
        &mut self,
        turn: &mut Turn<'_>,
        identity: &Identity,
        by: &Identity,
    ) -> Result<(), ErrorBody> {
        self.ban(turn, identity, by)?;
        if let Some(seat) = self.seats.get(identity).copied() {
            let target = match self.participants.contains_key(&seat) {
                true => Target::Inside(seat),
                false => Target::Waiting(seat),
            };
            self.send_off(turn, target, true);
        }
        Ok(())
    }

    fn send_off(&mut self, turn: &mut Turn<'_>, target: Target, is_banned: bool) {
        match target {
            Target::Inside(seat) => {
                if let Some(connection) = self.participant(seat).connection() {
                    turn.say_goodbye(connection, removed(is_banned));
                }
                self.remove(turn, seat);
            }
            Target::Waiting(seat) => self.send_away(turn, seat, removed(is_banned)),
        }
    }

    fn target(&self, id: ParticipantId) -> Result<Target, ErrorBody> {
        let mut waiting = self.waiting.people.iter();
        match waiting.find(|(_, waiter)| waiter.participant.id == id) {
            Some((seat, _)) => Ok(Target::Waiting(*seat)),
            None => self.seat_of(id).map(Target::Inside),
        }
    }

    /// Somebody's tracks are muted by whoever is not in the room.
    pub(crate) fn mute_from_outside(
        &mut self,
        turn: &mut Turn<'_>,
        track: TrackId,
        by: &Identity,
    ) -> Result<(), ErrorBody> {
        let owner = self.owner_of(turn, track)?;
        let seat = self.seats.get(by);
        let inside = seat.and_then(|seat| self.participants.get(seat));
        let by = inside.filter(|participant| !participant.permissions.hidden);
        let by = by.map_or(ParticipantId::from_bits(0), |participant| participant.id);
        self.set_muted(turn, owner, track, true, by);
        Ok(())
    }

    /// The room's settings are these from now on.
    pub(crate) fn set_settings(&mut self, turn: &mut Turn<'_>, settings: RoomSettings) {
        if settings == self.record.settings {
            return;
        }
        self.record.settings = settings;
        turn.write(Write::RoomChanged(self.record.clone()));
        self.tell_room(turn, Audience::Everyone);
    }

    /// Asks whoever published a track to unmute it.
    pub(crate) fn ask_to_unmute(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Seat,
        track: TrackId,
    ) -> Result<(), ErrorBody> {
        let owner = self.participant(self.owner_of(turn, track)?);
        if self.participant(asker).permissions.hidden {
            let message = "somebody hidden cannot ask: the other is told who does";
            return Err(ErrorBody::new(ErrorCode::NotPermitted, message));
        }
        let Some(connection) = owner.connection() else {
            let message = "the track's owner is away at the moment";
            return Err(ErrorBody::new(ErrorCode::ParticipantNotFound, message));
        };
        if owner.tracks().iter().any(|of| of.id == track && of.muted) {
            let asked = ServerMessage::UnmuteAsked {
                track_id: track,
                by: self.id_of(asker),
            };
            turn.send(vec![connection], asked);
        }
        Ok(())
    }

    /// Lowers somebody's hand.
    pub(crate) fn lower_hand(
        &mut self,
        turn: &mut Turn<'_>,
        participant: ParticipantId,
    ) -> Result<(), ErrorBody> {
        let seat = self.seat_of(participant)?;
        let lowered = StateUpdate {
            hand_raised: Some(false),
            ..StateUpdate::default()
        };
        self.update_state(turn, seat, lowered);
        Ok(())
    }

    /// Changes what somebody shows and may do, at once and until the session ends.
    pub(crate) fn change_participant(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        name: Option<String>,
        permissions: Option<Permissions>,
    ) -> Result<(), ErrorBody> {
        let identity = self.participant(seat).identity.clone();
        let is_hidden = self.participant(seat).permissions.hidden;
        if permissions.is_some_and(|permissions| permissions.hidden != is_hidden) {
            let message =
                "somebody who is in cannot be hidden or shown: that is the token's to say";
            return Err(ErrorBody::new(ErrorCode::InvalidRequest, message));
        }
        if let Some(name) = &name {
            turn.limits.check_name("name", name)?;
        }
        let remembered = self.remember(&identity)?;
        remembered.name = name.clone().or(remembered.name.take());
        remembered.permissions = permissions.or(remembered.permissions);

        let before = self.view(self.participant(seat));
        let live = crate::live::live_of(self.participant(seat));
        if let Some(name) = name {
            self.participant_mut(seat).name = name;
        }
        if let Some(permissions) = permissions {
            self.permit(turn, seat, permissions);
        }
        // Ended tracks are told one by one, and are not a change of the participant.
        let tracks = self.view(self.participant(seat)).tracks;
        let before = protocol::Participant { tracks, ..before };
        let live = live.filter(|_| !before.tracks.is_empty());
        self.tell_update(turn, seat, &before, Audience::Everyone);
        self.tell_live(turn, seat, live, Audience::Everyone);
        Ok(())
    }

    fn permit(&mut self, turn: &mut Turn<'_>, seat: Seat, permissions: Permissions) {
        let participant = self.participant_mut(seat);
        let before = participant.permissions;
        participant.permissions = permissions;
        // Whoever moderates again is told anew who waits.
        participant.waiting_told = 0;
        if !participant.may_publish() {
            participant.pending.clear();
            let tracks: Vec<TrackId> = participant.tracks().iter().map(|of| of.id).collect();
            for track in tracks {
                self.end_track(turn, seat, track);
            }
        }
        if permissions.publish_data != before.publish_data {
            self.restart_media(turn, seat);
        }
        self.reconcile_subscriptions(turn, seat);
    }

    /// Whether data is relayed is settled when a peer opens: the client has to open another one.
    fn restart_media(&mut self, turn: &mut Turn<'_>, seat: Seat) {
        let Some(peer) = self.participant(seat).peer() else {
            return;
        };
        turn.media(MediaEffect::ClosePeer { peer: peer.id });
        self.peer_ended(turn, seat, "your permissions were changed".into());
        debug_assert!(!matches!(self.participant(seat).media, Media::Open(_)));
    }
}
