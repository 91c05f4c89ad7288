//! The arguments as clap reads them, one by one: their names, their values, their help. Which go together
//! is not decided here.

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

const EXIT_CODES: &str = "\
Exit codes:
  0  the run is valid, every packet came exactly once and in order, and everybody who was to join did
  1  the run could not be done: wrong arguments, nobody answers, a wrong token, the server ended
  2  the run is valid, and the server fell short: packets lost, doubled, reordered or damaged, or joins failed
  3  the run is invalid: the generator itself was late or lost packets, and nothing is said of the server";

const EXAMPLES: &str = "\
Examples:
  A server in development mode on this machine, which needs no key (`make run` starts one):
    plenum-load run --scenario fanout --url http://127.0.0.1:8080 --subscribers 100 --duration 20

  The same, with what the server's process uses, and a page with plots:
    plenum-load run --scenario fanout --subscribers 100 --pid $(pidof plenum) --html report.html

  Eight rooms of four people, sound and picture, on a server with keys of its own:
    plenum-load run --scenario rooms --rooms 8 --participants 4 --key KEY --secret SECRET

  How many subscribers the server carries:
    plenum-load run --scenario ramp --from 50 --step 50 --subscribers 1000 --join-rate 200

A server admits at most 20 joins per second and 256 connections from one address unless it is told otherwise:
for more, raise joins_per_address_per_second and connections_per_address under [limits] of its configuration,
and then --join-rate.";

/// Puts a WebRTC media server under load, and says what became of every packet.
#[derive(Parser, Debug)]
#[command(name = "plenum-load", version, after_help = EXIT_CODES, max_term_width = 110)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) subcommand: Subcommand,
}

#[derive(clap::Subcommand, Debug)]
pub(super) enum Subcommand {
    /// Run a scenario against a server, and report.
    Run(Box<RunArguments>),
    /// Say which scenarios there are.
    List,
    /// Make one table in Markdown of several JSON reports: medians and ranges, a column for each server.
    Compare(CompareArguments),
}

#[derive(Args, Debug)]
pub(super) struct CompareArguments {
    /// JSON reports. Those of the same scenario and settings make one table, those of the same server one
    /// column.
    #[arg(required = true)]
    pub(super) reports: Vec<PathBuf>,
}

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct RunArguments {
    /// What the participants do.
    #[arg(long, value_name = "NAME")]
    pub(super) scenario: ScenarioName,
    /// Where the server is: http:// for Plenum, ws:// for Janus.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub(super) url: String,
    /// Which server's protocol is spoken.
    #[arg(long, value_name = "KIND", default_value = "plenum")]
    pub(super) server: ServerKind,
    /// The name of one of the server's keys. Left out: the server's development mode gives the tokens.
    #[arg(long, requires = "secret")]
    pub(super) key: Option<String>,
    /// The secret of that key.
    #[arg(long, requires = "key")]
    pub(super) secret: Option<String>,
    /// Seconds that packets are counted, everybody having joined; of each step in `ramp`. 20; in `ramp` 5.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) duration: Option<u64>,
    /// The process of the server, if it runs on this machine: its CPU and memory are measured.
    #[arg(long)]
    pub(super) pid: Option<u32>,
    /// Write the report as JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write the report as a page with plots.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,

    #[command(flatten, next_help_heading = "Who takes part")]
    pub(super) people: People,
    #[command(flatten, next_help_heading = "What is sent")]
    pub(super) media: MediaArguments,
    #[command(flatten, next_help_heading = "The generator")]
    pub(super) generator: GeneratorArguments,
}

/// An upper bound for every number of people: sockets of one machine.
const MOST_PEOPLE: u64 = 20_000;

#[derive(Args, Debug)]
pub(super) struct People {
    /// Subscribers: fanout, audio, storm (100); those there from the start in late-join (10); the most
    /// that are tried in ramp (1000).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST_PEOPLE))]
    pub(super) subscribers: Option<u64>,
    /// Rooms: rooms (8), churn (4).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST_PEOPLE))]
    pub(super) rooms: Option<u64>,
    /// People in each room, all of whom see each other: rooms (4), churn (4).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=1_000))]
    pub(super) participants: Option<u64>,
    /// People who speak: audio (3).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(super) speakers: Option<u64>,
    /// Students with cameras: classroom (20).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(super) students: Option<u64>,
    /// How often somebody comes while packets are counted: churn (2), late-join (1).
    #[arg(long, value_name = "RATE", value_parser = positive)]
    pub(super) joins_per_second: Option<f64>,
    /// Subscribers of the first step: ramp (50).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST_PEOPLE))]
    pub(super) from: Option<u64>,
    /// Subscribers that each further step adds: ramp (50).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST_PEOPLE))]
    pub(super) step: Option<u64>,
    /// How many join per second before packets are counted; not in storm.
    #[arg(long, value_name = "RATE", value_parser = positive)]
    pub(super) join_rate: Option<f64>,
}

#[derive(Args, Debug)]
pub(super) struct MediaArguments {
    /// What publishers send. Both in rooms, classroom and churn, audio in audio, else video.
    #[arg(long, value_name = "KIND")]
    pub(super) media: Option<MediaKind>,
    /// Bits per second of each video track, as 2500000, 2500k or 2.5M.
    #[arg(long, value_name = "BITS", default_value = "2.5M", value_parser = bits)]
    pub(super) bitrate: u64,
    /// Bytes of a full video packet's payload.
    #[arg(long, value_name = "BYTES", default_value_t = 1_100, value_parser = clap::value_parser!(u64).range(100..=1_200))]
    pub(super) packet_bytes: u64,
    /// Pictures per second; the packets of one leave together, as a camera's do.
    #[arg(long, value_name = "RATE", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=120))]
    pub(super) frames_per_second: u64,
    /// Seconds between key frames that nobody asked for.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(super) key_frame_interval: u64,
    /// What the payloads look like.
    #[arg(long, default_value = "vp8")]
    pub(super) codec: Codec,
    /// Send each picture in three sizes.
    #[arg(long)]
    pub(super) simulcast: bool,
}

#[derive(Args, Debug)]
pub(super) struct GeneratorArguments {
    /// What receivers tell the server besides receiver reports.
    #[arg(long, value_name = "KIND", default_value = "none")]
    pub(super) feedback: Feedback,
    /// Let the kernel hand over a server's packets in bundles. Cheaper for the generator, and on one
    /// machine for the server too, which it would not be towards strangers: for loads that do not fit else.
    #[arg(long)]
    pub(super) gro: bool,
    /// Threads that receive.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(super) receive_threads: u64,
    /// What the random choices of a run begin from, so that it can be repeated.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
}

/// The scenarios' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScenarioName {
    /// One publisher, N subscribers
    Fanout,
    /// R rooms of P people, all to all
    Rooms,
    /// P people speak to N listeners
    Audio,
    /// One tutor and N students with cameras: the tutor sees all, all see the tutor
    Classroom,
    /// People come and go all the time, rooms appear and vanish
    Churn,
    /// A new subscriber every second: how long until connected, first packet and first key frame
    LateJoin,
    /// N subscribers join within one second
    Storm,
    /// More and more subscribers, until packets are lost: the server's capacity
    Ramp,
}

impl ScenarioName {
    /// As on the command line: `late-join`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fanout => "fanout",
            Self::Rooms => "rooms",
            Self::Audio => "audio",
            Self::Classroom => "classroom",
            Self::Churn => "churn",
            Self::LateJoin => "late-join",
            Self::Storm => "storm",
            Self::Ramp => "ramp",
        }
    }

    /// What it does, in a sentence.
    pub(super) fn sentence(self) -> String {
        let value = self.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help());
        help.map(ToString::to_string).unwrap_or_default()
    }
}

/// The servers whose protocols are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ServerKind {
    /// Plenum
    Plenum,
    /// Janus with its videoroom plugin, over its WebSocket
    Janus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum MediaKind {
    /// Pictures
    Video,
    /// Sound: 50 packets per second, in Opus' size
    Audio,
    /// Both
    Both,
}

/// The codec whose payloads are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Codec {
    /// VP8
    Vp8,
    /// H.264
    H264,
}

/// What receivers tell the server besides receiver reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Feedback {
    /// Nothing
    None,
    /// When each packet came, as congestion control needs it
    TransportCc,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.01..=100_000.0).contains(&rate) => Ok(rate),
        _ => Err("a number from 0.01 to 100000".to_owned()),
    }
}

fn bits(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1e3),
        None => match text.strip_suffix('M') {
            Some(number) => (number, 1e6),
            None => (text, 1.0),
        },
    };
    match number.parse::<f64>() {
        Ok(number) if (10e3..=100e6).contains(&(number * unit)) => Ok((number * unit) as u64),
        _ => Err("bits per second from 10k to 100M, as 2500000, 2500k or 2.5M".to_owned()),
    }
}
