//! Rows as records, and the words of the schema as those of `protocol`. It asks for nothing itself.

use std::str::FromStr;

use protocol::record::{
    AttendanceRecord, BanRecord, RoomRecord, RoomSettings, SessionRecord, TrackRecord,
};
use protocol::{Identity, Role, RoomName, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::database::Row;
use crate::error::{Error, Fault};

/// The columns that [`room`] reads.
macro_rules! room_columns {
    () => {
        "rooms.id, rooms.name, rooms.owner, rooms.is_kept, rooms.title, rooms.lobby, rooms.locked, \
         rooms.max_participants, rooms.created_at, rooms.closed_at"
    };
}
pub(crate) use room_columns;

/// The columns that [`session`] reads.
macro_rules! session_columns {
    () => {
        "sessions.id, sessions.room, sessions.state, sessions.host, sessions.title, sessions.key, \
         sessions.scheduled_for, sessions.created_at, sessions.live_at, sessions.ended_at, \
         sessions.end_reason"
    };
}
pub(crate) use session_columns;

/// The columns that [`attendance`] reads.
macro_rules! attendance_columns {
    () => {
        "attendance.session, attendance.participant, attendance.identity, attendance.name, \
         attendance.role, attendance.joined_at, attendance.left_at"
    };
}
pub(crate) use attendance_columns;

/// The columns that [`track`] reads.
macro_rules! track_columns {
    () => {
        "tracks.id, tracks.session, tracks.participant, tracks.source, tracks.published_at, \
         tracks.unpublished_at"
    };
}
pub(crate) use track_columns;

/// The columns that [`ban`] reads.
macro_rules! ban_columns {
    () => {
        "bans.room, bans.identity, bans.banned_by, bans.banned_at"
    };
}
pub(crate) use ban_columns;

pub(crate) fn room(row: &Row) -> Result<RoomRecord, Fault> {
    let max_participants = row
        .optional_integer(7)?
        .map(|number| u32::try_from(number).map_err(|_| unreadable(number)));
    Ok(RoomRecord {
        id: id(row, 0)?,
        name: RoomName(row.text(1)?),
        owner: row.optional_text(2)?.map(Identity),
        is_kept: row.boolean(3)?,
        settings: RoomSettings {
            title: row.text(4)?,
            lobby: row.boolean(5)?,
            locked: row.boolean(6)?,
            max_participants: max_participants.transpose()?,
        },
        created_at: time(row, 8)?,
        closed_at: optional_time(row, 9)?,
    })
}

pub(crate) fn session(row: &Row) -> Result<SessionRecord, Fault> {
    Ok(SessionRecord {
        id: id(row, 0)?,
        room: id(row, 1)?,
        state: from_word(row.text(2)?)?,
        host: row.optional_text(3)?.map(Identity),
        title: row.text(4)?,
        key: row.optional_text(5)?,
        scheduled_for: optional_time(row, 6)?,
        created_at: time(row, 7)?,
        live_at: optional_time(row, 8)?,
        ended_at: optional_time(row, 9)?,
        end_reason: row.optional_text(10)?.map(from_word).transpose()?,
    })
}

pub(crate) fn attendance(row: &Row) -> Result<AttendanceRecord, Fault> {
    Ok(AttendanceRecord {
        session: id(row, 0)?,
        participant: id(row, 1)?,
        identity: Identity(row.text(2)?),
        name: row.text(3)?,
        role: Role(row.text(4)?),
        joined_at: time(row, 5)?,
        left_at: optional_time(row, 6)?,
    })
}

pub(crate) fn track(row: &Row) -> Result<TrackRecord, Fault> {
    Ok(TrackRecord {
        id: id(row, 0)?,
        session: id(row, 1)?,
        participant: id(row, 2)?,
        source: from_word(row.text(3)?)?,
        published_at: time(row, 4)?,
        unpublished_at: optional_time(row, 5)?,
    })
}

pub(crate) fn ban(row: &Row) -> Result<BanRecord, Fault> {
    Ok(BanRecord {
        room: id(row, 0)?,
        identity: Identity(row.text(1)?),
        by: Identity(row.text(2)?),
        at: time(row, 3)?,
    })
}

/// The id in a column.
pub(crate) fn id<T: FromStr>(row: &Row, column: usize) -> Result<T, Fault> {
    let text = row.text(column)?;
    text.parse().map_err(|_| unreadable(text))
}

/// The moment in a column.
pub(crate) fn time(row: &Row, column: usize) -> Result<Timestamp, Fault> {
    moment(row.integer(column)?)
}

/// The moment in a column that may have none.
pub(crate) fn optional_time(row: &Row, column: usize) -> Result<Option<Timestamp>, Fault> {
    row.optional_integer(column)?.map(moment).transpose()
}

/// A word of the wire, which is the word of the schema too.
pub(crate) fn to_word(value: impl Serialize) -> Result<String, Fault> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        other => Err(Fault::Refused(format!("{other:?} is not a word"))),
    }
}

fn from_word<T: DeserializeOwned>(word: String) -> Result<T, Fault> {
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|error| unreadable(error.to_string()))
}

fn moment(milliseconds: i64) -> Result<Timestamp, Fault> {
    u64::try_from(milliseconds)
        .map(Timestamp)
        .map_err(|_| unreadable(milliseconds))
}

fn unreadable(what: impl ToString) -> Fault {
    Fault::Failed(Error::Unreadable(what.to_string()))
}
