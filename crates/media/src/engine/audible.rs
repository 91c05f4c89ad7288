//! Who is heard of a room that is on several engines. Each chooses among its own publishers' sounds, and says at once
//! to the others which of the room's places they have taken, and a few times in a second how loud they are: so there
//! is one choice for the room, and nobody waits for another engine with a first word.

use protocol::TrackKind;

use super::Engine;
use crate::inbound::track::Voice;
use crate::inbound::{Loudest, Said};
use crate::link::{Item, Links};

/// A track of sound of a publisher who is here gets its place among those of its room.
pub(super) fn give_voice(engine: &mut Engine, index: usize, room: u64) {
    let track = &mut engine.tracks[index];
    if track.kind != TrackKind::Audio {
        return;
    }
    let places = engine.config.limits.audible_tracks;
    let loudest = engine.loudest.entry(room);
    let loudest = loudest.or_insert_with(|| Loudest::new(places));
    track.voice = Some(Voice {
        room,
        key: loudest.add(track.id),
        forwarded: 0,
    });
}

/// Peers of a room are on these other engines.
pub(super) fn set_workers(engine: &mut Engine, room: u64, workers: &[u8]) {
    if let Some(loudest) = engine.loudest.get_mut(&room) {
        loudest.set_workers(workers);
        forget_empty(engine, room);
    }
}

/// Another engine says which places its voices have. That it has left the room may be known here already, or not yet
/// that it has come: then it will say so again.
pub(super) fn take(engine: &mut Engine, from: u8, room: u64, said: &Said) {
    let workers = engine.data_workers.get(&room);
    if !workers.is_some_and(|workers| workers.contains(&from)) {
        return;
    }
    let places = engine.config.limits.audible_tracks;
    let loudest = engine.loudest.entry(room);
    let loudest = loudest.or_insert_with(|| Loudest::new(places));
    loudest.take(from, said.clone());
    forget_empty(engine, room);
}

/// Of whom nobody is known any more, that room is forgotten. What was claimed here is not any longer.
pub(super) fn forget_empty(engine: &mut Engine, room: u64) {
    let Some(loudest) = engine.loudest.get_mut(&room) else {
        return;
    };
    if !loudest.is_empty() {
        return;
    }
    if loudest.take_change() {
        let others = engine.data_workers.get(&room);
        tell(&mut engine.links, others, room, &Said::default());
    }
    engine.loudest.remove(&room);
}

/// Tell the other engines of the rooms in which others are heard now.
pub(super) fn tell_changes(engine: &mut Engine) {
    tell_all(engine, |loudest| {
        loudest.take_change().then(|| loudest.said())
    });
}

/// Tell the other engines how loud those are who are heard, or wait for that.
pub(super) fn repeat(engine: &mut Engine) {
    tell_all(engine, |loudest| {
        Some(loudest.said()).filter(|said| !said.is_nothing())
    });
}

fn tell_all(engine: &mut Engine, said: impl Fn(&mut Loudest) -> Option<Said>) {
    let Engine {
        loudest,
        data_workers,
        links,
        ..
    } = engine;
    for (room, others) in data_workers {
        if let Some(said) = loudest.get_mut(room).and_then(&said) {
            tell(links, Some(others), *room, &said);
        }
    }
}

fn tell(links: &mut Links, others: Option<&Vec<u8>>, room: u64, said: &Said) {
    for to in others.into_iter().flatten() {
        let said = said.clone();
        links.push(*to, Item::Voices { room, said });
    }
}
