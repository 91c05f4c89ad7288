//! The room as a participant knows it: the snapshot of `joined` with every change since. It decides nothing.

use std::collections::BTreeMap;

use protocol::{
    Change, Joined, Live, NumberedChange, Participant, ParticipantId, RoomInfo, Track, TrackId,
};

/// The room as a participant knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomView {
    /// The room.
    pub room: RoomInfo,
    /// The participant whose view this is.
    pub own_id: ParticipantId,
    /// Everyone, the viewer included.
    pub participants: BTreeMap<ParticipantId, Participant>,
    /// Who is live, the viewer left out.
    pub live: Vec<Live>,
    /// The number of the last change seen.
    pub last_change: u64,
    /// What the server did that it must not: a number left out or told twice, a stranger's change.
    pub faults: Vec<String>,
}

/// Faults that are remembered: one is enough to fail, a few help to understand.
const FAULTS: usize = 16;

impl RoomView {
    /// The snapshot.
    pub fn new(joined: &Joined) -> Self {
        Self {
            room: joined.room.clone(),
            own_id: joined.participant_id,
            participants: joined
                .participants
                .iter()
                .map(|one| (one.id, one.clone()))
                .collect(),
            live: joined.live.clone(),
            last_change: joined.last_change,
            faults: Vec::new(),
        }
    }

    /// Everyone but the viewer.
    pub fn others(&self) -> impl Iterator<Item = &Participant> {
        self.participants
            .values()
            .filter(|one| one.id != self.own_id)
    }

    /// The tracks of everyone but the viewer.
    pub fn tracks_of_others(&self) -> impl Iterator<Item = &Track> {
        self.others().flat_map(|one| one.tracks.iter())
    }

    /// A track, whoever publishes it.
    pub fn track(&self, id: TrackId) -> Option<&Track> {
        self.participants
            .values()
            .flat_map(|one| one.tracks.iter())
            .find(|track| track.id == id)
    }

    /// Follow a change.
    pub fn apply(&mut self, numbered: &NumberedChange) {
        if numbered.number != self.last_change + 1 {
            self.fault(format!(
                "change {} after {}",
                numbered.number, self.last_change
            ));
        }
        self.last_change = numbered.number;
        if !self.follow(&numbered.change) {
            self.fault(format!(
                "change {} does not fit: {:?}",
                numbered.number, numbered.change
            ));
        }
    }

    fn fault(&mut self, fault: String) {
        if self.faults.len() < FAULTS {
            self.faults.push(fault);
        }
    }

    /// Whether the change fits what was known.
    fn follow(&mut self, change: &Change) -> bool {
        match change {
            Change::ParticipantJoined { participant } => self
                .participants
                .insert(participant.id, participant.clone())
                .is_none(),
            Change::ParticipantLeft { participant_id } => {
                self.live
                    .retain(|live| live.participant_id != *participant_id);
                self.participants.remove(participant_id).is_some()
            }
            Change::ParticipantUpdated { participant } => self
                .participants
                .insert(participant.id, participant.clone())
                .is_some(),
            Change::TrackPublished {
                participant_id,
                track,
            } => {
                let Some(tracks) = self.tracks_of(*participant_id) else {
                    return false;
                };
                let is_new = tracks.iter().all(|other| other.id != track.id);
                tracks.push(track.clone());
                is_new
            }
            Change::TrackUnpublished {
                participant_id,
                track_id,
            } => {
                let Some(tracks) = self.tracks_of(*participant_id) else {
                    return false;
                };
                let before = tracks.len();
                tracks.retain(|track| track.id != *track_id);
                tracks.len() + 1 == before
            }
            Change::TrackMuted {
                participant_id,
                track_id,
                muted,
                ..
            } => {
                let track = self
                    .tracks_of(*participant_id)
                    .and_then(|tracks| tracks.iter_mut().find(|track| track.id == *track_id));
                track.map(|track| track.muted = *muted).is_some()
            }
            Change::WentLive { live } => {
                let is_new = self
                    .live
                    .iter()
                    .all(|other| other.participant_id != live.participant_id);
                self.set_live(live);
                is_new
            }
            Change::LiveUpdated { live } => {
                self.set_live(live);
                true
            }
            Change::Presence { joined, left, .. } => {
                // Somebody may have come and gone within one batch, or come back.
                for participant_id in left {
                    self.live
                        .retain(|live| live.participant_id != *participant_id);
                    self.participants.remove(participant_id);
                }
                self.participants.extend(
                    joined
                        .iter()
                        .map(|participant| (participant.id, participant.clone())),
                );
                true
            }
            Change::RoomUpdated { room } => {
                self.room = room.clone();
                true
            }
            Change::CeasedToBeLive { participant_id } => {
                self.live
                    .retain(|live| live.participant_id != *participant_id);
                true
            }
        }
    }

    fn set_live(&mut self, live: &Live) {
        self.live
            .retain(|other| other.participant_id != live.participant_id);
        if live.participant_id != self.own_id {
            self.live.push(live.clone());
        }
    }

    fn tracks_of(&mut self, id: ParticipantId) -> Option<&mut Vec<Track>> {
        self.participants
            .get_mut(&id)
            .map(|participant| &mut participant.tracks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{
        Identity, Role, RoomId, RoomName, RoomSettings, RoomState, Timestamp, TrackKind,
        TrackSource,
    };

    fn participant(bits: u64) -> Participant {
        Participant {
            id: ParticipantId::from_bits(bits),
            identity: Identity("i".into()),
            name: "n".into(),
            role: Role("r".into()),
            avatar_url: None,
            camera: false,
            microphone: false,
            hand_raised: false,
            away: false,
            moderator: false,
            host: false,
            joined_at: Timestamp(0),
            tracks: Vec::new(),
        }
    }

    fn view() -> RoomView {
        RoomView::new(&Joined {
            room: RoomInfo {
                id: RoomId::from_bits(1),
                name: RoomName("r".into()),
                state: RoomState::Live,
                settings: RoomSettings::default(),
                session: None,
                host: None,
            },
            participant_id: ParticipantId::from_bits(1),
            participants: vec![participant(1)],
            live: Vec::new(),
            last_change: 4,
            resume_token: String::new(),
            rejoined: false,
            ping_interval_ms: 1,
            ping_timeout_ms: 1,
        })
    }

    fn track(bits: u64) -> Track {
        Track {
            id: TrackId::from_bits(bits),
            kind: TrackKind::Video,
            source: TrackSource::Camera,
            muted: false,
            published_at: Timestamp(0),
        }
    }

    #[test]
    fn the_view_follows_the_changes() {
        let mut view = view();
        let second = ParticipantId::from_bits(2);
        view.apply(&NumberedChange {
            number: 5,
            change: Change::ParticipantJoined {
                participant: participant(2),
            },
        });
        view.apply(&NumberedChange {
            number: 6,
            change: Change::TrackPublished {
                participant_id: second,
                track: track(9),
            },
        });
        assert_eq!(view.tracks_of_others().count(), 1);
        view.apply(&NumberedChange {
            number: 7,
            change: Change::ParticipantLeft {
                participant_id: second,
            },
        });
        assert_eq!((view.others().count(), view.last_change), (0, 7));
        assert!(view.faults.is_empty());
    }

    #[test]
    fn a_change_left_out_told_twice_or_of_a_stranger_is_a_fault() {
        let joined = Change::ParticipantJoined {
            participant: participant(2),
        };
        let mut missed = view();
        missed.apply(&NumberedChange {
            number: 6,
            change: joined.clone(),
        });
        assert_eq!(missed.faults, ["change 6 after 4"]);
        let mut doubled = view();
        doubled.apply(&NumberedChange {
            number: 5,
            change: joined.clone(),
        });
        doubled.apply(&NumberedChange {
            number: 6,
            change: joined,
        });
        assert_eq!(doubled.faults.len(), 1);
        let mut stranger = view();
        let participant_id = ParticipantId::from_bits(3);
        stranger.apply(&NumberedChange {
            number: 5,
            change: Change::TrackPublished {
                participant_id,
                track: track(1),
            },
        });
        assert_eq!(stranger.faults.len(), 1);
    }
}
