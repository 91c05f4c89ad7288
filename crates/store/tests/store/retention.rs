//! What is old is forgotten, and nothing else.

use protocol::SessionState;
use protocol::record::{SessionRecord, Write};
use store::Pruned;

use crate::both;
use crate::records::*;

both! {
    async fn what_is_over_is_forgotten_with_all_that_belongs_to_it_and_nothing_else(place: Place) {
        let store = place.open().await;
        let mut writes = vec![Write::RoomCreated(room(1)), Write::RoomCreated(room(2))];
        // More than one slice.
        for number in 1..=150 {
            writes.extend([
                Write::SessionCreated(session(number, 1, SessionState::Live)),
                Write::AttendanceOpened(attendance(number, 1, "a")),
                Write::TrackPublished(track(number, number, 1)),
                Write::TrackUnpublished { track: track_id(number), at: at(5_000) },
                left(number, 1, 5_000),
                Write::SessionChanged(SessionRecord {
                    ended_at: Some(at(5_000 + number)),
                    ..session(number, 1, SessionState::Ended)
                }),
            ]);
        }
        writes.extend([
            Write::SessionCreated(session(500, 1, SessionState::Scheduled)),
            Write::SessionCreated(session(501, 2, SessionState::Ended)),
            Write::Banned(ban(2, "troll")),
            Write::RoomClosed { room: room_id(2), at: at(5_100) },
            Write::RoomCreated(room(3)),
            Write::SessionCreated(session(502, 3, SessionState::Live)),
        ]);
        commit(&store, writes).await;
        let due = store.events_due(at(10_000), 2).await.unwrap();
        store.event_delivered(due[0].event, "hook").await.unwrap();

        // The 148 that ended before 5,149; the closed room still has a session; one event is delivered.
        let pruned = store.prune(at(5_149), at(0)).await.unwrap();
        assert_eq!(pruned, Pruned { sessions: 148, rooms: 0, events: 1 });
        let mut raw = place.raw().await;
        assert_eq!(raw.number("SELECT count(*) FROM attendance").await, 2);
        assert_eq!(raw.number("SELECT count(*) FROM tracks").await, 2);
        let states = raw.texts("SELECT state FROM sessions ORDER BY id").await;
        assert_eq!(states, ["ended", "ended", "scheduled", "ended", "live"]);

        let pruned = store.prune(at(99_999), at(0)).await.unwrap();
        assert_eq!((pruned.sessions, pruned.rooms), (3, 1));
        assert_eq!(raw.number("SELECT count(*) FROM bans").await, 0);
        assert_eq!(raw.number("SELECT count(*) FROM rooms").await, 2);
        assert!(store.prune(at(99_999), at(99_999)).await.unwrap().events > 0);
        assert_eq!(store.counts(at(1)).await.unwrap().undelivered_events, 0);
        assert_eq!(raw.texts("SELECT state FROM sessions ORDER BY id").await, ["scheduled", "live"]);
    }
}
