//! The last commands of each room, to see afterwards what led to a fault: each with its time, so that
//! they can be given to `Rooms` again. Secrets and SDP are not among what is kept.

use std::collections::VecDeque;

use protocol::{Resume, RoomId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::api::ApiRequest;
use crate::limits::COMMANDS_REMEMBERED;
use crate::rooms::Rooms;
use crate::{Command, MediaEvent, Request};

/// A command, and when it was given. As JSON, a line of a log that can be replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// When.
    pub at: Timestamp,
    /// What; `None`: what was due was done (`Rooms::handle_timeout`).
    pub command: Option<Command>,
}

/// The first line of a written log: what the commands in it can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHead {
    /// They begin with the one that made the room: given to `Rooms` again, they lead to the same room.
    /// Else the room was there before the first of them, and what it was then is not known.
    pub is_whole: bool,
}

/// The last commands of a room, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    commands: VecDeque<Recorded>,
    /// The room was there before the first of them.
    begins_later: bool,
}

impl Recent {
    /// Of a room that is there already.
    pub(crate) fn beginning_later() -> Self {
        Self {
            commands: VecDeque::new(),
            begins_later: true,
        }
    }

    pub(crate) fn push(&mut self, recorded: Recorded) {
        if self.commands.len() == COMMANDS_REMEMBERED {
            self.commands.pop_front();
            self.begins_later = true;
        }
        self.commands.push_back(recorded);
    }

    pub(crate) fn forget(&mut self) {
        *self = Self::beginning_later();
    }

    pub(crate) fn len(&self) -> usize {
        self.commands.len()
    }
}

impl Rooms {
    /// The last commands of a room, oldest first, if it is there. Resume tokens are replaced by a number
    /// made of them, so that they still match each other and nothing else; SDP is left out.
    pub fn recent_commands(&self, room: RoomId) -> Vec<Recorded> {
        let room = self.rooms.get(&room);
        room.map_or_else(Vec::new, |room| {
            room.recent.commands.iter().cloned().collect()
        })
    }

    /// What the recent commands of a room can show.
    pub fn log_head(&self, room: RoomId) -> LogHead {
        let room = self.rooms.get(&room);
        LogHead {
            is_whole: room.is_some_and(|room| !room.recent.begins_later),
        }
    }

    /// The room that a command is for, if there is one by now.
    pub(crate) fn room_of_command(&self, command: &Command) -> Option<RoomId> {
        match command {
            Command::Join(join) => self.names.get(&join.claims.room).copied(),
            Command::Request { connection, .. } | Command::Disconnected { connection } => {
                let place = self.index.connections.get(connection);
                place.map(|place| place.room)
            }
            Command::Api(command) => match command.request.room() {
                Some(room) => self.find(room),
                None => self.room_made_by(command),
            },
            Command::Media(event) => self.place_of_event(event).map(|place| place.room),
            Command::Stop => None,
        }
    }

    fn room_made_by(&self, command: &crate::ApiCommand) -> Option<RoomId> {
        match &command.request {
            ApiRequest::CreateRoom { name, .. } => self.names.get(name).copied(),
            ApiRequest::MyRoom { .. } => self.owners.get(&command.caller.identity).copied(),
            _ => None,
        }
    }
}

/// The command as it is kept.
pub(crate) fn without_secrets(command: &Command) -> Command {
    let mut command = command.clone();
    match &mut command {
        Command::Join(join) => {
            join.fresh.resume_token = digest(&join.fresh.resume_token);
            if let Some(Resume { token, .. }) = &mut join.resume {
                *token = digest(token);
            }
        }
        Command::Request {
            request: Request::Offer { sdp, .. },
            ..
        }
        | Command::Media(MediaEvent::Answered { sdp, .. }) => sdp.clear(),
        _ => {}
    }
    command
}

/// 64-bit FNV-1a: the same text, the same number; and of a secret drawn at random, no way back.
fn digest(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
