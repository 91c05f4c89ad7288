//! One tab of somebody, as a sane client: what it knows, what it waits for, and what it does with what it
//! is told. It draws no chance and sends nothing by itself.

use std::collections::BTreeMap;

use protocol::{
    ClientMessage, ConnectionId, ErrorCode, Goodbye, ParticipantId, Resume, RoomInfo,
    ServerMessage, SessionId,
};

use crate::plan::Person;
use crate::view::{View, check_live};

/// Requests that a tab repeats when it is back.
const REPEATED: usize = 40;
/// Requests that a tab may ask again with the same key.
const RECENT: usize = 4;

/// One tab of somebody.
#[derive(Debug)]
pub(crate) struct Tab {
    pub(crate) person: Person,
    /// Which of the plan's rooms it is for.
    pub(crate) place: usize,
    pub(crate) state: State,
    /// It comes back by itself when it is out.
    pub(crate) wants_in: bool,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) view: Option<View>,
    /// The room as those outside are told it.
    pub(crate) outside: Option<RoomInfo>,
    pub(crate) waiting_list: Vec<ParticipantId>,
    resume_token: Option<String>,
    /// Asked, and neither done nor refused.
    pub(crate) pending: BTreeMap<u32, ClientMessage>,
    /// Asked, and perhaps never heard: asked again, with the same key, when the tab is back.
    pub(crate) to_repeat: Vec<ClientMessage>,
    /// What was asked before, the last first.
    pub(crate) old_requests: Vec<ClientMessage>,
    next_request: u32,
    pub(crate) peer_connection: u32,
    pub(crate) next_mid: u32,
}

/// Where a tab is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No connection.
    Out,
    /// A connection is being made.
    Connecting,
    /// `join` is sent.
    Asked,
    /// Told to wait.
    Waiting,
    /// In the room.
    In,
}

/// What a tab learned that others can check.
#[derive(Debug)]
pub(crate) enum Learned {
    /// Which session a key gave.
    Key { key: String, session: SessionId },
    /// It may go on by sending these.
    Ready(Vec<ClientMessage>),
    /// Its join was refused: the connection is there and serves nothing.
    Refused(ErrorCode),
    /// The server closes the connection.
    Goodbye(Goodbye),
}

impl Tab {
    pub(crate) fn new(person: Person) -> Self {
        Self {
            person,
            place: 0,
            state: State::Out,
            wants_in: false,
            connection: None,
            view: None,
            outside: None,
            waiting_list: Vec::new(),
            resume_token: None,
            pending: BTreeMap::new(),
            to_repeat: Vec::new(),
            old_requests: Vec::new(),
            next_request: 0,
            peer_connection: 0,
            next_mid: 0,
        }
    }

    /// To come back as it was: with what it saw, if it still knows that.
    pub(crate) fn resume(&self) -> Option<Resume> {
        Some(Resume {
            token: self.resume_token.clone()?,
            last_change: self.view.as_ref().map(|view| view.last_change),
        })
    }

    /// A refresh: the page is new, and only the means to come back are kept.
    pub(crate) fn forget_the_room(&mut self) {
        self.view = None;
        self.peer_connection = 0;
        self.next_mid = 0;
    }

    /// Somebody else's page.
    pub(crate) fn forget_everything(&mut self) {
        self.forget_the_room();
        self.resume_token = None;
        self.to_repeat.clear();
    }

    /// The connection is gone; what was asked may have been done or not.
    pub(crate) fn lose_connection(&mut self) {
        self.connection = None;
        self.state = State::Out;
        self.outside = None;
        self.waiting_list.clear();
        let asked = std::mem::take(&mut self.pending).into_values();
        self.to_repeat.extend(asked.filter(is_idempotent));
        self.to_repeat.truncate(REPEATED);
    }

    /// A number for a message that goes out.
    pub(crate) fn number(&mut self, message: &ClientMessage) -> u32 {
        self.next_request += 1;
        if is_answered(message) {
            self.pending.insert(self.next_request, message.clone());
        }
        if is_idempotent(message) {
            self.old_requests.truncate(RECENT - 1);
            self.old_requests.insert(0, message.clone());
        }
        self.next_request
    }

    /// Takes in what the server says.
    pub(crate) fn hear(&mut self, message: ServerMessage) -> Option<Learned> {
        match message {
            ServerMessage::Joined(joined) => {
                self.state = State::In;
                self.outside = None;
                self.view = Some(View::of(&joined, &self.person.identity));
                if !joined.rejoined {
                    self.peer_connection = 0;
                }
                self.resume_token = Some(joined.resume_token);
                Some(Learned::Ready(std::mem::take(&mut self.to_repeat)))
            }
            ServerMessage::Resumed(resumed) => {
                self.state = State::In;
                let view = self.view.as_mut().expect("who resumes knew the room");
                assert_eq!(resumed.participant_id, view.own, "who resumes keeps the id");
                resumed.changes.iter().for_each(|change| view.apply(change));
                self.resume_token = Some(resumed.resume_token);
                Some(Learned::Ready(std::mem::take(&mut self.to_repeat)))
            }
            ServerMessage::Waiting(waiting) => {
                assert_ne!(self.state, State::In, "who is in does not wait");
                self.state = State::Waiting;
                self.resume_token = Some(waiting.resume_token);
                self.outside = Some(waiting.room);
                self.view = None;
                None
            }
            ServerMessage::Change(change) => {
                let view = self.view.as_mut().filter(|_| self.state == State::In);
                view.expect("only those inside are told of changes")
                    .apply(&change);
                None
            }
            ServerMessage::LiveStatus { live, .. } => {
                let view = self.view.as_ref().expect("only those inside ask");
                live.iter().for_each(|live| check_live(live, view.own));
                None
            }
            ServerMessage::WaitingList { participants } => {
                self.waiting_list = participants.iter().map(|of| of.id).collect();
                None
            }
            ServerMessage::MediaEnded { .. } => {
                self.peer_connection += 1;
                None
            }
            ServerMessage::Done {
                request_id,
                session,
            } => {
                let asked = request_id.and_then(|number| self.pending.remove(&number));
                let asked = asked.expect("what is done was asked for, once");
                let session = session.map(|session| session.id)?;
                let (ClientMessage::GoLive { key } | ClientMessage::OpenLobby { key }) = asked
                else {
                    return None;
                };
                Some(Learned::Key { key, session })
            }
            ServerMessage::Error(error) => {
                assert_ne!(error.code, ErrorCode::Internal, "{error:?}");
                match (self.state, error.request_id) {
                    (State::Asked, _) => return Some(Learned::Refused(error.code)),
                    (_, Some(number)) => drop(self.pending.remove(&number)),
                    _ => {}
                }
                None
            }
            ServerMessage::Goodbye(goodbye) => Some(Learned::Goodbye(goodbye)),
            ServerMessage::Published { .. }
            | ServerMessage::Answer(_)
            | ServerMessage::MediaSectionsRequired { .. }
            | ServerMessage::Speakers { .. }
            | ServerMessage::LayersWanted { .. }
            | ServerMessage::Pong { .. }
            | ServerMessage::UnmuteAsked { .. } => None,
        }
    }
}

/// Whether `done` or an error answers this, always.
fn is_answered(message: &ClientMessage) -> bool {
    matches!(
        message,
        ClientMessage::OpenLobby { .. }
            | ClientMessage::GoLive { .. }
            | ClientMessage::EndSession { .. }
            | ClientMessage::Admit { .. }
            | ClientMessage::Deny { .. }
            | ClientMessage::Remove { .. }
            | ClientMessage::SetLocked { .. }
            | ClientMessage::HandOver { .. }
            | ClientMessage::AskToUnmute { .. }
            | ClientMessage::LowerHand { .. }
    )
}

/// Whether it may be asked again when nobody knows whether it was heard.
fn is_idempotent(message: &ClientMessage) -> bool {
    matches!(
        message,
        ClientMessage::OpenLobby { .. } | ClientMessage::GoLive { .. }
    )
}
