//! Each write as SQL. What is wrong is refused by the schema, not here; here only what would change nothing is.
//! The event that follows from a write is told in `telling`.

mod telling;

use std::collections::HashMap;

use protocol::record::{
    AttendanceRecord, BanRecord, RoomRecord, SessionRecord, TrackRecord, Write,
};
use protocol::{
    EndReason, Identity, ParticipantId, RoomId, SessionId, SessionState, Timestamp, TrackId,
};

use crate::database::{Connection, values};
use crate::error::Fault;
use crate::event::{Event, Place};
use crate::record::{
    attendance, attendance_columns, room, room_columns, session, session_columns, to_word, track,
    track_columns,
};
use crate::store::Outcome;

/// Applies writes within a transaction that somebody else begins and ends.
pub(crate) struct Applier<'a> {
    connection: &'a mut Connection,
    tells: bool,
    now: Timestamp,
    /// Where sessions are, for the events of one batch.
    places: HashMap<SessionId, Place>,
}

impl<'a> Applier<'a> {
    /// `tells`: whether there is anybody to be told of events. `now`: for events whose writes say no time.
    pub(crate) fn new(connection: &'a mut Connection, tells: bool, now: Timestamp) -> Self {
        Self {
            connection,
            tells,
            now,
            places: HashMap::new(),
        }
    }

    /// All commands, or the first refusal.
    pub(crate) async fn apply_all(&mut self, commands: &[Vec<Write>]) -> Result<(), Fault> {
        for write in commands.iter().flatten() {
            self.apply(write).await?;
        }
        Ok(())
    }

    /// Each command by itself: one that is refused leaves nothing behind, and the others do not notice.
    pub(crate) async fn apply_each(
        &mut self,
        commands: &[Vec<Write>],
    ) -> Result<Vec<Outcome>, Fault> {
        let mut outcomes = Vec::with_capacity(commands.len());
        for command in commands {
            self.execute("SAVEPOINT command", values![]).await?;
            let outcome = match self.apply_all(std::slice::from_ref(command)).await {
                Ok(()) => Outcome::Committed,
                Err(Fault::Refused(reason)) => {
                    self.execute("ROLLBACK TO SAVEPOINT command", values![])
                        .await?;
                    self.places.clear();
                    Outcome::Refused(reason)
                }
                Err(fault) => return Err(fault),
            };
            self.execute("RELEASE SAVEPOINT command", values![]).await?;
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    pub(crate) async fn apply(&mut self, write: &Write) -> Result<(), Fault> {
        match write {
            Write::RoomCreated(room) => self.create_room(room).await,
            Write::RoomChanged(room) => self.change_room(room).await,
            Write::RoomClosed { room, at } => self.close_room(*room, *at).await,
            Write::SessionCreated(session) => self.create_session(session).await,
            Write::SessionChanged(session) => self.change_session(session).await,
            Write::AttendanceOpened(attendance) => self.open_attendance(attendance).await,
            Write::AttendanceClosed {
                session,
                participant,
                at,
            } => self.close_attendance(*session, *participant, *at).await,
            Write::TrackPublished(track) => self.publish_track(track).await,
            Write::TrackUnpublished { track, at } => self.unpublish_track(*track, *at).await,
            Write::Banned(ban) => self.ban(ban).await,
            Write::Unbanned { room, identity } => self.unban(*room, identity).await,
        }
    }

    async fn create_room(&mut self, room: &RoomRecord) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO rooms (id, name, owner, is_kept, title, lobby, locked, max_participants, \
             created_at, closed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            values![
                room.id,
                &room.name,
                room.owner.as_ref(),
                room.is_kept,
                &room.settings.title,
                room.settings.lobby,
                room.settings.locked,
                room.settings.max_participants,
                room.created_at,
                room.closed_at.max(room.closed_at.map(|_| room.created_at)),
            ],
        )
        .await?;
        self.tell(|| Event::of_room("room_created", room.created_at, room))
            .await
    }

    async fn change_room(&mut self, room: &RoomRecord) -> Result<(), Fault> {
        let changed = self
            .execute(
                "UPDATE rooms SET name = $2, owner = $3, is_kept = $4, title = $5, lobby = $6, \
                 locked = $7, max_participants = $8 WHERE id = $1",
                values![
                    room.id,
                    &room.name,
                    room.owner.as_ref(),
                    room.is_kept,
                    &room.settings.title,
                    room.settings.lobby,
                    room.settings.locked,
                    room.settings.max_participants,
                ],
            )
            .await?;
        refuse_unless(changed == 1, || format!("there is no room {}", room.id))?;
        self.places.clear();
        let now = self.now;
        self.tell(|| Event::of_room("room_updated", now, room))
            .await
    }

    async fn close_room(&mut self, closed: RoomId, at: Timestamp) -> Result<(), Fault> {
        // A closed room has nothing to come: whatever is still scheduled goes with it.
        let scheduled = self
            .connection
            .rows(
                concat!(
                    "SELECT ",
                    session_columns!(),
                    " FROM sessions WHERE room = $1 AND state = 'scheduled' ORDER BY id"
                ),
                values![closed],
            )
            .await?;
        for row in scheduled {
            self.change_session(&SessionRecord {
                state: SessionState::Cancelled,
                ended_at: Some(at),
                end_reason: Some(EndReason::RoomDeleted),
                ..session(&row)?
            })
            .await?;
        }
        let row = self
            .connection
            .row(
                concat!(
                    "UPDATE rooms SET closed_at = CASE WHEN $2 < created_at THEN created_at ELSE $2 END \
                     WHERE id = $1 RETURNING ",
                    room_columns!()
                ),
                values![closed, at],
            )
            .await?
            .ok_or_else(|| Fault::Refused(format!("there is no room {closed}")))?;
        let room = room(&row)?;
        self.tell(|| Event::of_room("room_deleted", room.closed_at.unwrap_or(at), &room))
            .await
    }

    async fn create_session(&mut self, session: &SessionRecord) -> Result<(), Fault> {
        let session = in_order(session);
        self.give_up_key(&session).await?;
        self.execute(
            "INSERT INTO sessions (id, room, state, host, title, key, scheduled_for, created_at, live_at, \
             ended_at, end_reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            values![
                session.id,
                session.room,
                session.state.as_str(),
                session.host.as_ref(),
                &session.title,
                session.key.clone(),
                session.scheduled_for,
                session.created_at,
                session.live_at,
                session.ended_at,
                reason(&session),
            ],
        )
        .await?;
        self.tell_of_session(&session).await
    }

    async fn change_session(&mut self, session: &SessionRecord) -> Result<(), Fault> {
        let session = in_order(session);
        let before = self
            .connection
            .row(
                "SELECT state FROM sessions WHERE id = $1 AND room = $2",
                values![session.id, session.room],
            )
            .await?
            .ok_or_else(|| {
                Fault::Refused(format!(
                    "there is no session {} in {}",
                    session.id, session.room
                ))
            })?
            .text(0)?;
        self.execute(
            "UPDATE sessions SET state = $2, host = $3, title = $4, key = $5, scheduled_for = $6, \
             live_at = $7, ended_at = $8, end_reason = $9 WHERE id = $1",
            values![
                session.id,
                session.state.as_str(),
                session.host.as_ref(),
                &session.title,
                session.key.clone(),
                session.scheduled_for,
                session.live_at,
                session.ended_at,
                reason(&session),
            ],
        )
        .await?;
        if before == session.state.as_str() {
            return Ok(());
        }
        self.tell_of_session(&session).await
    }

    /// A key is for ever the newest session's that it made: the rooms remember a few, and make a session of
    /// one that they have forgotten. A session that is not over gives nothing up, and the new one is refused.
    async fn give_up_key(&mut self, to: &SessionRecord) -> Result<(), Fault> {
        if to.key.is_none() {
            return Ok(());
        }
        self.execute(
            "UPDATE sessions SET key = NULL \
             WHERE room = $1 AND key = $2 AND id <> $3 AND state IN ('ended', 'cancelled')",
            values![to.room, to.key.clone(), to.id],
        )
        .await
        .map(drop)
    }

    async fn open_attendance(&mut self, opened: &AttendanceRecord) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO attendance (session, participant, identity, name, role, joined_at, left_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            values![
                opened.session,
                opened.participant,
                &opened.identity,
                &opened.name,
                &opened.role,
                opened.joined_at,
                opened.left_at.max(opened.left_at.map(|_| opened.joined_at)),
            ],
        )
        .await?;
        self.tell_of(opened.session, |place| Event::of_attendance(opened, place))
            .await
    }

    async fn close_attendance(
        &mut self,
        of: SessionId,
        participant: ParticipantId,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let row = self
            .connection
            .row(
                concat!(
                    "UPDATE attendance SET left_at = CASE WHEN $3 < joined_at THEN joined_at ELSE $3 END \
                     WHERE session = $1 AND participant = $2 AND left_at IS NULL RETURNING ",
                    attendance_columns!()
                ),
                values![of, participant, at],
            )
            .await?
            .ok_or_else(|| {
                Fault::Refused(format!(
                    "there is no open attendance of {participant} in {of}"
                ))
            })?;
        let closed = attendance(&row)?;
        self.tell_of(of, |place| Event::of_attendance(&closed, place))
            .await
    }

    async fn publish_track(&mut self, published: &TrackRecord) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO tracks (id, session, participant, source, published_at, unpublished_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            values![
                published.id,
                published.session,
                published.participant,
                &to_word(published.source)?,
                published.published_at,
                published
                    .unpublished_at
                    .max(published.unpublished_at.map(|_| published.published_at)),
            ],
        )
        .await?;
        self.tell_of(published.session, |place| Event::of_track(published, place))
            .await
    }

    async fn unpublish_track(&mut self, of: TrackId, at: Timestamp) -> Result<(), Fault> {
        let row = self
            .connection
            .row(
                concat!(
                    "UPDATE tracks SET unpublished_at = \
                     CASE WHEN $2 < published_at THEN published_at ELSE $2 END \
                     WHERE id = $1 AND unpublished_at IS NULL RETURNING ",
                    track_columns!()
                ),
                values![of, at],
            )
            .await?
            .ok_or_else(|| Fault::Refused(format!("there is no open track {of}")))?;
        let unpublished = track(&row)?;
        self.tell_of(unpublished.session, |place| {
            Event::of_track(&unpublished, place)
        })
        .await
    }

    async fn ban(&mut self, ban: &BanRecord) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO bans (room, identity, banned_by, banned_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
            values![ban.room, &ban.identity, &ban.by, ban.at],
        )
        .await
        .map(drop)
    }

    async fn unban(&mut self, room: RoomId, identity: &Identity) -> Result<(), Fault> {
        self.execute(
            "DELETE FROM bans WHERE room = $1 AND identity = $2",
            values![room, identity],
        )
        .await
        .map(drop)
    }

    async fn execute(
        &mut self,
        sql: &'static str,
        values: Vec<crate::database::Value>,
    ) -> Result<u64, Fault> {
        self.connection.execute(sql, values).await
    }
}

fn refuse_unless(holds: bool, reason: impl FnOnce() -> String) -> Result<(), Fault> {
    if holds {
        return Ok(());
    }
    Err(Fault::Refused(reason()))
}

fn reason(session: &SessionRecord) -> Option<String> {
    session.end_reason.map(|reason| reason.as_str().to_owned())
}

/// The session with none of its times before the one that it must follow.
fn in_order(session: &SessionRecord) -> SessionRecord {
    let mut session = session.clone();
    session.live_at = session.live_at.map(|live| live.max(session.created_at));
    let began = session.live_at.unwrap_or(session.created_at);
    session.ended_at = session.ended_at.map(|ended| ended.max(began));
    session
}
