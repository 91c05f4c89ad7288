//! The machine that a run was made on, and the time, as a report states them. It reads `/proc`, and sends
//! nothing anywhere.

use std::fs;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Where a run was made. `null` where the system does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The CPU's model: `AMD EPYC`.
    pub cpu: Option<String>,
    /// Its cores, as the system counts them, whichever the process may use.
    pub cores: Option<u64>,
    /// Memory in all.
    pub memory_bytes: Option<u64>,
    /// The kernel: `Linux 6.18.0`.
    pub kernel: Option<String>,
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        let read = |path| fs::read_to_string(path).ok();
        let cpus = read("/proc/cpuinfo").unwrap_or_default();
        let memory = read("/proc/meminfo").unwrap_or_default();
        let kernel = read("/proc/sys/kernel/osrelease");
        let cores = values(&cpus, "processor").count() as u64;
        Self {
            // Not every architecture names it.
            cpu: values(&cpus, "model name").next().map(str::to_owned),
            cores: (cores > 0).then_some(cores),
            memory_bytes: values(&memory, "MemTotal").next().and_then(bytes),
            kernel: kernel.map(|release| format!("Linux {}", release.trim())),
        }
    }
}

/// The time as RFC 3339 writes it, in UTC, to the second.
pub(super) fn now() -> String {
    let now = OffsetDateTime::now_utc();
    let (hour, minute, second) = now.to_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", now.date())
}

fn values<'a>(text: &'a str, key: &str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    })
}

fn bytes(value: &str) -> Option<u64> {
    let kilobytes: u64 = value.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_says_what_it_is() {
        let machine = Machine::here();
        assert!(machine.cores.unwrap() >= 1, "{machine:?}");
        assert!(machine.memory_bytes.unwrap() > 64 << 20, "{machine:?}");
        assert!(machine.kernel.unwrap().starts_with("Linux "));
    }

    #[test]
    fn the_time_is_written_as_rfc_3339_does() {
        let now = now();
        assert_eq!(now.len(), "2026-11-21T04:59:48Z".len(), "{now}");
        assert_eq!(&now[10..11], "T");
        assert!(now.starts_with("20") && now.ends_with('Z'), "{now}");
    }
}
