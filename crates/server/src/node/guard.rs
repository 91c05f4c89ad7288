//! Looks after commands whether a room still is as it must be; if not, writes down what led to it. It closes
//! and repairs nothing.

use std::any::Any;
use std::io::{BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use protocol::{RoomId, Timestamp};
use signaling::{Recorded, Rooms};

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

    /// Write down the last commands of a room as lines of JSON, which can be replayed.
    pub(super) fn write_down(&mut self, at: Timestamp, room: RoomId, recent: &[Recorded]) {
        if self.logs >= MOST_LOGS {
            return;
        }
        self.logs += 1;
        let path = self.directory.join(format!("{}-{room}.jsonl", at.0));
        match self.write(&path, recent) {
            Ok(()) => tracing::error!(path = %path.display(), "what led to it"),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "what led to it cannot be written down")
            }
        }
    }

    fn write(&self, path: &Path, recent: &[Recorded]) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        let mut file = BufWriter::new(std::fs::File::create(path)?);
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
}
