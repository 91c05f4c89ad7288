//! The event that follows from a write, put into the outbox in the same transaction. Where nobody is to be told,
//! nothing is asked of the database.

use protocol::SessionId;
use protocol::record::SessionRecord;

use super::Applier;
use crate::database::values;
use crate::error::Fault;
use crate::event::{Event, Place};
use crate::record::id;

impl Applier<'_> {
    pub(super) async fn tell_of_session(&mut self, session: &SessionRecord) -> Result<(), Fault> {
        let now = self.now;
        self.tell_of(session.id, |place| Event::of_session(session, place, now))
            .await
    }

    pub(super) async fn tell_of(
        &mut self,
        session: SessionId,
        event: impl FnOnce(&Place) -> Event,
    ) -> Result<(), Fault> {
        if !self.tells {
            return Ok(());
        }
        let place = self.place(session).await?;
        self.tell(|| event(&place)).await
    }

    async fn place(&mut self, session: SessionId) -> Result<Place, Fault> {
        if let Some(place) = self.places.get(&session) {
            return Ok(place.clone());
        }
        let row = self
            .connection
            .row(
                "SELECT rooms.id, rooms.name FROM sessions JOIN rooms ON rooms.id = sessions.room \
                 WHERE sessions.id = $1",
                values![session],
            )
            .await?
            .ok_or_else(|| Fault::Refused(format!("there is no session {session}")))?;
        let place = Place {
            room: id(&row, 0)?,
            name: protocol::RoomName(row.text(1)?),
        };
        self.places.insert(session, place.clone());
        Ok(place)
    }

    /// Puts an event in the outbox, due to each target at once.
    pub(super) async fn tell(&mut self, event: impl FnOnce() -> Event) -> Result<(), Fault> {
        if !self.tells {
            return Ok(());
        }
        let event = event();
        let at = event.at;
        let row = self
            .connection
            .row(
                "INSERT INTO events (kind, happened_at, body) VALUES ($1, $2, $3) RETURNING id",
                values![event.kind, at, &event.into_text()],
            )
            .await?
            .ok_or_else(|| Fault::Refused("an event has no number".into()))?;
        self.execute(
            "INSERT INTO deliveries (event, target, next_attempt_at) SELECT $1, name, $2 FROM targets",
            values![row.integer(0)?, self.now],
        )
        .await
        .map(drop)
    }
}
