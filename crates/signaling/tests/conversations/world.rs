//! A server, its clients and their media, by name, so that a test reads like a transcript. Ids count up
//! from 1 in the order in which they are drawn.

mod named;
mod owned;
mod people;

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::record::Write;
use protocol::{
    ConnectionId, Identity, ParticipantId, PeerId, Publish, Role, RoomId, RoomName, SessionId,
    Timestamp, TrackId, TrackSource, Waiting, WaitingParticipant,
};
use signaling::{Claims, Command, Effect, Fresh, Join, Limits, MediaEvent, Request, Rooms};

pub(crate) use self::owned::{done, live_room, own_room, session};
pub(crate) use self::people::{EVERYTHING, Joining, backend, class, person, student, tutor};
use crate::media_plane::MediaPlane;
use crate::store::Store;
use crate::view::View;

/// The number that every request of a test gives itself.
pub(crate) const REQUEST: Option<u32> = Some(7);
/// The room in which conversations happen if they say nothing else.
pub(crate) const ROOM: &str = "class";
/// When every world begins.
pub(crate) const START: Timestamp = Timestamp(1_000_000);

pub(crate) struct World {
    pub(crate) rooms: Rooms,
    pub(crate) now: Timestamp,
    pub(crate) media: MediaPlane,
    pub(crate) store: Store,
    /// What the last command wrote down. It is left out of the effects that are given back.
    pub(crate) written: Vec<Write>,
    /// By the name of their tab.
    pub(crate) clients: BTreeMap<String, Client>,
    /// Every effect so far.
    pub(crate) transcript: Vec<Effect>,
    /// Connections of tabs that have another one now.
    retired: Vec<Client>,
    /// The last track and peer of each tab.
    tracks: BTreeMap<(String, String), TrackId>,
    peers: BTreeMap<String, PeerId>,
    rooms_limits: Limits,
    /// The server is stopped, and has forgotten what is written down.
    pub(crate) has_stopped: bool,
    drawn: u64,
}

/// One tab of somebody.
pub(crate) struct Client {
    pub(crate) connection: ConnectionId,
    pub(crate) is_open: bool,
    pub(crate) room: RoomName,
    pub(crate) view: Option<View>,
    pub(crate) resume_token: String,
    /// The room as told to one who waits outside.
    pub(crate) outside: Option<Waiting>,
    /// Who waits, as told to a moderator.
    pub(crate) waiting_list: Vec<WaitingParticipant>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self {
            rooms: Rooms::new(limits.clone()),
            rooms_limits: limits,
            has_stopped: false,
            now: START,
            media: MediaPlane::default(),
            store: Store::default(),
            written: Vec::new(),
            clients: BTreeMap::new(),
            transcript: Vec::new(),
            retired: Vec::new(),
            tracks: BTreeMap::new(),
            peers: BTreeMap::new(),
            drawn: 0,
        }
    }

    /// Somebody comes who may do everything but moderate.
    pub(crate) fn join(&mut self, tab: &str) -> Vec<Effect> {
        self.join_as(student(tab))
    }

    /// A connection opens and joins. A tab that joins again does so with a new connection.
    pub(crate) fn join_as(&mut self, joining: Joining) -> Vec<Effect> {
        let connection = ConnectionId::from_bits(self.draw());
        let (tab, room) = (joining.tab.clone(), RoomName(joining.room.clone()));
        // Whoever gives no last change has lost what they knew.
        let keeps = joining
            .resume
            .as_ref()
            .is_some_and(|resume| resume.last_change.is_some());
        let mut old = self.clients.remove(&tab);
        let view = old
            .as_mut()
            .and_then(|client| client.view.take())
            .filter(|_| keeps);
        self.retired.extend(old);
        let resume_token = String::new();
        let client = Client {
            connection,
            is_open: true,
            room,
            view,
            resume_token,
            outside: None,
            waiting_list: Vec::new(),
        };
        self.clients.insert(tab, client);
        self.join_on(connection, joining)
    }

    /// A tab says `join` once more, on the connection it has, as somebody else.
    pub(crate) fn join_again_on(&mut self, tab: &str, other: &str) -> Vec<Effect> {
        self.join_on(self.connection(tab), student(other))
    }

    fn join_on(&mut self, connection: ConnectionId, joining: Joining) -> Vec<Effect> {
        let Joining {
            identity,
            room,
            name,
            role,
            permissions,
            resume,
            state,
            ..
        } = joining;
        let fresh = Fresh {
            room: RoomId::from_bits(self.draw()),
            participant: ParticipantId::from_bits(self.draw()),
            resume_token: format!("secret {}", self.draw()),
            // Drawn from elsewhere: the ids of other things are what they were before sessions came.
            session: SessionId::from_bits(u64::MAX - self.drawn),
        };
        let claims = Claims {
            identity: Identity(identity),
            name,
            role: Role(role),
            avatar_url: None,
            room: RoomName(room),
            permissions,
        };
        let subscribe_automatically = joining.subscribe_automatically;
        self.handle(Command::Join(Box::new(Join {
            connection,
            request_id: REQUEST,
            claims,
            resume,
            state,
            subscribe_automatically,
            fresh,
        })))
    }

    /// A tab asks for something.
    pub(crate) fn ask(&mut self, tab: &str, request: Request) -> Vec<Effect> {
        let connection = self.clients[tab].connection;
        self.handle(Command::Request {
            connection,
            request_id: REQUEST,
            request,
        })
    }

    pub(crate) fn publish(&mut self, tab: &str, mid: &str, source: TrackSource) -> Vec<Effect> {
        self.publish_as(
            tab,
            Publish {
                mid: mid.into(),
                source,
                muted: false,
            },
        )
    }

    pub(crate) fn publish_as(&mut self, tab: &str, publish: Publish) -> Vec<Effect> {
        let fresh_track = TrackId::from_bits(self.draw());
        self.tracks
            .insert((tab.into(), publish.mid.clone()), fresh_track);
        self.ask(
            tab,
            Request::Publish {
                publish,
                fresh_track,
            },
        )
    }

    pub(crate) fn offer(&mut self, tab: &str, peer_connection: u32) -> Vec<Effect> {
        let fresh_peer = PeerId::from_bits(self.draw());
        let request = Request::Offer {
            peer_connection,
            sdp: "offer".into(),
            fresh_peer,
        };
        let effects = self.ask(tab, request);
        if self.media.peers.contains_key(&fresh_peer) {
            self.peers.insert(tab.into(), fresh_peer);
        }
        effects
    }

    pub(crate) fn mute(&mut self, tab: &str, track: TrackId, muted: bool) -> Vec<Effect> {
        self.ask(tab, Request::Mute { track, muted })
    }

    pub(crate) fn unpublish(&mut self, tab: &str, track: TrackId) -> Vec<Effect> {
        self.ask(tab, Request::Unpublish { track })
    }

    /// Somebody comes and is live at once, with one track on section "0".
    pub(crate) fn join_live(&mut self, tab: &str, source: TrackSource) {
        self.join(tab);
        self.publish(tab, "0", source);
        self.offer(tab, 1);
    }

    /// Somebody comes and is ready to receive.
    pub(crate) fn join_and_offer(&mut self, tab: &str) {
        self.join(tab);
        self.offer(tab, 1);
    }

    /// A tab's connection is lost.
    pub(crate) fn lose(&mut self, tab: &str) -> Vec<Effect> {
        let client = self.clients.get_mut(tab).expect("a known tab");
        client.is_open = false;
        let connection = client.connection;
        self.handle(Command::Disconnected { connection })
    }

    /// The media plane reports.
    pub(crate) fn report(&mut self, event: MediaEvent) -> Vec<Effect> {
        match &event {
            MediaEvent::Answered { peer, .. } | MediaEvent::OfferRefused { peer, .. } => {
                if let Some(books) = self.media.peers.get_mut(peer) {
                    books.unanswered -= 1;
                }
            }
            MediaEvent::PeerEnded { peer, .. } => self.media.forget_peer(*peer),
            MediaEvent::PublicationRefused { track, .. } => self.media.forget_track(*track),
            MediaEvent::SectionsRequired { .. }
            | MediaEvent::LayersWanted { .. }
            | MediaEvent::Speaking { .. } => {}
        }
        self.handle(Command::Media(event))
    }

    /// Time passes, and what is due is done.
    pub(crate) fn pass(&mut self, milliseconds: u64) -> Vec<Effect> {
        self.now = self.now + Duration::from_millis(milliseconds);
        let effects = self.rooms.handle_timeout(self.now);
        self.perform(effects)
    }

    pub(crate) fn handle(&mut self, command: Command) -> Vec<Effect> {
        let effects = self.rooms.handle(self.now, command);
        self.perform(effects)
    }

    /// The server is killed with all connections, and begins again with what was written down.
    pub(crate) fn restart(&mut self) {
        let stored = self.store.recover(self.now);
        self.media = MediaPlane::default();
        let all = self.clients.values_mut().chain(&mut self.retired);
        all.for_each(|client| client.is_open = false);
        self.rooms = Rooms::restore(self.rooms_limits.clone(), stored);
        self.rooms.check_invariants();
        self.check_store();
    }

    /// The server is stopped, and its media plane with it.
    pub(crate) fn stop(&mut self) -> Vec<Effect> {
        self.media = MediaPlane::default();
        self.has_stopped = true;
        self.handle(Command::Stop)
    }

    pub(crate) fn client_of(&mut self, connection: ConnectionId) -> &mut Client {
        let mut clients = self.clients.values_mut().chain(&mut self.retired);
        clients
            .find(|client| client.connection == connection)
            .expect("an effect names a known connection")
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.drawn
    }
}
