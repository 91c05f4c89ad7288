//! The one place of this crate that reads a clock: tests must begin somewhere.

use std::time::Instant;

/// Some moment.
#[allow(clippy::disallowed_methods)]
pub(crate) fn start() -> Instant {
    Instant::now()
}
