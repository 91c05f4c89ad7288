//! One participant of a crowd: which room it is in, and when it got how far. It knows no server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::measurements::Join;

/// One participant of a crowd.
#[derive(Debug)]
pub struct Member {
    /// Its number in this run.
    pub id: u32,
    /// Its room's number: it is to receive what is published there, and nothing else.
    pub room: u32,
    /// It is to receive.
    pub subscribes: bool,
    /// It is to receive what this one publishes, and nothing else.
    pub only: Option<u32>,
    began: Instant,
    joined: Moment,
    connected: Moment,
    first_packet: Moment,
    first_key_frame: Moment,
    left: Moment,
}

impl Member {
    pub(crate) fn new(id: u32, room: u32, subscribes: bool) -> Self {
        Self {
            id,
            room,
            subscribes,
            only: None,
            began: Instant::now(),
            joined: Moment::default(),
            connected: Moment::default(),
            first_packet: Moment::default(),
            first_key_frame: Moment::default(),
            left: Moment::default(),
        }
    }

    /// The same, but it is to receive what this one publishes, and nothing else.
    pub(crate) fn choosy(self, only: Option<u32>) -> Self {
        Self { only, ..self }
    }

    /// The server has let it in. Said by whoever speaks with the server.
    pub fn note_joined(&self) {
        self.joined.note(self.began, Instant::now());
    }

    /// It is leaving: from now on nothing more need come.
    pub(crate) fn note_left(&self) {
        self.left.note(self.began, Instant::now());
    }

    /// ICE and DTLS are done.
    pub(crate) fn note_connected(&self, now: Instant) {
        self.connected.note(self.began, now);
    }

    pub(crate) fn note_packet(&self, now: Instant) {
        self.first_packet.note(self.began, now);
    }

    pub(crate) fn note_key_frame(&self, now: Instant) {
        self.first_key_frame.note(self.began, now);
    }

    /// How long each step took, from the decision to join.
    pub fn join(&self) -> Join {
        Join {
            joined: self.joined.get(),
            connected: self.connected.get(),
            first_packet: self.first_packet.get(),
            first_key_frame: self.first_key_frame.get(),
        }
    }

    /// When it was connected, and had not left.
    pub(crate) fn connected_at(&self) -> Option<Instant> {
        self.connected.get().map(|after| self.began + after)
    }

    pub(crate) fn left_at(&self) -> Option<Instant> {
        self.left.get().map(|after| self.began + after)
    }
}

/// A moment that is noted once: microseconds and one, 0 as long as it has not come.
#[derive(Debug, Default)]
struct Moment(AtomicU64);

impl Moment {
    fn note(&self, began: Instant, now: Instant) {
        if self.0.load(Ordering::Relaxed) == 0 {
            let after = now.saturating_duration_since(began).as_micros() as u64 + 1;
            let _ = self
                .0
                .compare_exchange(0, after, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    fn get(&self) -> Option<Duration> {
        let after = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_micros(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_of_a_join_is_noted_once() {
        let member = Member::new(1, 2, true);
        assert_eq!(member.join(), Join::default());
        let at = |millis| member.began + Duration::from_millis(millis);
        member.note_connected(at(30));
        member.note_connected(at(70));
        member.note_packet(at(0));
        assert_eq!(member.join().connected, Some(Duration::from_millis(30)));
        assert_eq!(member.join().first_packet, Some(Duration::ZERO));
        assert_eq!(member.connected_at(), Some(at(30)));
        assert_eq!(member.left_at(), None);
    }
}
