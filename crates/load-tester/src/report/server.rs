//! What the server's process used, for each packet, core and subscriber.

use serde::{Deserialize, Serialize};

use crate::measurements::Measurements;

/// The server, and what its process used while packets were counted: `null` without `--pid`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// In its own words: `Plenum 0.1.0`.
    pub name: String,
    /// The address it was reached at.
    pub url: String,
    /// CPU seconds, user and system, of all its threads.
    pub cpu_seconds: Option<f64>,
    /// Those seconds in percent of one core: 150 is one and a half.
    pub cpu_percent_of_a_core: Option<f64>,
    /// CPU microseconds for each packet that came to a subscriber.
    pub cpu_us_per_forwarded_packet: Option<f64>,
    /// Packets that came for each CPU second: what a full core would forward.
    pub packets_per_second_per_core: Option<f64>,
    /// Payload that came for each CPU second.
    pub mbit_per_second_per_core: Option<f64>,
    /// Resident memory before the first participant joined.
    pub rss_idle_bytes: Option<u64>,
    /// Resident memory at the end of counting.
    pub rss_bytes: Option<u64>,
    /// The most resident memory.
    pub rss_peak_bytes: Option<u64>,
    /// What it holds above its idle memory, for each participant who received and was there at the end.
    pub rss_bytes_per_subscriber: Option<f64>,
}

impl Server {
    pub(super) fn of(measurements: &Measurements, received: u64) -> Self {
        let delivered = measurements.delivery.delivered as f64;
        let megabits = measurements.delivery.delivered_bytes as f64 * 8e-6;
        let seconds = measurements.counted.as_secs_f64();
        let process = measurements.process;
        let cpu = process.map(|process| process.cpu_seconds);
        // Where people have left, the memory is that of those who stay.
        let last = measurements.seconds.last();
        let there = last.map_or(received, |second| received.min(second.participants));
        let grown = process.map(|process| process.rss_bytes as f64 - process.rss_idle_bytes as f64);
        Self {
            name: measurements.server.clone(),
            url: measurements.url.clone(),
            cpu_seconds: cpu,
            cpu_percent_of_a_core: cpu.and_then(|cpu| ratio(cpu * 100.0, seconds)),
            cpu_us_per_forwarded_packet: cpu.and_then(|cpu| ratio(cpu * 1e6, delivered)),
            packets_per_second_per_core: cpu.and_then(|cpu| ratio(delivered, cpu)),
            mbit_per_second_per_core: cpu.and_then(|cpu| ratio(megabits, cpu)),
            rss_idle_bytes: process.map(|process| process.rss_idle_bytes),
            rss_bytes: process.map(|process| process.rss_bytes),
            rss_peak_bytes: process.map(|process| process.rss_peak_bytes),
            rss_bytes_per_subscriber: grown.and_then(|grown| ratio(grown, there as f64)),
        }
    }
}

/// Nothing, where there is nothing to divide by.
fn ratio(amount: f64, by: f64) -> Option<f64> {
    (by > 0.0).then(|| amount / by)
}
