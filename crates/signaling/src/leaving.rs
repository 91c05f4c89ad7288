//! How one is away, and gone: by leaving, by not coming back, by being put out, or because the session is
//! over. It decides none of these.

use protocol::{ConnectionId, Goodbye};

use crate::MediaEffect;
use crate::index::Seat;
use crate::participant::Presence;
use crate::room::{Audience, Room};
use crate::speaking::Speaking;
use crate::turn::{Turn, left};

impl Room {
    /// A participant's connection is lost: away from now on.
    pub(crate) fn lose_connection(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        connection: ConnectionId,
    ) {
        if self.waiting.people.contains_key(&seat) {
            return self.lose_waiting(turn, seat, connection);
        }
        let (since, until) = (turn.now, turn.now + turn.limits.away_time);
        let before = self.view(self.participant(seat));
        turn.index.connections.remove(&connection);
        turn.index.away.insert((until, turn.place(seat)));
        self.participant_mut(seat).presence = Presence::Away { since, until };
        self.tell_update(turn, seat, &before, Audience::Everyone);
    }

    /// Whoever was away did not come back.
    pub(crate) fn give_up_on(&mut self, turn: &mut Turn<'_>, seat: Seat) {
        if self.leave_line(turn, seat).is_none() {
            self.remove(turn, seat);
        }
    }

    /// A participant goes for good, and says so.
    pub(crate) fn leave(&mut self, turn: &mut Turn<'_>, seat: Seat) {
        let connection = self.participant(seat).connection();
        self.remove(turn, seat);
        if let Some(connection) = connection {
            turn.acknowledge_goodbye(connection, left());
        }
    }

    /// A participant is gone, and with them their tracks and their being live.
    pub(crate) fn remove(&mut self, turn: &mut Turn<'_>, seat: Seat) {
        // What ends with them needs no word of its own: `participant_left` says it all.
        drop(self.close_peer(turn, seat));
        let Some(participant) = self.participants.remove(&seat) else {
            return;
        };
        self.close_attendance(turn, &participant);
        self.seats.remove(&participant.identity);
        match participant.presence {
            Presence::Present { connection } => drop(turn.index.connections.remove(&connection)),
            Presence::Away { until, .. } => {
                turn.index.away.remove(&(until, turn.place(seat)));
            }
        }
        if !participant.permissions.hidden {
            self.tell_left(turn, participant.id);
        }
    }

    /// The session is over: everybody inside is told, and gone at once. Those who wait stay.
    pub(crate) fn put_everybody_out(&mut self, turn: &mut Turn<'_>, goodbye: &Goodbye) {
        let participants = std::mem::take(&mut self.participants);
        self.speaking = Speaking::default();
        for (seat, participant) in participants {
            if let Some(peer) = participant.peer() {
                turn.media(MediaEffect::ClosePeer { peer: peer.id });
                turn.index.peers.remove(&peer.id);
                for track in &peer.tracks {
                    turn.index.tracks.remove(&track.id);
                }
            }
            self.seats.remove(&participant.identity);
            match participant.presence {
                Presence::Present { connection } => {
                    turn.acknowledge_goodbye(connection, goodbye.clone());
                }
                Presence::Away { until, .. } => {
                    turn.index.away.remove(&(until, turn.place(seat)));
                }
            }
        }
    }
}
