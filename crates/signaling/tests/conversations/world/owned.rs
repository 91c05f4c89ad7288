//! Rooms that somebody owns, and their sessions: the scenes that many tests begin with, and what is asked.

use protocol::record::SessionRecord;
use protocol::{Identity, RoomId, RoomName, RoomSettings, ServerMessage, SessionId, SessionInfo};
use signaling::{
    ApiCommand, ApiReply, ApiRequest, ApiResult, AskerId, Caller, Command, Effect, Request, Start,
};

use super::{REQUEST, ROOM, World, backend};

/// Somebody's own room, with the owner in it, and nothing running.
pub(crate) fn own_room() -> (World, RoomId) {
    let mut world = World::new();
    let room = world.own_room("host", ROOM);
    world.join("host");
    (world, room)
}

/// The same, live.
pub(crate) fn live_room() -> (World, RoomId) {
    let (mut world, room) = own_room();
    world.go_live("host", "first key");
    (world, room)
}

/// The session that runs, or ran last, as it is written down.
pub(crate) fn session(world: &World) -> SessionRecord {
    let sessions = world.store.sessions.values();
    let last = sessions.max_by_key(|of| (of.created_at, of.id));
    last.expect("a session").clone()
}

/// The session that `done` at this place tells of.
#[track_caller]
pub(crate) fn done(effects: &[Effect], place: usize) -> SessionInfo {
    match &effects[place] {
        Effect::Acknowledge {
            message:
                ServerMessage::Done {
                    request_id: REQUEST,
                    session: Some(session),
                },
            ..
        } => session.clone(),
        other => panic!("done with a session, not {other:#?}"),
    }
}

impl World {
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
}
