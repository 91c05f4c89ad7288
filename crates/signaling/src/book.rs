//! What is written down of who is in a session and what they publish. It keeps no books of its own: an
//! attendance is open exactly while somebody visible is seated in a live session, and a track's record
//! exactly while the track is there.

use protocol::record::{AttendanceRecord, TrackRecord, Write};
use protocol::{SessionId, Timestamp, TrackId};

use crate::index::Seat;
use crate::participant::{Participant, Presence};
use crate::peer::PublishedTrack;
use crate::room::Room;
use crate::turn::Turn;

impl Room {
    /// The session has become live: who is here attends from now on.
    pub(crate) fn open_books(&self, turn: &mut Turn<'_>) {
        for seat in self.participants.keys() {
            self.open_attendance(turn, *seat);
            for track in self.participant(*seat).tracks() {
                self.note_published(turn, *seat, track);
            }
        }
    }

    /// The session is about to end: nothing of it stays open.
    pub(crate) fn close_books(&self, turn: &mut Turn<'_>) {
        for participant in self.participants.values() {
            for track in participant.tracks() {
                self.note_unpublished(turn, track.id);
            }
        }
        for participant in self.participants.values() {
            self.close_attendance(turn, participant);
        }
    }

    pub(crate) fn open_attendance(&self, turn: &mut Turn<'_>, seat: Seat) {
        let participant = self.participant(seat);
        let Some(session) = self.attended_by(participant) else {
            return;
        };
        turn.write(Write::AttendanceOpened(AttendanceRecord {
            session,
            participant: participant.id,
            identity: participant.identity.clone(),
            name: participant.name.clone(),
            role: participant.role.clone(),
            joined_at: turn.now,
            left_at: None,
        }));
    }

    /// Somebody goes: now, or at the moment at which they were lost.
    pub(crate) fn close_attendance(&self, turn: &mut Turn<'_>, participant: &Participant) {
        let Some(session) = self.attended_by(participant) else {
            return;
        };
        let lost_at = match participant.presence {
            Presence::Present { .. } => turn.now,
            Presence::Away { since, .. } => since,
        };
        // Whoever was lost in the lobby, and never came back, was there for no time.
        let live_at = self.sessions.live().and_then(|of| of.live_at);
        turn.write(Write::AttendanceClosed {
            session,
            participant: participant.id,
            at: lost_at.max(live_at.unwrap_or(lost_at)),
        });
    }

    pub(crate) fn note_published(&self, turn: &mut Turn<'_>, seat: Seat, track: &PublishedTrack) {
        let participant = self.participant(seat);
        let Some(session) = self.attended_by(participant) else {
            return;
        };
        turn.write(Write::TrackPublished(TrackRecord {
            id: track.id,
            session,
            participant: participant.id,
            source: track.source,
            published_at: turn.now,
            unpublished_at: None,
        }));
    }

    pub(crate) fn note_unpublished(&self, turn: &mut Turn<'_>, track: TrackId) {
        if self.sessions.live().is_some() {
            let at: Timestamp = turn.now;
            turn.write(Write::TrackUnpublished { track, at });
        }
    }

    /// The live session, if this participant counts in it.
    fn attended_by(&self, participant: &Participant) -> Option<SessionId> {
        let session = self.sessions.live()?;
        (!participant.permissions.hidden).then_some(session.id)
    }
}
