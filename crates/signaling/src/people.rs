//! What a room remembers of people until its session ends, whether they are in or not: whom a moderator
//! admitted, and whose name or permissions were changed. And who may never come in.

use protocol::record::{BanRecord, Write};
use protocol::{ErrorBody, ErrorCode, Identity};

use crate::limits::PEOPLE_REMEMBERED;
use crate::room::Room;
use crate::turn::Turn;
use crate::{Claims, Permissions};

/// What a room remembers of somebody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered {
    /// A moderator let them in.
    pub(crate) is_admitted: bool,
    /// In place of the token's.
    pub(crate) name: Option<String>,
    /// In place of the token's.
    pub(crate) permissions: Option<Permissions>,
}

impl Room {
    pub(crate) fn is_admitted(&self, identity: &Identity) -> bool {
        self.people.get(identity).is_some_and(|of| of.is_admitted)
    }

    /// What somebody is allowed and called here, if other than the token says. Hidden is who comes hidden.
    pub(crate) fn apply_changes(&self, claims: &mut Claims) {
        let Some(remembered) = self.people.get(&claims.identity) else {
            return;
        };
        if let Some(name) = &remembered.name {
            claims.name.clone_from(name);
        }
        if let Some(permissions) = remembered.permissions {
            let hidden = claims.permissions.hidden;
            claims.permissions = Permissions {
                hidden,
                ..permissions
            };
        }
    }

    /// What is remembered of somebody, to be changed.
    pub(crate) fn remember(&mut self, identity: &Identity) -> Result<&mut Remembered, ErrorBody> {
        if self.people.len() >= PEOPLE_REMEMBERED && !self.people.contains_key(identity) {
            let message = format!("the session remembers its {PEOPLE_REMEMBERED} people");
            return Err(ErrorBody::new(ErrorCode::ServerFull, message));
        }
        Ok(self.people.entry(identity.clone()).or_default())
    }

    /// Somebody may never come in. Who is in is put out by whoever calls.
    pub(crate) fn ban(
        &mut self,
        turn: &mut Turn<'_>,
        identity: &Identity,
        by: &Identity,
    ) -> Result<(), ErrorBody> {
        self.check_not_leading(identity)?;
        if self.bans.contains(identity) {
            return Ok(());
        }
        turn.limits.check_name("identity", &identity.0)?;
        let limit = turn.limits.bans_per_room;
        if self.bans.len() >= limit {
            let message = format!("the room has its {limit} bans");
            let hint = "Lift a ban first.".into();
            return Err(ErrorBody {
                hint,
                ..ErrorBody::new(ErrorCode::ServerFull, message)
            });
        }
        self.bans.insert(identity.clone());
        turn.write(Write::Banned(BanRecord {
            room: turn.room,
            identity: identity.clone(),
            by: by.clone(),
            at: turn.now,
        }));
        Ok(())
    }

    /// Somebody may come in again.
    pub(crate) fn unban(&mut self, turn: &mut Turn<'_>, identity: Identity) {
        if self.bans.remove(&identity) {
            let room = turn.room;
            turn.write(Write::Unbanned { room, identity });
        }
    }
}
