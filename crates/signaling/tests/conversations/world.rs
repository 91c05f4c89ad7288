//! A server, its clients and their media, by name, so that a test reads like a transcript. Ids count up
//! from 1 in the order in which they are drawn.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::record::Write;
use protocol::{
    ConnectionId, Identity, Participant, ParticipantId, PeerId, Publish, Resume, Role, RoomId,
    RoomInfo, RoomName, RoomSettings, SessionId, StateUpdate, Timestamp, TrackId, TrackSource,
    Waiting, WaitingParticipant,
};
use signaling::{
    ApiCommand, ApiReply, ApiRequest, ApiResult, AskerId, Caller, Claims, Command, Effect, Fresh,
    Join, Limits, MediaEvent, Permissions, Request, RoomRef, Rooms, Start,
};

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

/// A tutor: may moderate, by the token.
pub(crate) fn tutor(tab: &str) -> Joining {
    let permissions = Permissions {
        moderate: true,
        ..EVERYTHING
    };
    Joining {
        role: "tutor".into(),
        permissions,
        ..student(tab)
    }
}

/// A backend with an API key, which may do everything.
pub(crate) fn backend() -> Caller {
    Caller {
        identity: Identity("APIkey".into()),
        may_create: true,
        may_list: true,
        admin_of: None,
    }
}

/// Somebody over HTTP, with a token that grants nothing.
pub(crate) fn person(identity: &str) -> Caller {
    Caller {
        identity: Identity(identity.into()),
        may_create: false,
        may_list: false,
        admin_of: None,
    }
}

/// The room in which conversations happen.
pub(crate) fn class() -> RoomRef {
    RoomRef::Name(RoomName(ROOM.into()))
}

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

    /// Somebody asks over HTTP; the answer, and what else follows.
    pub(crate) fn api(&mut self, caller: &Caller, request: ApiRequest) -> (ApiResult, Vec<Effect>) {
        let asker = AskerId(self.draw());
        let mut effects = self.handle(Command::Api(Box::new(ApiCommand {
            asker,
            caller: caller.clone(),
            request,
        })));
        let Some(Effect::Reply { asker: to, result }) = effects.pop() else {
            panic!("a reply at the end, not {effects:#?}");
        };
        assert_eq!(to, asker);
        let is_reply = |effect: &Effect| matches!(effect, Effect::Reply { .. });
        assert!(!effects.iter().any(is_reply), "one reply");
        (result, effects)
    }

    /// The same for what must succeed.
    #[track_caller]
    pub(crate) fn api_ok(&mut self, caller: &Caller, request: ApiRequest) -> ApiReply {
        let (result, _) = self.api(caller, request);
        result.expect("a request that is granted")
    }

    /// Somebody has a room of their own, with this name.
    pub(crate) fn own_room(&mut self, owner: &str, name: &str) -> RoomId {
        let fresh_room = RoomId::from_bits(self.draw());
        let request = ApiRequest::CreateRoom {
            name: RoomName(name.into()),
            owner: Some(Identity(owner.into())),
            settings: RoomSettings::default(),
            fresh_room,
        };
        match self.api_ok(&backend(), request) {
            ApiReply::Room(details) => details.record.id,
            other => panic!("a room, not {other:?}"),
        }
    }

    /// A key, and an id for the session if it makes one.
    pub(crate) fn start(&mut self, key: &str) -> Start {
        Start {
            key: key.into(),
            fresh_session: SessionId::from_bits(self.draw()),
        }
    }

    pub(crate) fn go_live(&mut self, tab: &str, key: &str) -> Vec<Effect> {
        let start = self.start(key);
        self.ask(tab, Request::GoLive(start))
    }

    pub(crate) fn open_lobby(&mut self, tab: &str, key: &str) -> Vec<Effect> {
        let start = self.start(key);
        self.ask(tab, Request::OpenLobby(start))
    }

    pub(crate) fn end_session(&mut self, tab: &str) -> Vec<Effect> {
        self.ask(tab, Request::EndSession { session: None })
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

    /// The id under which a tab waits outside.
    pub(crate) fn waiting_id(&self, tab: &str) -> ParticipantId {
        let outside = self.clients[tab].outside.as_ref();
        outside.expect("a tab that waits").participant_id
    }

    /// The room as it is told now.
    pub(crate) fn info(&self) -> RoomInfo {
        let room = self.rooms.room(&RoomName(ROOM.into()));
        room.expect("a room").info
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
}
