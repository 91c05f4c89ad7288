//! Rooms that stay: made over HTTP, once for each name and once for each owner, however often it is asked.
//! Who may ask was decided before.

use protocol::record::{RoomRecord, Write};
use protocol::{ErrorBody, ErrorCode, Identity, RoomId, RoomName, RoomSettings, Timestamp};

use super::ApiResult;
use crate::Effect;
use crate::room::Room;
use crate::rooms::Rooms;

impl Rooms {
    /// A room that stays, as it is written down.
    pub(super) fn wanted(
        &self,
        name: RoomName,
        owner: Option<Identity>,
        settings: RoomSettings,
        id: RoomId,
        now: Timestamp,
    ) -> RoomRecord {
        RoomRecord {
            id,
            name,
            owner,
            is_kept: true,
            settings,
            created_at: now,
            closed_at: None,
        }
    }

    /// Makes a room. The same name and owner again: the room that is there.
    pub(super) fn create_room(
        &mut self,
        now: Timestamp,
        wanted: RoomRecord,
        effects: &mut Vec<Effect>,
    ) -> ApiResult {
        self.limits.check_name("room's name", &wanted.name.0)?;
        self.limits.check_settings(&wanted.settings)?;
        if let Some(owner) = &wanted.owner {
            self.limits.check_name("owner", &owner.0)?;
        }
        if let Some(there) = self.named(&wanted.name) {
            if there.record.owner != wanted.owner {
                let message = format!("there is a room {:?}, and it is not theirs", wanted.name.0);
                return Err(ErrorBody::new(ErrorCode::RoomExists, message));
            }
            return match there.record.is_kept {
                true => Ok(there.details()),
                false => self.keep(now, there.record.id, wanted.settings, effects),
            };
        }
        let owner = wanted.owner.as_ref();
        if let Some(other) = owner.and_then(|owner| self.owners.get(owner)) {
            let message = format!("they own room {other} already, and may own one");
            return Err(ErrorBody::new(ErrorCode::RoomExists, message));
        }
        self.make(wanted, effects)
    }

    /// Somebody's own room; made if there is none.
    pub(super) fn my_room(
        &mut self,
        now: Timestamp,
        identity: &Identity,
        fresh_room: RoomId,
        effects: &mut Vec<Effect>,
    ) -> ApiResult {
        if let Some(room) = self.owners.get(identity).and_then(|id| self.rooms.get(id)) {
            return Ok(room.details());
        }
        self.limits.check_name("identity", &identity.0)?;
        let numbered = (2_u64..).map(|number| RoomName(format!("{identity}-{number}")));
        let mut names = std::iter::once(RoomName(identity.0.clone())).chain(numbered);
        let name = names.find(|name| !self.names.contains_key(name));
        let name = name.unwrap_or_else(|| RoomName(identity.0.clone()));
        let owner = Some(identity.clone());
        let wanted = self.wanted(name, owner, RoomSettings::default(), fresh_room, now);
        self.make(wanted, effects)
    }

    /// A room that a join had made stays from now on.
    fn keep(
        &mut self,
        now: Timestamp,
        id: RoomId,
        settings: RoomSettings,
        effects: &mut Vec<Effect>,
    ) -> ApiResult {
        self.check_kept()?;
        self.kept.insert(id);
        let details = self.in_room(now, id, effects, |room, turn| {
            room.record.is_kept = true;
            room.record.settings = settings;
            turn.write(Write::RoomChanged(room.record.clone()));
            room.details()
        });
        details.ok_or_else(|| ErrorBody::new(ErrorCode::RoomNotFound, "there is no such room"))
    }

    fn make(&mut self, wanted: RoomRecord, effects: &mut Vec<Effect>) -> ApiResult {
        self.check_kept()?;
        effects.push(Effect::Write(Write::RoomCreated(wanted.clone())));
        let room = Room::new(wanted);
        let details = room.details();
        self.insert(room);
        Ok(details)
    }

    fn check_kept(&self) -> Result<(), ErrorBody> {
        let limit = self.limits.kept_rooms;
        if self.kept.len() < limit {
            return Ok(());
        }
        let message = format!("the server keeps its {limit} rooms");
        Err(ErrorBody::new(ErrorCode::ServerFull, message))
    }
}
