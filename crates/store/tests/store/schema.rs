//! The schema itself refuses each wrong state, whoever writes it: here, somebody with a database client.

use protocol::SessionState;
use protocol::record::Write;

use crate::both;
use crate::records::*;

/// What is tried, and a part of what the database must say.
const WRONG: &[(&str, &str)] = &[
    (
        "INSERT INTO rooms VALUES ('RM_0000000000009', 'room 1', NULL, true, '', false, false, NULL, 1, NULL)",
        "rooms.name|one_open_room_of_a_name",
    ),
    (
        "INSERT INTO rooms VALUES ('RM_0000000000009', 'x', 'zoë', true, '', false, false, NULL, 1, NULL)",
        "rooms.owner|one_open_room_of_an_owner",
    ),
    (
        "INSERT INTO rooms VALUES ('9', 'x', NULL, true, '', false, false, NULL, 1, NULL)",
        "CHECK|check",
    ),
    (
        "INSERT INTO rooms VALUES ('RM_0000000000009', '', NULL, true, '', false, false, NULL, 1, NULL)",
        "CHECK|check",
    ),
    (
        "INSERT INTO rooms VALUES ('RM_0000000000009', 'x', NULL, true, '', false, false, NULL, -1, NULL)",
        "CHECK|check",
    ),
    (
        "INSERT INTO rooms VALUES ('RM_0000000000009', 'x', NULL, true, '', false, false, NULL, 5, 4)",
        "room_is_closed_after_it_was_made",
    ),
    (
        "UPDATE rooms SET closed_at = 9000 WHERE id = 'RM_0000000000002'",
        "only when its sessions are over",
    ),
    (
        "UPDATE rooms SET closed_at = 9000 WHERE id = 'RM_0000000000003'",
        "only when its sessions are over",
    ),
    (
        "UPDATE rooms SET closed_at = NULL WHERE id = 'RM_0000000000005'",
        "closed does not change",
    ),
    (
        "DELETE FROM rooms WHERE id = 'RM_0000000000003'",
        "FOREIGN KEY|foreign key",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000002', 'live', NULL, '', NULL, NULL, 1, 2, NULL, NULL)",
        "sessions.room|one_running_session_of_a_room",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000003', 'live', NULL, '', NULL, NULL, 1, 2, NULL, NULL)",
        "sessions.room|one_running_session_of_a_room",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000003', 'ended', NULL, '', 'k', NULL, 1, 2, 3, 'ended')",
        "sessions.key|one_session_of_a_key",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000001', 'running', NULL, '', NULL, NULL, 1, 2, NULL, NULL)",
        "CHECK|check",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000001', 'live', NULL, '', NULL, NULL, 1, NULL, NULL, NULL)",
        "session_has_the_times_of_its_state",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000001', 'live', NULL, '', NULL, NULL, 1, 2, 3, 'ended')",
        "session_has_the_times_of_its_state",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000001', 'lobby', NULL, '', NULL, NULL, 1, 2, NULL, NULL)",
        "session_has_the_times_of_its_state",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000001', 'scheduled', NULL, '', NULL, NULL, 1, NULL, NULL, NULL)",
        "session_has_the_times_of_its_state",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000001', 'ended', NULL, '', NULL, NULL, 1, 2, NULL, NULL)",
        "session_has_the_times_of_its_state",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000001', 'cancelled', NULL, '', NULL, NULL, 1, 2, 3, 'cancelled')",
        "session_has_the_times_of_its_state",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000001', 'ended', NULL, '', NULL, NULL, 1, 2, 3, NULL)",
        "session_that_is_over_says_why",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000001', 'ended', NULL, '', NULL, NULL, 1, 2, 3, 'bored')",
        "CHECK|check",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000001', 'ended', NULL, '', NULL, NULL, 1, 5, 4, 'ended')",
        "session_ends_after_it_began",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000001', 'live', NULL, '', NULL, NULL, 5, 4, NULL, NULL)",
        "session_goes_live_after_it_was_made",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_0000000000005', 'lobby', NULL, '', NULL, NULL, 1, NULL, NULL, NULL)",
        "closed has no session to come",
    ),
    (
        "INSERT INTO sessions VALUES ('SE_0000000000009', 'RM_000000000000Z', 'lobby', NULL, '', NULL, NULL, 1, NULL, NULL, NULL)",
        "FOREIGN KEY|foreign key",
    ),
    (
        "UPDATE sessions SET state = 'ended', ended_at = 9000, end_reason = 'ended' WHERE id = 'SE_0000000000002'",
        "no open attendance and no open track",
    ),
    (
        "UPDATE attendance SET left_at = 8000; UPDATE sessions SET state = 'ended', ended_at = 9000, end_reason = 'ended' WHERE id = 'SE_0000000000002'",
        "no open attendance and no open track",
    ),
    (
        "UPDATE tracks SET unpublished_at = 8000; UPDATE sessions SET state = 'ended', ended_at = 9000, end_reason = 'ended' WHERE id = 'SE_0000000000002'",
        "no open attendance and no open track",
    ),
    (
        "UPDATE sessions SET state = 'lobby', live_at = NULL WHERE id = 'SE_0000000000002'",
        "never goes back|no open attendance",
    ),
    (
        "UPDATE sessions SET state = 'scheduled', scheduled_for = 5 WHERE id = 'SE_0000000000004'",
        "never goes back",
    ),
    (
        "UPDATE sessions SET state = 'live', ended_at = NULL, end_reason = NULL WHERE id = 'SE_0000000000003'",
        "over does not change",
    ),
    (
        "UPDATE sessions SET ended_at = ended_at + 1 WHERE id = 'SE_0000000000003'",
        "over does not change",
    ),
    (
        "UPDATE sessions SET key = 'l' WHERE id = 'SE_0000000000003'",
        "over does not change",
    ),
    (
        "UPDATE sessions SET key = NULL, title = 'x' WHERE id = 'SE_0000000000003'",
        "over does not change",
    ),
    (
        "UPDATE sessions SET key = NULL, host = 'x' WHERE id = 'SE_0000000000003'",
        "over does not change",
    ),
    (
        "DELETE FROM sessions WHERE id = 'SE_0000000000002'",
        "only a session that is over is deleted",
    ),
    (
        "INSERT INTO attendance VALUES ('SE_0000000000003', 'PA_0000000000009', 'x', '', '', 1, NULL)",
        "opened only in a session that is live",
    ),
    (
        "INSERT INTO attendance VALUES ('SE_0000000000003', 'PA_0000000000009', 'x', '', '', 1, 2)",
        "opened only in a session that is live",
    ),
    (
        "INSERT INTO attendance VALUES ('SE_0000000000004', 'PA_0000000000009', 'x', '', '', 1, NULL)",
        "opened only in a session that is live",
    ),
    (
        "UPDATE attendance SET left_at = NULL WHERE session = 'SE_0000000000003'",
        "open only in a session that is live",
    ),
    (
        "INSERT INTO attendance VALUES ('SE_0000000000002', 'PA_0000000000009', 'a', '', '', 1, NULL)",
        "attendance.identity|one_open_attendance_of_an_identity",
    ),
    (
        "INSERT INTO attendance VALUES ('SE_0000000000002', 'PA_0000000000001', 'b', '', '', 1, NULL)",
        "attendance.participant|attendance_pkey",
    ),
    (
        "INSERT INTO attendance VALUES ('SE_000000000000Z', 'PA_0000000000009', 'x', '', '', 1, NULL)",
        "FOREIGN KEY|foreign key",
    ),
    (
        "UPDATE attendance SET left_at = joined_at - 1 WHERE session = 'SE_0000000000002'",
        "attendance_ends_after_it_began",
    ),
    (
        "INSERT INTO tracks VALUES ('TR_0000000000009', 'SE_0000000000003', 'PA_0000000000001', 'camera', 1, NULL)",
        "published only in a session that is live",
    ),
    (
        "INSERT INTO tracks VALUES ('TR_0000000000009', 'SE_0000000000004', 'PA_0000000000001', 'camera', 1, NULL)",
        "published only in a session that is live",
    ),
    (
        "UPDATE tracks SET unpublished_at = NULL WHERE id = 'TR_0000000000003'",
        "open only in a session that is live",
    ),
    (
        "INSERT INTO tracks VALUES ('TR_0000000000009', 'SE_0000000000002', 'PA_0000000000001', 'hologram', 1, NULL)",
        "CHECK|check",
    ),
    (
        "UPDATE tracks SET unpublished_at = published_at - 1 WHERE id = 'TR_0000000000002'",
        "track_ends_after_it_began",
    ),
    (
        "INSERT INTO bans VALUES ('RM_000000000000Z', 'x', 'y', 1)",
        "FOREIGN KEY|foreign key",
    ),
    (
        "INSERT INTO deliveries VALUES (99, 'hook', 0, 0)",
        "FOREIGN KEY|foreign key",
    ),
    ("INSERT INTO server VALUES (2, 0, 0, 0)", "CHECK|check"),
];

both! {
    async fn each_wrong_state_is_refused(place: Place) {
        let store = place.open().await;
        commit(&store, vec![
            Write::RoomCreated(owned_room(1, "zoë")),
            Write::RoomCreated(room(2)),
            Write::RoomCreated(room(3)),
            Write::RoomCreated(room(5)),
            Write::RoomClosed { room: room_id(5), at: at(5_000) },
            Write::SessionCreated(session(2, 2, SessionState::Live)),
            Write::AttendanceOpened(attendance(2, 1, "a")),
            Write::TrackPublished(track(2, 2, 1)),
            Write::SessionCreated(session(3, 3, SessionState::Live)),
            Write::AttendanceOpened(attendance(3, 1, "a")),
            Write::TrackPublished(track(3, 3, 1)),
            left(3, 1, 5_000),
            Write::TrackUnpublished { track: track_id(3), at: at(5_000) },
            Write::SessionChanged(protocol::record::SessionRecord {
                key: Some("k".into()),
                ..session(3, 3, SessionState::Ended)
            }),
            Write::SessionCreated(session(4, 3, SessionState::Lobby)),
        ]).await;
        let mut raw = place.raw().await;
        for (sql, expected) in WRONG {
            raw.execute("BEGIN").await.unwrap();
            let said = raw.execute(sql).await.expect_err(sql);
            raw.execute("ROLLBACK").await.unwrap();
            assert!(
                expected.split('|').any(|part| said.contains(part)),
                "{sql}\nwas refused for another reason than {expected}: {said}"
            );
        }
        // What is right is not refused: the same, done in the right order.
        raw.execute(
            "UPDATE sessions SET key = NULL WHERE id = 'SE_0000000000003'; \
             UPDATE attendance SET left_at = 8000 WHERE left_at IS NULL; \
             UPDATE tracks SET unpublished_at = 8000 WHERE unpublished_at IS NULL; \
             UPDATE sessions SET state = 'ended', ended_at = 9000, end_reason = 'ended' \
                WHERE id = 'SE_0000000000002'; \
             UPDATE rooms SET closed_at = 9000 WHERE id = 'RM_0000000000002'; \
             INSERT INTO rooms VALUES \
                ('RM_0000000000009', 'room 2', NULL, true, '', false, false, NULL, 1, NULL)",
        ).await.unwrap();
    }
}

/// So that what is tested on one is true of the other.
#[tokio::test]
async fn both_databases_have_the_same_tables_columns_and_rules() {
    let sqlite = crate::place::Place::sqlite();
    let postgres = crate::place::Place::postgres().await;
    sqlite.open().await.close().await;
    postgres.open().await.close().await;
    let (mut sqlite, mut postgres) = (sqlite.raw().await, postgres.raw().await);
    let columns = sqlite
        .texts(
            "SELECT m.name || '.' || c.name || CASE WHEN c.\"notnull\" OR c.pk THEN '!' ELSE '' END AS x \
             FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE '\\_%' ESCAPE '\\' AND m.name NOT LIKE 'sqlite%' \
             ORDER BY x",
        )
        .await;
    let theirs = postgres
        .texts(
            "SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN '!' ELSE '' END \
             COLLATE \"C\" AS x FROM information_schema.columns JOIN information_schema.tables \
             USING (table_schema, table_name) WHERE table_schema = 'public' \
             AND table_type = 'BASE TABLE' AND table_name NOT LIKE '\\_%' ORDER BY x",
        )
        .await;
    assert_eq!(columns, theirs);
    assert!(columns.len() > 40, "{columns:?}");
    let rules = sqlite
        .texts("SELECT name FROM sqlite_schema WHERE type = 'trigger' OR (type = 'index' AND name NOT LIKE 'sqlite%') ORDER BY name")
        .await;
    let theirs = postgres
        .texts(
            "SELECT CAST(x AS TEXT) FROM (SELECT tgname AS x FROM pg_trigger WHERE NOT tgisinternal \
             UNION ALL SELECT indexname FROM pg_indexes WHERE schemaname = 'public' \
             AND indexname NOT LIKE '%\\_pkey' AND indexname <> 'one_session_of_a_key') AS rules \
             ORDER BY x COLLATE \"C\"",
        )
        .await;
    assert_eq!(rules, theirs);
}
