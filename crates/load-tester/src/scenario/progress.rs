//! A line on stderr each second, so that nobody wonders what a run is doing. It measures nothing.

use crate::measurements::Second;

/// Say what is being done.
pub(super) fn say(what: &str) {
    eprintln!("{what}");
}

/// One second of counting.
pub(super) fn second(second: &Second) {
    let mbits = second.bytes as f64 * 8.0 / 1e6;
    let cpu = second.server_cpu_seconds.map_or(String::new(), |cpu| {
        format!(", server {:.0} % of a core", cpu * 100.0)
    });
    eprintln!(
        "{:4.0} s: {} people, {} packets/s, {mbits:.1} Mbit/s, delay {:.1} / {:.1} ms (p50 / p99){cpu}",
        second.at,
        second.participants,
        second.packets,
        second.delay_p50_us as f64 / 1e3,
        second.delay_p99_us as f64 / 1e3,
    );
}
