//! The engine: all peers, tracks and subscriptions of one worker. It gives each input to the file that knows
//! what to do with it, and collects what comes of it.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use protocol::{PeerId, TrackId};
use slab::Slab;

use crate::demux::{self, AddressBook};
use crate::feedback::FeedbackDesk;
use crate::inbound::track::Publisher;
use crate::inbound::{Loudest, Track};
use crate::link::Links;
use crate::negotiation;
use crate::peer::Peer;
use crate::router::Router;
use crate::rtp::packet::is_rtcp;
use crate::statistics::{DropReason, PathStatistics, Statistics};
use crate::transport::{self, DatagramKind, Identity, Outbox, Path, Transport, TransportEvent};
use crate::turn::Turn;
use crate::{Command, Config, Event, Transmit};

mod audible;
mod commands;
mod data;
mod due;
mod ending;
mod invariants;
mod pace;
mod relay;
mod shedding;

/// About how often peers are looked after: the pace of NACKs and of a handshake's repetitions.
const TICK: Duration = Duration::from_millis(20);
/// So much sooner in a turn that something else has begun, and so much later where nothing has: to wake a thread costs
/// more than most of what a tick does, and packets of sound come every 20 ms.
const EARLIER: Duration = Duration::from_millis(2);
const LATER: Duration = Duration::from_millis(5);
/// Ticks in a second: each peer's reports go out on one of them, so that not all go out at once.
const TICKS: usize = 50;
/// A peer that needs nothing now is looked after on each so-many-th tick, and others on the others: of a large
/// audience a tenth is touched in a tick. Must divide `TICKS`.
const TICKS_OF_REST: usize = 10;

/// An engine could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No candidate was given.
    #[error("an engine needs at least one candidate address")]
    NoCandidate,
    /// The cryptographic provider failed.
    #[error("the DTLS certificate could not be made: {0}")]
    Certificate(String),
}

/// All peers, tracks and subscriptions of one worker.
pub struct Engine {
    config: Config,
    identity: Identity,
    peers: Slab<Peer>,
    peer_places: HashMap<PeerId, usize>,
    tracks: Slab<Track>,
    track_places: HashMap<TrackId, usize>,
    /// Peers that share their data, in the order of coming.
    data_groups: HashMap<u64, Vec<usize>>,
    /// Of each room, by the number of its data group, which of its sounds are heard: those of this engine's
    /// publishers, and of what others have told.
    loudest: HashMap<u64, Loudest>,
    /// The other engines that have peers of a group.
    data_workers: HashMap<u64, Vec<u8>>,
    /// What waits for other engines.
    links: Links,
    addresses: AddressBook,
    events: VecDeque<Event>,
    /// Peers with something in their outboxes.
    dirty: Vec<usize>,
    /// Media to be forwarded at the end of the turn.
    turn: Turn,
    /// Answers to STUN requests: they go to where the request came from, whatever path is nominated.
    stun_answers: Vec<(Path, Vec<u8>)>,
    /// Goodbyes of peers that are gone.
    farewells: Vec<(Path, Outbox)>,
    /// Percent of the video that is left out, for there is more to do than can be done.
    shed_percent: u8,
    /// Some peer's subscriptions or sections changed in this turn.
    sections_changed: bool,
    statistics: Statistics,
    /// Peers that something waits for, or that are being probed.
    paced: Vec<usize>,
    next_pace: Option<Instant>,
    last_tick: Instant,
    ticks: usize,
    /// Of which peers, by their places, nothing is due but at their turn. Beside the peers and not in them: a tick
    /// need not fetch what is known of each of hundreds.
    resting: Vec<bool>,
    scratch: Vec<u8>,
}

impl Engine {
    /// An engine without peers, with a new DTLS certificate.
    pub fn new(now: Instant, config: Config) -> Result<Self, SetupError> {
        if config.candidates.is_empty() {
            return Err(SetupError::NoCandidate);
        }
        let identity = Identity::generate().map_err(SetupError::Certificate)?;
        Ok(Self {
            config,
            identity,
            peers: Slab::new(),
            peer_places: HashMap::new(),
            tracks: Slab::new(),
            track_places: HashMap::new(),
            data_groups: HashMap::new(),
            loudest: HashMap::new(),
            data_workers: HashMap::new(),
            links: Links::default(),
            addresses: AddressBook::default(),
            events: VecDeque::new(),
            dirty: Vec::new(),
            turn: Turn::default(),
            stun_answers: Vec::new(),
            farewells: Vec::new(),
            shed_percent: 0,
            sections_changed: false,
            statistics: Statistics::default(),
            paced: Vec::new(),
            next_pace: None,
            last_tick: now,
            ticks: 0,
            resting: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// A datagram has arrived. `to` is the local address it was sent to, where known. It is decrypted in place.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: Option<IpAddr>,
        datagram: &mut [u8],
    ) {
        let Some(kind) = transport::classify(datagram) else {
            return self.statistics.drop_for(DropReason::Malformed);
        };
        let known = self.addresses.peer(from);
        let place = match kind {
            // A request says itself whose it is: the address may have been somebody else's.
            DatagramKind::Stun => self.place_by_name(datagram),
            DatagramKind::Dtls | DatagramKind::Media => known,
        };
        let Some(place) = place else {
            return self.statistics.drop_for(match kind {
                DatagramKind::Stun => DropReason::StunUnauthorized,
                DatagramKind::Dtls => DropReason::DtlsUnvalidated,
                DatagramKind::Media => DropReason::UnknownAddress,
            });
        };
        let path = Path {
            remote: from,
            local: to,
        };
        self.serve(now, place, |engine| {
            let result = match kind {
                DatagramKind::Stun => engine.handle_stun(now, place, path, datagram),
                DatagramKind::Dtls => engine.handle_dtls(now, place, datagram),
                DatagramKind::Media => engine.handle_media(now, place, path, datagram),
            };
            if let Err(reason) = result {
                engine.statistics.drop_for(reason);
            }
        });
    }

    /// The place of the peer that a STUN request names.
    fn place_by_name(&self, datagram: &[u8]) -> Option<usize> {
        let (worker, place) = demux::place_of(transport::ice::addressed_to(datagram)?)?;
        (worker == self.config.worker && self.peers.contains(place)).then_some(place)
    }

    /// Serve one peer. A panic on the way ends that peer alone.
    fn serve(&mut self, now: Instant, place: usize, serve: impl FnOnce(&mut Self)) {
        self.wake(place);
        // The engine's maps are repaired by `end_peer`, which takes every trace of the peer out of them.
        let outcome = catch_unwind(AssertUnwindSafe(|| serve(self)));
        if outcome.is_err() {
            self.end_after_panic(now, place);
        } else if let Some(peer) = self.peers.get(place)
            && peer.transport.has_output()
        {
            self.mark_dirty(place);
        }
    }

    /// Something became of a peer: what is due of it is to be looked at.
    fn wake(&mut self, place: usize) {
        if let Some(is_resting) = self.resting.get_mut(place) {
            *is_resting = false;
        }
    }

    fn mark_dirty(&mut self, place: usize) {
        self.wake(place);
        let peer = &mut self.peers[place];
        if !peer.is_dirty {
            peer.is_dirty = true;
            self.dirty.push(place);
        }
    }

    fn handle_stun(
        &mut self,
        now: Instant,
        place: usize,
        path: Path,
        datagram: &[u8],
    ) -> Result<(), DropReason> {
        let checked = self.peers[place]
            .transport
            .handle_stun(now, path, datagram)?;
        if checked.validated {
            if let Some(other) = self
                .addresses
                .peer(path.remote)
                .filter(|other| *other != place)
            {
                tracing::debug!(other, place, "an address changes hands");
            }
            self.addresses.insert(path.remote, place);
        }
        if let Some(evicted) = checked.evicted {
            self.addresses.remove(evicted, place);
        }
        self.stun_answers.push((path, checked.answer));
        Ok(())
    }

    fn handle_dtls(
        &mut self,
        now: Instant,
        place: usize,
        datagram: &[u8],
    ) -> Result<(), DropReason> {
        let peer = &mut self.peers[place];
        let events = peer
            .transport
            .handle_dtls(now, datagram, &self.config.limits)?;
        for event in events {
            self.handle_transport_event(now, place, event);
        }
        Ok(())
    }

    fn handle_transport_event(&mut self, now: Instant, place: usize, event: TransportEvent) {
        match event {
            TransportEvent::Connected => {
                let Some(peer) = self.peers.get_mut(place) else {
                    return;
                };
                peer.connected_at = Some(now);
                let after = peer
                    .first_offer
                    .map_or(Duration::ZERO, |first| now.saturating_duration_since(first));
                self.events.push_back(Event::PeerConnected {
                    peer: peer.id,
                    after,
                });
                let first_offer = peer.first_offer;
                peer.outbound
                    .iter_mut()
                    .for_each(|outbound| outbound.on_connected(now, first_offer));
                self.prepare_pictures(now, place);
            }
            TransportEvent::Data { messages, refused } => {
                self.note_proven_keys(now, place);
                self.statistics.dropped[DropReason::Data as usize] += refused;
                for message in messages {
                    self.relay(now, place, message);
                }
            }
            TransportEvent::Closed => self.end_peer(now, place, Some("closed by the client")),
        }
    }

    fn handle_media(
        &mut self,
        now: Instant,
        place: usize,
        path: Path,
        datagram: &mut [u8],
    ) -> Result<(), DropReason> {
        let transport = &mut self.peers[place].transport;
        if is_rtcp(datagram) {
            let length = transport.open_rtcp(datagram)?;
            transport.ice.note_consent(now, path);
            self.note_proven_keys(now, place);
            let Self {
                peers,
                tracks,
                statistics,
                ..
            } = self;
            FeedbackDesk {
                now,
                peers,
                tracks,
                statistics,
            }
            .handle(place, &datagram[..length])?;
            relay::tell_clocks(self, now, place);
            self.ask_for_key_frames(now, place);
            return Ok(());
        }
        let length = transport.open_rtp(datagram)?;
        transport.ice.note_consent(now, path);
        self.note_proven_keys(now, place);
        let result = self.router(now).route(place, &datagram[..length]);
        // What is asked for again 20 ms sooner is a picture that does not stand still.
        if std::mem::take(&mut self.peers[place].misses_packets) {
            self.look_after_publisher(now, place);
        }
        result
    }

    fn router(&mut self, now: Instant) -> Router<'_> {
        Router {
            now,
            peers: &mut self.peers,
            tracks: &mut self.tracks,
            statistics: &mut self.statistics,
            events: &mut self.events,
            turn: &mut self.turn,
            loudest: &mut self.loudest,
            links: &mut self.links,
            inbound_ssrcs: self.config.limits.inbound_ssrcs,
            scratch: &mut self.scratch,
        }
    }

    /// Do what a command asks.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        // Whomever it concerns.
        self.resting.clear();
        commands::handle(self, now, command);
    }

    /// What has happened since. To be drained when all commands of a turn are given: only then are missing
    /// sections asked for, all at once.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.events.is_empty() && std::mem::take(&mut self.sections_changed) {
            for (_, peer) in &mut self.peers {
                if std::mem::take(&mut peer.sections_changed) {
                    self.events
                        .extend(negotiation::required_sections(peer, &self.tracks));
                }
            }
        }
        self.events.pop_front()
    }

    /// Whether so much media waits to be forwarded that `flush` should be called now, in the middle of a turn.
    pub fn wants_flush(&self) -> bool {
        self.turn.is_full()
    }

    /// Hand out what is to be sent, media last. Called at the end of each turn, before events are drained.
    pub fn flush(&mut self, now: Instant, mut send: impl FnMut(Transmit<'_>)) {
        for (path, answer) in self.stun_answers.drain(..) {
            send(Transmit {
                to: path.remote,
                from: path.local,
                contents: &answer,
                segment_size: None,
            });
        }
        for (path, mut outbox) in self.farewells.drain(..) {
            outbox.flush(Some(path), &mut send);
        }
        for place in self.dirty.drain(..) {
            if let Some(peer) = self.peers.get_mut(place) {
                peer.is_dirty = false;
                peer.transport.flush(&mut send);
            }
        }
        let Self {
            peers,
            tracks,
            statistics,
            events,
            turn,
            ..
        } = self;
        let faults = turn.deliver(now, peers, tracks, statistics, events, &mut send);
        for place in faults {
            self.end_after_panic(now, place);
        }
        for place in self.turn.take_holding() {
            self.mark_paced(now, place);
        }
    }

    /// What was counted so far, and how many there are now.
    pub fn statistics(&self) -> Statistics {
        let connected = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.transport.is_connected())
            .count();
        let is_relayed = |track: &Track| matches!(track.publisher, Publisher::Elsewhere(_));
        let tracks = self.tracks.iter();
        let relayed = tracks.filter(|(_, track)| is_relayed(track)).count();
        let estimates = || {
            self.peers
                .iter()
                .filter_map(|(_, peer)| peer.bandwidth.estimate_bps())
        };
        Statistics {
            paths: PathStatistics {
                estimated: estimates().count() as u64,
                estimated_bps: estimates().fold(0, u64::saturating_add),
                ..self.statistics.paths
            },
            peers_connected: connected as u64,
            peers_connecting: (self.peers.len() - connected) as u64,
            tracks: (self.tracks.len() - relayed) as u64,
            relayed_tracks: relayed as u64,
            subscriptions: self
                .peers
                .iter()
                .map(|(_, peer)| peer.outbound.len() as u64)
                .sum(),
            ..self.statistics
        }
    }

    /// A transport for a new peer at this place.
    fn transport(&self, now: Instant, place: usize) -> Transport {
        let credentials = demux::credentials(self.config.worker, place, self.identity.random());
        Transport::new(now, self.identity.clone(), credentials, &self.config.limits)
    }
}

#[cfg(test)]
mod tests;
