//! What was promised to people: each acknowledgement as the fact that it says is written down. It asks the
//! store whether the fact is there: when the promise goes out, after each crash, and at the end.

use protocol::{
    EndReason, Identity, ParticipantId, RoomId, RoomState, ServerMessage, SessionId, SessionInfo,
    SessionState,
};
use signaling::{ApiReply, ApiResult};

use crate::store::Store;

/// A fact that somebody was told is written down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Promise {
    /// There is this room.
    Room(RoomId),
    /// There is this session, and it has come at least as far.
    Session(SessionId, SessionState),
    /// It is over, for this reason.
    Over(SessionId, Option<&'static str>),
    /// They were there.
    Attended(SessionId, ParticipantId),
    /// They are there no longer.
    Left(ParticipantId),
    /// They were banned.
    Banned(RoomId, Identity),
}

impl Promise {
    /// Whether it is true of what is committed.
    pub(crate) fn is_kept(&self, store: &Store) -> bool {
        match self {
            Promise::Room(room) => store.rooms.contains_key(room),
            Promise::Session(id, state) => store
                .sessions
                .get(id)
                .is_some_and(|session| session.state >= *state),
            Promise::Over(id, reason) => store.sessions.get(id).is_some_and(|session| {
                session.ended_at.is_some() && session.end_reason.map(EndReason::as_str) == *reason
            }),
            Promise::Attended(session, participant) => {
                store.attendance.contains_key(&(*session, *participant))
            }
            Promise::Left(participant) => {
                let mut rows = store.attendance.values();
                rows.all(|row| row.participant != *participant || row.left_at.is_some())
            }
            Promise::Banned(room, identity) => {
                store.ever_banned.contains(&(*room, identity.clone()))
            }
        }
    }
}

/// What a message promises to whoever has this id, hidden or not, in this session as they knew it.
pub(crate) fn of_message(message: &ServerMessage, is_hidden: bool) -> Vec<Promise> {
    match message {
        ServerMessage::Joined(joined) => {
            let room = &joined.room;
            let mut promises = vec![Promise::Room(room.id)];
            if let Some(session) = &room.session {
                promises.push(of_session(session));
                if room.state == RoomState::Live && !is_hidden {
                    promises.push(Promise::Attended(session.id, joined.participant_id));
                }
            }
            promises
        }
        ServerMessage::Waiting(waiting) => vec![Promise::Room(waiting.room.id)],
        ServerMessage::Done {
            session: Some(session),
            ..
        } => vec![of_session(session)],
        _ => Vec::new(),
    }
}

/// What a reply over HTTP promises.
pub(crate) fn of_reply(result: &ApiResult) -> Vec<Promise> {
    match result {
        Ok(ApiReply::Room(details)) => {
            let session = details.info.session.as_ref().map(of_session);
            let room = Promise::Room(details.record.id);
            session.into_iter().chain([room]).collect()
        }
        Ok(ApiReply::Session(session)) => match session.ended_at {
            Some(_) => {
                let reason = session.end_reason.map(EndReason::as_str);
                vec![Promise::Over(session.id, reason)]
            }
            None => vec![Promise::Session(session.id, session.state)],
        },
        Ok(
            ApiReply::Participant(_)
            | ApiReply::Participants(_)
            | ApiReply::Receiver(_)
            | ApiReply::Done,
        )
        | Err(_) => Vec::new(),
    }
}

fn of_session(session: &SessionInfo) -> Promise {
    match session.ended_at {
        Some(_) => Promise::Over(session.id, session.end_reason.map(EndReason::as_str)),
        None => Promise::Session(session.id, session.state),
    }
}
