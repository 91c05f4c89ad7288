//! The one clock of a run, in the marks of all packets: microseconds since the first look at it.

use std::sync::OnceLock;
use std::time::Instant;

static BEGAN: OnceLock<Instant> = OnceLock::new();

/// Microseconds at this moment; 0 for any before the first look.
pub(crate) fn microseconds(now: Instant) -> u64 {
    let began = *BEGAN.get_or_init(Instant::now);
    now.saturating_duration_since(began).as_micros() as u64
}
