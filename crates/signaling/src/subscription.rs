//! Who receives which track. It knows wishes, permissions and the limit, and nothing of sections or
//! packets.

use protocol::{ErrorBody, ErrorCode, TrackId, Viewport};

use crate::MediaEffect;
use crate::index::Seat;
use crate::participant::Participant;
use crate::room::Room;
use crate::turn::Turn;

/// Whether a participant should receive a track of somebody else.
pub(crate) fn wants(participant: &Participant, track: TrackId) -> bool {
    let chosen = participant.choices.get(&track).copied();
    participant.permissions.subscribe && chosen.unwrap_or(participant.subscribe_automatically)
}

impl Room {
    /// A participant refuses a track or takes it up.
    pub(crate) fn set_subscription(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        track: TrackId,
        subscribed: bool,
    ) -> Result<(), ErrorBody> {
        let owner = self.owner_of(turn, track)?;
        if owner == seat {
            return Err(ErrorBody::new(
                ErrorCode::TrackNotFound,
                "that track is your own: nobody sends it to you",
            ));
        }
        let limit = turn.limits.subscriptions_per_participant;
        let participant = self.participant_mut(seat);
        if !participant.permissions.subscribe {
            return Err(ErrorBody::new(
                ErrorCode::NotPermitted,
                "your token does not allow you to receive tracks",
            ));
        }
        let is_full = participant.peer().is_some_and(|peer| {
            subscribed && !peer.subscribed.contains(&track) && peer.subscribed.len() >= limit
        });
        if is_full {
            let message = format!("you receive {limit} tracks, and may receive no more");
            let hint = "Refuse another track first.".into();
            return Err(ErrorBody {
                hint,
                ..ErrorBody::new(ErrorCode::TooManyTracks, message)
            });
        }
        participant.choices.insert(track, subscribed);
        self.reconcile_subscriptions(turn, seat);
        Ok(())
    }

    /// A participant shows what they receive larger or smaller. What they do not receive is passed over: a
    /// page and a track's end cross each other.
    pub(crate) fn set_viewports(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        mut viewports: Vec<Viewport>,
    ) -> Result<(), ErrorBody> {
        let limit = turn.limits.subscriptions_per_participant;
        if viewports.len() > limit {
            let message = format!("{} tracks; you may receive {limit}", viewports.len());
            return Err(ErrorBody::new(ErrorCode::InvalidRequest, message));
        }
        let Some(peer) = self.participant(seat).peer() else {
            return Ok(());
        };
        viewports.retain(|viewport| peer.subscribed.contains(&viewport.track_id));
        if !viewports.is_empty() {
            turn.media(MediaEffect::SetViewport {
                peer: peer.id,
                viewports,
            });
        }
        Ok(())
    }

    /// Ends what a participant wants no longer, and takes up what they want while there is a place.
    pub(crate) fn reconcile_subscriptions(&mut self, turn: &mut Turn<'_>, seat: Seat) {
        let limit = turn.limits.subscriptions_per_participant;
        let participant = self.participant(seat);
        let Some(peer) = participant.peer() else {
            return;
        };
        let unwanted: Vec<TrackId> = peer
            .subscribed
            .iter()
            .copied()
            .filter(|track| !wants(participant, *track))
            .collect();
        let places = (limit + unwanted.len()).saturating_sub(peer.subscribed.len());
        let wanted: Vec<TrackId> = self
            .participants
            .iter()
            .filter(|(owner, _)| **owner != seat)
            .flat_map(|(_, owner)| owner.tracks())
            .map(|track| track.id)
            .filter(|track| wants(participant, *track) && !peer.subscribed.contains(track))
            .take(places)
            .collect();
        let Some(peer) = self.participant_mut(seat).peer_mut() else {
            return;
        };
        for track in unwanted {
            peer.subscribed.remove(&track);
            turn.media(MediaEffect::Unsubscribe {
                peer: peer.id,
                track,
            });
        }
        for track in wanted {
            peer.subscribed.insert(track);
            turn.media(MediaEffect::Subscribe {
                peer: peer.id,
                track,
            });
        }
    }

    /// A new track goes to everybody else who wants it and has a peer and a place.
    pub(crate) fn subscribe_others(&mut self, turn: &mut Turn<'_>, owner: Seat, track: TrackId) {
        let limit = turn.limits.subscriptions_per_participant;
        for (seat, participant) in &mut self.participants {
            if *seat == owner || !wants(participant, track) {
                continue;
            }
            let Some(peer) = participant.peer_mut() else {
                continue;
            };
            if peer.subscribed.len() < limit {
                peer.subscribed.insert(track);
                turn.media(MediaEffect::Subscribe {
                    peer: peer.id,
                    track,
                });
            }
        }
    }

    /// Tracks are gone, and in the media plane their subscriptions with them. Those who had no place
    /// for another track have one now.
    pub(crate) fn forget_tracks(&mut self, turn: &mut Turn<'_>, gone: &[TrackId]) {
        let limit = turn.limits.subscriptions_per_participant;
        let mut freed = Vec::new();
        for (seat, participant) in &mut self.participants {
            for track in gone {
                participant.choices.remove(track);
            }
            let Some(peer) = participant.peer_mut() else {
                continue;
            };
            let was_full = peer.subscribed.len() >= limit;
            for track in gone {
                peer.subscribed.remove(track);
            }
            if was_full && peer.subscribed.len() < limit {
                freed.push(*seat);
            }
        }
        for seat in freed {
            self.reconcile_subscriptions(turn, seat);
        }
    }
}
