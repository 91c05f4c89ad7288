//! From the engine's state to figures, and from allotments back to it: subscriptions get their layers, and
//! publishers are told which of them are watched. It weighs nothing.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use protocol::{LayerWanted, TrackKind, Viewport};
use slab::Slab;

use super::{Allotment, Demand, LayerFigures, MAX_LAYERS, Reason, Shown, Size, sizes, wanted_bps};
use crate::event::Event;
use crate::inbound::{Layer, SPATIAL, TEMPORAL, Track, track::Subscriber};
use crate::outbound::OutboundTrack;
use crate::overload::Cut;
use crate::peer::Peer;

/// A viewer who is new says how large it shows a track within this time; until then it makes do with what is
/// being sent, lest each newcomer start every encoder in the room.
const NEW: Duration = Duration::from_secs(1);

/// Give each subscription of a peer its layer, if it is time to look.
pub(crate) fn assign(now: Instant, place: usize, peer: &mut Peer, tracks: &mut Slab<Track>) {
    let estimate = estimate(peer);
    // Sound is given in any case.
    let weighed = estimate.filter(|_| !peer.only_hears());
    if !peer.allocator.is_due(now, weighed) {
        return;
    }
    let demand = |outbound: &OutboundTrack| demand(now, outbound, &tracks[outbound.track]);
    let demands: Vec<Demand> = peer.outbound.iter().map(demand).collect();
    peer.bandwidth.set_wanted_bps(wanted_bps(&demands));
    let allotments = peer.allocator.allocate(now, estimate, &demands);
    for (index, (outbound, allotment)) in peer.outbound.iter_mut().zip(allotments).enumerate() {
        let subscriber = Subscriber {
            peer: place,
            ssrc: outbound.ssrc,
            outbound: index,
        };
        let track = &mut tracks[outbound.track];
        take(subscriber, outbound, track, allotment);
    }
}

/// What may be sent to a peer, in bits per second.
pub(crate) fn estimate(peer: &Peer) -> Option<u64> {
    peer.bandwidth.estimate_bps()
}

/// What a subscription's share depends on.
pub(crate) fn demand(now: Instant, outbound: &OutboundTrack, track: &Track) -> Demand {
    Demand {
        is_muted: track.muted,
        is_speaking: track.is_speaking,
        is_screen: track.is_screen,
        is_cut: outbound.cut != Cut::Nothing,
        shown: match track.kind {
            // Sound is heard, however large its tile is.
            TrackKind::Audio => Shown::Unknown,
            TrackKind::Video => shown(outbound.viewport),
        },
        count: count(track),
        layers: figures(now, track),
        held: outbound.allotment,
    }
}

fn shown(viewport: Option<Viewport>) -> Shown {
    match viewport {
        None => Shown::Unknown,
        Some(Viewport {
            width,
            height,
            visible: true,
            ..
        }) if width > 0 && height > 0 => Shown::At(Size { width, height }),
        Some(_) => Shown::Hidden,
    }
}

/// The only stream of a track, if that has several sizes in it (SVC).
pub(super) fn scalable(track: &Track) -> Option<&Layer> {
    let [only] = &track.layers[..] else {
        return None;
    };
    (only.bitrate.spatial_layers() > 1).then_some(only)
}

/// How many layers there are to choose from.
pub(super) fn count(track: &Track) -> usize {
    let count = match scalable(track) {
        Some(stream) => stream.bitrate.spatial_layers(),
        None => track.layers.len(),
    };
    count.min(MAX_LAYERS)
}

/// What is known of a track's layers, as many as there are to choose from.
pub(super) fn figures(now: Instant, track: &Track) -> [LayerFigures; MAX_LAYERS] {
    let mut known = [None; MAX_LAYERS];
    let mut figures = [LayerFigures::default(); MAX_LAYERS];
    let count = count(track);
    if let Some(stream) = scalable(track) {
        // A key frame tells the largest size.
        known[count - 1] = stream.size;
        let sizes = sizes(&known[..count]);
        for (spatial, figures) in figures.iter_mut().enumerate().take(count) {
            *figures = figures_of(now, stream, spatial, sizes[spatial]);
        }
        return figures;
    }
    for (known, layer) in known.iter_mut().zip(&track.layers) {
        *known = layer.size;
    }
    let sizes = sizes(&known[..count]);
    for ((figures, layer), size) in figures.iter_mut().zip(&track.layers).zip(sizes) {
        *figures = figures_of(now, layer, SPATIAL - 1, size);
        if track.kind == TrackKind::Audio && layer.bitrate.bits_per_second().is_none() {
            figures.bitrate = 0;
        }
    }
    figures
}

/// Of a stream, up to one of its spatial layers.
fn figures_of(now: Instant, stream: &Layer, spatial: usize, size: Size) -> LayerFigures {
    let rate = |temporal: usize| stream.bitrate.within(spatial, temporal);
    LayerFigures {
        is_active: stream.is_active(now),
        bitrate: rate(TEMPORAL - 1).unwrap_or(size.usual_bitrate()),
        temporal_layers: stream.bitrate.temporal_layers(),
        lower: std::array::from_fn(|temporal| rate(temporal).unwrap_or(0)),
        size,
    }
}

fn take(
    subscriber: Subscriber,
    outbound: &mut OutboundTrack,
    track: &mut Track,
    allotment: Allotment,
) {
    let before = std::mem::replace(&mut outbound.allotment, allotment);
    let (target, spatial) = match scalable(track) {
        // Of the largest everything: more may come.
        Some(_) => (
            allotment.target.map(|_| 0),
            allotment.target.filter(|target| target + 1 < count(track)),
        ),
        None => (allotment.target, None),
    };
    if outbound.selector.target() != target {
        outbound.selector.set_target(target);
    }
    outbound
        .selector
        .set_spatial(spatial.map(|spatial| spatial as u8));
    outbound.selector.set_temporal(allotment.temporal);
    if before.desired != allotment.desired {
        track.watched.is_dirty = true;
    }
    let (was_hidden, is_hidden) = (
        before.reason == Reason::Hidden,
        allotment.reason == Reason::Hidden,
    );
    // What is not seen costs nothing, not even the question whether it is seen.
    if is_hidden && !was_hidden {
        track.subscribers.retain(|of| of.peer != subscriber.peer);
    } else if was_hidden && !is_hidden {
        track.subscribers.push(subscriber);
    }
}

/// What the tracks of a publisher have in common, and which of their layers come: those who receive them are
/// to look again when that changes.
pub(crate) fn note_publisher(
    now: Instant,
    place: usize,
    peers: &mut Slab<Peer>,
    tracks: &mut Slab<Track>,
) {
    let published = &peers[place].tracks;
    let is_speaking = published.iter().any(|of| tracks[*of].speech.is_speaking());
    let mut changed = Vec::new();
    for &index in published {
        let track = &mut tracks[index];
        track.is_speaking = is_speaking;
        let layers = track.layers.iter().take(MAX_LAYERS).enumerate();
        let activity = layers.fold(None, |bits: Option<u8>, (number, layer)| {
            Some(bits.unwrap_or(0) | u8::from(layer.is_active(now)) << number)
        });
        if std::mem::replace(&mut track.activity, activity) != activity {
            changed.push(index);
        }
    }
    for index in changed {
        for receiver in &tracks[index].wanted_by {
            peers[*receiver].allocator.is_dirty = true;
        }
    }
}

/// Tell a publisher which layers of its videos are watched, where that has changed.
pub(crate) fn tell_publisher(
    now: Instant,
    place: usize,
    peers: &Slab<Peer>,
    tracks: &mut Slab<Track>,
    events: &mut VecDeque<Event>,
) {
    for &index in &peers[place].tracks {
        let track = &mut tracks[index];
        let count = track.layers.len();
        let is_concerned = track.kind == TrackKind::Video && count > 0 && !track.muted;
        if !is_concerned || !track.watched.is_due(now) {
            continue;
        }
        let watched = watched(now, index, track, peers);
        if let Some(told) = track.watched.update(now, watched, count) {
            let layers = track.layers.iter().enumerate();
            let layers = layers.map(|(number, layer)| LayerWanted {
                rid: layer.rid.clone(),
                wanted: number < told,
            });
            events.push_back(Event::LayersWanted {
                track: track.id,
                layers: layers.collect(),
            });
        }
    }
}

/// How many layers of a track, from the lowest, somebody watches or will.
fn watched(now: Instant, index: usize, track: &Track, peers: &Slab<Peer>) -> usize {
    let count = track.layers.len();
    let sent = match track.watched.told(count) {
        0 => count,
        sent => sent,
    };
    let wishes = wishes(now, index, track, peers);
    // Other engines that have not said yet have newcomers.
    let elsewhere = track.relays.iter().map(|relay| {
        let mut told = track.watched_elsewhere.iter();
        told.find(|(of, _)| of == relay).map(|(_, count)| *count)
    });
    let all = wishes.chain(elsewhere);
    all.map(|wish| wish.unwrap_or(sent)).max().unwrap_or(0)
}

/// How many layers of a track of another engine's publisher are watched here, if that engine is to be told, for it
/// was told otherwise. It is told nothing before somebody's wish is known.
pub(crate) fn watched_anew(
    now: Instant,
    index: usize,
    track: &mut Track,
    peers: &Slab<Peer>,
) -> Option<usize> {
    let count = track.layers.len();
    if count == 0 || track.muted || !track.watched.is_due(now) {
        return None;
    }
    track.watched.note_looked(now);
    let before = track.watched_here;
    let newcomer = before.map(|told| if told == 0 { count } else { told });
    let wishes: Vec<_> = wishes(now, index, track, peers).collect();
    let watched = match wishes.is_empty() {
        true => Some(0),
        false => wishes.iter().filter_map(|wish| wish.or(newcomer)).max(),
    };
    if watched.is_none() || watched == before {
        return None;
    }
    track.watched_here = watched;
    watched
}

/// What each of a track's receivers here wants of it, in layers from the lowest; `None`: not known yet.
fn wishes<'a>(
    now: Instant,
    index: usize,
    track: &'a Track,
    peers: &'a Slab<Peer>,
) -> impl Iterator<Item = Option<usize>> + 'a {
    track.wanted_by.iter().map(move |receiver| {
        let mut outbound = peers[*receiver].outbound.iter();
        let outbound = outbound.find(|outbound| outbound.track == index)?;
        let desired = outbound.allotment.desired;
        // The sizes within one stream are all its encoder's.
        let count = desired.map_or(0, |desired| (desired + 1).min(track.layers.len()));
        (!is_new(now, outbound)).then_some(count)
    })
}

fn is_new(now: Instant, outbound: &OutboundTrack) -> bool {
    outbound.viewport.is_none() && now.saturating_duration_since(outbound.bound_at) < NEW
}
