//! What is asked of the store while it writes. Reading never waits for the writer, and changes nothing.

use protocol::record::{AttendanceRecord, BanRecord, RoomRecord, SessionRecord, TrackRecord};
use protocol::{Identity, RoomId, RoomName, SessionId, Timestamp};

use crate::database::{Row, Value, values};
use crate::error::{Error, Fault};
use crate::record::{
    attendance, attendance_columns, ban, ban_columns, id, room, room_columns, session,
    session_columns, time, track, track_columns,
};
use crate::store::Store;

/// Most rows of a page.
const MOST_OF_A_PAGE: i64 = 1_000;

/// A server that has not noted for this long that it lives leads no session any more.
const HEARTBEAT_PATIENCE_MS: u64 = 30_000;

/// A room that is live, as the listing has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRoom {
    /// The room.
    pub room: RoomId,
    /// Its name.
    pub name: RoomName,
    /// Whose it is, if anybody's.
    pub owner: Option<Identity>,
    /// Its title.
    pub title: String,
    /// The session that is live.
    pub session: SessionId,
    /// The session's title.
    pub session_title: String,
    /// Who leads it.
    pub host: Option<Identity>,
    /// Since when.
    pub live_at: Timestamp,
    /// How many are in it, hidden ones left out.
    pub participants: u64,
    /// How many of them publish something.
    pub publishers: u64,
}

/// Numbers for whoever watches the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rooms that are not closed.
    pub rooms: u64,
    /// Sessions that are scheduled.
    pub scheduled_sessions: u64,
    /// Sessions in the lobby or live.
    pub running_sessions: u64,
    /// Rooms whose session runs though no server leads it: always 0, or the server is not noting that it
    /// lives.
    pub stuck_rooms: u64,
    /// Attendance that is open.
    pub open_attendance: u64,
    /// Tracks that are published.
    pub open_tracks: u64,
    /// Deliveries of events that are still to be made.
    pub undelivered_events: u64,
}

impl Store {
    /// The rooms that are live, longest first.
    pub async fn live_rooms(&self, limit: u32) -> Result<Vec<ListedRoom>, Error> {
        self.read(
            "SELECT room, name, owner, title, session, session_title, host, live_at, participants, \
             publishers FROM live_rooms ORDER BY live_at, session LIMIT $1",
            values![page(limit)],
            listed_room,
        )
        .await
    }

    /// A room, closed ones included.
    pub async fn room(&self, id: RoomId) -> Result<Option<RoomRecord>, Error> {
        self.read_one(
            concat!("SELECT ", room_columns!(), " FROM rooms WHERE id = $1"),
            values![id],
            room,
        )
        .await
    }

    /// The room that has this name now.
    pub async fn room_named(&self, name: &RoomName) -> Result<Option<RoomRecord>, Error> {
        self.read_one(
            concat!(
                "SELECT ",
                room_columns!(),
                " FROM rooms WHERE name = $1 AND closed_at IS NULL"
            ),
            values![name],
            room,
        )
        .await
    }

    /// The room that is theirs now.
    pub async fn room_of(&self, owner: &Identity) -> Result<Option<RoomRecord>, Error> {
        self.read_one(
            concat!(
                "SELECT ",
                room_columns!(),
                " FROM rooms WHERE owner = $1 AND owner IS NOT NULL AND closed_at IS NULL"
            ),
            values![owner],
            room,
        )
        .await
    }

    /// A room's sessions, newest first: the first page, or the one behind this session.
    pub async fn sessions(
        &self,
        of: RoomId,
        behind: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<SessionRecord>, Error> {
        let Some(behind) = behind else {
            return self
                .read(
                    concat!(
                        "SELECT ",
                        session_columns!(),
                        " FROM sessions WHERE room = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
                    ),
                    values![of, page(limit)],
                    session,
                )
                .await;
        };
        self.read(
            concat!(
                "SELECT ",
                session_columns!(),
                " FROM sessions WHERE room = $1 AND (created_at, id) < \
                 (SELECT created_at, id FROM sessions WHERE id = $3) \
                 ORDER BY created_at DESC, id DESC LIMIT $2"
            ),
            values![of, page(limit), behind],
            session,
        )
        .await
    }

    /// A session.
    pub async fn session(&self, id: SessionId) -> Result<Option<SessionRecord>, Error> {
        self.read_one(
            concat!(
                "SELECT ",
                session_columns!(),
                " FROM sessions WHERE id = $1"
            ),
            values![id],
            session,
        )
        .await
    }

    /// Who was in a session, in the order of coming in.
    pub async fn attendance(&self, of: SessionId) -> Result<Vec<AttendanceRecord>, Error> {
        self.read(
            concat!(
                "SELECT ",
                attendance_columns!(),
                " FROM attendance WHERE session = $1 ORDER BY joined_at, participant"
            ),
            values![of],
            attendance,
        )
        .await
    }

    /// What was published in a session, in order.
    pub async fn tracks(&self, of: SessionId) -> Result<Vec<TrackRecord>, Error> {
        self.read(
            concat!(
                "SELECT ",
                track_columns!(),
                " FROM tracks WHERE session = $1 ORDER BY published_at, id"
            ),
            values![of],
            track,
        )
        .await
    }

    /// Who may not enter a room, in the order of being banned.
    pub async fn bans(&self, of: RoomId) -> Result<Vec<BanRecord>, Error> {
        self.read(
            concat!(
                "SELECT ",
                ban_columns!(),
                " FROM bans WHERE room = $1 ORDER BY banned_at, identity"
            ),
            values![of],
            ban,
        )
        .await
    }

    /// Numbers for whoever watches the server.
    pub async fn counts(&self, now: Timestamp) -> Result<Counts, Error> {
        let lives_since = Timestamp(now.0.saturating_sub(HEARTBEAT_PATIENCE_MS));
        let counts = |row: &Row| {
            let count = |column| Ok::<_, Fault>(u64::try_from(row.integer(column)?).unwrap_or(0));
            Ok(Counts {
                rooms: count(0)?,
                scheduled_sessions: count(1)?,
                running_sessions: count(2)?,
                stuck_rooms: count(3)?,
                open_attendance: count(4)?,
                open_tracks: count(5)?,
                undelivered_events: count(6)?,
            })
        };
        self.read_one(
            "SELECT \
             (SELECT count(*) FROM rooms WHERE closed_at IS NULL), \
             (SELECT count(*) FROM sessions WHERE state = 'scheduled'), \
             (SELECT count(*) FROM sessions WHERE state IN ('lobby', 'live')), \
             (SELECT count(*) FROM sessions, server \
                WHERE state IN ('lobby', 'live') AND heartbeat_at < $1), \
             (SELECT count(*) FROM attendance WHERE left_at IS NULL), \
             (SELECT count(*) FROM tracks WHERE unpublished_at IS NULL), \
             (SELECT count(*) FROM deliveries)",
            values![lives_since],
            counts,
        )
        .await
        .map(Option::unwrap_or_default)
    }

    async fn read<T>(
        &self,
        sql: &'static str,
        values: Vec<Value>,
        record: impl Fn(&Row) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Error> {
        let rows = self.rows(sql, values).await?;
        let records: Result<Vec<T>, Fault> = rows.iter().map(record).collect();
        records.map_err(Fault::unexpected)
    }

    async fn read_one<T>(
        &self,
        sql: &'static str,
        values: Vec<Value>,
        record: impl Fn(&Row) -> Result<T, Fault>,
    ) -> Result<Option<T>, Error> {
        Ok(self.read(sql, values, record).await?.pop())
    }
}

fn page(limit: u32) -> i64 {
    i64::from(limit).min(MOST_OF_A_PAGE)
}

fn listed_room(row: &Row) -> Result<ListedRoom, Fault> {
    Ok(ListedRoom {
        room: id(row, 0)?,
        name: RoomName(row.text(1)?),
        owner: row.optional_text(2)?.map(Identity),
        title: row.text(3)?,
        session: id(row, 4)?,
        session_title: row.text(5)?,
        host: row.optional_text(6)?.map(Identity),
        live_at: time(row, 7)?,
        participants: u64::try_from(row.integer(8)?).unwrap_or(0),
        publishers: u64::try_from(row.integer(9)?).unwrap_or(0),
    })
}
