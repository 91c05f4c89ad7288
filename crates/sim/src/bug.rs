//! Faults that are planted on purpose, to see that the world finds them: each is something that a careless
//! change might do. None of them is in a world unless it is asked for by name.

use protocol::ServerMessage;
use protocol::record::Write;
use signaling::Effect;

/// A fault planted on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Now and then somebody's leaving is not written down.
    ForgetsToCloseAttendance,
    /// Now and then an acknowledgement goes out before what it promises is committed.
    AcknowledgesBeforeTheCommit,
    /// Now and then one of the changes that somebody missed is left out of a resume.
    ForgetsAChangeOfAResume,
}

/// A planted fault, and how often it could have shown itself.
#[derive(Debug, Default)]
pub(crate) struct Planted {
    bug: Option<Bug>,
    chances: u32,
}

/// A bug shows itself at each chance of this number: seldom, as real ones do.
const EACH: u32 = 3;

impl Planted {
    pub(crate) fn new(bug: Option<Bug>) -> Self {
        Self { bug, chances: 0 }
    }

    /// Does to effects what the bug would have done.
    pub(crate) fn spoil(&mut self, effects: &mut Vec<Effect>) {
        match self.bug {
            Some(Bug::ForgetsToCloseAttendance) => effects.retain(|effect| {
                let closes = matches!(effect, Effect::Write(Write::AttendanceClosed { .. }));
                !(closes && self.is_time())
            }),
            Some(Bug::ForgetsAChangeOfAResume) => effects.iter_mut().for_each(|effect| {
                let (Effect::Send { message, .. } | Effect::Acknowledge { message, .. }) = effect
                else {
                    return;
                };
                if let ServerMessage::Resumed(resumed) = message
                    && !resumed.changes.is_empty()
                    && self.is_time()
                {
                    resumed.changes.pop();
                }
            }),
            Some(Bug::AcknowledgesBeforeTheCommit) | None => {}
        }
    }

    /// Whether this acknowledgement goes out at once.
    pub(crate) fn is_hasty(&mut self) -> bool {
        self.bug == Some(Bug::AcknowledgesBeforeTheCommit) && self.is_time()
    }

    fn is_time(&mut self) -> bool {
        self.chances += 1;
        self.chances.is_multiple_of(EACH)
    }
}
