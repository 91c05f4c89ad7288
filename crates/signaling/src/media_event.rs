//! What the media plane reports, told to whom it concerns. Both sides learn of an end at different
//! moments, so what names a peer or a track that is gone has been passed over before it comes here.

use protocol::{Answer, ErrorBody, ErrorCode, LayerWanted, MediaSection, ServerMessage, TrackId};

use crate::index::Seat;
use crate::peer::{Media, SectionsRequired, UnansweredOffer};
use crate::room::{Audience, Room};
use crate::turn::{Turn, refusal};

impl Room {
    /// The oldest offer is answered.
    pub(crate) fn answered(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        sdp: String,
        sections: Vec<MediaSection>,
    ) {
        let participant = self.participant_mut(seat);
        let to = participant.connection().into_iter().collect();
        let Some(peer) = participant.peer_mut() else {
            return;
        };
        peer.unanswered.pop_front();
        let answer = Answer {
            peer_connection: peer.number,
            sdp,
            sections,
        };
        turn.send(to, ServerMessage::Answer(answer));
    }

    /// The oldest offer is refused, and what it was to publish with it.
    pub(crate) fn offer_refused(&mut self, turn: &mut Turn<'_>, seat: Seat, reason: String) {
        let participant = self.participant_mut(seat);
        let connection = participant.connection();
        let refused = participant
            .peer_mut()
            .and_then(|peer| peer.unanswered.pop_front());
        let Some(UnansweredOffer {
            request_id,
            published,
        }) = refused
        else {
            return;
        };
        let error = ErrorBody::new(ErrorCode::InvalidOffer, reason);
        turn.effects
            .extend(connection.map(|to| refusal(to, request_id, error)));
        for track in published {
            if turn.index.tracks.contains_key(&track) {
                self.end_track(turn, seat, track);
            }
        }
    }

    /// The peer has too few receiving sections. Remembered until the next offer, since the one who
    /// should make it may be away.
    pub(crate) fn sections_required(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        required: SectionsRequired,
    ) {
        let participant = self.participant_mut(seat);
        let to = participant.connection().into_iter().collect();
        let Some(peer) = participant.peer_mut() else {
            return;
        };
        peer.sections_required = Some(required);
        let SectionsRequired { audio, video } = required;
        turn.send(to, ServerMessage::MediaSectionsRequired { audio, video });
    }

    /// Other layers of a track are watched than before. Remembered, since its owner may be away.
    pub(crate) fn layers_wanted(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        track_id: TrackId,
        layers: Vec<LayerWanted>,
    ) {
        let participant = self.participant_mut(seat);
        let to = participant.connection().into_iter().collect();
        let Some(peer) = participant.peer_mut() else {
            return;
        };
        if let Some(track) = peer.tracks.iter_mut().find(|track| track.id == track_id) {
            track.layers_wanted = Some(layers.clone());
        }
        turn.send(to, ServerMessage::LayersWanted { track_id, layers });
    }

    /// A track's section is missing from the offer, or of the other kind.
    pub(crate) fn publication_refused(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        track: TrackId,
        reason: String,
    ) {
        let connection = self.participant(seat).connection();
        let error = ErrorBody::new(ErrorCode::InvalidOffer, reason);
        turn.effects
            .extend(connection.map(|to| refusal(to, None, error)));
        self.forget_track(turn, seat, track);
    }

    /// The media of a participant is over; the participant stays, and may offer again.
    pub(crate) fn peer_ended(&mut self, turn: &mut Turn<'_>, seat: Seat, reason: String) {
        let participant = self.participant(seat);
        let to = participant.connection().into_iter().collect();
        let Some(number) = participant.media.number() else {
            return;
        };
        turn.send(
            to,
            ServerMessage::MediaEnded {
                peer_connection: number,
                reason: reason.clone(),
            },
        );
        let ended = self.forget_peer(turn, seat);
        self.participant_mut(seat).media = Media::Ended { number, reason };
        self.tell_ended(turn, seat, ended, Audience::Everyone);
    }
}
