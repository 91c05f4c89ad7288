//! How one enters a room, and comes back to it. It decides who gets the whole room and who only what was
//! missed; whether one may enter at all is decided in `entrance`.

use protocol::{ConnectionId, Joined, ParticipantId, Resumed, ServerMessage, SessionId};

use crate::index::Seat;
use crate::participant::{Participant, Presence};
use crate::peer::{Media, SectionsRequired};
use crate::room::{Audience, Room};
use crate::turn::{Turn, milliseconds, taken_over};
use crate::{Effect, Join};

impl Room {
    /// Somebody comes in: the room is told, and they are told the room.
    pub(crate) fn enter(
        &mut self,
        turn: &mut Turn<'_>,
        participant: Participant,
        fresh_session: SessionId,
    ) {
        let Some(connection) = participant.connection() else {
            return;
        };
        if !self.is_open {
            self.is_open = true;
            turn.index.open_rooms += 1;
            turn.effects.push(Effect::RoomOpened {
                room: self.record.id,
                name: self.record.name.clone(),
            });
        }
        self.begin_by_itself(turn, fresh_session);
        let seat = self.next_seat();
        turn.index.connections.insert(connection, turn.place(seat));
        self.seats.insert(participant.identity.clone(), seat);
        self.participants.insert(seat, participant);
        self.open_attendance(turn, seat);
        self.tell_joined(turn, seat);
        self.know_room();
        self.tell_room(turn, Audience::EveryoneBut(seat));
        self.send_joined(turn, seat, connection, false);
    }

    /// Somebody who is still here joins again: after a loss, after a refresh, or from another tab. The
    /// media goes on for whoever proves with the resume token and the last change to be the same page,
    /// and may do what they might before; else it is ended.
    pub(crate) fn come_back(&mut self, turn: &mut Turn<'_>, seat: Seat, mut join: Join) {
        self.leave_old_connection(turn, seat);
        let participant = self.participant(seat);
        let connection = join.connection;
        let resume = join.resume.take();
        let is_proven = resume
            .as_ref()
            .is_some_and(|resume| resume.token == participant.resume_token);
        let last_change = resume.and_then(|resume| resume.last_change);
        let keeps_media = is_proven
            && last_change.is_some()
            && participant.permissions == join.claims.permissions;
        let number = participant.media.number();

        if !keeps_media {
            self.end_media_of_old_page(turn, seat);
            // Camera and microphone were the old page's; the hand is the person's.
            join.state.camera.get_or_insert(false);
            join.state.microphone.get_or_insert(false);
        }
        self.take_over_claims(turn, seat, join);
        turn.index.connections.insert(connection, turn.place(seat));

        let missed = last_change
            .filter(|_| keeps_media)
            .and_then(|seen| self.log.since(seen));
        match missed {
            Some(changes) => {
                let participant = self.participant(seat);
                let resumed = Resumed {
                    participant_id: participant.id,
                    changes,
                    resume_token: participant.resume_token.clone(),
                };
                turn.send(vec![connection], ServerMessage::Resumed(resumed));
                // Speakers are not numbered: a change of them may have been missed.
                self.send_speakers(turn, connection);
            }
            None => self.send_joined(turn, seat, connection, true),
        }
        if keeps_media {
            self.repeat_what_media_asked(turn, seat, connection);
        } else if let (Some(peer_connection), Some(_)) = (number, last_change) {
            let reason = "You came back with another token, and the old media was ended.".into();
            turn.send(
                vec![connection],
                ServerMessage::MediaEnded {
                    peer_connection,
                    reason,
                },
            );
        }
    }

    /// The one whose place is taken is told why.
    pub(crate) fn leave_old_connection(&mut self, turn: &mut Turn<'_>, seat: Seat) {
        match self.participant(seat).presence {
            Presence::Present { connection } => turn.say_goodbye(connection, taken_over()),
            Presence::Away { until, .. } => {
                turn.index.away.remove(&(until, turn.place(seat)));
            }
        }
    }

    fn end_media_of_old_page(&mut self, turn: &mut Turn<'_>, seat: Seat) {
        let ended = self.close_peer(turn, seat);
        self.tell_ended(turn, seat, ended, Audience::EveryoneBut(seat));
        let participant = self.participant_mut(seat);
        participant.media = Media::None;
        participant.pending.clear();
    }

    fn take_over_claims(&mut self, turn: &mut Turn<'_>, seat: Seat, join: Join) {
        let before = self.view(self.participant(seat));
        let live = crate::live::live_of(self.participant(seat));
        let participant = self.participant_mut(seat);
        participant.come_back(join);
        // The numbers of messages were the old connection's.
        participant
            .pending
            .iter_mut()
            .for_each(|publish| publish.request_id = None);
        if let Some(peer) = participant.peer_mut() {
            peer.unanswered
                .iter_mut()
                .for_each(|offer| offer.request_id = None);
        }
        self.tell_update(turn, seat, &before, Audience::EveryoneBut(seat));
        self.tell_live(turn, seat, live, Audience::EveryoneBut(seat));
        // The host is back.
        self.tell_room(turn, Audience::EveryoneBut(seat));
        self.reconcile_subscriptions(turn, seat);
    }

    /// What the media plane asked of somebody who was away, or whose connection was lost with it.
    fn repeat_what_media_asked(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        connection: ConnectionId,
    ) {
        let peer = match &self.participant(seat).media {
            Media::None => return,
            Media::Ended { number, reason } => {
                let ended = ServerMessage::MediaEnded {
                    peer_connection: *number,
                    reason: reason.clone(),
                };
                return turn.send(vec![connection], ended);
            }
            Media::Open(peer) => peer,
        };
        if let Some(SectionsRequired { audio, video }) = peer.sections_required {
            let required = ServerMessage::MediaSectionsRequired { audio, video };
            turn.send(vec![connection], required);
        }
        for track in &peer.tracks {
            let Some(layers) = track.layers_wanted.clone() else {
                continue;
            };
            let track_id = track.id;
            let wanted = ServerMessage::LayersWanted { track_id, layers };
            turn.send(vec![connection], wanted);
        }
    }

    /// The whole room at once.
    fn send_joined(
        &self,
        turn: &mut Turn<'_>,
        seat: Seat,
        connection: ConnectionId,
        rejoined: bool,
    ) {
        let participant = self.participant(seat);
        let joined = Joined {
            room: self.info(),
            participant_id: participant.id,
            participants: self
                .visible_to(Some(seat))
                .map(|(_, participant)| self.view(participant))
                .collect(),
            live: self.live_for(seat),
            last_change: self.log.last(),
            resume_token: participant.resume_token.clone(),
            rejoined,
            ping_interval_ms: milliseconds(turn.limits.ping_interval),
            ping_timeout_ms: milliseconds(turn.limits.ping_timeout),
        };
        turn.acknowledge(connection, ServerMessage::Joined(Box::new(joined)));
        if !self.speaking.told.is_empty() {
            self.send_speakers(turn, connection);
        }
    }

    fn send_speakers(&self, turn: &mut Turn<'_>, connection: ConnectionId) {
        let participant_ids: Vec<ParticipantId> = self.speaking.told.clone();
        turn.send(
            vec![connection],
            ServerMessage::Speakers { participant_ids },
        );
    }
}
