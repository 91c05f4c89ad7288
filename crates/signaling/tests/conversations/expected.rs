//! The effects that a test expects, in few words.

use protocol::{
    Change, ConnectionId, ErrorCode, Goodbye, Live, MediaType, NumberedChange, Participant,
    ServerMessage, Timestamp, Track, TrackId, TrackSource,
};
use signaling::{Effect, MediaEffect};

use crate::world::{REQUEST, World};

impl World {
    pub(crate) fn to(&self, tabs: &[&str], message: ServerMessage) -> Effect {
        Effect::Send {
            to: tabs.iter().map(|tab| self.connection(tab)).collect(),
            message,
        }
    }

    /// A promise: held until what was written down before is committed.
    pub(crate) fn acknowledged(&self, tab: &str, message: ServerMessage) -> Effect {
        Effect::Acknowledge {
            to: self.connection(tab),
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
    let (to, goodbye, closed) = match effects {
        [
            Effect::Send {
                to,
                message: ServerMessage::Goodbye(goodbye),
            },
            Effect::Close { connection: closed },
        ] => (to.clone(), goodbye, *closed),
        // What the others are told at once; what is promised, when it is written down.
        [
            Effect::Acknowledge {
                to,
                message: ServerMessage::Goodbye(goodbye),
            },
            Effect::Close { connection: closed },
        ] => (vec![*to], goodbye, *closed),
        _ => panic!("a goodbye and a close, not {effects:#?}"),
    };
    assert_eq!(
        (to.as_slice(), closed),
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
