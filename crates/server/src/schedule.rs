//! What the kernel says of a thread's time: how long it has run, and how long it was ready to run while others did.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// The figures of one thread, as long as it lives.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// `schedstat` in its folder of /proc (Documentation/scheduler/sched-stats.rst): nanoseconds on a core,
    /// nanoseconds of waiting for one, and how often it ran.
    file: Option<File>,
}

impl Schedule {
    /// Of the thread that asks.
    pub(crate) fn of_this_thread() -> Self {
        Self {
            file: File::open("/proc/thread-self/schedstat").ok(),
        }
    }

    /// How long the thread has wanted to run so far, whether it could or not. `None` where the kernel does not say.
    pub(crate) fn wanted(&self) -> Option<Duration> {
        let mut text = [0; 64];
        let length = self.file.as_ref()?.read_at(&mut text, 0).ok()?;
        wanted(std::str::from_utf8(&text[..length]).ok()?)
    }
}

fn wanted(text: &str) -> Option<Duration> {
    let mut figures = text.split_whitespace().map(str::parse::<u64>);
    let (ran, waited) = (figures.next()?.ok()?, figures.next()?.ok()?);
    // A kernel that does not count has zeros.
    (ran > 0).then(|| Duration::from_nanos(ran.saturating_add(waited)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_and_waiting_are_what_a_thread_wanted() {
        assert_eq!(wanted("300 40 7\n"), Some(Duration::from_nanos(340)));
        for text in ["", "300", "0 0 0", "a b c"] {
            assert_eq!(wanted(text), None, "{text}");
        }
    }

    #[test]
    fn a_thread_that_works_wants_more() {
        let schedule = Schedule::of_this_thread();
        let Some(before) = schedule.wanted() else {
            eprintln!("skipped: this kernel says nothing of a thread's schedule");
            return;
        };
        let more = (0..100_000).any(|round| {
            std::hint::black_box((0..1_000 + round % 2).sum::<u32>());
            schedule.wanted() > Some(before)
        });
        assert!(more);
    }
}
