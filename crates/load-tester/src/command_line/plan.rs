//! One run, as asked for: complete. It is carried out elsewhere; which arguments make one is in `check`.

mod check;

use std::path::PathBuf;
use std::time::Duration;

use super::arguments::{Codec, Feedback, ScenarioName, ServerKind};

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What the participants do.
    pub scenario: Scenario,
    /// Where the server is: `http://127.0.0.1:8080`.
    pub url: String,
    /// Which protocol it speaks.
    pub server: ServerKind,
    /// What tokens are signed with. `None`: the server's development mode gives them.
    pub key: Option<Key>,
    /// How long packets are counted, everybody having joined; of each step in `ramp`.
    pub duration: Duration,
    /// Publishers send sound.
    pub audio: bool,
    /// Publishers send pictures.
    pub video: Option<Video>,
    /// How many join per second before packets are counted.
    pub join_rate: f64,
    /// What receivers tell the server besides receiver reports.
    pub feedback: Feedback,
    /// Let the kernel hand over packets in bundles.
    pub gro: bool,
    /// Threads that receive.
    pub receive_threads: usize,
    /// What random choices begin from.
    pub seed: u64,
    /// The server's process on this machine.
    pub pid: Option<u32>,
    /// Where to write the report as JSON.
    pub json: Option<PathBuf>,
    /// Where to write the report as a page.
    pub html: Option<PathBuf>,
}

/// What the participants do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scenario {
    /// One publisher, N subscribers.
    Fanout {
        /// N.
        subscribers: usize,
    },
    /// Rooms of people who all see each other.
    Rooms {
        /// How many rooms.
        rooms: usize,
        /// People in each.
        participants: usize,
    },
    /// Some speak to many.
    Audio {
        /// Who speak.
        speakers: usize,
        /// Who listen.
        subscribers: usize,
    },
    /// One tutor, and students with cameras: the tutor sees all, all see the tutor.
    Classroom {
        /// How many students.
        students: usize,
    },
    /// People come and go, rooms appear and vanish.
    Churn {
        /// Rooms at any time.
        rooms: usize,
        /// People in each.
        participants: usize,
        /// How many come per second; as many leave.
        joins_per_second: f64,
    },
    /// One publisher, and subscribers who come one by one.
    LateJoin {
        /// Subscribers there from the start.
        subscribers: usize,
        /// How many come per second.
        joins_per_second: f64,
    },
    /// One publisher, N subscribers who join within one second.
    Storm {
        /// N.
        subscribers: usize,
    },
    /// One publisher, more and more subscribers, until packets are lost.
    Ramp {
        /// Subscribers of the first step.
        from: usize,
        /// Subscribers that each further step adds.
        step: usize,
        /// The most that are tried.
        most: usize,
    },
}

/// What tokens are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// The key's name.
    pub name: String,
    /// Its secret.
    pub secret: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Key({})", self.name)
    }
}

/// What a video track is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Video {
    /// Bits per second.
    pub bitrate: u64,
    /// Bytes of a full packet's payload.
    pub packet_bytes: usize,
    /// Pictures per second.
    pub frames_per_second: u32,
    /// Between key frames that nobody asked for.
    pub key_frame_interval: Duration,
    /// What the payloads look like.
    pub codec: Codec,
    /// Each picture in three sizes.
    pub simulcast: bool,
}

impl Run {
    /// The settings, in the order in which a report shows them: `("subscribers", "100")`. Secrets are none.
    pub fn settings(&self) -> Vec<(String, String)> {
        let mut settings = self.scenario.settings();
        settings.push(("duration_s", self.duration.as_secs().to_string()));
        let media = match (self.audio, self.video) {
            (true, Some(_)) => "both",
            (true, None) => "audio",
            (false, _) => "video",
        };
        settings.push(("media", media.to_owned()));
        if let Some(video) = self.video {
            settings.push(("codec", format!("{:?}", video.codec).to_lowercase()));
            settings.push(("bitrate", video.bitrate.to_string()));
            settings.push(("packet_bytes", video.packet_bytes.to_string()));
            settings.push(("frames_per_second", video.frames_per_second.to_string()));
            let interval = video.key_frame_interval.as_secs();
            settings.push(("key_frame_interval_s", interval.to_string()));
            settings.push(("simulcast", video.simulcast.to_string()));
        }
        if !matches!(self.scenario, Scenario::Storm { .. }) {
            settings.push(("join_rate", self.join_rate.to_string()));
        }
        let feedback = match self.feedback {
            Feedback::None => "none",
            Feedback::TransportCc => "transport-cc",
        };
        settings.push(("feedback", feedback.to_owned()));
        settings.push(("gro", self.gro.to_string()));
        settings.push(("receive_threads", self.receive_threads.to_string()));
        settings.push(("seed", self.seed.to_string()));
        let named = settings.into_iter();
        named
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

impl Scenario {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fanout { .. } => ScenarioName::Fanout,
            Self::Rooms { .. } => ScenarioName::Rooms,
            Self::Audio { .. } => ScenarioName::Audio,
            Self::Classroom { .. } => ScenarioName::Classroom,
            Self::Churn { .. } => ScenarioName::Churn,
            Self::LateJoin { .. } => ScenarioName::LateJoin,
            Self::Storm { .. } => ScenarioName::Storm,
            Self::Ramp { .. } => ScenarioName::Ramp,
        }
        .as_str()
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let number = |name, value: usize| (name, value.to_string());
        match *self {
            Self::Fanout { subscribers } | Self::Storm { subscribers } => {
                vec![number("subscribers", subscribers)]
            }
            Self::Rooms {
                rooms,
                participants,
            } => vec![number("rooms", rooms), number("participants", participants)],
            Self::Audio {
                speakers,
                subscribers,
            } => vec![
                number("speakers", speakers),
                number("subscribers", subscribers),
            ],
            Self::Classroom { students } => vec![number("students", students)],
            Self::Churn {
                rooms,
                participants,
                joins_per_second,
            } => vec![
                number("rooms", rooms),
                number("participants", participants),
                ("joins_per_second", joins_per_second.to_string()),
            ],
            Self::LateJoin {
                subscribers,
                joins_per_second,
            } => vec![
                number("subscribers", subscribers),
                ("joins_per_second", joins_per_second.to_string()),
            ],
            Self::Ramp { from, step, most } => vec![
                number("from", from),
                number("step", step),
                number("subscribers", most),
            ],
        }
    }
}
