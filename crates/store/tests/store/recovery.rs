//! A start after a kill: nothing runs, and all that still matters is there.

use protocol::record::{RoomRecord, SessionRecord, Stored, Write};
use protocol::{EndReason, SessionState};
use store::Outcome;

use crate::both;
use crate::records::*;

both! {
    async fn whatever_was_left_running_is_ended_as_of_the_last_heartbeat(place: Place) {
        let store = place.open().await;
        assert_eq!(store.recover(at(500)).await.unwrap(), Default::default());
        let late = protocol::record::AttendanceRecord { joined_at: at(7_500), ..attendance(2, 3, "c") };
        commit(&store, vec![
            Write::RoomCreated(owned_room(1, "zoë")),
            Write::SessionCreated(session(1, 1, SessionState::Live)),
            Write::AttendanceOpened(attendance(1, 1, "a")),
            Write::AttendanceOpened(attendance(1, 2, "b")),
            left(1, 2, 5_000),
            Write::TrackPublished(track(1, 1, 1)),
            Write::RoomCreated(RoomRecord { is_kept: false, ..room(2) }),
            Write::SessionCreated(session(2, 2, SessionState::Live)),
            Write::AttendanceOpened(late),
            Write::RoomCreated(room(3)),
            Write::SessionCreated(session(3, 3, SessionState::Lobby)),
            Write::SessionCreated(session(4, 3, SessionState::Scheduled)),
            Write::Banned(ban(3, "troll")),
            Write::RoomCreated(RoomRecord { is_kept: false, ..room(4) }),
            Write::SessionCreated(session(5, 4, SessionState::Scheduled)),
        ]).await;
        store.heartbeat(at(7_000)).await.unwrap();
        store.close().await;

        let store = place.open().await;
        let stored = store.recover(at(60_000)).await.unwrap();
        let rooms: Vec<_> = stored.rooms.iter().map(|room| room.id).collect();
        assert_eq!(rooms, [room_id(1), room_id(3), room_id(4)], "2 was not to be kept");
        let scheduled = [session(4, 3, SessionState::Scheduled), session(5, 4, SessionState::Scheduled)];
        assert_eq!(stored.sessions, scheduled);
        assert_eq!(stored.bans, [ban(3, "troll")]);

        for (number, ended_at) in [(1, 7_000), (2, 7_500), (3, 7_000)] {
            let session = store.session(session_id(number)).await.unwrap().unwrap();
            assert_eq!(session.state, SessionState::Ended);
            assert_eq!(session.end_reason, Some(EndReason::ServerLost));
            assert_eq!(session.ended_at, Some(at(ended_at)), "{number}");
        }
        let left: Vec<_> = store.attendance(session_id(1)).await.unwrap();
        let left: Vec<_> = left.iter().map(|attendance| attendance.left_at).collect();
        assert_eq!(left, [Some(at(7_000)), Some(at(5_000))]);
        assert_eq!(store.tracks(session_id(1)).await.unwrap()[0].unpublished_at, Some(at(7_000)));
        let counts = store.counts(at(60_000)).await.unwrap();
        assert_eq!((counts.running_sessions, counts.open_attendance, counts.open_tracks), (0, 0, 0));
        let due = store.events_due(at(60_000), 1_000).await.unwrap();
        let told = |kind: &str| due.iter().filter(|delivery| delivery.kind == kind).count();
        assert_eq!((told("session_ended"), told("participant_left"), told("room_deleted")), (3, 3, 1));

        // Once more: nothing is left to end.
        let nothing_lost = Stored { lost_sessions: 0, ..stored };
        assert_eq!(store.recover(at(61_000)).await.unwrap(), nothing_lost);
        assert_eq!(store.events_due(at(61_000), 1_000).await.unwrap(), due);
    }

    async fn the_last_sixteen_keys_of_each_room_are_known_again(place: Place) {
        let store = place.open().await;
        let mut writes = vec![Write::RoomCreated(room(1)), Write::RoomCreated(room(2))];
        for number in 1..=20 {
            writes.push(Write::SessionCreated(SessionRecord {
                key: Some(format!("key {number}")),
                created_at: at(2_000 + number),
                // Planned early, given up late.
                ended_at: Some(at(if number == 3 { 9_900 } else { 9_000 + number })),
                ..session(number, 1, SessionState::Ended)
            }));
        }
        writes.push(Write::SessionCreated(SessionRecord {
            key: Some("key 1".into()),
            ..session(30, 2, SessionState::Ended)
        }));
        writes.push(Write::SessionCreated(session(31, 2, SessionState::Ended)));
        commit(&store, writes).await;
        let stored = store.recover(at(60_000)).await.unwrap();
        let known: Vec<_> = stored.sessions.iter().map(|session| session.id).collect();
        let expected: Vec<_> = [30, 3].into_iter().chain(6..=20).map(session_id).collect();
        assert_eq!(known, expected);
    }

    async fn a_key_that_makes_another_session_is_that_ones_and_what_was_is_as_it_was(place: Place) {
        let store = place.open().await;
        let keyed = |number, state| SessionRecord {
            key: Some("key".into()),
            ..session(number, 1, state)
        };
        commit(&store, vec![
            Write::RoomCreated(room(1)),
            Write::RoomCreated(room(2)),
            Write::SessionCreated(keyed(1, SessionState::Ended)),
            Write::SessionCreated(SessionRecord { room: room_id(2), ..keyed(2, SessionState::Ended) }),
            Write::SessionCreated(keyed(3, SessionState::Live)),
        ]).await;
        let refused = write(&store, vec![Write::SessionCreated(keyed(4, SessionState::Scheduled))]).await;
        assert!(matches!(refused, Outcome::Refused(_)), "what runs keeps its key: {refused:?}");
        let mut kept = Vec::new();
        for number in 1..=3 {
            kept.push(store.session(session_id(number)).await.unwrap().unwrap());
        }
        assert_eq!(kept[0], session(1, 1, SessionState::Ended));
        assert_eq!(kept[1].key.as_deref(), Some("key"), "another room's keys are its own");
        assert_eq!(kept[2], keyed(3, SessionState::Live));
    }

    async fn a_clock_that_was_set_back_ends_nothing_in_the_future(place: Place) {
        let store = place.open().await;
        commit(&store, vec![
            Write::RoomCreated(room(1)),
            Write::SessionCreated(session(1, 1, SessionState::Live)),
        ]).await;
        store.heartbeat(at(90_000)).await.unwrap();
        store.recover(at(8_000)).await.unwrap();
        let ended = store.session(session_id(1)).await.unwrap().unwrap();
        assert_eq!(ended.ended_at, Some(at(8_000)));
    }
}
