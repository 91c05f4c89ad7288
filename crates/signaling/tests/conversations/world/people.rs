//! Who comes to a conversation, and what their token says.

use protocol::{Identity, Resume, RoomName, StateUpdate};
use signaling::{Caller, Permissions, RoomRef};

use super::ROOM;

/// What a join says, with defaults.
pub(crate) struct Joining {
    pub(crate) tab: String,
    pub(crate) identity: String,
    pub(crate) room: String,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) permissions: Permissions,
    pub(crate) resume: Option<Resume>,
    pub(crate) state: StateUpdate,
    pub(crate) subscribe_automatically: bool,
}

pub(crate) const EVERYTHING: Permissions = Permissions {
    publish: true,
    subscribe: true,
    publish_data: true,
    moderate: false,
    hidden: false,
};

/// A tutor: may moderate, by the token.
pub(crate) fn tutor(tab: &str) -> Joining {
    let permissions = Permissions {
        moderate: true,
        ..EVERYTHING
    };
    Joining {
        role: "tutor".into(),
        permissions,
        ..student(tab)
    }
}

/// A backend with an API key, which may do everything.
pub(crate) fn backend() -> Caller {
    Caller {
        identity: Identity("APIkey".into()),
        may_create: true,
        may_list: true,
        admin_of: None,
    }
}

/// Somebody over HTTP, with a token that grants nothing.
pub(crate) fn person(identity: &str) -> Caller {
    Caller {
        identity: Identity(identity.into()),
        may_create: false,
        may_list: false,
        admin_of: None,
    }
}

/// The room in which conversations happen.
pub(crate) fn class() -> RoomRef {
    RoomRef::Name(RoomName(ROOM.into()))
}

/// A student who may do everything but moderate.
pub(crate) fn student(tab: &str) -> Joining {
    Joining {
        tab: tab.into(),
        identity: tab.into(),
        room: ROOM.into(),
        name: format!("Name of {tab}"),
        role: "student".into(),
        permissions: EVERYTHING,
        resume: None,
        state: StateUpdate::default(),
        subscribe_automatically: true,
    }
}
