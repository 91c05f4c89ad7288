//! Who is live: derived from the tracks published now, each time it is asked. Nothing is stored here or
//! anywhere else.

use protocol::{Live, MediaType, TrackKind};

use crate::participant::Participant;

/// What it is that this participant sends, if anything.
pub(crate) fn live_of(participant: &Participant) -> Option<Live> {
    let tracks = participant.tracks();
    let started_at = tracks.iter().map(|track| track.published_at).min()?;
    let has_video = tracks
        .iter()
        .any(|track| track.source.kind() == TrackKind::Video);
    Some(Live {
        participant_id: participant.id,
        identity: participant.identity.clone(),
        name: participant.name.clone(),
        started_at,
        media_type: if has_video {
            MediaType::Video
        } else {
            MediaType::Audio
        },
    })
}

/// Who of these is live, longest first; of two that started together, the one named first.
pub(crate) fn live_among<'a>(participants: impl Iterator<Item = &'a Participant>) -> Vec<Live> {
    let mut live: Vec<Live> = participants.filter_map(live_of).collect();
    live.sort_by_key(|live| live.started_at);
    live
}
