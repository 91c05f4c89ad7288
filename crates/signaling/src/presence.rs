//! Coming and going, told one by one in a small room; in a large one, gathered for a moment and told
//! together. Whatever else is told of somebody comes after their coming.

use protocol::{Change, ParticipantId, Timestamp};

use crate::index::Seat;
use crate::limits::PRESENCE_GATHERED;
use crate::room::{Audience, Room};
use crate::turn::Turn;

/// Who came and went, and is not told yet.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// As they were on arrival.
    joined: Vec<protocol::Participant>,
    left: Vec<ParticipantId>,
    until: Option<Timestamp>,
}

impl Gathered {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.joined.len() + self.left.len()
    }

    /// When it is to be told.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Somebody's coming is not told yet.
    pub(crate) fn has_joined(&self, id: ParticipantId) -> bool {
        self.joined.iter().any(|participant| participant.id == id)
    }

    /// Somebody went. Whoever came since the last word may know them from the snapshot, so that going is
    /// told also of those whose coming was not.
    fn leave(&mut self, id: ParticipantId) {
        self.joined.retain(|participant| participant.id != id);
        self.left.push(id);
    }
}

impl Room {
    /// Tells that somebody came; to themselves their snapshot does.
    pub(crate) fn tell_joined(&mut self, turn: &mut Turn<'_>, seat: Seat) {
        let participant = self.participant(seat);
        if participant.permissions.hidden {
            return;
        }
        let participant = self.view(participant);
        let others = Audience::EveryoneBut(seat);
        if self.is_large(turn) {
            self.gathered.joined.push(participant);
            self.gather(turn, others);
        } else {
            self.tell_presence(turn, others);
            self.record(turn, Change::ParticipantJoined { participant }, others);
        }
    }

    /// Tells that somebody visible has gone.
    pub(crate) fn tell_left(&mut self, turn: &mut Turn<'_>, participant_id: ParticipantId) {
        if self.is_large(turn) {
            self.gathered.leave(participant_id);
            self.gather(turn, Audience::Everyone);
        } else if self.gathered.len() > 0 {
            self.gathered.leave(participant_id);
            self.tell_presence(turn, Audience::Everyone);
        } else {
            let change = Change::ParticipantLeft { participant_id };
            self.record(turn, change, Audience::Everyone);
        }
    }

    /// Tells what is gathered, if there is anything.
    pub(crate) fn tell_presence(&mut self, turn: &mut Turn<'_>, audience: Audience) {
        let Gathered { joined, left, .. } = std::mem::take(&mut self.gathered);
        if joined.is_empty() && left.is_empty() {
            return;
        }
        let participants = self.visible_to(None).count();
        let change = Change::Presence {
            joined,
            left,
            participants,
        };
        self.record(turn, change, audience);
    }

    fn is_large(&self, turn: &Turn<'_>) -> bool {
        self.participants.len() > turn.limits.presence_batched_above
    }

    fn gather(&mut self, turn: &mut Turn<'_>, audience: Audience) {
        let until = turn.now + turn.limits.presence_interval;
        self.gathered.until.get_or_insert(until);
        if self.gathered.len() >= PRESENCE_GATHERED {
            self.tell_presence(turn, audience);
        }
    }
}
