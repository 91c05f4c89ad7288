//! Looks after commands whether a room still is as it must be; if not, writes down what led to it. It closes
//! and repairs nothing.

use std::any::Any;
use std::io::{BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use protocol::{RoomId, Timestamp};
use signaling::{LogHead, Recorded, Rooms};

/// Looking takes one part of so many of the node's time: in small rooms it is done after every command, in
/// a room of 1,000, where it takes milliseconds, now and then.
const SHARE: u32 = 50;
/// Logs of one run of the server: a fault that is made again and again fills no disk.
const MOST_LOGS: usize = 100;

/// Looks after commands whether a room still is as it must be.
#[derive(Debug)]
pub(super) struct Guard {
    directory: PathBuf,
    next: Instant,
    logs: usize,
}

impl Guard {
    /// Logs go into a folder of this directory, made with the first.
    pub(super) fn new(data_dir: &Path) -> Self {
        Self {
            directory: data_dir.join("faults"),
            next: Instant::now(),
            logs: 0,
        }
    }

    /// What is wrong in a room, if anything is and it was looked at.
    pub(super) fn check(&mut self, rooms: &Rooms, room: RoomId) -> Result<(), String> {
        let start = Instant::now();
        if start < self.next {
            return Ok(());
        }
        let result = caught(|| rooms.check_invariants_of(room));
        let end = Instant::now();
        self.next = end + (end - start) * SHARE;
        result
    }

    /// Write down the last commands of a room as lines of JSON, which can be replayed, behind one that says
    /// whether they are all.
    pub(super) fn write_down(
        &mut self,
        at: Timestamp,
        room: RoomId,
        head: LogHead,
        recent: &[Recorded],
    ) {
        if self.logs >= MOST_LOGS {
            return;
        }
        self.logs += 1;
        let path = self.directory.join(format!("{}-{room}.jsonl", at.0));
        match self.write(&path, head, recent) {
            Ok(()) => tracing::error!(path = %path.display(), "what led to it"),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "what led to it cannot be written down")
            }
        }
    }

    fn write(&self, path: &Path, head: LogHead, recent: &[Recorded]) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        let mut file = BufWriter::new(std::fs::File::create(path)?);
        serde_json::to_writer(&mut file, &head)?;
        file.write_all(b"\n")?;
        for recorded in recent {
            serde_json::to_writer(&mut file, recorded)?;
            file.write_all(b"\n")?;
        }
        file.flush()
    }
}

/// What an act gives, or the words with which it panicked: the process goes on.
pub(super) fn caught<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(words_of)
}

fn words_of(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "a panic without words".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_words() {
        assert_eq!(caught(|| 4), Ok(4));
        assert_eq!(caught(|| panic!("plain")), Err::<(), _>("plain".into()));
        let number = 4;
        let result = caught(|| assert_eq!(number, 5, "made {number}"));
        assert!(result.is_err_and(|words| words.contains("made 4")));
    }

    /// A room with so many people, who all receive what the first eight of them publish.
    fn room_of(people: u64) -> (Rooms, RoomId) {
        use protocol::{
            ConnectionId, Identity, ParticipantId, PeerId, Publish, Role, RoomName, SessionId,
            StateUpdate, TrackId, TrackSource,
        };
        use signaling::{Claims, Command, Fresh, Join, Limits, Permissions, Request};
        let (room, now) = (RoomId::from_bits(1), Timestamp(1_000));
        let mut rooms = Rooms::new(Limits::default());
        for number in 1..=people {
            let connection = ConnectionId::from_bits(number);
            let permissions = Permissions {
                publish: true,
                subscribe: true,
                publish_data: true,
                moderate: false,
                hidden: false,
            };
            let join = Join {
                connection,
                request_id: None,
                claims: Claims {
                    identity: Identity(format!("somebody {number}")),
                    name: "Somebody".into(),
                    role: Role("student".into()),
                    avatar_url: None,
                    room: RoomName("class".into()),
                    permissions,
                },
                resume: None,
                state: StateUpdate::default(),
                subscribe_automatically: true,
                fresh: Fresh {
                    room,
                    participant: ParticipantId::from_bits(number),
                    session: SessionId::from_bits(number),
                    resume_token: number.to_string(),
                },
            };
            rooms.handle(now, Command::Join(Box::new(join)));
            let mut ask = |request| {
                rooms.handle(
                    now,
                    Command::Request {
                        connection,
                        request_id: None,
                        request,
                    },
                )
            };
            if number <= 8 {
                ask(Request::Publish {
                    publish: Publish {
                        mid: "0".into(),
                        source: TrackSource::Camera,
                        muted: false,
                    },
                    fresh_track: TrackId::from_bits(number),
                });
            }
            ask(Request::Offer {
                peer_connection: 0,
                sdp: "offer".into(),
                fresh_peer: PeerId::from_bits(number),
            });
        }
        assert_eq!(rooms.counts().participants as u64, people);
        (rooms, room)
    }

    /// The figures of docs/operations.md.
    #[test]
    #[ignore = "it measures, and says what it measured"]
    #[expect(clippy::print_stdout, reason = "it is for whoever measures")]
    fn what_a_look_at_a_room_costs() {
        for people in [10, 100, 1_000] {
            let (rooms, room) = room_of(people);
            let mut took: Vec<_> = (0..1_000)
                .map(|_| {
                    let start = Instant::now();
                    rooms.check_invariants_of(room);
                    start.elapsed()
                })
                .collect();
            took.sort();
            println!(
                "{people} people: {:?} at least, {:?} in the middle",
                took[0], took[500]
            );
        }
    }
}
