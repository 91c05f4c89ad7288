//! What waits to be sent to one WebSocket: bounded, so that a slow reader is closed instead of growing. It
//! never waits for the reader, and never touches the socket.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use protocol::{ErrorBody, ErrorCode, Goodbye, ServerMessage};
use tokio::sync::{Notify, watch};

use crate::websocket::Utf8Bytes;

/// Close codes (RFC 6455 leaves 4000 to 4999 to us): the reason is the error code's word.
const CLOSE_FOR_GOOD: u16 = 4000;
const CLOSE_AND_COME_BACK: u16 = 4001;

/// What the socket's writer does next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outgoing {
    /// Send a text.
    Text(Utf8Bytes),
    /// Close with this code and reason. The last.
    Close(u16, &'static str),
}

/// What waits to be sent to one WebSocket.
#[derive(Debug)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    has_more: Notify,
    is_closing: watch::Sender<bool>,
    entry: Entry,
    most_messages: usize,
    most_bytes: usize,
}

/// How far somebody has come into a room.
#[derive(Debug, Default)]
struct Entry {
    /// They are in, or wait; that is being written down, and they are told after it.
    is_decided: AtomicBool,
    /// When they were told.
    told: OnceLock<Instant>,
}

#[derive(Debug)]
struct Waiting {
    texts: VecDeque<Utf8Bytes>,
    bytes: usize,
    close_code: u16,
    goodbye: Option<&'static str>,
}

/// More waits than may: the outbox is closing, and whoever learns this tells the rooms.
#[derive(Debug, PartialEq)]
pub(crate) struct Overflow;

impl Outbox {
    pub(crate) fn new(most_messages: usize, most_bytes: usize) -> Self {
        let waiting = Waiting {
            texts: VecDeque::new(),
            bytes: 0,
            close_code: CLOSE_FOR_GOOD,
            goodbye: None,
        };
        Self {
            waiting: Mutex::new(waiting),
            has_more: Notify::new(),
            is_closing: watch::Sender::new(false),
            entry: Entry::default(),
            most_messages,
            most_bytes,
        }
    }

    /// Send a text. One alone may be larger than the limit: a large room's snapshot must reach somebody
    /// who reads.
    pub(crate) fn push(&self, text: Utf8Bytes) -> Result<(), Overflow> {
        if self.is_closing() {
            return Ok(());
        }
        let mut waiting = self.waiting();
        let is_over = waiting.texts.len() >= self.most_messages
            || waiting.bytes + text.len() > self.most_bytes;
        if is_over && !waiting.texts.is_empty() {
            waiting.texts.clear();
            drop(waiting);
            self.say_goodbye(
                ErrorCode::TooSlow,
                "more messages wait for you than may",
                true,
            );
            return Err(Overflow);
        }
        waiting.bytes += text.len();
        waiting.texts.push_back(text);
        drop(waiting);
        self.has_more.notify_one();
        Ok(())
    }

    /// Send a message.
    pub(crate) fn send(&self, message: &ServerMessage) -> Result<(), Overflow> {
        self.push(text_of(message))
    }

    /// Send an error. Should it overflow, the connection is closing, and its session sees that.
    pub(crate) fn refuse(&self, error: ErrorBody) {
        let _ = self.send(&ServerMessage::Error(error));
    }

    /// Tell why, and close. The first goodbye stands.
    pub(crate) fn say_goodbye(&self, code: ErrorCode, message: &str, reconnect: bool) {
        if self.is_closing() {
            return;
        }
        let goodbye = ServerMessage::Goodbye(Goodbye {
            code,
            message: message.into(),
            reconnect,
        });
        self.push_goodbye(text_of(&goodbye), code, reconnect);
        self.close();
    }

    /// Send a goodbye, whatever else waits. `close` is owed.
    pub(crate) fn push_goodbye(&self, text: Utf8Bytes, code: ErrorCode, reconnect: bool) {
        let mut waiting = self.waiting();
        waiting.close_code = if reconnect {
            CLOSE_AND_COME_BACK
        } else {
            CLOSE_FOR_GOOD
        };
        waiting.goodbye = Some(code.as_str());
        waiting.texts.push_back(text);
    }

    /// Close after what waits now. Nothing more is taken.
    pub(crate) fn close(&self) {
        self.is_closing.send_replace(true);
        self.has_more.notify_one();
    }

    /// What to send next; waits for it. For the one writer.
    pub(crate) async fn next(&self) -> Outgoing {
        loop {
            if let Some(outgoing) = self.next_now() {
                return outgoing;
            }
            self.has_more.notified().await;
        }
    }

    /// What to send next, if anything is.
    pub(crate) fn next_now(&self) -> Option<Outgoing> {
        // Read before the texts: what was pushed before the closing is then seen.
        let is_closing = self.is_closing();
        let mut waiting = self.waiting();
        if let Some(text) = waiting.texts.pop_front() {
            waiting.bytes = waiting.bytes.saturating_sub(text.len());
            return Some(Outgoing::Text(text));
        }
        is_closing.then_some(Outgoing::Close(
            waiting.close_code,
            waiting.goodbye.unwrap_or("closed"),
        ))
    }

    pub(crate) fn is_closing(&self) -> bool {
        *self.is_closing.borrow()
    }

    /// Waits until the outbox is closing.
    pub(crate) async fn closing(&self) {
        // The sender is a field of this very value, and so cannot be gone.
        let _ = self
            .is_closing
            .subscribe()
            .wait_for(|is_closing| *is_closing)
            .await;
    }

    /// The code of the goodbye, if there was one.
    pub(crate) fn goodbye(&self) -> Option<&'static str> {
        self.waiting().goodbye
    }

    /// `joined`, `resumed` or `waiting` follows as soon as what it promises is committed.
    pub(crate) fn set_entering(&self) {
        self.entry.is_decided.store(true, Ordering::Release);
    }

    /// `joined`, `resumed` or `waiting` is on its way to this connection.
    pub(crate) fn set_joined(&self) {
        self.set_entering();
        let _ = self.entry.told.set(Instant::now());
    }

    /// A `join` of this connection was granted.
    pub(crate) fn has_entered(&self) -> bool {
        self.entry.is_decided.load(Ordering::Acquire)
    }

    /// When the client was first told so.
    pub(crate) fn joined_at(&self) -> Option<Instant> {
        self.entry.told.get().copied()
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        // Nothing panics while it is held, and the queue is whole after each line in any case.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message as it goes over the wire.
pub(crate) fn text_of(message: &ServerMessage) -> Utf8Bytes {
    match serde_json::to_string(message) {
        Ok(text) => text.into(),
        Err(error) => {
            tracing::error!(%error, "a message cannot be written as JSON");
            Utf8Bytes::from_static(r#"{"type":"error","code":"internal","message":"","hint":""}"#)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(outbox: &Outbox) -> Vec<Outgoing> {
        std::iter::from_fn(|| outbox.next_now()).take(9).collect()
    }

    fn text(text: &str) -> Utf8Bytes {
        text.into()
    }

    #[test]
    fn a_slow_reader_gets_a_goodbye_in_place_of_all_that_waited() {
        for outbox in [Outbox::new(2, 1000), Outbox::new(1000, 2)] {
            assert_eq!(
                [(); 3].map(|()| outbox.push(text("x"))),
                [Ok(()), Ok(()), Err(Overflow)]
            );
            assert_eq!(outbox.push(text("x")), Ok(()), "told once");
            let left = texts(&outbox);
            assert!(
                matches!(&left[0], Outgoing::Text(text) if text.contains("too_slow")),
                "{left:?}"
            );
            assert_eq!(left[1], Outgoing::Close(CLOSE_AND_COME_BACK, "too_slow"));
        }
    }

    #[test]
    fn one_text_alone_may_be_larger_than_the_limit() {
        let outbox = Outbox::new(2, 2);
        assert_eq!(outbox.push(text("xxxx")), Ok(()));
        assert_eq!(texts(&outbox), [Outgoing::Text(text("xxxx"))]);
        assert_eq!(
            outbox.push(text("xx")),
            Ok(()),
            "what was taken out no longer counts"
        );
    }

    #[tokio::test]
    async fn closing_comes_after_what_waits_and_is_seen_by_all() {
        let outbox = Outbox::new(9, 9);
        outbox.push(text("x")).unwrap();
        outbox.close();
        outbox.closing().await;
        assert_eq!(outbox.next().await, Outgoing::Text(text("x")));
        assert_eq!(
            outbox.next().await,
            Outgoing::Close(CLOSE_FOR_GOOD, "closed")
        );
    }

    #[test]
    fn the_first_goodbye_stands() {
        let outbox = Outbox::new(9, 999);
        outbox.say_goodbye(ErrorCode::TakenOver, "", false);
        outbox.say_goodbye(ErrorCode::PingTimeout, "", true);
        assert_eq!(
            texts(&outbox)[1],
            Outgoing::Close(CLOSE_FOR_GOOD, "taken_over")
        );
    }
}
