//! The life of a published track: muted, unmuted, and its end, alone or with its peer. It never begins
//! one: offers do.

use std::mem;

use protocol::{Change, ErrorBody, ErrorCode, Live, ParticipantId, TrackId};

use crate::MediaEffect;
use crate::index::Seat;
use crate::live::live_of;
use crate::peer::Media;
use crate::room::{Audience, Room};
use crate::turn::Turn;

impl Room {
    /// Takes a track of one's own away.
    pub(crate) fn unpublish(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        track: TrackId,
    ) -> Result<(), ErrorBody> {
        if self.owner_of(turn, track)? != seat {
            return Err(ErrorBody::new(
                ErrorCode::NotPermitted,
                "that track is somebody else's",
            ));
        }
        self.end_track(turn, seat, track);
        Ok(())
    }

    /// Mutes or unmutes a track, if the asker may.
    pub(crate) fn mute(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Seat,
        track: TrackId,
        muted: bool,
    ) -> Result<(), ErrorBody> {
        let owner = self.owner_of(turn, track)?;
        let is_moderator = self.is_moderator(self.participant(asker));
        let is_hidden = self.participant(asker).permissions.hidden;
        let refused = if owner == asker {
            None
        } else if !is_moderator {
            Some("only a moderator may mute somebody else's track")
        } else if !muted {
            Some("only the owner may unmute a track")
        } else if is_hidden {
            // The room is told who muted, and must not be told of a hidden participant.
            Some("a hidden participant may not mute others")
        } else {
            None
        };
        if let Some(reason) = refused {
            return Err(ErrorBody::new(ErrorCode::NotPermitted, reason));
        }
        let by = self.id_of(asker);
        self.set_muted(turn, owner, track, muted, by);
        Ok(())
    }

    pub(crate) fn set_muted(
        &mut self,
        turn: &mut Turn<'_>,
        owner: Seat,
        track: TrackId,
        muted: bool,
        by: ParticipantId,
    ) {
        let participant = self.participant_mut(owner);
        let participant_id = participant.id;
        let Some(peer) = participant.peer_mut() else {
            return;
        };
        let Some(of) = peer
            .tracks
            .iter_mut()
            .find(|of| of.id == track && of.muted != muted)
        else {
            return;
        };
        of.muted = muted;
        if muted {
            // The media plane measures nothing of a muted track: what it said last must not linger.
            self.speaking.voices.remove(&track);
        }
        turn.media(MediaEffect::SetMuted { track, muted });
        let change = Change::TrackMuted {
            participant_id,
            track_id: track,
            muted,
            by,
        };
        self.tell(turn, owner, change, Audience::Everyone);
    }

    /// Ends a track in the media plane, and tells the room.
    pub(crate) fn end_track(&mut self, turn: &mut Turn<'_>, seat: Seat, track: TrackId) {
        if let Some(peer) = self.participant(seat).peer() {
            turn.media(MediaEffect::Unpublish {
                peer: peer.id,
                track,
            });
        }
        self.forget_track(turn, seat, track);
    }

    /// Tells the room that a track is no more; the media plane knows.
    pub(crate) fn forget_track(&mut self, turn: &mut Turn<'_>, seat: Seat, track: TrackId) {
        let live = live_of(self.participant(seat));
        if let Some(peer) = self.participant_mut(seat).peer_mut() {
            peer.tracks.retain(|of| of.id != track);
        }
        turn.index.tracks.remove(&track);
        self.note_unpublished(turn, track);
        self.speaking.voices.remove(&track);
        self.tell_ended(
            turn,
            seat,
            EndedMedia {
                tracks: vec![track],
                live,
            },
            Audience::Everyone,
        );
        self.forget_tracks(turn, &[track]);
    }

    /// Ends a participant's peer with what it publishes, without a word to the room.
    pub(crate) fn close_peer(&mut self, turn: &mut Turn<'_>, seat: Seat) -> EndedMedia {
        if let Some(peer) = self.participant(seat).peer() {
            turn.media(MediaEffect::ClosePeer { peer: peer.id });
        }
        self.forget_peer(turn, seat)
    }

    /// The same for a peer that the media plane has ended.
    pub(crate) fn forget_peer(&mut self, turn: &mut Turn<'_>, seat: Seat) -> EndedMedia {
        let participant = self.participant_mut(seat);
        let live = live_of(participant);
        let Media::Open(peer) = mem::replace(&mut participant.media, Media::None) else {
            return EndedMedia::default();
        };
        let tracks: Vec<TrackId> = peer.tracks.iter().map(|track| track.id).collect();
        turn.index.peers.remove(&peer.id);
        for track in &tracks {
            turn.index.tracks.remove(track);
            self.note_unpublished(turn, *track);
            self.speaking.voices.remove(track);
        }
        self.forget_tracks(turn, &tracks);
        EndedMedia { tracks, live }
    }

    /// Tells the room which tracks are no more, and what became of their owner's being live.
    pub(crate) fn tell_ended(
        &mut self,
        turn: &mut Turn<'_>,
        seat: Seat,
        ended: EndedMedia,
        audience: Audience,
    ) {
        let participant_id = self.id_of(seat);
        for track_id in ended.tracks {
            self.tell(
                turn,
                seat,
                Change::TrackUnpublished {
                    participant_id,
                    track_id,
                },
                audience,
            );
        }
        self.tell_live(turn, seat, ended.live, audience);
    }
}

/// What a participant published until their peer ended.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct EndedMedia {
    pub(crate) tracks: Vec<TrackId>,
    pub(crate) live: Option<Live>,
}
