//! Commands to the engine: peers, tracks and subscriptions come and go.

use std::time::Instant;

use protocol::{ParticipantId, PeerId, TrackId, TrackSource, Viewport};

use super::{Engine, audible, relay};
use crate::allocation::{assign, explain};
use crate::inbound::Track;
use crate::inbound::track::Publisher;
use crate::negotiation;
use crate::peer::Peer;
use crate::statistics::DropReason;
use crate::upkeep;
use crate::{Command, Event};

pub(super) fn handle(engine: &mut Engine, now: Instant, command: Command) {
    let done = match command {
        Command::OpenPeer {
            peer,
            participant,
            data_group,
            publishes_data,
        } => open_peer(engine, now, peer, participant, data_group, publishes_data),
        Command::ClosePeer { peer } => close_peer(engine, now, peer),
        Command::Offer { peer, sdp } => offer(engine, now, peer, &sdp),
        Command::Publish {
            peer,
            track,
            mid,
            source,
            muted,
        } => publish(engine, peer, track, mid, source, muted),
        Command::Unpublish { peer, track } => unpublish(engine, peer, track),
        Command::SetMuted { track, muted } => set_muted(engine, now, track, muted),
        Command::Subscribe { peer, track } => subscribe(engine, peer, track),
        Command::SetViewport { peer, viewports } => set_viewport(engine, now, peer, &viewports),
        Command::Explain { request, peer } => {
            tell_forwarding(engine, now, request, peer);
            Some(())
        }
        Command::Unsubscribe { peer, track } => unsubscribe(engine, peer, track),
        Command::Relay { track, to } => relay::begin(engine, now, track, to),
        Command::StopRelay { track, to } => relay::stop(engine, track, to),
        Command::OpenRelayedTrack {
            track,
            participant,
            source,
            muted,
            from,
        } => relay::open(engine, track, participant, source, muted, from),
        Command::CloseRelayedTrack { track } => relay::close(engine, track),
        Command::SetDataWorkers {
            data_group,
            workers,
        } => relay::set_data_workers(engine, data_group, workers),
    };
    if done.is_none() {
        engine.statistics.drop_for(DropReason::StaleCommand);
    }
}

fn open_peer(
    engine: &mut Engine,
    now: Instant,
    id: PeerId,
    participant: ParticipantId,
    data_group: u64,
    publishes_data: bool,
) -> Option<()> {
    if engine.peer_places.contains_key(&id) {
        return None;
    }
    let place = engine.peers.vacant_key();
    let transport = engine.transport(now, place);
    let session_id = u64::from_be_bytes(engine.identity.random()) >> 2;
    let limits = &engine.config.limits;
    let peer = Peer::new(
        now,
        id,
        participant,
        data_group,
        publishes_data,
        transport,
        session_id,
        limits,
    );
    let inserted = engine.peers.insert(peer);
    debug_assert_eq!(inserted, place);
    engine.peer_places.insert(id, place);
    engine
        .data_groups
        .entry(data_group)
        .or_default()
        .push(place);
    Some(())
}

fn close_peer(engine: &mut Engine, now: Instant, id: PeerId) -> Option<()> {
    let place = *engine.peer_places.get(&id)?;
    engine.end_peer(now, place, None);
    Some(())
}

fn offer(engine: &mut Engine, now: Instant, id: PeerId, sdp: &str) -> Option<()> {
    let place = *engine.peer_places.get(&id)?;
    engine.serve(now, place, |engine| {
        let Engine {
            peers,
            tracks,
            config,
            identity,
            ..
        } = engine;
        let negotiated =
            match negotiation::answer(now, place, &mut peers[place], tracks, sdp, config, identity)
            {
                Ok(negotiated) => negotiated,
                Err(reason) => {
                    return engine
                        .events
                        .push_back(Event::OfferRefused { peer: id, reason });
                }
            };
        for (index, reason) in negotiated.refused {
            let track = engine.tracks[index].id;
            engine.peers[place]
                .tracks
                .retain(|published| *published != index);
            engine.peers[place]
                .streams
                .retain(|_, stream| stream.track != index);
            engine.end_track(index);
            engine
                .events
                .push_back(Event::PublicationRefused { track, reason });
        }
        let (sdp, sections) = (negotiated.sdp, negotiated.sections);
        engine.sections_changed = true;
        engine.events.push_back(Event::Answered {
            peer: id,
            sdp,
            sections,
        });
        relay::describe_tracks_of(engine, place);
        engine.prepare_pictures(now, place);
    });
    Some(())
}

fn publish(
    engine: &mut Engine,
    peer: PeerId,
    id: TrackId,
    mid: String,
    source: TrackSource,
    muted: bool,
) -> Option<()> {
    let place = *engine.peer_places.get(&peer)?;
    if engine.track_places.contains_key(&id) {
        return None;
    }
    let participant = engine.peers[place].participant;
    let index = engine.tracks.insert(Track::new(
        id,
        Publisher::Here(place),
        participant,
        source,
        mid,
        muted,
    ));
    engine.track_places.insert(id, index);
    audible::give_voice(engine, index, engine.peers[place].data_group);
    engine.peers[place].tracks.push(index);
    Some(())
}

fn unpublish(engine: &mut Engine, peer: PeerId, id: TrackId) -> Option<()> {
    let place = *engine.peer_places.get(&peer)?;
    let index = *engine.track_places.get(&id)?;
    let publisher = &mut engine.peers[place];
    if !publisher.tracks.contains(&index) {
        return None;
    }
    publisher.tracks.retain(|published| *published != index);
    publisher.streams.retain(|_, stream| stream.track != index);
    engine.end_track(index);
    Some(())
}

fn set_muted(engine: &mut Engine, now: Instant, id: TrackId, muted: bool) -> Option<()> {
    let index = *engine.track_places.get(&id)?;
    let track = &mut engine.tracks[index];
    track.muted = muted;
    if muted
        && let Some(voice) = track.voice
        && let Some(room) = engine.loudest.get_mut(&voice.room)
    {
        room.mute(voice.key);
    }
    if muted && track.speech.stop() && matches!(track.publisher, Publisher::Here(_)) {
        engine.events.push_back(Event::Speaking {
            track: id,
            level: None,
        });
    }
    for place in engine.tracks[index].wanted_by.clone() {
        let peer = &mut engine.peers[place];
        peer.allocator.is_dirty = true;
        assign::assign(now, place, peer, &mut engine.tracks);
        upkeep::want_key_frames(now, peer, &mut engine.tracks);
    }
    engine.look_after_track(now, index);
    Some(())
}

fn subscribe(engine: &mut Engine, id: PeerId, track: TrackId) -> Option<()> {
    let place = *engine.peer_places.get(&id)?;
    let index = *engine.track_places.get(&track)?;
    let peer = &mut engine.peers[place];
    let track = &mut engine.tracks[index];
    let is_full = peer.outbound.len() + peer.unbound.len() >= engine.config.limits.subscriptions;
    if track.publisher == Publisher::Here(place) || track.wanted_by.contains(&place) || is_full {
        return None;
    }
    track.wanted_by.push(place);
    track.watched.is_dirty = true;
    peer.unbound.push(index);
    peer.sections_changed = true;
    engine.sections_changed = true;
    Some(())
}

fn set_viewport(
    engine: &mut Engine,
    now: Instant,
    id: PeerId,
    viewports: &[Viewport],
) -> Option<()> {
    let place = *engine.peer_places.get(&id)?;
    let peer = &mut engine.peers[place];
    for viewport in viewports {
        let mut outbound = peer.outbound.iter_mut();
        if let Some(of) = outbound.find(|outbound| outbound.id == viewport.track_id) {
            of.viewport = Some(*viewport);
        }
    }
    peer.allocator.is_dirty = true;
    assign::assign(now, place, peer, &mut engine.tracks);
    upkeep::want_key_frames(now, peer, &mut engine.tracks);
    engine.ask_for_key_frames(now, place);
    Some(())
}

fn tell_forwarding(engine: &mut Engine, now: Instant, request: u64, id: PeerId) {
    let place = engine.peer_places.get(&id);
    let forwarding = place.map(|place| explain(now, &engine.peers[*place], &engine.tracks));
    engine.events.push_back(Event::Explained {
        request,
        forwarding,
    });
}

fn unsubscribe(engine: &mut Engine, id: PeerId, track: TrackId) -> Option<()> {
    let place = *engine.peer_places.get(&id)?;
    let index = *engine.track_places.get(&track)?;
    let track = &mut engine.tracks[index];
    track.wanted_by.retain(|wanted| *wanted != place);
    track.watched.is_dirty = true;
    track
        .subscribers
        .retain(|subscriber| subscriber.peer != place);
    let peer = &mut engine.peers[place];
    peer.retain_outbound(|outbound| outbound.track != index);
    peer.unbound.retain(|unbound| *unbound != index);
    Some(())
}
