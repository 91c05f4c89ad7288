//! What happened in a world, as lines: all of them as one number, the last of them as text. It changes
//! nothing, and nothing depends on it.

use std::collections::VecDeque;
use std::fmt::{self, Write};

use protocol::Timestamp;

/// Lines that are kept to be shown.
const KEPT: usize = 400;
/// Characters of a line that are kept.
const LONGEST: usize = 320;

/// What happened.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: Fnv,
    lines: VecDeque<String>,
    line: String,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self {
            hash: Fnv(0xcbf2_9ce4_8422_2325),
            lines: VecDeque::new(),
            line: String::new(),
        }
    }

    /// Something happened.
    pub(crate) fn note(&mut self, now: Timestamp, what: fmt::Arguments<'_>) {
        self.line.clear();
        // Writing to a string and to a number never fails.
        let _ = write!(self.line, "{:>8} {what}", now.0);
        let _ = self.hash.write_str(&self.line);
        let kept = match self.line.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{} …", &self.line[..end]),
            None => self.line.clone(),
        };
        self.lines.push_back(kept);
        if self.lines.len() > KEPT {
            self.lines.pop_front();
        }
    }

    /// Everything that happened, as a number.
    pub(crate) fn hash(&self) -> u64 {
        self.hash.0
    }

    /// The last lines that name any of these words, and the very last whatever they name.
    pub(crate) fn about(&self, words: &[String], most: usize) -> Vec<String> {
        let last = self.lines.len().saturating_sub(12);
        let mut found: Vec<String> = (0..)
            .zip(&self.lines)
            .filter(|(place, line)| *place >= last || words.iter().any(|word| line.contains(word)))
            .map(|(_, line)| line.clone())
            .collect();
        found.drain(..found.len().saturating_sub(most));
        found
    }
}

/// FNV-1a: the same on every machine.
#[derive(Debug)]
struct Fnv(u64);

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}
