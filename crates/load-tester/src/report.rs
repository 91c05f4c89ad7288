//! The report of a run: for people, for programs, and as a page. It judges what was measured, and measures
//! nothing but the server's process.

pub mod compare;
mod delay;
mod figures;
pub mod html;
mod kinds;
pub mod machine;
pub mod process;
mod ramp;
mod sentences;
mod server;
#[cfg(test)]
mod tests;
pub mod text;
mod times;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::measurements::{Join, Measurements};
pub use delay::{Delay, Share};
pub use kinds::{Pictures, Sound};
pub use machine::Machine;
pub use ramp::{Limit, Ramp, Step};
pub use server::Server;
pub use times::{FirstFrame, Times};

/// The form of the JSON: a larger number where a key has changed its meaning or has gone.
pub const FORMAT: u32 = 1;

/// What a run found. Serialised, it is the JSON report; what was not measured is `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The form of this JSON.
    pub format: u32,
    /// The version of plenum-load.
    pub plenum_load: String,
    /// When the run ended: `2026-11-21T04:59:48Z`.
    pub ended_at: String,
    /// What to make of it.
    pub verdict: Verdict,
    /// The scenario's name.
    pub scenario: String,
    /// Its settings, in the order in which they are shown.
    pub settings: IndexMap<String, String>,
    /// Somebody ended the run early.
    pub interrupted: bool,
    /// How long packets were counted.
    pub counted_seconds: f64,
    /// What became of the packets.
    pub delivery: Delivery,
    /// Milliseconds from a packet's sending to its receipt.
    pub delay_ms: Delay,
    /// The same of sound alone.
    #[serde(default)]
    pub sound: Sound,
    /// What a decoder would make of the video.
    #[serde(default)]
    pub pictures: Pictures,
    /// The server, and what its process used.
    pub server: Server,
    /// The generator's own behaviour.
    pub generator: Generator,
    /// How many came, and how far.
    pub participants: Participants,
    /// From the decision to join until the server let one in.
    pub join_ms: Times,
    /// Until ICE and DTLS were done.
    pub connected_ms: Times,
    /// Until the first media packet came.
    pub first_packet_ms: Times,
    /// Until the first key frame was whole.
    pub first_key_frame_ms: Times,
    /// The same in its parts.
    #[serde(default)]
    pub first_frame_ms: FirstFrame,
    /// The SRTP profiles in use.
    pub srtp_profiles: Vec<String>,
    /// Bytes of the RTP payloads that were sent, by kind.
    pub packet_bytes: BTreeMap<String, PacketBytes>,
    /// One entry a second.
    pub seconds: Vec<Second>,
    /// The steps of `ramp` and what they found. `null` elsewhere.
    pub ramp: Option<Ramp>,
    /// Faults that are no packet's.
    pub failures: Failures,
    /// Where this was measured.
    pub machine: Machine,
}

/// What to make of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every packet came once and in order, and everybody joined. A ramp found a capacity.
    Passed,
    /// Packets were lost, doubled, reordered or damaged, or somebody could not join.
    FellShort,
    /// The generator did not keep up: nothing is said of the server.
    Invalid,
}

/// What became of the packets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Packets that should have come: each one sent, once for each of its subscribers.
    pub offered: u64,
    /// Different packets that came.
    pub delivered: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came again.
    pub duplicated: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Packets that came with other bytes than were sent.
    pub damaged: u64,
    /// Something was offered, and nothing was lost, doubled, reordered or damaged.
    pub gate_passed: bool,
    /// Delivered, on average over the time counted.
    pub packets_per_second: Option<f64>,
    /// Payload delivered, on average over the time counted.
    pub mbit_per_second: Option<f64>,
}

/// The generator's own behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// The latest that it sent a packet or looked at its sockets.
    pub max_lag_ms: Option<f64>,
    /// Of all such lags, the 99.9th percentile: how rare the latest was.
    pub p999_lag_ms: Option<f64>,
    /// The shortest interval between two packets of one track: lag beyond it makes a run invalid.
    pub packet_interval_ms: f64,
    /// Datagrams that the kernel dropped because a receiving socket was full.
    pub socket_drops: u64,
    /// CPU seconds that it used.
    pub cpu_seconds: f64,
    /// Threads that sent and received.
    pub threads: usize,
    /// It kept up, so what is measured is the server's.
    pub valid: bool,
}

/// How many came, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participants {
    /// Those who were to join.
    pub asked: u64,
    /// Those whom the server let in.
    pub joined: u64,
    /// Those whose ICE and DTLS were done.
    pub connected: u64,
    /// Those to whom a packet came.
    pub received: u64,
}

/// Sizes of the packets of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketBytes {
    /// Bytes of the smallest payload.
    pub smallest: u64,
    /// Bytes of the largest payload.
    pub largest: u64,
}

/// One second of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Seconds since packets were counted.
    pub at: f64,
    /// Packets that came.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Delay, median; `null` in a second without a packet.
    pub delay_p50_ms: Option<f64>,
    /// Delay, 99th percentile.
    pub delay_p99_ms: Option<f64>,
    /// CPU seconds that the server's process used.
    pub server_cpu_seconds: Option<f64>,
    /// Its resident memory.
    pub server_rss_bytes: Option<u64>,
    /// Its open file descriptors.
    pub server_descriptors: Option<u64>,
    /// Participants connected.
    pub participants: u64,
}

/// Faults that are no packet's: refused joins, lost connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// How many there were.
    pub count: u64,
    /// The first few, for people.
    pub first: Vec<String>,
}

impl Report {
    /// The report of what was measured on a machine.
    pub fn new(measurements: Measurements, machine: Machine) -> Self {
        let ramp = Ramp::of(&measurements.steps);
        let delivery = Delivery::of(&measurements.delivery, measurements.counted.as_secs_f64());
        let generator = Generator::of(&measurements.generator, ramp.as_ref());
        let joins = &measurements.joins;
        let participants = Participants::of(joins);
        let times = |of: fn(&Join) -> Option<std::time::Duration>| Times::of(joins, of);
        let sizes = measurements.packet_bytes.iter().map(|sizes| {
            let (smallest, largest) = (sizes.smallest, sizes.largest);
            (sizes.kind.clone(), PacketBytes { smallest, largest })
        });
        Self {
            format: FORMAT,
            plenum_load: env!("CARGO_PKG_VERSION").to_owned(),
            ended_at: machine::now(),
            verdict: verdict(
                delivery.gate_passed,
                generator.valid,
                measurements.failure_count,
                ramp.as_ref(),
            ),
            interrupted: measurements.interrupted,
            counted_seconds: measurements.counted.as_secs_f64(),
            delivery,
            delay_ms: Delay::of(&measurements.delay_us),
            sound: Sound::of(&measurements.kinds),
            pictures: Pictures::of(&measurements.kinds),
            server: Server::of(&measurements, participants.received),
            generator,
            participants,
            join_ms: times(|join| join.joined),
            connected_ms: times(|join| join.connected),
            first_packet_ms: times(|join| join.first_packet),
            first_key_frame_ms: times(|join| join.first_key_frame),
            first_frame_ms: FirstFrame::of(joins),
            packet_bytes: sizes.collect(),
            seconds: measurements.seconds.iter().map(Second::of).collect(),
            ramp,
            failures: Failures {
                count: measurements.failure_count,
                first: measurements.failures,
            },
            machine,
            scenario: measurements.scenario,
            settings: measurements.settings.into_iter().collect(),
            srtp_profiles: measurements.srtp_profiles,
        }
    }

    /// The report as JSON, for programs.
    pub fn to_json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// What the program ends with, as `--help` says. A run that could not be done has no report, and ends
    /// with 1.
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Passed => 0,
            Verdict::FellShort => 2,
            Verdict::Invalid => 3,
        }
    }
}

fn verdict(gate_passed: bool, valid: bool, failures: u64, ramp: Option<&Ramp>) -> Verdict {
    let is_good = match ramp {
        // Losing packets in the end is what a ramp is for.
        Some(ramp) => ramp.capacity.is_some(),
        None => gate_passed && failures == 0,
    };
    match (valid, is_good) {
        (false, _) => Verdict::Invalid,
        (true, false) => Verdict::FellShort,
        (true, true) => Verdict::Passed,
    }
}

impl Delivery {
    fn of(delivery: &crate::measurements::Delivery, seconds: f64) -> Self {
        let per_second = |amount: f64| (seconds > 0.0).then(|| amount / seconds);
        let delivered = delivery.delivered;
        Self {
            offered: delivery.offered,
            delivered,
            lost: delivery.lost,
            duplicated: delivery.duplicated,
            reordered: delivery.reordered,
            damaged: delivery.damaged,
            gate_passed: passes_gate(delivery),
            packets_per_second: per_second(delivered as f64),
            mbit_per_second: per_second(delivery.delivered_bytes as f64 * 8e-6),
        }
    }
}

/// Exact delivery: something was offered, and all of it came once, in order and intact.
fn passes_gate(delivery: &crate::measurements::Delivery) -> bool {
    let faults = [
        delivery.lost,
        delivery.duplicated,
        delivery.reordered,
        delivery.damaged,
    ];
    // The second says the same as nothing lost, by another count.
    delivery.offered > 0 && delivery.delivered == delivery.offered && faults == [0; 4]
}

impl Generator {
    fn of(generator: &crate::measurements::Generator, ramp: Option<&Ramp>) -> Self {
        let lag = &generator.lag_us;
        let lag_ms = |us: u64| (!lag.is_empty()).then_some(us as f64 / 1e3);
        let packet_interval_ms = generator.packet_interval.as_secs_f64() * 1e3;
        let max_lag_ms = lag_ms(lag.max());
        // The one latest packet decides, not a percentile: who trusts a run wants to know that no delay
        // in it was the generator's.
        let is_punctual = match ramp {
            // In a ramp some step is too much for somebody; each is judged for itself.
            Some(ramp) => ramp.steps.iter().all(|step| step.valid),
            None => max_lag_ms.is_some_and(|max| max <= packet_interval_ms),
        };
        Self {
            max_lag_ms,
            p999_lag_ms: lag_ms(lag.value_at_quantile(0.999)),
            packet_interval_ms,
            socket_drops: generator.socket_drops,
            cpu_seconds: generator.cpu_seconds,
            threads: generator.threads,
            valid: is_punctual && generator.socket_drops == 0,
        }
    }
}

impl Participants {
    fn of(joins: &[Join]) -> Self {
        let count = |has: fn(&Join) -> bool| joins.iter().filter(|join| has(join)).count() as u64;
        Self {
            asked: joins.len() as u64,
            joined: count(|join| join.joined.is_some()),
            connected: count(|join| join.connected.is_some()),
            received: count(|join| join.first_packet.is_some()),
        }
    }
}

impl Second {
    fn of(second: &crate::measurements::Second) -> Self {
        let delay_ms = |us: u64| (second.packets > 0).then_some(us as f64 / 1e3);
        Self {
            at: second.at,
            packets: second.packets,
            bytes: second.bytes,
            delay_p50_ms: delay_ms(second.delay_p50_us),
            delay_p99_ms: delay_ms(second.delay_p99_us),
            server_cpu_seconds: second.server_cpu_seconds,
            server_rss_bytes: second.server_rss_bytes,
            server_descriptors: second.server_descriptors,
            participants: second.participants,
        }
    }
}
