//! Why a peer gets what it gets, told to whoever asks. It changes nothing.

use std::time::Instant;

use protocol::{ParticipantId, TrackId, TrackKind, Viewport};
use slab::Slab;

use super::{Reason, assign};
use crate::inbound::Track;
use crate::outbound::OutboundTrack;
use crate::peer::Peer;

/// What a peer is sent, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// What may be sent to it, in bits per second; `None`: nothing limits it.
    pub estimate_bps: Option<u64>,
    /// Its subscriptions that have a media section.
    pub tracks: Vec<ForwardedTrack>,
}

/// One subscription. Layers are numbers, from 0, the lowest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedTrack {
    /// The track.
    pub track: TrackId,
    /// Whose it is.
    pub publisher: ParticipantId,
    /// Audio or video.
    pub kind: TrackKind,
    /// How large the viewer shows it, if it ever said.
    pub viewport: Option<Viewport>,
    /// The layer that is forwarded now.
    pub layer: Option<usize>,
    /// The layer that it gets from its next key frame on.
    pub target: Option<usize>,
    /// The highest temporal layer of it; `None`: all of them, every frame.
    pub temporal: Option<u8>,
    /// The layer that would fill its place on the viewer's page.
    pub desired: Option<usize>,
    /// Why the target is what it is.
    pub reason: Reason,
    /// What there is to choose from, lowest first.
    pub layers: Vec<LayerReport>,
}

/// A layer as its publisher sends it: one of simulcast, or a spatial one of the only stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerReport {
    /// Its name in simulcast.
    pub rid: Option<String>,
    /// It is being sent.
    pub is_active: bool,
    /// Its publisher was not told to leave it.
    pub is_wanted: bool,
    /// Measured lately, in bits per second; a guess from its size until it was.
    pub bitrate_bps: u64,
    /// Of it, up to each of its temporal layers but the highest, in bits per second: lowest first.
    pub temporal_bps: Vec<u64>,
    /// In pixels; a guess where the codec does not tell.
    pub width: u16,
    /// In pixels.
    pub height: u16,
}

/// What a peer is sent, and why.
pub(crate) fn explain(now: Instant, peer: &Peer, tracks: &Slab<Track>) -> Forwarding {
    let tracks_of_it = peer.outbound.iter().map(|outbound| {
        let track = &tracks[outbound.track];
        let allotment = outbound.allotment;
        ForwardedTrack {
            track: outbound.id,
            publisher: track.participant,
            kind: track.kind,
            viewport: outbound.viewport,
            layer: forwarded(outbound, track),
            target: allotment.target,
            temporal: allotment.temporal,
            desired: allotment.desired,
            reason: allotment.reason,
            layers: layers(now, track),
        }
    });
    Forwarding {
        estimate_bps: assign::estimate(peer),
        tracks: tracks_of_it.collect(),
    }
}

/// The layer that goes out now: of a stream with several sizes, the size.
fn forwarded(outbound: &OutboundTrack, track: &Track) -> Option<usize> {
    let layer = outbound.selector.current()?;
    if assign::scalable(track).is_none() {
        return Some(layer);
    }
    let highest = assign::count(track) - 1;
    let spatial = outbound.selector.spatial().map(usize::from);
    Some(spatial.map_or(highest, |spatial| spatial.min(highest)))
}

fn layers(now: Instant, track: &Track) -> Vec<LayerReport> {
    let streams = track.layers.len();
    let wanted = track.watched.told(streams);
    let figures = assign::figures(now, track);
    let layers = figures.iter().take(assign::count(track)).enumerate();
    let layers = layers.map(|(number, figures)| LayerReport {
        rid: track.layers.get(number).and_then(|layer| layer.rid.clone()),
        is_active: figures.is_active,
        is_wanted: number.min(streams - 1) < wanted,
        bitrate_bps: figures.bitrate,
        temporal_bps: figures.lower_rates().to_vec(),
        width: figures.size.width,
        height: figures.size.height,
    });
    layers.collect()
}
