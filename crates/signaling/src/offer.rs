//! A `publish`, and the offer that carries it: peers open here, and tracks begin. It reads no SDP: whether
//! a section really carries the track is the media plane's to say.

use std::mem;

use protocol::{Change, ErrorBody, ErrorCode, PeerId, ServerMessage, TrackId};

use crate::MediaEffect;
use crate::index::Seat;
use crate::live::live_of;
use crate::participant::Participant;
use crate::peer::{Media, Peer, PendingPublish, PublishedTrack, UnansweredOffer};
use crate::room::{Audience, Room};
use crate::turn::{Turn, refusal};

/// A client's offer.
pub(crate) struct Offer {
    pub(crate) request_id: Option<u32>,
    pub(crate) number: u32,
    pub(crate) sdp: String,
    pub(crate) fresh_peer: PeerId,
}

impl Room {
    /// Keeps a `publish` for the next offer: only then is it known to which peer it belongs.
    pub(crate) fn publish(
        &mut self,
        turn: &Turn<'_>,
        seat: Seat,
        publish: PendingPublish,
    ) -> Result<(), ErrorBody> {
        let participant = self.participant_mut(seat);
        if !participant.may_publish() {
            return Err(ErrorBody::new(
                ErrorCode::NotPermitted,
                "your token does not allow you to publish",
            ));
        }
        turn.limits.check_mid(&publish.mid)?;
        if let Some(same) = participant
            .pending
            .iter_mut()
            .find(|pending| pending.mid == publish.mid)
        {
            *same = publish;
            return Ok(());
        }
        if participant.pending.len() >= turn.limits.tracks_per_participant {
            return Err(too_many_tracks(turn));
        }
        participant.pending.push(publish);
        Ok(())
    }

    /// Replaces the peer if the number is a new one, publishes what waits for this offer, and passes
    /// the offer on. Subscriptions are in place before it, so that its answer carries every track.
    pub(crate) fn offer(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        offer: Offer,
    ) -> Result<(), ErrorBody> {
        // What was to be published with an offer goes with it, also when it is refused.
        let pending = mem::take(&mut self.participant_mut(seat).pending);
        let is_new = is_new_peer(turn, self.participant(seat), offer.number)?;
        if is_new {
            self.open_peer(turn, seat, &offer);
        }
        let published = pending
            .into_iter()
            .filter_map(|publish| self.publish_now(turn, seat, publish))
            .collect();
        if is_new {
            self.reconcile_subscriptions(turn, seat);
        }
        if let Some(peer) = self.participant_mut(seat).peer_mut() {
            peer.sections_required = None;
            peer.unanswered.push_back(UnansweredOffer {
                request_id: offer.request_id,
                published,
            });
            turn.media(MediaEffect::Offer {
                peer: peer.id,
                sdp: offer.sdp,
            });
        }
        Ok(())
    }

    fn open_peer(&mut self, turn: &mut Turn<'_>, seat: Seat, offer: &Offer) {
        let ended = self.close_peer(turn, seat);
        self.tell_ended(turn, seat, ended, Audience::Everyone);
        let participant = self.participant_mut(seat);
        let publishes_data =
            participant.permissions.publish_data && !participant.permissions.hidden;
        let participant_id = participant.id;
        participant.media = Media::Open(Peer::new(offer.fresh_peer, offer.number));
        turn.index.peers.insert(offer.fresh_peer, turn.place(seat));
        turn.media(MediaEffect::OpenPeer {
            peer: offer.fresh_peer,
            participant: participant_id,
            publishes_data,
        });
    }

    /// Publishes a track on the peer that is there; its id, if it is a new one.
    fn publish_now(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        publish: PendingPublish,
    ) -> Option<TrackId> {
        let on_this_section = self
            .participant(seat)
            .tracks()
            .iter()
            .find(|track| track.mid == publish.mid);
        if let Some((id, source)) = on_this_section.map(|track| (track.id, track.source)) {
            if source == publish.source {
                self.publish_again(turn, seat, id, publish);
                return None;
            }
            self.end_track(turn, seat, id);
        }
        let before = live_of(self.participant(seat));
        let participant = self.participant_mut(seat);
        let connection = participant.connection();
        let participant_id = participant.id;
        let peer = participant.peer_mut()?;
        if peer.tracks.len() >= turn.limits.tracks_per_participant {
            let error = too_many_tracks(turn);
            turn.effects
                .extend(connection.map(|to| refusal(to, publish.request_id, error)));
            return None;
        }
        let PendingPublish {
            track: id,
            mid,
            source,
            muted,
            ..
        } = publish;
        let track = PublishedTrack {
            id,
            mid: mid.clone(),
            source,
            muted,
            published_at: turn.now,
            layers_wanted: None,
        };
        let view = track.view();
        peer.tracks.push(track);
        turn.media(MediaEffect::Publish {
            peer: peer.id,
            track: id,
            mid: mid.clone(),
            source,
            muted,
        });
        turn.index.tracks.insert(id, turn.place(seat));
        if let Some(track) = self
            .participant(seat)
            .tracks()
            .iter()
            .find(|of| of.id == id)
        {
            self.note_published(turn, seat, track);
        }
        let published = ServerMessage::Published {
            mid,
            track: view.clone(),
        };
        turn.send(connection.into_iter().collect(), published);
        self.tell(
            turn,
            seat,
            Change::TrackPublished {
                participant_id,
                track: view,
            },
            Audience::Everyone,
        );
        self.tell_live(turn, seat, before, Audience::Everyone);
        self.subscribe_others(turn, seat, id);
        Some(id)
    }

    /// Who repeats a `publish`, not knowing whether it arrived before the connection was lost, gets the
    /// track that is there.
    fn publish_again(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        track: TrackId,
        publish: PendingPublish,
    ) {
        let by = self.id_of(seat);
        self.set_muted(turn, seat, track, publish.muted, by);
        let participant = self.participant(seat);
        let to = participant.connection().into_iter().collect();
        let view = participant
            .tracks()
            .iter()
            .find(|of| of.id == track)
            .map(PublishedTrack::view);
        if let Some(track) = view {
            turn.send(
                to,
                ServerMessage::Published {
                    mid: publish.mid,
                    track,
                },
            );
        }
    }
}

/// Whether an offer with this number is of a new `RTCPeerConnection`; refuses one of an older.
fn is_new_peer(turn: &Turn<'_>, participant: &Participant, number: u32) -> Result<bool, ErrorBody> {
    let is_over = |last: u32| {
        let message = format!("peer connection {number} is over; the last was {last}");
        let hint = "Offer with a new RTCPeerConnection and a higher number.".into();
        ErrorBody {
            hint,
            ..ErrorBody::new(ErrorCode::InvalidOffer, message)
        }
    };
    match &participant.media {
        Media::Ended { number: last, .. } if number <= *last => Err(is_over(*last)),
        Media::Open(peer) if number < peer.number => Err(is_over(peer.number)),
        Media::Open(peer) if number == peer.number => {
            if peer.unanswered.len() < turn.limits.unanswered_offers {
                return Ok(false);
            }
            let message = format!("{} offers wait for their answer", peer.unanswered.len());
            let hint = "Wait for the answer before you offer again.".into();
            Err(ErrorBody {
                hint,
                ..ErrorBody::new(ErrorCode::TooFast, message)
            })
        }
        Media::None | Media::Open(_) | Media::Ended { .. } => Ok(true),
    }
}

fn too_many_tracks(turn: &Turn<'_>) -> ErrorBody {
    let limit = turn.limits.tracks_per_participant;
    ErrorBody::new(
        ErrorCode::TooManyTracks,
        format!("a participant may publish {limit} tracks"),
    )
}
