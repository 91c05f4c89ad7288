//! Whose history somebody may read: the room's, as the rooms decide; of one that is closed, as its record says.

use protocol::record::{RoomRecord, SessionRecord};
use protocol::{ErrorBody, ErrorCode, SessionId};
use signaling::{ApiRequest, RoomRef};

use super::error::{Answer, Refusal};
use super::extract::Caller;
use super::rooms::details;
use crate::http::App;

/// The room, if the caller may read what is kept of it. What the rooms answer is committed, and so is what
/// came before: it can be read now.
pub(super) async fn room(app: &App, Caller(caller): Caller, room: RoomRef) -> Answer<RoomRecord> {
    let request = ApiRequest::ReadHistory(room.clone());
    match (app.ask(caller.clone(), request).await, room) {
        (Ok(reply), _) => Ok(details(reply)?.record),
        (Err(error), RoomRef::Id(id)) if error.code == ErrorCode::RoomNotFound => {
            let closed = app.store.room(id).await.map_err(unreadable)?;
            let closed = closed.ok_or(error)?;
            may_read_closed(&caller, &closed)?;
            Ok(closed)
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// A closed room's name may be another's now: what was an owner's is theirs and the backends' alone.
fn may_read_closed(caller: &signaling::Caller, room: &RoomRecord) -> Result<(), ErrorBody> {
    let may = match &room.owner {
        Some(owner) => *owner == caller.identity,
        None => caller.admin_of.as_ref() == Some(&room.name),
    };
    if may || caller.may_create {
        return Ok(());
    }
    let message =
        "only its owner, and tokens that grant roomAdmin for it or roomCreate, may see that";
    Err(ErrorBody::new(ErrorCode::NotPermitted, message))
}

/// A session of a room.
pub(super) async fn session(app: &App, room: &RoomRecord, id: SessionId) -> Answer<SessionRecord> {
    let session = app.store.session(id).await.map_err(unreadable)?;
    session
        .filter(|session| session.room == room.id)
        .ok_or_else(|| {
            Refusal::new(
                ErrorCode::SessionNotFound,
                "there is no such session in this room",
            )
        })
}

/// The database does not answer.
pub(super) fn unreadable(error: store::Error) -> Refusal {
    tracing::warn!(%error, "history cannot be read");
    Refusal::new(ErrorCode::Unavailable, "the database does not answer")
}

#[cfg(test)]
mod tests {
    use protocol::{Identity, RoomId, RoomName, RoomSettings, Timestamp};

    use super::*;

    #[test]
    fn a_closed_room_is_its_owners_or_its_moderators_and_not_whoever_has_its_name_now() {
        let room = |owner: Option<&str>| RoomRecord {
            id: RoomId::from_bits(1),
            name: RoomName("class".into()),
            owner: owner.map(|owner| Identity(owner.into())),
            is_kept: true,
            settings: RoomSettings::default(),
            created_at: Timestamp(1),
            closed_at: Some(Timestamp(2)),
        };
        let caller = |identity: &str, admin_of: &str, may_create| signaling::Caller {
            identity: Identity(identity.into()),
            may_create,
            may_list: true,
            admin_of: Some(RoomName(admin_of.into())),
        };
        let may = |caller: &signaling::Caller, owner| may_read_closed(caller, &room(owner)).is_ok();
        let (owner, admin) = (caller("ann", "other", false), caller("ben", "class", false));
        let backend = caller("key", "", true);
        assert!(may(&owner, Some("ann")) && !may(&owner, None));
        assert!(may(&admin, None) && !may(&admin, Some("ann")));
        assert!(may(&backend, None) && may(&backend, Some("ann")));
    }
}
