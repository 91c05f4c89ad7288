//! Rooms of Janus's video room plugin: their numbers, and that they are there from the first participant of
//! a run to the last. It joins nobody.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::connection::{Connection, Handle, Refusal};

/// Janus's number for: there is such a room already.
const ROOM_EXISTS: u64 = 427;

/// Who of this run is in which room.
#[derive(Default)]
pub(super) struct Rooms {
    // Held while a room is made or ended: nobody enters one that is about to end.
    participants: Mutex<BTreeMap<u64, usize>>,
}

impl Rooms {
    /// One more is about to join: the room is made if it is the first.
    pub(super) async fn enter(
        &self,
        connection: &mut Connection,
        handle: Handle,
        name: &str,
    ) -> Result<u64> {
        let room = number(name);
        let mut participants = self.participants.lock().await;
        let count = participants.entry(room).or_default();
        if *count == 0 {
            let made = connection.ask(handle, creation(room, name), None).await;
            match made {
                Err(error) if has_code(&error, ROOM_EXISTS) => {}
                made => drop(made?),
            }
        }
        *count += 1;
        Ok(room)
    }

    /// One leaves: the room ends with the last.
    pub(super) async fn leave(
        &self,
        connection: &mut Connection,
        handle: Handle,
        room: u64,
    ) -> Result<()> {
        let mut participants = self.participants.lock().await;
        let count = participants.entry(room).or_default();
        *count = count.saturating_sub(1);
        if *count == 0 {
            participants.remove(&room);
            let body = json!({ "request": "destroy", "room": room });
            connection.ask(handle, body, None).await?;
        }
        Ok(())
    }
}

/// Without the limits that Janus has for conferences: 3 publishers in a room.
fn creation(room: u64, name: &str) -> Value {
    json!({
        "request": "create",
        "room": room,
        "description": name,
        "publishers": 10_000,
        "bitrate": 0,
        "audiocodec": "opus",
        "videocodec": "vp8,h264",
        "audiolevel_event": false,
        "notify_joining": false,
    })
}

/// Janus numbers its rooms unless told otherwise. FNV-1a, in the 53 bits that any JSON reader keeps exact.
fn number(name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash >> 11
}

/// Janus refused with this code.
pub(super) fn has_code(error: &anyhow::Error, code: u64) -> bool {
    let refusal = error.downcast_ref::<Refusal>();
    refusal.is_some_and(|refusal| refusal.code == code)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn rooms_of_different_names_have_different_numbers_that_json_keeps() {
        let numbers: std::collections::BTreeSet<u64> = (0..10_000)
            .map(|room| number(&format!("load-{room}")))
            .collect();
        assert_eq!(numbers.len(), 10_000);
        assert!(numbers.iter().all(|number| *number < 1 << 53));
    }

    #[test]
    fn a_refusal_is_known_by_its_code_whatever_was_said_around_it() {
        let refusal = Refusal::new(ROOM_EXISTS, "Room 7 already exists");
        let error = Err::<(), _>(refusal).context("\"create\" failed");
        let error = error.unwrap_err();
        assert!(has_code(&error, ROOM_EXISTS));
        assert!(!has_code(&error, 426));
    }
}
