//! The room as a client knows it: a snapshot with the changes after it. It is told, and never asks.

use std::collections::BTreeMap;

use protocol::{
    Change, Joined, Live, NumberedChange, Participant, ParticipantId, Resumed, RoomInfo,
    ServerMessage,
};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) own: ParticipantId,
    pub(crate) room: RoomInfo,
    pub(crate) participants: Vec<Participant>,
    /// The others who are live: nobody is told of themselves as live.
    pub(crate) live: BTreeMap<ParticipantId, Live>,
    pub(crate) last_change: u64,
    pub(crate) speakers: Vec<ParticipantId>,
}

impl View {
    pub(crate) fn of(joined: &Joined) -> Self {
        assert!(
            joined
                .live
                .iter()
                .all(|live| live.participant_id != joined.participant_id)
        );
        Self {
            own: joined.participant_id,
            room: joined.room.clone(),
            participants: joined.participants.clone(),
            live: joined
                .live
                .iter()
                .map(|live| (live.participant_id, live.clone()))
                .collect(),
            last_change: joined.last_change,
            speakers: Vec::new(),
        }
    }

    pub(crate) fn hear(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Change(change) => self.apply(change),
            ServerMessage::Resumed(Resumed {
                participant_id,
                changes,
                ..
            }) => {
                assert_eq!(*participant_id, self.own, "who resumes keeps the id");
                changes.iter().for_each(|change| self.apply(change));
            }
            ServerMessage::Speakers { participant_ids } => {
                self.speakers.clone_from(participant_ids)
            }
            _ => {}
        }
    }

    fn apply(&mut self, change: &NumberedChange) {
        assert_eq!(
            change.number,
            self.last_change + 1,
            "no change is missed, and none told twice"
        );
        self.last_change = change.number;
        match &change.change {
            Change::ParticipantJoined { participant } => {
                assert!(
                    self.participants
                        .iter()
                        .all(|other| other.identity != participant.identity)
                );
                assert!(participant.tracks.is_empty());
                self.participants.push(participant.clone());
            }
            Change::ParticipantLeft { participant_id } => {
                self.find(*participant_id);
                self.participants
                    .retain(|participant| participant.id != *participant_id);
                self.live.remove(participant_id);
            }
            Change::ParticipantUpdated { participant } => {
                let known = self.find(participant.id);
                assert_ne!(known, participant, "nothing changed");
                *known = participant.clone();
            }
            // Those who came since the last word know some of them from their own snapshot.
            Change::Presence {
                joined,
                left,
                participants,
            } => {
                for participant_id in left {
                    self.participants
                        .retain(|participant| participant.id != *participant_id);
                    self.live.remove(participant_id);
                }
                for participant in joined {
                    assert!(participant.tracks.is_empty());
                    let mut known = self.participants.iter();
                    match known.find(|known| known.id == participant.id) {
                        Some(known) => assert_eq!(known, participant),
                        None => self.participants.push(participant.clone()),
                    }
                }
                let visible = self.participants.len();
                assert!(visible == *participants || visible == *participants + 1);
            }
            Change::RoomUpdated { room } => {
                assert_ne!(self.room, *room, "nothing changed");
                self.room = room.clone();
            }
            Change::TrackPublished {
                participant_id,
                track,
            } => {
                self.find(*participant_id).tracks.push(track.clone());
            }
            Change::TrackUnpublished {
                participant_id,
                track_id,
            } => {
                let tracks = &mut self.find(*participant_id).tracks;
                let position = tracks.iter().position(|track| track.id == *track_id);
                tracks.remove(position.expect("a known track"));
            }
            Change::TrackMuted {
                participant_id,
                track_id,
                muted,
                ..
            } => {
                let mut tracks = self.find(*participant_id).tracks.iter_mut();
                let track = tracks
                    .find(|track| track.id == *track_id)
                    .expect("a known track");
                assert_ne!(track.muted, *muted, "nothing changed");
                track.muted = *muted;
            }
            Change::WentLive { live } => self.set_live(live, false),
            Change::LiveUpdated { live } => self.set_live(live, true),
            Change::CeasedToBeLive { participant_id } => {
                let was_live = self.live.remove(participant_id).is_some();
                assert!(was_live || *participant_id == self.own);
            }
        }
    }

    fn set_live(&mut self, live: &Live, was_live: bool) {
        self.find(live.participant_id);
        if live.participant_id != self.own {
            let before = self.live.insert(live.participant_id, live.clone());
            assert_eq!(before.is_some(), was_live);
            assert_ne!(before.as_ref(), Some(live), "nothing changed");
        }
    }

    fn find(&mut self, id: ParticipantId) -> &mut Participant {
        let mut known = self.participants.iter_mut();
        known
            .find(|participant| participant.id == id)
            .expect("a change is of a known participant")
    }
}
