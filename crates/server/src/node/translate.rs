//! Translates between the words of signaling and of media, which have never heard of each other. It decides nothing.

use protocol::RoomId;
use signaling::{MediaEffect, MediaEvent};

/// What the rooms ask, as a command to the engine that serves the room.
pub(super) fn command(room: RoomId, effect: MediaEffect) -> media::Command {
    match effect {
        MediaEffect::OpenPeer {
            peer,
            participant,
            publishes_data,
        } => media::Command::OpenPeer {
            peer,
            participant,
            data_group: room.bits(),
            publishes_data,
        },
        MediaEffect::ClosePeer { peer } => media::Command::ClosePeer { peer },
        MediaEffect::Offer { peer, sdp } => media::Command::Offer { peer, sdp },
        MediaEffect::Publish {
            peer,
            track,
            mid,
            source,
            muted,
        } => media::Command::Publish {
            peer,
            track,
            mid,
            source,
            muted,
        },
        MediaEffect::Unpublish { peer, track } => media::Command::Unpublish { peer, track },
        MediaEffect::SetMuted { track, muted } => media::Command::SetMuted { track, muted },
        MediaEffect::Subscribe { peer, track } => media::Command::Subscribe { peer, track },
        MediaEffect::SetViewport { peer, viewports } => {
            media::Command::SetViewport { peer, viewports }
        }
        MediaEffect::Unsubscribe { peer, track } => media::Command::Unsubscribe { peer, track },
    }
}

/// What an engine reports, as far as the rooms care.
pub(super) fn event(event: media::Event) -> Option<MediaEvent> {
    Some(match event {
        media::Event::Answered {
            peer,
            sdp,
            sections,
        } => MediaEvent::Answered {
            peer,
            sdp,
            sections,
        },
        media::Event::OfferRefused { peer, reason } => MediaEvent::OfferRefused { peer, reason },
        media::Event::SectionsRequired { peer, audio, video } => {
            MediaEvent::SectionsRequired { peer, audio, video }
        }
        media::Event::PublicationRefused { track, reason } => {
            MediaEvent::PublicationRefused { track, reason }
        }
        media::Event::LayersWanted { track, layers } => MediaEvent::LayersWanted { track, layers },
        media::Event::Speaking { track, level } => MediaEvent::Speaking { track, level },
        media::Event::PeerEnded { peer, reason } => MediaEvent::PeerEnded { peer, reason },
        media::Event::PeerConnected { .. }
        | media::Event::FirstPacketSent { .. }
        | media::Event::Explained { .. } => return None,
    })
}
