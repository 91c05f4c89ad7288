//! The room as a client knows it: a snapshot with the changes after it. It is told, and never asks.

use std::collections::BTreeMap;

use protocol::{
    Change, Identity, Joined, Live, NumberedChange, Participant, ParticipantId, RoomInfo,
};

/// The room as a client knows it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) own: ParticipantId,
    identity: Identity,
    pub(crate) room: RoomInfo,
    pub(crate) participants: Vec<Participant>,
    /// The others who are live.
    pub(crate) live: BTreeMap<ParticipantId, Live>,
    pub(crate) last_change: u64,
}

impl View {
    pub(crate) fn of(joined: &Joined, identity: &Identity) -> Self {
        let own = joined.participant_id;
        for other in &joined.participants {
            check_other(other, own, identity);
        }
        let is_there = joined.participants.iter().any(|other| other.id == own);
        assert!(is_there, "who is in the room is told so");
        Self {
            own,
            identity: identity.clone(),
            room: joined.room.clone(),
            participants: joined.participants.clone(),
            live: joined
                .live
                .iter()
                .inspect(|live| check_live(live, own))
                .map(|live| (live.participant_id, live.clone()))
                .collect(),
            last_change: joined.last_change,
        }
    }

    pub(crate) fn apply(&mut self, change: &NumberedChange) {
        assert_eq!(
            change.number,
            self.last_change + 1,
            "no change is missed, and none told twice"
        );
        self.last_change = change.number;
        match &change.change {
            Change::ParticipantJoined { participant } => {
                assert_ne!(
                    participant.id, self.own,
                    "nobody is told of themselves as another"
                );
                self.come(participant);
            }
            Change::ParticipantLeft { participant_id } => {
                self.find(*participant_id);
                self.go(*participant_id);
            }
            Change::ParticipantUpdated { participant } => {
                check_other(participant, self.own, &self.identity);
                *self.find(participant.id) = participant.clone();
            }
            Change::Presence { joined, left, .. } => {
                for id in left {
                    assert_ne!(*id, self.own, "nobody is told that they left");
                    self.go(*id);
                }
                for participant in joined {
                    if !self.knows(participant.id) {
                        self.come(participant);
                    }
                }
            }
            Change::RoomUpdated { room } => self.room = room.clone(),
            Change::TrackPublished {
                participant_id,
                track,
            } => self.find(*participant_id).tracks.push(track.clone()),
            Change::TrackUnpublished {
                participant_id,
                track_id,
            } => {
                let tracks = &mut self.find(*participant_id).tracks;
                let place = tracks.iter().position(|track| track.id == *track_id);
                tracks.remove(place.expect("a track that ends is known"));
            }
            Change::TrackMuted {
                participant_id,
                track_id,
                muted,
                ..
            } => {
                let mut tracks = self.find(*participant_id).tracks.iter_mut();
                let track = tracks.find(|track| track.id == *track_id);
                track.expect("a track that is muted is known").muted = *muted;
            }
            Change::WentLive { live } => self.set_live(live, false),
            Change::LiveUpdated { live } => self.set_live(live, true),
            Change::CeasedToBeLive { participant_id } => {
                let was_live = self.live.remove(participant_id).is_some();
                assert!(
                    was_live || *participant_id == self.own,
                    "who ceases to be live was"
                );
            }
        }
    }

    pub(crate) fn myself(&self) -> Option<&Participant> {
        self.participants.iter().find(|other| other.id == self.own)
    }

    fn set_live(&mut self, live: &Live, was_live: bool) {
        self.find(live.participant_id);
        if live.participant_id != self.own {
            let before = self.live.insert(live.participant_id, live.clone());
            assert_eq!(before.is_some(), was_live, "being live begins once");
        }
    }

    fn come(&mut self, participant: &Participant) {
        check_other(participant, self.own, &self.identity);
        let is_known = self
            .participants
            .iter()
            .any(|other| other.identity == participant.identity);
        assert!(!is_known, "nobody is in a room twice: {participant:?}");
        self.participants.push(participant.clone());
    }

    fn go(&mut self, id: ParticipantId) {
        self.participants.retain(|other| other.id != id);
        self.live.remove(&id);
    }

    fn knows(&self, id: ParticipantId) -> bool {
        self.participants.iter().any(|other| other.id == id)
    }

    fn find(&mut self, id: ParticipantId) -> &mut Participant {
        let mut known = self.participants.iter_mut();
        known
            .find(|participant| participant.id == id)
            .expect("a change is of somebody who is known")
    }
}

fn check_other(other: &Participant, own: ParticipantId, identity: &Identity) {
    assert_eq!(
        other.id == own,
        other.identity == *identity,
        "nobody is told of themselves as another: {other:?}"
    );
}

/// Who is live is asked for by those who want to hear the others.
pub(crate) fn check_live(live: &Live, own: ParticipantId) {
    assert_ne!(
        live.participant_id, own,
        "nobody is told of themselves as another who is live"
    );
}
