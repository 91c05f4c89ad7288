//! Each change is told, once, to each target, in the order in which it was committed.

use protocol::record::{RoomRecord, SessionRecord, Write};
use protocol::{EndReason, Identity, SessionState};
use store::{Settings, Store};

use crate::both;
use crate::records::*;

/// What is due to the target `hook`.
async fn kinds(store: &Store) -> Vec<String> {
    let due = store.events_due(at(10_000), 1_000).await.unwrap();
    due.into_iter().map(|delivery| delivery.kind).collect()
}

both! {
    async fn each_write_tells_what_it_does(place: Place) {
        let store = place.open().await;
        let handed_over = SessionRecord {
            host: Some(Identity("b".into())),
            ..session(1, 1, SessionState::Live)
        };
        let cancelled = SessionRecord {
            scheduled_for: Some(at(5_000)),
            end_reason: Some(EndReason::Cancelled),
            ..session(2, 1, SessionState::Cancelled)
        };
        commit(&store, vec![
            Write::RoomCreated(room(1)),
            Write::RoomChanged(RoomRecord { is_kept: false, ..room(1) }),
            Write::SessionCreated(session(1, 1, SessionState::Scheduled)),
            Write::SessionChanged(session(1, 1, SessionState::Lobby)),
            Write::SessionChanged(session(1, 1, SessionState::Live)),
            Write::SessionChanged(handed_over),
            Write::AttendanceOpened(attendance(1, 1, "a")),
            Write::TrackPublished(track(1, 1, 1)),
            Write::TrackUnpublished { track: track_id(1), at: at(6_000) },
            left(1, 1, 6_001),
            Write::SessionChanged(session(1, 1, SessionState::Ended)),
            Write::SessionCreated(session(2, 1, SessionState::Scheduled)),
            Write::SessionChanged(cancelled),
            Write::Banned(ban(1, "troll")),
            Write::RoomClosed { room: room_id(1), at: at(9_500) },
        ]).await;
        assert_eq!(kinds(&store).await, [
            "room_created", "room_updated", "session_scheduled", "session_lobby_opened",
            "session_started", "participant_joined", "track_published", "track_unpublished",
            "participant_left", "session_ended", "session_scheduled", "session_cancelled",
            "room_deleted",
        ]);
        let due = store.events_due(at(10_000), 1_000).await.unwrap();
        assert!(due.is_sorted_by(|a, b| a.event < b.event));
        let left = &due[8];
        assert_eq!(left.body, serde_json::json!({
            "id": left.event,
            "event": "participant_left",
            "at": 6_001,
            "room": { "id": room_id(1), "name": "room 1" },
            "participant": {
                "session": session_id(1),
                "participant": participant_id(1),
                "identity": "a",
                "name": "A",
                "role": "student",
                "joined_at": 4_000,
                "left_at": 6_001,
            },
        }));
    }

    async fn a_target_that_fails_is_tried_again_and_the_other_is_not_told_twice(place: Place) {
        let targets = ["slow", "quick"].map(str::to_owned).to_vec();
        let store = Store::open(place.location.clone(), Settings { targets }).await.unwrap();
        commit(&store, vec![Write::RoomCreated(room(1))]).await;
        let due = store.events_due(at(10_000), 10).await.unwrap();
        let names: Vec<_> = due.iter().map(|delivery| delivery.target.as_str()).collect();
        assert_eq!(names, ["quick", "slow"]);
        let event = due[0].event;
        store.event_delivered(event, "quick").await.unwrap();
        store.event_failed(event, "slow", at(20_000)).await.unwrap();
        assert_eq!(store.events_due(at(19_999), 10).await.unwrap(), []);
        let due = store.events_due(at(20_000), 10).await.unwrap();
        assert_eq!((due.len(), due[0].target.as_str(), due[0].attempts), (1, "slow", 1));
        assert_eq!(due[0].event, event, "the same number again");
        store.event_delivered(event, "slow").await.unwrap();
        assert_eq!(store.events_due(at(99_999), 10).await.unwrap(), []);
    }

    async fn what_was_due_survives_and_is_forgotten_with_its_target(place: Place) {
        let store = place.open().await;
        commit(&store, vec![Write::RoomCreated(room(1))]).await;
        store.close().await;
        let store = place.open().await;
        assert_eq!(kinds(&store).await, ["room_created"]);
        store.close().await;
        let store = Store::open(place.location.clone(), Settings::default()).await.unwrap();
        assert_eq!(kinds(&store).await, [""; 0]);
        commit(&store, vec![Write::RoomCreated(room(2))]).await;
        let mut raw = place.raw().await;
        assert_eq!(raw.number("SELECT count(*) FROM events").await, 1, "nobody is to be told");
    }
}
