//! What is asked over HTTP in a world, by backends and by owners: each request may be doubled, lost, asked
//! again with the same key, or answered when nobody waits any more.

use protocol::{Identity, RoomId, RoomName, SessionId, Timestamp};
use signaling::{
    ApiCommand, ApiReply, ApiRequest, ApiResult, AskerId, Caller, Command, RoomRef, Start,
};

use super::{Event, World};
use crate::plan::Kind;

/// How often a request is asked before its asker gives up.
const ATTEMPTS: u32 = 4;
/// Keys that may be used again.
const RECENT_KEYS: usize = 8;
/// How long an asker waits for an answer, in milliseconds.
const PATIENCE: u64 = 5_000;

/// Something asked over HTTP, and what came of it.
#[derive(Debug)]
pub(super) struct Call {
    caller: Caller,
    /// With ids that are replaced by fresh ones whenever it arrives.
    request: ApiRequest,
    attempts: u32,
    result: Option<ApiResult>,
    /// The life of the server in which it arrived last, and how often it did in it.
    unanswered: u32,
    life: u64,
}

impl World {
    /// Somebody thinks of something to ask.
    pub(super) fn think_of_a_call(&mut self) {
        if self.is_calm {
            return;
        }
        let place = self.seed.below(self.plan.places.len() as u64) as usize;
        let caller = self.caller(place);
        let request = self.think_of_a_request(place);
        self.call(caller, request);
    }

    /// Somebody asks.
    pub(super) fn call(&mut self, caller: Caller, request: ApiRequest) -> usize {
        let call = self.calls.len();
        self.calls.push(Call {
            caller,
            request,
            attempts: 0,
            result: None,
            unanswered: 0,
            life: 0,
        });
        self.attempt(call);
        call
    }

    fn attempt(&mut self, call: usize) {
        if key_of(&self.calls[call].request).is_some_and(|key| self.is_stale(key)) {
            return;
        }
        self.calls[call].attempts += 1;
        let attempt = self.calls[call].attempts;
        let copies = if !self.is_calm && self.seed.once_in(6) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            if self.is_calm || !self.seed.percent(self.plan.cuts / 3) {
                let delay = self.delay();
                self.after(delay, Event::Asked { call });
            }
        }
        self.after(PATIENCE, Event::GiveUp { call, attempt });
    }

    pub(super) fn give_up(&mut self, call: usize, attempt: u32) {
        let asked = &self.calls[call];
        if asked.result.is_none() && asked.attempts == attempt && attempt < ATTEMPTS {
            self.attempt(call);
        }
    }

    /// A request arrives at the server, if that is up.
    pub(super) fn asked(&mut self, call: usize) {
        let Some(life) = self.life() else { return };
        let asked = &mut self.calls[call];
        if asked.life != life {
            (asked.life, asked.unanswered) = (life, 0);
        }
        asked.unanswered += 1;
        let (caller, request) = (asked.caller.clone(), asked.request.clone());
        let request = self.with_fresh_ids(request);
        self.command(Some(Command::Api(Box::new(ApiCommand {
            asker: AskerId(call as u64),
            caller,
            request,
        }))));
    }

    /// The server answers.
    pub(super) fn reply(&mut self, asker: AskerId, result: ApiResult) {
        let call = asker.0 as usize;
        let asked = &mut self.calls[call];
        assert!(
            asked.unanswered > 0,
            "a request is answered once: {result:?}"
        );
        asked.unanswered -= 1;
        if self.is_calm || !self.seed.percent(self.plan.cuts / 3) {
            let (delay, result) = (self.delay(), Box::new(result));
            self.after(delay, Event::Answered { call, result });
        }
    }

    pub(super) fn answered(&mut self, call: usize, result: ApiResult) {
        self.calls[call].result = Some(result.clone());
        if let Err(error) = &result {
            assert_ne!(error.code, protocol::ErrorCode::Internal, "{error:?}");
        }
        let key = key_of(&self.calls[call].request).map(str::to_owned);
        if let (Some(key), Ok(ApiReply::Session(session))) = (key, result) {
            let life = self.calls[call].life;
            self.key_gave(life, session.room, key, session.id);
        }
    }

    /// What came of a request, once it is answered.
    pub(super) fn result_of(&self, call: usize) -> Option<ApiResult> {
        self.calls[call].result.clone()
    }

    /// Calls that the server has heard in this life, and owes an answer.
    pub(super) fn unanswered_calls(&self) -> usize {
        let life = self.life();
        let calls = self.calls.iter().filter(|call| Some(call.life) == life);
        calls.map(|call| call.unanswered as usize).sum()
    }

    /// The place that somebody owns, or that they know as theirs.
    pub(super) fn own_place(&self, tab: usize) -> Option<usize> {
        let identity = &self.tabs[tab].person.identity;
        self.plan
            .places
            .iter()
            .position(|place| owner(&place.kind) == Some(identity))
    }

    /// Who asks about a place: mostly somebody who may.
    fn caller(&mut self, place: usize) -> Caller {
        let place = &self.plan.places[place];
        let owner = owner(&place.kind).cloned();
        let name = place.name.clone();
        match (self.seed.below(8), owner) {
            (0..=3, Some(owner)) => nobody_special(owner),
            (0..=5, _) => backend(),
            (6, _) => Caller {
                admin_of: Some(name),
                ..nobody_special(Identity("tutor".into()))
            },
            _ => nobody_special(Identity("cleo".into())),
        }
    }

    fn think_of_a_request(&mut self, place: usize) -> ApiRequest {
        let Some(known) = self.plan.places.get(place).cloned() else {
            return ApiRequest::MyRoom {
                fresh_room: nothing(),
            };
        };
        let room = match self.seed.once_in(5) {
            true => self.known_room(&known.name),
            false => RoomRef::Name(known.name.clone()),
        };
        let begin = self.start_with("call");
        let plan = self.start_with("plan");
        let kind = match self.plan.is_hasty && !self.seed.once_in(6) {
            true => self.seed.between(14, 17),
            false => self.seed.below(30),
        };
        match kind {
            0..=5 => making(&known.name, &known.kind),
            6 => ApiRequest::GetRoom(room),
            7 | 8 => ApiRequest::UpdateRoom {
                room,
                settings: protocol::RoomSettings {
                    title: "Another".into(),
                    lobby: self.seed.once_in(3),
                    locked: self.seed.once_in(6),
                    max_participants: self.seed.once_in(6).then_some(2),
                },
            },
            9 if self.seed.once_in(3) => ApiRequest::DeleteRoom(room),
            10 | 11 => ApiRequest::OpenLobby(room, begin),
            12..=16 => ApiRequest::GoLive(room, begin),
            17 => ApiRequest::EndSession {
                room,
                session: self.any_session(),
            },
            18 | 19 => ApiRequest::ScheduleSession {
                room,
                start: plan,
                title: "Planned".into(),
                scheduled_for: Timestamp(self.now.0 + self.seed.below(10_000_000)),
            },
            20 => ApiRequest::CancelSession {
                room,
                session: self.any_session().unwrap_or(SessionId::from_bits(0)),
            },
            21 => ApiRequest::Participants(room),
            22 => ApiRequest::RemoveParticipant {
                room,
                participant: self.anybody(),
            },
            23 | 24 => ApiRequest::UpdateParticipant {
                room,
                participant: self.anybody(),
                name: self.seed.once_in(2).then(|| "Renamed".into()),
                permissions: self.seed.once_in(2).then(|| signaling::Permissions {
                    publish: self.seed.once_in(2),
                    subscribe: self.seed.once_in(2),
                    publish_data: true,
                    moderate: self.seed.once_in(4),
                    hidden: self.seed.once_in(9),
                }),
            },
            25 => ApiRequest::MuteTrack {
                room,
                track: self.any_track(),
            },
            26 => ApiRequest::Ban {
                room,
                identity: self.any_identity(),
            },
            27 | 28 => ApiRequest::Unban {
                room,
                identity: self.any_identity(),
            },
            _ => ApiRequest::MyRoom {
                fresh_room: nothing(),
            },
        }
    }

    fn known_room(&self, name: &RoomName) -> RoomRef {
        let room = self.store.rooms.values().rfind(|room| room.name == *name);
        room.map_or(RoomRef::Name(name.clone()), |room| RoomRef::Id(room.id))
    }

    fn any_session(&mut self) -> Option<SessionId> {
        let known: Vec<SessionId> = self.store.sessions.keys().rev().take(4).copied().collect();
        self.seed
            .of(&known)
            .copied()
            .filter(|_| self.seed.once_in(2))
    }

    fn any_identity(&mut self) -> Identity {
        let people = &self.plan.people;
        let person = self.seed.of(people);
        person.map_or(Identity("cleo".into()), |person| person.identity.clone())
    }

    fn anybody(&mut self) -> protocol::ParticipantId {
        let views = self.tabs.iter().filter_map(|tab| tab.view.as_ref());
        let known: Vec<_> = views.map(|view| view.own).collect();
        let nobody = protocol::ParticipantId::from_bits(0);
        self.seed.of(&known).copied().unwrap_or(nobody)
    }

    fn any_track(&mut self) -> protocol::TrackId {
        let tracks = self.server.as_ref().map(|server| server.media.tracks());
        let tracks = tracks.unwrap_or_default();
        let nothing = protocol::TrackId::from_bits(0);
        self.seed.of(&tracks).copied().unwrap_or(nothing)
    }

    /// A new key, or one that was used before for the same: of plans for plans, of beginnings for those.
    fn start_with(&mut self, word: &str) -> Start {
        let key = format!("{word} {}", self.draw());
        if !self.seed.once_in(8) {
            return start(key);
        }
        let keys = self.calls.iter().filter_map(|call| key_of(&call.request));
        let old: Vec<&str> = keys.filter(|key| key.starts_with(word)).collect();
        let recent = &old[old.len().saturating_sub(RECENT_KEYS)..];
        let again = self.seed.of(recent).map(|key| (*key).to_owned());
        start(again.unwrap_or(key))
    }

    /// The same request, with the ids that its arrival needs.
    fn with_fresh_ids(&mut self, mut request: ApiRequest) -> ApiRequest {
        match &mut request {
            ApiRequest::CreateRoom { fresh_room, .. } | ApiRequest::MyRoom { fresh_room } => {
                *fresh_room = RoomId::from_bits(self.draw());
            }
            ApiRequest::OpenLobby(_, start)
            | ApiRequest::GoLive(_, start)
            | ApiRequest::ScheduleSession { start, .. } => {
                start.fresh_session = SessionId::from_bits(self.draw());
            }
            _ => {}
        }
        request
    }
}

/// The key of a request that has one.
fn key_of(request: &ApiRequest) -> Option<&str> {
    match request {
        ApiRequest::GoLive(_, start)
        | ApiRequest::OpenLobby(_, start)
        | ApiRequest::ScheduleSession { start, .. } => Some(&start.key),
        _ => None,
    }
}

/// The request that makes a room, as whoever needs it would ask it.
pub(super) fn making(name: &RoomName, kind: &Kind) -> ApiRequest {
    match kind {
        Kind::Made { owner, settings } => ApiRequest::CreateRoom {
            name: name.clone(),
            owner: owner.clone(),
            settings: settings.clone(),
            fresh_room: nothing(),
        },
        Kind::Mine(_) | Kind::Joined => ApiRequest::MyRoom {
            fresh_room: nothing(),
        },
    }
}

pub(super) fn owner(kind: &Kind) -> Option<&Identity> {
    match kind {
        Kind::Joined => None,
        Kind::Mine(owner) => Some(owner),
        Kind::Made { owner, .. } => owner.as_ref(),
    }
}

/// Somebody with a token that names them and grants nothing.
pub(super) fn nobody_special(identity: Identity) -> Caller {
    Caller {
        identity,
        may_create: false,
        may_list: false,
        admin_of: None,
    }
}

/// A backend with every grant.
pub(super) fn backend() -> Caller {
    Caller {
        identity: Identity("APIbackend".into()),
        may_create: true,
        may_list: true,
        admin_of: None,
    }
}

fn start(key: String) -> Start {
    Start {
        key,
        fresh_session: SessionId::from_bits(0),
    }
}

fn nothing() -> RoomId {
    RoomId::from_bits(0)
}
