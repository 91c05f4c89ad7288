//! What one run measured, as plain numbers: scenarios fill it in, the report writes it out. It judges
//! nothing.

use std::ops::AddAssign;
use std::time::Duration;

use hdrhistogram::Histogram;

/// What one run measured.
#[derive(Clone, Debug)]
pub struct Measurements {
    /// The scenario's name.
    pub scenario: String,
    /// Its settings, in the order in which they are to be shown: `("subscribers", "100")`.
    pub settings: Vec<(String, String)>,
    /// The server, in its own words: `Plenum 0.1.0`, `Janus 1.1.2`.
    pub server: String,
    /// The address it was reached at.
    pub url: String,
    /// The SRTP profiles in use: `AEAD_AES_128_GCM`. More than one only if connections differ.
    pub srtp_profiles: Vec<String>,
    /// How long packets were counted.
    pub counted: Duration,
    /// The run was ended early, by a person.
    pub interrupted: bool,
    /// Each participant that was to join.
    pub joins: Vec<Join>,
    /// Faults that are no packet's: refused joins, lost connections. The first few, for people.
    pub failures: Vec<String>,
    /// How many faults there were.
    pub failure_count: u64,
    /// What became of the packets.
    pub delivery: Delivery,
    /// Microseconds from a packet's sending to its receipt, both by the generator's clock: what the server
    /// and the loopback add.
    pub delay_us: Histogram<u64>,
    /// The same of sound alone, and of pictures.
    pub kinds: Kinds,
    /// One entry a second while packets were counted, oldest first.
    pub seconds: Vec<Second>,
    /// The generator's own behaviour.
    pub generator: Generator,
    /// Bytes of the RTP payloads sent: smallest and largest, per kind.
    pub packet_bytes: Vec<PacketBytes>,
    /// The server's process, if it was named.
    pub process: Option<Process>,
    /// For `ramp`: each step, in order. Empty elsewhere.
    pub steps: Vec<Step>,
}

/// How long one participant's joining took, from the decision to join. `None`: it never came to that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Join {
    /// The server let it in.
    pub joined: Option<Duration>,
    /// ICE and DTLS were done.
    pub connected: Option<Duration>,
    /// The first media packet came, for those who receive.
    pub first_packet: Option<Duration>,
    /// The first key frame was whole, for those who receive pictures.
    pub first_key_frame: Option<Duration>,
}

/// Sound and pictures, told apart: what of them came how.
#[derive(Clone, Debug)]
pub struct Kinds {
    /// The packets of sound.
    pub sound: Delivery,
    /// Microseconds from their sending to their receipt.
    pub sound_delay_us: Histogram<u64>,
    /// Frames of video of which every packet came, and all that they build on: once for each receiver.
    pub whole_frames: u64,
    /// Frames that came in part, or without what they build on.
    pub broken_frames: u64,
}

impl Default for Kinds {
    fn default() -> Self {
        Self {
            sound: Delivery::default(),
            sound_delay_us: histogram(),
            whole_frames: 0,
            broken_frames: 0,
        }
    }
}

/// What became of the packets that were sent while they were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// Packets that came with other bytes than were sent, or were nobody's.
    pub damaged: u64,
    /// Bytes of RTP payload that came.
    pub delivered_bytes: u64,
}

impl AddAssign for Delivery {
    fn add_assign(&mut self, other: Self) {
        self.offered += other.offered;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.damaged += other.damaged;
        self.delivered_bytes += other.delivered_bytes;
    }
}

/// One second of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Second {
    /// Seconds since packets were counted.
    pub at: f64,
    /// Packets that came.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Delay, median.
    pub delay_p50_us: u64,
    /// Delay, 99th percentile.
    pub delay_p99_us: u64,
    /// CPU seconds that the server's process used.
    pub server_cpu_seconds: Option<f64>,
    /// Its resident memory.
    pub server_rss_bytes: Option<u64>,
    /// Its open file descriptors.
    pub server_descriptors: Option<u64>,
    /// Participants connected.
    pub participants: u64,
}

/// The generator's own behaviour. One that lags measures itself.
#[derive(Clone, Debug)]
pub struct Generator {
    /// Microseconds that packets left later than they were due, and that receiving threads took from one
    /// look at their sockets to the next.
    pub lag_us: Histogram<u64>,
    /// The shortest interval between two packets of one track: lag beyond it makes a run invalid.
    pub packet_interval: Duration,
    /// CPU seconds that the generator used while packets were counted.
    pub cpu_seconds: f64,
    /// Datagrams that the kernel dropped because a receiving socket was full.
    pub socket_drops: u64,
    /// Threads that sent and received.
    pub threads: usize,
}

/// Sizes of the packets of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketBytes {
    /// `video` or `audio`.
    pub kind: String,
    /// Bytes of the smallest payload.
    pub smallest: u64,
    /// Bytes of the largest payload.
    pub largest: u64,
}

/// What the server's process used while packets were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// CPU seconds, user and system, of all its threads.
    pub cpu_seconds: f64,
    /// Resident memory before the first participant joined.
    pub rss_idle_bytes: u64,
    /// The most resident memory.
    pub rss_peak_bytes: u64,
    /// Resident memory at the end of counting, everybody still there.
    pub rss_bytes: u64,
}

/// One step of a `ramp`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Subscribers.
    pub subscribers: u64,
    /// What became of the packets in this step.
    pub delivery: Delivery,
    /// Delay, 99th percentile.
    pub delay_p99_us: u64,
    /// CPU microseconds of the server for each packet that came, if its process was named.
    pub server_cpu_us_per_packet: Option<f64>,
    /// The generator kept up.
    pub valid: bool,
}

/// An empty histogram from 1 µs to 60 s, exact to a thousandth.
pub fn histogram() -> Histogram<u64> {
    // The bounds are constants within what the crate allows.
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are in order")
}
