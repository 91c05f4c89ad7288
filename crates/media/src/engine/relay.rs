//! A room on several engines: tracks that this one passes on to others, and tracks whose packets come from
//! another. What crosses is in `crate::link`; who wants what on which engine is the server's to know.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use protocol::{ParticipantId, TrackId, TrackKind, TrackSource};

use super::{Engine, audible};
use crate::allocation::assign;
use crate::forwarded::Kept;
use crate::inbound::track::Publisher;
use crate::inbound::{Layer, SenderClock, Track};
use crate::link::{Batch, Item, RelayedPacket};
use crate::statistics::DropReason;

impl Engine {
    /// What another engine passes on has come. `flush` is called where so much waits that this engine's own
    /// `flush` should be, in the middle of it.
    pub fn handle_batch(&mut self, now: Instant, batch: &Batch, mut flush: impl FnMut(&mut Self)) {
        for item in &batch.items {
            if self.wants_flush() {
                flush(self);
            }
            // The packet may be anything a stranger wrote: if it brings us down, its track ends, and nothing else.
            let outcome = catch_unwind(AssertUnwindSafe(|| handle(self, now, batch, item)));
            match outcome {
                Ok(Some(())) => {}
                Ok(None) => self.statistics.drop_for(DropReason::Link),
                Err(_) => {
                    self.statistics.drop_for(DropReason::Panic);
                    let track = item.track().and_then(|track| self.track_places.get(&track));
                    tracing::error!(?track, "a panic while serving another worker");
                    if let Some(index) = track.copied()
                        && matches!(self.tracks[index].publisher, Publisher::Elsewhere(_))
                    {
                        self.end_track(index);
                    }
                }
            }
        }
    }

    /// Hand out what other engines are to get: the number of the engine, and what is for it, before each
    /// `flush`. A batch that comes back is one too many for that engine.
    pub fn flush_links(&mut self, send: impl FnMut(u8, Batch) -> Result<(), Batch>) {
        audible::tell_changes(self);
        let dropped = self.links.flush(self.config.worker, send);
        self.statistics.dropped[DropReason::Link as usize] += dropped.packets;
        self.statistics.dropped[DropReason::Data as usize] += dropped.messages;
    }
}

/// Pass a track on to another engine: what it is, its present picture, and each packet from now on.
pub(super) fn begin(engine: &mut Engine, now: Instant, id: TrackId, to: u8) -> Option<()> {
    let index = *engine.track_places.get(&id)?;
    let track = &mut engine.tracks[index];
    let is_here = matches!(track.publisher, Publisher::Here(_));
    if !is_here || to == engine.config.worker || track.relays.contains(&to) {
        return None;
    }
    track.relays.push(to);
    track.watched.is_dirty = true;
    introduce(engine, now, index, to);
    Some(())
}

pub(super) fn stop(engine: &mut Engine, id: TrackId, to: u8) -> Option<()> {
    // The track may have ended by itself, and the relay with it.
    if let Some(index) = engine.track_places.get(&id) {
        let track = &mut engine.tracks[*index];
        track.relays.retain(|other| *other != to);
        track.watched_elsewhere.retain(|(other, _)| *other != to);
        track.watched.is_dirty = true;
    }
    Some(())
}

/// A track of another engine's publisher.
pub(super) fn open(
    engine: &mut Engine,
    id: TrackId,
    participant: ParticipantId,
    source: TrackSource,
    muted: bool,
    from: u8,
) -> Option<()> {
    if engine.track_places.contains_key(&id) || from == engine.config.worker {
        return None;
    }
    let publisher = Publisher::Elsewhere(from);
    let track = Track::new(id, publisher, participant, source, String::new(), muted);
    let index = engine.tracks.insert(track);
    engine.track_places.insert(id, index);
    // The other one may have been told to begin before we were told to expect it.
    engine.links.push(from, Item::Describe { track: id });
    Some(())
}

pub(super) fn close(engine: &mut Engine, id: TrackId) -> Option<()> {
    let index = *engine.track_places.get(&id)?;
    if matches!(engine.tracks[index].publisher, Publisher::Here(_)) {
        return None;
    }
    engine.end_track(index);
    Some(())
}

pub(super) fn set_data_workers(engine: &mut Engine, group: u64, workers: Vec<u8>) -> Option<()> {
    let known = workers.clone();
    match workers.is_empty() {
        true => engine.data_workers.remove(&group),
        false => engine.data_workers.insert(group, workers),
    };
    audible::set_workers(engine, group, &known);
    Some(())
}

/// An offer of the peer is answered: what its tracks are may have changed.
pub(super) fn describe_tracks_of(engine: &mut Engine, place: usize) {
    for index in &engine.peers[place].tracks {
        let track = &engine.tracks[*index];
        let Some(description) = track.description() else {
            continue;
        };
        for to in &track.relays {
            let description = Box::new(description.clone());
            engine.links.push(*to, Item::Described(description));
        }
    }
}

/// RTCP of a peer has come: the clocks that it told in it.
pub(super) fn tell_clocks(engine: &mut Engine, now: Instant, place: usize) {
    for index in &engine.peers[place].tracks {
        let track = &engine.tracks[*index];
        for to in &track.relays {
            for clock in clocks(track).filter(|(_, clock)| clock.arrival == now) {
                engine.links.push(*to, clock_item(track.id, clock));
            }
        }
    }
}

/// Whose videos are those of somebody who speaks: viewers on other engines get them first, as those here do.
pub(super) fn tell_speaking(engine: &mut Engine, place: usize) {
    for index in &engine.peers[place].tracks {
        let track = &mut engine.tracks[*index];
        let is_speaking = track.is_speaking;
        if std::mem::replace(&mut track.is_known_to_speak, is_speaking) == is_speaking {
            continue;
        }
        if track.kind == TrackKind::Video {
            let relays = track.relays.iter();
            relays.for_each(|to| engine.links.push(*to, speaking_item(track)));
        }
    }
}

fn speaking_item(track: &Track) -> Item {
    Item::Speaking {
        track: track.id,
        is_speaking: track.is_known_to_speak,
    }
}

fn clocks(track: &Track) -> impl Iterator<Item = (usize, SenderClock)> {
    let layers = track.layers.iter().enumerate();
    layers.filter_map(|(index, layer)| Some((index, layer.sender_clock()?)))
}

fn clock_item(track: TrackId, (layer, clock): (usize, SenderClock)) -> Item {
    Item::Clock {
        track,
        layer,
        clock,
    }
}

/// All that another engine has to know of a track to show it at once.
fn introduce(engine: &mut Engine, now: Instant, index: usize, to: u8) {
    let Engine {
        tracks,
        links,
        statistics,
        ..
    } = engine;
    let track = &tracks[index];
    let Some(description) = track.description() else {
        return;
    };
    links.push(to, Item::Described(Box::new(description)));
    if track.is_known_to_speak {
        links.push(to, speaking_item(track));
    }
    for clock in clocks(track) {
        links.push(to, clock_item(track.id, clock));
    }
    for (number, layer) in track.layers.iter().enumerate() {
        let (Some(sequences), Some(arrival)) = (layer.replay(now), layer.key_frame_arrival())
        else {
            continue;
        };
        for sequence in sequences {
            if let Some(plain) = layer.cache.get(sequence) {
                let kept = Kept {
                    layer: number,
                    sequence,
                    arrival,
                };
                let packet = RelayedPacket::new(track, kept, true);
                links.push_packet(&[to], packet, plain);
                statistics.relayed_packets += 1;
            }
        }
    }
}

/// One thing from another engine. `None` if it is for nobody.
fn handle(engine: &mut Engine, now: Instant, batch: &Batch, item: &Item) -> Option<()> {
    match item {
        Item::Packet(packet) => {
            let index = relayed(engine, batch.from, packet.track)?;
            let result = engine
                .router(now)
                .accept_relayed(index, packet, batch.packet(packet));
            if let Err(reason) = result {
                engine.statistics.drop_for(reason);
            }
        }
        Item::Described(description) => {
            let index = relayed(engine, batch.from, description.track)?;
            engine.tracks[index].take((**description).clone(), &engine.config.limits);
            for place in engine.tracks[index].wanted_by.clone() {
                engine.prepare_pictures(now, place);
            }
        }
        Item::Clock {
            track,
            layer,
            clock,
        } => {
            let index = relayed(engine, batch.from, *track)?;
            let layer = engine.tracks[index].layers.get_mut(*layer)?;
            layer.on_sender_report(*clock);
        }
        Item::Speaking { track, is_speaking } => {
            let index = relayed(engine, batch.from, *track)?;
            engine.tracks[index].is_speaking = *is_speaking;
        }
        Item::Lost { track } => {
            let index = relayed(engine, batch.from, *track)?;
            let track = &mut engine.tracks[index];
            if track.kind == TrackKind::Video {
                track.layers.iter_mut().for_each(Layer::on_lost);
            }
            look_after(engine, now, index);
        }
        Item::Data {
            data_group,
            label,
            payload,
        } => engine.send_to_group(now, *data_group, None, label, payload),
        Item::Voices { room, said } => audible::take(engine, batch.from, *room, said),
        // The track may have ended, or the relay may not have begun: then it will tell by itself.
        Item::Describe { track } => {
            if let Some(index) = passed_on(engine, batch.from, *track) {
                introduce(engine, now, index, batch.from);
            }
        }
        Item::KeyFrameWanted { track, layer } => {
            if let Some(index) = passed_on(engine, batch.from, *track)
                && let Some(layer) = engine.tracks[index].layers.get_mut(*layer)
            {
                layer.key_frames.want();
                engine.look_after_track(now, index);
            }
        }
        Item::LayersWatched { track, count } => {
            if let Some(index) = passed_on(engine, batch.from, *track) {
                let track = &mut engine.tracks[index];
                track
                    .watched_elsewhere
                    .retain(|(other, _)| *other != batch.from);
                track.watched_elsewhere.push((batch.from, *count));
                track.watched.is_dirty = true;
            }
        }
    }
    Some(())
}

/// The place of a track that comes from this engine.
fn relayed(engine: &Engine, from: u8, id: TrackId) -> Option<usize> {
    let index = *engine.track_places.get(&id)?;
    (engine.tracks[index].publisher == Publisher::Elsewhere(from)).then_some(index)
}

/// The place of a track that is passed on to this engine.
fn passed_on(engine: &Engine, to: u8, id: TrackId) -> Option<usize> {
    let index = *engine.track_places.get(&id)?;
    engine.tracks[index].relays.contains(&to).then_some(index)
}

/// What is due often of the tracks of other engines' publishers.
pub(super) fn look_after_all(engine: &mut Engine, now: Instant) {
    let tracks = engine.tracks.iter();
    let relayed: Vec<usize> = tracks
        .filter(|(_, track)| matches!(track.publisher, Publisher::Elsewhere(_)))
        .map(|(index, _)| index)
        .collect();
    for index in relayed {
        look_after(engine, now, index);
    }
}

/// What the publisher would be asked, its engine is.
pub(super) fn look_after(engine: &mut Engine, now: Instant, index: usize) {
    let track = &mut engine.tracks[index];
    let Publisher::Elsewhere(from) = track.publisher else {
        return;
    };
    if track.kind == TrackKind::Audio {
        return;
    }
    if let Some(count) = assign::watched_anew(now, index, track, &engine.peers) {
        let track = track.id;
        engine
            .links
            .push(from, Item::LayersWatched { track, count });
    }
    let is_simulcast = track.layers.len() > 1;
    for (number, layer) in track.layers.iter_mut().enumerate() {
        let is_over = is_simulcast && layer.has_gone_silent(now);
        if !is_over && layer.key_frames.poll(now) {
            let (track, layer) = (track.id, number);
            engine
                .links
                .push(from, Item::KeyFrameWanted { track, layer });
        }
    }
}
