//! The start: whatever a killed server left running is ended, in one transaction, and what still matters is
//! read. It is called before anything is written, and never while a server runs.

use protocol::record::{SessionRecord, Stored, Write};
use protocol::{EndReason, SessionState, Timestamp};

use crate::apply::Applier;
use crate::database::{Connection, Row, values};
use crate::error::{Error, Fault};
use crate::record::{
    ban, ban_columns, id, optional_time, room, room_columns, session, session_columns, time,
};
use crate::store::Store;

impl Store {
    /// Ends what was left running, as of the last moment at which its server is known to have lived: tracks,
    /// attendance, sessions (`server_lost`), and the rooms that were to be closed behind the last.
    pub async fn recover(&self, now: Timestamp) -> Result<Stored, Error> {
        let mut transaction = self.begin().await.map_err(Fault::unexpected)?;
        let connection = &mut transaction.connection;
        let stored = recover(connection, self.has_targets, now)
            .await
            .map_err(Fault::unexpected)?;
        transaction.commit().await?;
        Ok(stored)
    }
}

async fn recover(
    connection: &mut Connection,
    tells: bool,
    now: Timestamp,
) -> Result<Stored, Fault> {
    let heartbeat = all(connection, "SELECT heartbeat_at FROM server", |row| {
        time(row, 0)
    })
    .await?;
    // A clock that was set back makes nothing end in the future.
    let at = heartbeat.into_iter().max().unwrap_or(now).min(now);

    let tracks = all(
        connection,
        "SELECT id FROM tracks WHERE unpublished_at IS NULL ORDER BY id",
        |row| {
            Ok(Write::TrackUnpublished {
                track: id(row, 0)?,
                at,
            })
        },
    )
    .await?;
    let attendance = all(
        connection,
        "SELECT session, participant FROM attendance WHERE left_at IS NULL \
         ORDER BY session, participant",
        |row| {
            Ok(Write::AttendanceClosed {
                session: id(row, 0)?,
                participant: id(row, 1)?,
                at,
            })
        },
    )
    .await?;
    apply(connection, tells, now, &tracks).await?;
    apply(connection, tells, now, &attendance).await?;

    let sessions = all(
        connection,
        concat!(
            "SELECT ",
            session_columns!(),
            // Somebody may have come in after the last heartbeat.
            ", (SELECT max(left_at) FROM attendance WHERE session = sessions.id)",
            ", (SELECT max(unpublished_at) FROM tracks WHERE session = sessions.id)",
            " FROM sessions WHERE state IN ('lobby', 'live') ORDER BY id"
        ),
        |row| {
            let last = optional_time(row, 11)?.max(optional_time(row, 12)?);
            Ok(Write::SessionChanged(SessionRecord {
                state: SessionState::Ended,
                ended_at: Some(last.map_or(at, |last| last.max(at))),
                end_reason: Some(EndReason::ServerLost),
                ..session(row)?
            }))
        },
    )
    .await?;
    apply(connection, tells, now, &sessions).await?;

    let rooms = all(
        connection,
        "SELECT id FROM rooms WHERE closed_at IS NULL AND NOT is_kept AND NOT EXISTS \
         (SELECT 1 FROM sessions WHERE room = rooms.id AND state = 'scheduled') ORDER BY id",
        |row| {
            Ok(Write::RoomClosed {
                room: id(row, 0)?,
                at,
            })
        },
    )
    .await?;
    apply(connection, tells, now, &rooms).await?;

    connection
        .execute("UPDATE server SET heartbeat_at = $1", values![now])
        .await?;
    let lost_sessions = u64::try_from(sessions.len()).unwrap_or(u64::MAX);
    stored(connection, lost_sessions).await
}

/// What a server begins with.
async fn stored(connection: &mut Connection, lost_sessions: u64) -> Result<Stored, Fault> {
    Ok(Stored {
        lost_sessions,
        rooms: all(
            connection,
            concat!(
                "SELECT ",
                room_columns!(),
                " FROM rooms WHERE closed_at IS NULL ORDER BY created_at, id"
            ),
            room,
        )
        .await?,
        sessions: all(
            connection,
            concat!(
                "SELECT ",
                session_columns!(),
                " FROM (SELECT sessions.*, row_number() OVER (PARTITION BY room, state = 'scheduled' \
                 ORDER BY ended_at DESC, id DESC) AS place FROM sessions \
                 WHERE state = 'scheduled' OR key IS NOT NULL) AS sessions \
                 JOIN rooms ON rooms.id = sessions.room \
                 WHERE rooms.closed_at IS NULL AND (sessions.state = 'scheduled' OR sessions.place <= 16) \
                 ORDER BY sessions.created_at, sessions.id"
            ),
            session,
        )
        .await?,
        bans: all(
            connection,
            concat!(
                "SELECT ",
                ban_columns!(),
                " FROM bans JOIN rooms ON rooms.id = bans.room WHERE rooms.closed_at IS NULL \
                 ORDER BY bans.room, bans.identity"
            ),
            ban,
        )
        .await?,
    })
}

async fn all<T>(
    connection: &mut Connection,
    sql: &'static str,
    record: impl Fn(&Row) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let rows = connection.rows(sql, values![]).await?;
    rows.iter().map(record).collect()
}

async fn apply(
    connection: &mut Connection,
    tells: bool,
    now: Timestamp,
    writes: &[Write],
) -> Result<(), Fault> {
    let mut applier = Applier::new(connection, tells, now);
    for write in writes {
        applier.apply(write).await?;
    }
    Ok(())
}
