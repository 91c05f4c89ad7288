//! What the kernel says of this process, from `/proc/self`. Where there is none, nothing is said.

use prometheus::{Gauge, IntGauge};

/// Clock ticks in a second: `USER_HZ`, 100 for user space on every architecture of Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Read both values anew.
pub(super) fn observe(cpu_seconds: &Gauge, resident_bytes: &IntGauge) {
    if let Some(seconds) = read("/proc/self/stat").as_deref().and_then(cpu_time) {
        cpu_seconds.set(seconds);
    }
    if let Some(bytes) = read("/proc/self/status").as_deref().and_then(resident) {
        resident_bytes.set(bytes);
    }
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Fields 14 and 15 of proc_pid_stat(5); the second, in parentheses, may contain anything.
fn cpu_time(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn resident(status: &str) -> Option<i64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_a_name_with_parentheses() {
        let stat = "7 (a) b) S 1 1 1 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 5 6 7";
        assert_eq!(cpu_time(stat), Some(2.0));
        assert_eq!(
            resident("Name:\tx\nVmRSS:\t    2048 kB\n"),
            Some(2048 * 1024)
        );
    }
}
