//! How much of the listing of live rooms somebody sees.

use protocol::LiveRoom;
use serde::{Deserialize, Serialize};

/// How much of the listing of live rooms somebody sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sight {
    /// Rooms, and who is live in them.
    People,
    /// Rooms, and how many are in them.
    Rooms,
    /// Nothing at all.
    Nothing,
}

impl Sight {
    /// A room as it is seen.
    pub(crate) fn of(self, room: LiveRoom) -> LiveRoom {
        match self {
            Sight::People => room,
            Sight::Rooms | Sight::Nothing => LiveRoom {
                live: Vec::new(),
                ..room
            },
        }
    }
}
