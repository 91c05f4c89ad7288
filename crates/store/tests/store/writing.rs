//! What is written is what is read; what is refused is refused alone.

use protocol::record::{RoomRecord, RoomSettings, SessionRecord, Write};
use protocol::{EndReason, Identity, RoomName, SessionState, Timestamp};
use store::{Batch, Counts, Outcome};

use crate::both;
use crate::records::*;

both! {
    async fn what_is_written_is_read_again(place: Place) {
        let store = place.open().await;
        let room = RoomRecord {
            name: RoomName("Zoë's room '; DROP TABLE rooms; --".into()),
            settings: RoomSettings {
                title: "A title 🎓".into(),
                lobby: true,
                locked: true,
                max_participants: Some(u32::MAX),
            },
            ..owned_room(1, "zoë")
        };
        let live = SessionRecord {
            host: Some(Identity("zoë".into())),
            title: "Algebra".into(),
            key: Some("k".into()),
            ..session(1, 1, SessionState::Live)
        };
        let scheduled = SessionRecord { created_at: at(2_500), ..session(2, 1, SessionState::Scheduled) };
        commit(&store, vec![
            Write::RoomCreated(room.clone()),
            Write::SessionCreated(live.clone()),
            Write::SessionCreated(scheduled.clone()),
            Write::AttendanceOpened(attendance(1, 2, "b")),
            Write::AttendanceOpened(attendance(1, 1, "a")),
            Write::TrackPublished(track(1, 1, 1)),
            Write::Banned(ban(1, "troll")),
            Write::Banned(ban(1, "imp")),
        ]).await;
        commit(&store, vec![Write::Unbanned { room: room.id, identity: Identity("imp".into()) }]).await;

        assert_eq!(store.room(room.id).await.unwrap().as_ref(), Some(&room));
        assert_eq!(store.room_named(&room.name).await.unwrap().as_ref(), Some(&room));
        assert_eq!(store.room_of(&Identity("zoë".into())).await.unwrap().as_ref(), Some(&room));
        assert_eq!(store.room_of(&Identity("zoe".into())).await.unwrap(), None);
        assert_eq!(store.session(live.id).await.unwrap().as_ref(), Some(&live));
        let sessions = store.sessions(room.id, None, 10).await.unwrap();
        assert_eq!(sessions, [scheduled.clone(), live.clone()]);
        assert_eq!(store.sessions(room.id, None, 1).await.unwrap(), std::slice::from_ref(&scheduled));
        assert_eq!(store.sessions(room.id, Some(scheduled.id), 10).await.unwrap(), std::slice::from_ref(&live));
        assert_eq!(store.sessions(room.id, Some(live.id), 10).await.unwrap(), []);
        let present = [attendance(1, 1, "a"), attendance(1, 2, "b")];
        assert_eq!(store.attendance(live.id).await.unwrap(), present);
        assert_eq!(store.tracks(live.id).await.unwrap(), [track(1, 1, 1)]);
        assert_eq!(store.bans(room.id).await.unwrap(), [ban(1, "troll")]);

        let listed = store.live_rooms(10).await.unwrap().remove(0);
        assert_eq!((listed.room, listed.session, listed.live_at), (room.id, live.id, at(3_000)));
        assert_eq!((listed.participants, listed.publishers), (2, 1));
        let counts = store.counts(at(10_001)).await.unwrap();
        assert_eq!(counts, Counts {
            rooms: 1,
            scheduled_sessions: 1,
            running_sessions: 1,
            stuck_rooms: 0,
            open_attendance: 2,
            open_tracks: 1,
            undelivered_events: 6,
        });
        assert_eq!(store.counts(at(99_000)).await.unwrap().stuck_rooms, 1, "nobody leads it");
    }

    async fn a_live_room_leaves_the_listing_when_its_session_ends(place: Place) {
        let store = place.open().await;
        commit(&store, vec![
            Write::RoomCreated(room(1)),
            Write::SessionCreated(session(1, 1, SessionState::Lobby)),
        ]).await;
        assert_eq!(store.live_rooms(10).await.unwrap(), []);
        commit(&store, vec![Write::SessionChanged(session(1, 1, SessionState::Live))]).await;
        assert_eq!(store.live_rooms(10).await.unwrap().len(), 1);
        commit(&store, vec![Write::SessionChanged(session(1, 1, SessionState::Ended))]).await;
        assert_eq!(store.live_rooms(10).await.unwrap(), []);
    }

    async fn a_refused_command_leaves_nothing_behind_and_the_others_are_committed(place: Place) {
        let store = place.open().await;
        let namesake = RoomRecord { name: RoomName("room 1".into()), ..room(4) };
        let mut batch = Batch::new(at(10_000), vec![
            vec![Write::RoomCreated(room(1))],
            vec![Write::RoomCreated(room(2)), Write::RoomCreated(namesake)],
            vec![],
            vec![Write::RoomCreated(room(3)), Write::SessionCreated(session(3, 3, SessionState::Live))],
            vec![left(3, 7, 5_000)],
            vec![Write::AttendanceOpened(attendance(3, 1, "a"))],
        ]);
        let outcomes = store.write(&mut batch).await.unwrap();
        let committed: Vec<bool> = outcomes.iter().map(|o| *o == Outcome::Committed).collect();
        assert_eq!(committed, [true, false, true, true, false, true], "{outcomes:?}");
        for (number, is_there) in [(1, true), (2, false), (3, true), (4, false)] {
            assert_eq!(store.room(room_id(number)).await.unwrap().is_some(), is_there, "{number}");
        }
        assert_eq!(store.attendance(session_id(3)).await.unwrap().len(), 1);
        let events = store.events_due(at(10_000), 100).await.unwrap();
        let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["room_created", "room_created", "session_started", "participant_joined"]);
    }

    async fn what_changes_nothing_is_refused(place: Place) {
        let store = place.open().await;
        for write_of_nothing in [
            Write::RoomChanged(room(1)),
            Write::RoomClosed { room: room_id(1), at: at(1) },
            Write::SessionChanged(session(1, 1, SessionState::Live)),
            left(1, 1, 1),
            Write::TrackUnpublished { track: track_id(1), at: at(1) },
        ] {
            let outcome = write(&store, vec![write_of_nothing.clone()]).await;
            assert!(matches!(outcome, Outcome::Refused(_)), "{write_of_nothing:?}");
        }
    }

    async fn a_value_that_one_database_cannot_hold_is_refused_by_both(place: Place) {
        let store = place.open().await;
        let nul = RoomRecord { name: RoomName("a\0b".into()), ..room(1) };
        let far = RoomRecord { created_at: Timestamp(u64::MAX), ..room(1) };
        for refused in [nul, far] {
            let outcome = write(&store, vec![Write::RoomCreated(refused)]).await;
            assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
        }
        commit(&store, vec![Write::RoomCreated(room(1))]).await;
    }

    async fn a_clock_that_was_set_back_makes_no_write_fail(place: Place) {
        let store = place.open().await;
        commit(&store, vec![
            Write::RoomCreated(room(1)),
            Write::SessionCreated(session(1, 1, SessionState::Scheduled)),
            Write::SessionChanged(SessionRecord {
                live_at: Some(at(10)),
                ..session(1, 1, SessionState::Live)
            }),
            Write::AttendanceOpened(attendance(1, 1, "a")),
            Write::TrackPublished(track(1, 1, 1)),
            Write::TrackUnpublished { track: track_id(1), at: at(9) },
            left(1, 1, 9),
            Write::SessionChanged(SessionRecord {
                live_at: Some(at(10)),
                ended_at: Some(at(11)),
                ..session(1, 1, SessionState::Ended)
            }),
            Write::RoomClosed { room: room_id(1), at: at(12) },
        ]).await;
        let session = store.session(session_id(1)).await.unwrap().unwrap();
        assert_eq!((session.live_at, session.ended_at), (Some(at(2_000)), Some(at(2_000))));
        let attendance = store.attendance(session_id(1)).await.unwrap();
        assert_eq!(attendance[0].left_at, Some(at(4_000)));
        assert_eq!(store.tracks(session_id(1)).await.unwrap()[0].unpublished_at, Some(at(4_500)));
        assert_eq!(store.room(room_id(1)).await.unwrap().unwrap().closed_at, Some(at(1_000)));
    }

    async fn a_room_that_is_closed_cancels_what_was_to_come_and_frees_its_name_and_owner(place: Place) {
        let store = place.open().await;
        commit(&store, vec![
            Write::RoomCreated(owned_room(1, "zoë")),
            Write::SessionCreated(session(1, 1, SessionState::Scheduled)),
            Write::RoomClosed { room: room_id(1), at: at(6_000) },
        ]).await;
        let cancelled = store.session(session_id(1)).await.unwrap().unwrap();
        assert_eq!(cancelled.state, SessionState::Cancelled);
        assert_eq!(cancelled.end_reason, Some(EndReason::RoomDeleted));
        let again = RoomRecord { name: RoomName("room 1".into()), ..owned_room(2, "zoë") };
        commit(&store, vec![Write::RoomCreated(again.clone())]).await;
        assert_eq!(store.room_of(&Identity("zoë".into())).await.unwrap(), Some(again));
    }
}
