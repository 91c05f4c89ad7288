//! What waits for the store: acknowledgements and replies until everything asked for until then is
//! committed, and behind an acknowledgement whatever is for the same connection. It looks into no message.

use std::collections::{BTreeMap, VecDeque};

use protocol::{ConnectionId, ServerMessage};
use signaling::{ApiResult, AskerId};

/// Something that goes out.
#[derive(Debug)]
pub(crate) enum Out {
    /// A message, to a connection.
    Message {
        /// To whom.
        to: ConnectionId,
        /// It promises that something is written down.
        is_promise: bool,
        /// What.
        message: ServerMessage,
    },
    /// The end of a connection.
    Close(ConnectionId),
    /// The answer to an HTTP request.
    Reply(AskerId, ApiResult),
}

/// How many transactions must be committed first.
type Ticket = u64;

/// What waits for the store.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    connections: BTreeMap<ConnectionId, VecDeque<(Ticket, Out)>>,
    replies: VecDeque<(Ticket, Out)>,
}

impl Gate {
    /// What may go out now of something that needs `ticket`, when `committed` are.
    pub(crate) fn pass(&mut self, out: Out, ticket: Ticket, committed: u64) -> Option<Out> {
        let to = match &out {
            Out::Message { to, .. } | Out::Close(to) => *to,
            Out::Reply(..) => {
                if ticket <= committed {
                    return Some(out);
                }
                self.replies.push_back((ticket, out));
                return None;
            }
        };
        if ticket <= committed && !self.connections.contains_key(&to) {
            return Some(out);
        }
        self.connections
            .entry(to)
            .or_default()
            .push_back((ticket, out));
        None
    }

    /// What may go out now that so many are committed.
    pub(crate) fn release(&mut self, committed: u64) -> Vec<Out> {
        let mut free = Vec::new();
        self.connections.retain(|_, waiting| {
            while waiting
                .front()
                .is_some_and(|(ticket, _)| *ticket <= committed)
            {
                free.extend(waiting.pop_front().map(|(_, out)| out));
            }
            !waiting.is_empty()
        });
        while self
            .replies
            .front()
            .is_some_and(|(ticket, _)| *ticket <= committed)
        {
            free.extend(self.replies.pop_front().map(|(_, out)| out));
        }
        free
    }

    /// A connection is gone, and with it what waits for it.
    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.replies.is_empty()
    }
}
