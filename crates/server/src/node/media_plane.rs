//! What the rooms ask of "the media plane", as commands to its workers: which of them serves a peer, and what of
//! a room that is spread over several has to cross between them. It sends no command itself.

use media::Command;
use protocol::{PeerId, RoomId, TrackId};
use signaling::MediaEffect;

use super::relays::{Crossing, Published, Relays};
use super::translate;
use crate::placement::{Placement, Worker};

/// Commands with the workers they are for, in the order in which they are to be sent.
pub(super) type Commands = Vec<(Worker, Command)>;

/// The workers, as the node knows them.
#[derive(Debug)]
pub(super) struct MediaPlane {
    placement: Placement,
    relays: Relays,
}

impl MediaPlane {
    pub(super) fn new(workers: usize, room_peers_per_worker: usize) -> Self {
        Self {
            placement: Placement::new(workers, room_peers_per_worker),
            relays: Relays::default(),
        }
    }

    /// A room is open: on this worker, for now. `busy` is how many percent of its time a worker works.
    pub(super) fn open_room(&mut self, room: RoomId, busy: impl Fn(Worker) -> u8) -> Worker {
        self.placement.open_room(room, busy)
    }

    /// A room is gone, and nobody is left in it.
    pub(super) fn close_room(&mut self, room: RoomId) {
        self.placement.close_room(room);
    }

    /// What is to be done for an effect of an open room. Nothing for a peer that is gone: the two sides learn
    /// of an end at different moments.
    pub(super) fn carry_out(
        &mut self,
        room: RoomId,
        effect: MediaEffect,
        busy: impl Fn(Worker) -> u8,
    ) -> Commands {
        match &effect {
            MediaEffect::OpenPeer {
                peer, participant, ..
            } => {
                let Some(placed) = self.placement.open_peer(room, busy) else {
                    debug_assert!(false, "a peer of room {room}, which is not open");
                    return Vec::new();
                };
                self.relays
                    .open_peer(*peer, room, placed.worker, *participant);
                let mut commands = vec![(placed.worker, translate::command(room, effect))];
                if placed.has_changed {
                    self.tell_spread(room, placed.worker, &mut commands);
                }
                commands
            }
            MediaEffect::ClosePeer { peer } => {
                let Some(worker) = self.worker_of(*peer) else {
                    return Vec::new();
                };
                let mut commands = vec![(worker, Command::ClosePeer { peer: *peer })];
                commands.extend(self.peer_ended(*peer));
                commands
            }
            MediaEffect::Publish {
                peer,
                track,
                source,
                muted,
                ..
            } => {
                let published = Published {
                    publisher: *peer,
                    source: *source,
                    muted: *muted,
                };
                self.relays.publish(*track, published);
                self.to_worker_of(*peer, room, effect)
            }
            MediaEffect::Unpublish { peer, track } => {
                let (peer, track) = (*peer, *track);
                let mut commands = self.to_worker_of(peer, room, effect);
                commands.extend(self.track_ended(track));
                commands
            }
            MediaEffect::SetMuted { track, muted } => {
                let workers = self.relays.set_muted(*track, *muted);
                let command = translate::command(room, effect);
                workers
                    .into_iter()
                    .map(|worker| (worker, command.clone()))
                    .collect()
            }
            MediaEffect::Subscribe { peer, track } => {
                let (peer, crossing) = (*peer, self.relays.want(*peer, *track));
                let mut commands = crossing.map_or_else(Vec::new, |crossing| self.begin(crossing));
                commands.extend(self.to_worker_of(peer, room, effect));
                commands
            }
            MediaEffect::Unsubscribe { peer, track } => {
                let crossing = self.relays.unwant(*peer, *track);
                let mut commands = self.to_worker_of(*peer, room, effect);
                commands.extend(crossing.into_iter().flat_map(end));
                commands
            }
            MediaEffect::Offer { peer, .. } | MediaEffect::SetViewport { peer, .. } => {
                self.to_worker_of(*peer, room, effect)
            }
        }
    }

    /// A peer is no more, and its own worker knows.
    pub(super) fn peer_ended(&mut self, peer: PeerId) -> Commands {
        let Some((peer, unwanted, ended)) = self.relays.close_peer(peer) else {
            return Vec::new();
        };
        let mut commands: Commands = unwanted.into_iter().flat_map(end).collect();
        commands.extend(ended.into_iter().map(close));
        let placed = self.placement.close_peer(peer.room, peer.worker);
        if placed.is_some_and(|placed| placed.has_changed) {
            self.tell_spread(peer.room, peer.worker, &mut commands);
        }
        commands
    }

    /// A track is no more, and its publisher's worker knows.
    pub(super) fn track_ended(&mut self, track: TrackId) -> Commands {
        let ended = self.relays.unpublish(track);
        ended.into_iter().map(close).collect()
    }

    /// The worker of a peer that is there.
    pub(super) fn worker_of(&self, peer: PeerId) -> Option<Worker> {
        self.relays.peer(peer).map(|peer| peer.worker)
    }

    fn to_worker_of(&self, peer: PeerId, room: RoomId, effect: MediaEffect) -> Commands {
        let worker = self.worker_of(peer);
        worker
            .map(|worker| (worker, translate::command(room, effect)))
            .into_iter()
            .collect()
    }

    /// A room has come to a worker, or has left it: those that serve it know each other, for its data.
    fn tell_spread(&self, room: RoomId, changed: Worker, commands: &mut Commands) {
        let workers = self.placement.workers_of(room);
        let is_alone = workers.iter().all(|worker| *worker == changed);
        if is_alone {
            return;
        }
        let mut told = workers.clone();
        if !told.contains(&changed) {
            told.push(changed);
        }
        for worker in told {
            let is_served = workers.contains(&worker);
            let others = workers
                .iter()
                .filter(|other| **other != worker && is_served);
            let command = Command::SetDataWorkers {
                data_group: room.bits(),
                workers: others.map(|other| number(*other)).collect(),
            };
            commands.push((worker, command));
        }
    }

    /// The receiving side first: it drops what comes for a track that it does not know.
    fn begin(&self, crossing: Crossing) -> Commands {
        let Some((published, publisher)) = self.relays.track(crossing.track) else {
            return Vec::new();
        };
        let open = Command::OpenRelayedTrack {
            track: crossing.track,
            participant: publisher.participant,
            source: published.source,
            muted: published.muted,
            from: number(crossing.from),
        };
        let relay = Command::Relay {
            track: crossing.track,
            to: number(crossing.to),
        };
        vec![(crossing.to, open), (crossing.from, relay)]
    }
}

/// Nobody there wants the track any more.
fn end(crossing: Crossing) -> Commands {
    let stop = Command::StopRelay {
        track: crossing.track,
        to: number(crossing.to),
    };
    vec![(crossing.from, stop), close(crossing)]
}

/// The track is no more: its worker knows, the other one is told.
fn close(crossing: Crossing) -> (Worker, Command) {
    let track = crossing.track;
    (crossing.to, Command::CloseRelayedTrack { track })
}

/// A worker's number, as engines know it: there are 64 at most.
fn number(worker: Worker) -> u8 {
    u8::try_from(worker).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests;
