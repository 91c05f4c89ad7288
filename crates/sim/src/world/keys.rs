//! What the keys of sessions gave, and what they must give again: the same session, as long as its room can
//! remember it. It asks for nothing.

use protocol::record::SessionRecord;
use protocol::{RoomId, SessionId};

use super::World;

/// Sessions that are over and that a room remembers, but for those that are not committed yet.
const SURELY_REMEMBERED: usize = 6;
/// The last keys of a room, as many as it remembers however many sessions there were.
const KEYS_REMEMBERED: usize = 30;

impl World {
    /// A key gives the session that it made, whenever and however often it is used; and one that joined a
    /// session gives that one, in the same life of the server.
    pub(super) fn key_gave(&mut self, life: u64, room: RoomId, key: String, session: SessionId) {
        let made_by = |of: &&SessionRecord| of.room == room && of.key.as_deref() == Some(&key);
        if let Some(made) = self.store.sessions.values().find(made_by) {
            assert!(
                made.id == session || self.may_be_forgotten(session),
                "a key gives the session that it made"
            );
        }
        if self.life() != Some(life) {
            return;
        }
        let known = self.keys.entry(room).or_default();
        let before = known.iter().position(|(other, _)| *other == key);
        let before = before.and_then(|place| known.remove(place));
        known.push_back((key.clone(), session));
        if known.len() > KEYS_REMEMBERED {
            known.pop_front();
        }
        assert!(
            before.is_none_or(|(_, of)| of == session || self.may_be_forgotten(of)),
            "a key gives one session: {key} in {room} and {session}"
        );
    }

    /// Whether a key may be forgotten by the room in which it made a session: a sane client asks with it no
    /// more.
    pub(super) fn is_stale(&self, key: &str) -> bool {
        let mut sessions = self.store.sessions.values();
        let made = sessions.find(|session| session.key.as_deref() == Some(key));
        made.is_some_and(|session| self.may_be_forgotten(session.id))
    }

    /// Whether so many sessions of a room were over since that a key which joined this one is forgotten.
    fn may_be_forgotten(&self, session: SessionId) -> bool {
        let Some(SessionRecord {
            room,
            ended_at: Some(ended_at),
            ..
        }) = self.store.sessions.get(&session)
        else {
            return false;
        };
        let since = self
            .store
            .sessions
            .values()
            .filter(|of| of.room == *room && of.ended_at >= Some(*ended_at));
        since.count() >= SURELY_REMEMBERED
    }
}
