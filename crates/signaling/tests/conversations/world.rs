//! A server, its clients and their media, by name, so that a test reads like a transcript. Ids count up
//! from 1 in the order in which they are drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::{
    Change, ConnectionId, ErrorCode, Goodbye, Identity, Live, MediaType, NumberedChange,
    Participant, ParticipantId, PeerId, Publish, Resume, Role, RoomId, RoomName, ServerMessage,
    StateUpdate, Timestamp, Track, TrackId, TrackSource,
};
use signaling::{
    Claims, Command, Effect, Fresh, Join, Limits, MediaEffect, MediaEvent, Permissions, Request,
    Rooms,
};

use crate::media_plane::MediaPlane;
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
    /// By the name of their tab.
    pub(crate) clients: BTreeMap<String, Client>,
    /// Connections of tabs that have another one now.
    retired: Vec<Client>,
    /// The last track and peer of each tab.
    tracks: BTreeMap<(String, String), TrackId>,
    peers: BTreeMap<String, PeerId>,
    drawn: u64,
}

/// One tab of somebody.
pub(crate) struct Client {
    pub(crate) connection: ConnectionId,
    pub(crate) is_open: bool,
    pub(crate) room: RoomName,
    pub(crate) view: Option<View>,
    pub(crate) resume_token: String,
}

/// What a join says, with defaults.
pub(crate) struct Joining {
    pub(crate) tab: String,
    pub(crate) identity: String,
    pub(crate) room: String,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) permissions: Permissions,
    pub(crate) resume: Option<Resume>,
    pub(crate) state: StateUpdate,
    pub(crate) subscribe_automatically: bool,
}

pub(crate) const EVERYTHING: Permissions = Permissions {
    publish: true,
    subscribe: true,
    publish_data: true,
    moderate: false,
    hidden: false,
};

/// A student who may do everything but moderate.
pub(crate) fn student(tab: &str) -> Joining {
    Joining {
        tab: tab.into(),
        identity: tab.into(),
        room: ROOM.into(),
        name: format!("Name of {tab}"),
        role: "student".into(),
        permissions: EVERYTHING,
        resume: None,
        state: StateUpdate::default(),
        subscribe_automatically: true,
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self {
            rooms: Rooms::new(limits),
            now: START,
            media: MediaPlane::default(),
            clients: BTreeMap::new(),
            retired: Vec::new(),
            tracks: BTreeMap::new(),
            peers: BTreeMap::new(),
            drawn: 0,
        }
    }

    // What happens.

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
            MediaEvent::SectionsRequired { .. } | MediaEvent::Speaking { .. } => {}
        }
        self.handle(Command::Media(event))
    }

    /// Time passes, and what is due is done.
    pub(crate) fn pass(&mut self, milliseconds: u64) -> Vec<Effect> {
        self.now = self.now + Duration::from_millis(milliseconds);
        let effects = self.rooms.handle_timeout(self.now);
        self.perform(&effects);
        effects
    }

    pub(crate) fn handle(&mut self, command: Command) -> Vec<Effect> {
        let effects = self.rooms.handle(self.now, command);
        self.perform(&effects);
        effects
    }

    /// The server is stopped, and its media plane with it.
    pub(crate) fn stop(&mut self) -> Vec<Effect> {
        self.media = MediaPlane::default();
        self.handle(Command::Stop)
    }

    // What is checked each time.

    fn perform(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.deliver(to, message),
                Effect::Close { connection } => self.client_of(*connection).is_open = false,
                Effect::Media { room, effect } => self.media.perform(*room, effect),
                Effect::RoomClosed { room } => {
                    assert!(
                        self.media.peers.values().all(|books| books.room != *room),
                        "no media is left"
                    );
                }
                Effect::RoomOpened { .. } => {}
            }
        }
        self.rooms.check_invariants();
        self.check_views();
        let tracks = self.media.tracks();
        assert_eq!(
            self.rooms.counts().tracks,
            tracks.len(),
            "media forwards what is published"
        );
    }

    fn deliver(&mut self, to: &[ConnectionId], message: &ServerMessage) {
        assert!(!to.is_empty(), "a message is to somebody");
        assert_eq!(
            to.iter().collect::<BTreeSet<_>>().len(),
            to.len(),
            "and to nobody twice"
        );
        for connection in to {
            let client = self.client_of(*connection);
            assert!(
                client.is_open,
                "nothing is sent to a closed connection: {message:?}"
            );
            match message {
                ServerMessage::Joined(joined) => {
                    client.view = Some(View::of(joined));
                    client.resume_token.clone_from(&joined.resume_token);
                }
                ServerMessage::Resumed(resumed) => {
                    client.resume_token.clone_from(&resumed.resume_token);
                    client
                        .view
                        .as_mut()
                        .expect("who resumes knew the room")
                        .hear(message);
                }
                _ => {
                    if let Some(view) = &mut client.view {
                        view.hear(message);
                    }
                }
            }
        }
    }

    /// Everybody who is connected knows the room as it is.
    fn check_views(&self) {
        for (tab, client) in &self.clients {
            if self.rooms.participant_of(client.connection).is_none() {
                continue;
            }
            let room = self
                .rooms
                .room(&client.room)
                .expect("who is connected is in an open room");
            let view = client
                .view
                .as_ref()
                .expect("who is connected was told the room");
            let is_hidden = room.participants.iter().all(|other| other.id != view.own);
            let seen = view
                .participants
                .iter()
                .filter(|other| !is_hidden || other.id != view.own);
            let seen: Vec<Participant> = seen.cloned().collect();
            assert_eq!(seen, room.participants, "{tab} knows everybody");
            let live: BTreeMap<ParticipantId, Live> = room
                .live
                .iter()
                .filter(|live| live.participant_id != view.own)
                .map(|live| (live.participant_id, live.clone()))
                .collect();
            assert_eq!(view.live, live, "{tab} knows who is live");
            assert_eq!(
                view.last_change, room.last_change,
                "{tab} knows the last change"
            );
            let mut others = self.clients.values().filter(|other| {
                other.room == client.room && self.rooms.participant_of(other.connection).is_some()
            });
            assert!(
                others.all(|other| other.view.as_ref().map(|other| &other.speakers)
                    == Some(&view.speakers)),
                "all know the same speakers"
            );
        }
    }

    fn client_of(&mut self, connection: ConnectionId) -> &mut Client {
        let mut clients = self.clients.values_mut().chain(&mut self.retired);
        clients
            .find(|client| client.connection == connection)
            .expect("an effect names a known connection")
    }

    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.drawn
    }

    // Who and what is meant.

    /// The connections that are open, those that tabs have forgotten included.
    pub(crate) fn open_connections(&self) -> Vec<ConnectionId> {
        let all = self.clients.values().chain(&self.retired);
        all.filter(|client| client.is_open)
            .map(|client| client.connection)
            .collect()
    }

    pub(crate) fn connection(&self, tab: &str) -> ConnectionId {
        self.clients[tab].connection
    }

    /// The participant whom a tab last joined as.
    pub(crate) fn id(&self, tab: &str) -> ParticipantId {
        self.clients[tab]
            .view
            .as_ref()
            .expect("a tab that joined")
            .own
    }

    pub(crate) fn peer(&self, tab: &str) -> PeerId {
        self.peers[tab]
    }

    /// The track that a tab last published on a section.
    pub(crate) fn track(&self, tab: &str, mid: &str) -> TrackId {
        self.tracks[&(tab.to_string(), mid.to_string())]
    }

    pub(crate) fn room_id(&self) -> RoomId {
        self.rooms
            .room(&RoomName(ROOM.into()))
            .expect("an open room")
            .id
    }

    pub(crate) fn last_change(&self) -> u64 {
        self.rooms
            .room(&RoomName(ROOM.into()))
            .expect("an open room")
            .last_change
    }

    /// A participant as the room sees them now.
    pub(crate) fn participant(&self, tab: &str) -> Participant {
        let id = self.id(tab);
        let room = self
            .rooms
            .room(&RoomName(ROOM.into()))
            .expect("an open room");
        room.participants
            .into_iter()
            .find(|other| other.id == id)
            .expect("a visible participant")
    }

    /// With the last secret of this tab, and what it saw.
    pub(crate) fn resume(&self, tab: &str) -> Resume {
        let client = &self.clients[tab];
        let last_change = client.view.as_ref().map(|view| view.last_change);
        Resume {
            token: client.resume_token.clone(),
            last_change,
        }
    }

    /// With the last secret of this tab, after a refresh.
    pub(crate) fn refresh(&self, tab: &str) -> Resume {
        Resume {
            last_change: None,
            ..self.resume(tab)
        }
    }

    // The effects that are expected.

    pub(crate) fn to(&self, tabs: &[&str], message: ServerMessage) -> Effect {
        Effect::Send {
            to: tabs.iter().map(|tab| self.connection(tab)).collect(),
            message,
        }
    }

    pub(crate) fn told(&self, tabs: &[&str], number: u64, change: Change) -> Effect {
        self.to(
            tabs,
            ServerMessage::Change(NumberedChange { number, change }),
        )
    }

    pub(crate) fn media(&self, effect: MediaEffect) -> Effect {
        Effect::Media {
            room: self.room_id(),
            effect,
        }
    }

    pub(crate) fn published(&self, tab: &str, mid: &str, track: &Track) -> Effect {
        let message = ServerMessage::Published {
            mid: mid.into(),
            track: track.clone(),
        };
        self.to(&[tab], message)
    }

    pub(crate) fn live(&self, tab: &str, started_at: Timestamp, media_type: MediaType) -> Live {
        let Participant {
            id, identity, name, ..
        } = self.participant(tab);
        Live {
            participant_id: id,
            identity,
            name,
            started_at,
            media_type,
        }
    }
}

/// A track as the room sees it.
pub(crate) fn track(id: TrackId, source: TrackSource, published_at: Timestamp) -> Track {
    Track {
        id,
        kind: source.kind(),
        source,
        muted: false,
        published_at,
    }
}

/// Exactly one effect: this tab is refused with this code, in answer to its request.
#[track_caller]
pub(crate) fn assert_refused(world: &World, effects: &[Effect], tab: &str, code: ErrorCode) {
    assert_error(world, effects, tab, code, REQUEST);
}

/// Exactly one effect: this tab is told an error.
#[track_caller]
pub(crate) fn assert_error(
    world: &World,
    effects: &[Effect],
    tab: &str,
    code: ErrorCode,
    request_id: Option<u32>,
) {
    let [
        Effect::Send {
            to,
            message: ServerMessage::Error(error),
        },
    ] = effects
    else {
        panic!("exactly one error, not {effects:#?}");
    };
    assert_eq!(*to, [world.connection(tab)]);
    assert_eq!((error.code, error.request_id), (code, request_id));
    assert!(!error.message.is_empty() && !error.hint.is_empty());
}

/// This tab is told goodbye with this code, and its connection closed.
#[track_caller]
pub(crate) fn assert_goodbye(
    effects: &[Effect],
    connection: ConnectionId,
    code: ErrorCode,
    reconnect: bool,
) {
    let [
        Effect::Send {
            to,
            message: ServerMessage::Goodbye(goodbye),
        },
        Effect::Close { connection: closed },
    ] = effects
    else {
        panic!("a goodbye and a close, not {effects:#?}");
    };
    assert_eq!(
        (to.as_slice(), *closed),
        ([connection].as_slice(), connection)
    );
    let Goodbye {
        code: given,
        reconnect: back,
        message,
    } = goodbye;
    assert_eq!((*given, *back), (code, reconnect));
    assert!(!message.is_empty());
}
