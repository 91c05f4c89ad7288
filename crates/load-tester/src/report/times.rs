//! How long those who joined waited, and for what. It counts whom something happened to, and nobody else.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::measurements::Join;

/// Milliseconds that something took, of all whom it happened to. `null` if it happened to nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// How many it happened to.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: Option<f64>,
    /// 95 of 100 took no longer.
    pub p95: Option<f64>,
    /// 99 of 100 took no longer.
    pub p99: Option<f64>,
    /// None took longer.
    pub max: Option<f64>,
}

/// The wait for the first picture in its parts, of all who got one. What is missing is its decoding: nothing here
/// decodes, and of browsers the server's `plenum_first_frame_seconds` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FirstFrame {
    /// From the decision to join until ICE and DTLS were done.
    pub connect: Times,
    /// From then until the first key frame was whole.
    pub key_frame: Times,
}

impl FirstFrame {
    pub(super) fn of(joins: &[Join]) -> Self {
        Self {
            connect: Times::of(joins, |join| join.first_key_frame.and(join.connected)),
            key_frame: Times::of(joins, |join| {
                let connected = join.connected?;
                Some(join.first_key_frame?.saturating_sub(connected))
            }),
        }
    }
}

impl Times {
    pub(super) fn of(joins: &[Join], of: fn(&Join) -> Option<Duration>) -> Self {
        let mut times: Vec<_> = joins.iter().filter_map(of).collect();
        times.sort_unstable();
        // The nearest rank: a time that somebody really waited.
        let quantile = |share: f64| {
            let rank = (share * times.len() as f64).ceil() as usize;
            let time = times.get(rank.max(1) - 1);
            time.map(|time| time.as_secs_f64() * 1e3)
        };
        Self {
            count: times.len() as u64,
            p50: quantile(0.50),
            p95: quantile(0.95),
            p99: quantile(0.99),
            max: quantile(1.0),
        }
    }
}
