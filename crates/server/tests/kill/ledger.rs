//! What the server acknowledged, as lines in a file outside it: each is on the disk before whoever was told
//! acts on it. It never asks the server anything.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// Something that the server said is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub(crate) enum Fact {
    /// There is this room.
    RoomMade { room: String },
    /// This session began, for whoever asked with this key.
    SessionStarted { session: String, key: String },
    /// They are in a live session.
    Joined {
        session: String,
        participant: String,
    },
    /// They left for good.
    Left { participant: String },
    /// This session is over.
    SessionEnded { session: String },
}

/// All facts, and how many of them are known to be in the database.
pub(crate) struct Ledger(Mutex<Book>);

struct Book {
    file: File,
    facts: Vec<Fact>,
    checked: usize,
}

impl Ledger {
    pub(crate) fn create(path: &Path) -> Self {
        Self(Mutex::new(Book {
            file: File::create(path).unwrap(),
            facts: Vec::new(),
            checked: 0,
        }))
    }

    /// Writes down a fact: it is on the disk when this returns.
    pub(crate) fn write(&self, fact: Fact) {
        let mut book = self.book();
        let mut line = serde_json::to_string(&fact).unwrap();
        line.push('\n');
        book.file.write_all(line.as_bytes()).unwrap();
        book.file.sync_data().unwrap();
        book.facts.push(fact);
    }

    /// The facts that came since the last call: what the server said before it was killed.
    pub(crate) fn unchecked(&self) -> Vec<Fact> {
        let mut book = self.book();
        let from = std::mem::replace(&mut book.checked, 0);
        book.checked = book.facts.len();
        book.facts[from..].to_vec()
    }

    /// Every fact ever, as the file has them.
    pub(crate) fn all(&self, path: &Path) -> Vec<Fact> {
        let facts = self.book().facts.clone();
        let text = std::fs::read_to_string(path).unwrap();
        let written: Vec<Fact> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(written, facts, "the file has every fact");
        facts
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
