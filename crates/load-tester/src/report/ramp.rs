//! The steps of a ramp, and the capacity that they show.

use serde::{Deserialize, Serialize};

use super::passes_gate;
use crate::measurements;

/// The steps of a ramp and what they found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ramp {
    /// The most subscribers with whom everything was delivered, all smaller steps too. `null` if the
    /// first step failed.
    pub capacity: Option<u64>,
    /// What ended it.
    pub limit: Limit,
    /// Each step, in order.
    pub steps: Vec<Step>,
}

/// What ended a ramp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The server lost packets: the capacity is the server's.
    Server,
    /// The generator did not keep up: the server's capacity is at least this.
    Generator,
    /// There were no more steps: the server's capacity is at least this.
    Steps,
}

/// One step of a ramp.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Subscribers.
    pub subscribers: u64,
    /// Packets that should have come.
    pub offered: u64,
    /// Different packets that came.
    pub delivered: u64,
    /// Nothing was lost, doubled, reordered or damaged.
    pub gate_passed: bool,
    /// The generator kept up.
    pub valid: bool,
    /// Delay, 99th percentile; `null` if no packet came.
    pub delay_p99_ms: Option<f64>,
    /// CPU microseconds of the server for each packet that came, if its process was named.
    pub server_cpu_us_per_packet: Option<f64>,
}

impl Ramp {
    pub(super) fn of(steps: &[measurements::Step]) -> Option<Self> {
        let steps: Vec<Step> = steps.iter().map(Step::of).collect();
        let is_good = |step: &&Step| step.gate_passed && step.valid;
        let capacity = steps.iter().take_while(is_good).last();
        let capacity = capacity.map(|step| step.subscribers);
        let limit = match steps.iter().find(|step| !is_good(step)) {
            None => Limit::Steps,
            Some(step) if step.valid => Limit::Server,
            Some(_) => Limit::Generator,
        };
        (!steps.is_empty()).then_some(Self {
            capacity,
            limit,
            steps,
        })
    }
}

impl Step {
    fn of(step: &measurements::Step) -> Self {
        let has_come = step.delivery.delivered > 0;
        Self {
            subscribers: step.subscribers,
            offered: step.delivery.offered,
            delivered: step.delivery.delivered,
            gate_passed: passes_gate(&step.delivery),
            valid: step.valid,
            delay_p99_ms: has_come.then_some(step.delay_p99_us as f64 / 1e3),
            server_cpu_us_per_packet: step.server_cpu_us_per_packet,
        }
    }
}
