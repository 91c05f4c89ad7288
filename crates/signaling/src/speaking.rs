//! Who in a room is speaking, loudest first. It never measures: the media plane says how loud a track is.

use std::collections::BTreeMap;

use protocol::{ParticipantId, ServerMessage, Timestamp, TrackId, TrackSource};

use crate::index::Seat;
use crate::limits::{SPEAKERS_INTERVAL, SPEAKERS_TOLD};
use crate::participant::Participant;
use crate::room::{Audience, Room};
use crate::turn::Turn;

/// The voices of a room, and whom the room was told of.
#[derive(Debug, Default)]
pub(crate) struct Speaking {
    pub(crate) voices: BTreeMap<TrackId, Voice>,
    pub(crate) told: Vec<ParticipantId>,
    /// The room is told again from then on.
    next: Option<Timestamp>,
    /// When it will be, if it is to be told something else.
    due: Option<Timestamp>,
}

impl Speaking {
    /// When the room is to be told.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.due
    }
}

/// A track into which somebody speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice {
    pub(crate) seat: Seat,
    /// From 0 (loudest) to 127 (silence), RFC 6464.
    pub(crate) level: u8,
}

impl Room {
    /// The media plane reports how loud a track is.
    pub(crate) fn speaking(&mut self, seat: Seat, track: TrackId, level: Option<u8>) {
        // The sound of a shared screen is nobody's voice.
        let is_microphone = |of: &crate::peer::PublishedTrack| {
            of.id == track && of.source == TrackSource::Microphone
        };
        let Some(level) = level else {
            self.speaking.voices.remove(&track);
            return;
        };
        if self.participant(seat).tracks().iter().any(is_microphone) {
            self.speaking.voices.insert(track, Voice { seat, level });
        }
    }

    /// Those present who speak into a track that is not muted, loudest first, as many as are told.
    pub(crate) fn speakers(&self) -> Vec<ParticipantId> {
        let mut loudest: BTreeMap<Seat, u8> = BTreeMap::new();
        for (track, voice) in &self.speaking.voices {
            let participant = self.participant(voice.seat);
            let is_muted = participant
                .tracks()
                .iter()
                .any(|of| of.id == *track && of.muted);
            if is_muted || participant.is_away() {
                continue;
            }
            let level = loudest.entry(voice.seat).or_insert(voice.level);
            *level = voice.level.min(*level);
        }
        let mut seats: Vec<(u8, Seat)> = loudest
            .into_iter()
            .map(|(seat, level)| (level, seat))
            .collect();
        seats.sort_unstable();
        seats
            .into_iter()
            .take(SPEAKERS_TOLD)
            .map(|(_, seat)| self.participant(seat).id)
            .collect()
    }

    /// Tells the room who speaks, if that is other than what it was told before, and not too often: many voices
    /// begin and end all the time. Of who speaks no longer because they went, or are muted, it is told at once.
    pub(crate) fn tell_speakers(&mut self, turn: &mut Turn<'_>) {
        let participant_ids = self.speakers();
        self.speaking.due = None;
        if participant_ids == self.speaking.told {
            return;
        }
        let too_soon = self.speaking.next.filter(|next| turn.now < *next);
        if too_soon.is_some() && self.told_may_speak() {
            self.speaking.due = too_soon;
            return;
        }
        self.speaking.next = Some(turn.now + SPEAKERS_INTERVAL);
        self.speaking.told.clone_from(&participant_ids);
        let to = self.connections(Audience::Everyone);
        turn.send(to, ServerMessage::Speakers { participant_ids });
    }

    /// Whether all who the room believes to speak are there, with a microphone that is not muted.
    pub(crate) fn told_may_speak(&self) -> bool {
        let may_speak = |participant: &Participant| {
            let mut tracks = participant.tracks().iter();
            !participant.is_away()
                && tracks.any(|of| of.source == TrackSource::Microphone && !of.muted)
        };
        let is_able = |id: &ParticipantId| {
            let found = self.participants.values().find(|of| of.id == *id);
            found.is_some_and(may_speak)
        };
        self.speaking.told.iter().all(is_able)
    }
}
