//! One run, as asked for: complete, and of arguments that go together. It is carried out elsewhere.

use std::path::PathBuf;
use std::time::Duration;

use super::arguments::{
    Codec, Feedback, MediaArguments, MediaKind, People, RunArguments, ScenarioName, ServerKind,
};

/// A server admits 20 joins per second from one address unless it is told otherwise.
const JOIN_RATE: f64 = 15.0;
/// Seconds that packets are counted, and in each step of a ramp.
const DURATION: u64 = 20;
const STEP_DURATION: u64 = 5;

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

    /// The arguments, if they go together; else a sentence that says why not.
    pub(super) fn check(arguments: RunArguments) -> Result<Self, String> {
        let scenario = Scenario::check(arguments.scenario, &arguments.people)?;
        let is_ramp = matches!(scenario, Scenario::Ramp { .. });
        let duration = arguments.duration;
        let duration = duration.unwrap_or(if is_ramp { STEP_DURATION } else { DURATION });
        let (audio, video) = check_media(scenario, &arguments.media)?;
        check_url(&arguments.url, arguments.server)?;
        if arguments.server == ServerKind::Janus && arguments.key.is_some() {
            return Err(
                "--key and --secret are for Plenum: Janus asks for no token here".to_owned(),
            );
        }
        Ok(Self {
            scenario,
            url: arguments.url,
            server: arguments.server,
            key: match (arguments.key, arguments.secret) {
                (Some(name), Some(secret)) => Some(Key { name, secret }),
                _ => None, // clap asks for both or none
            },
            duration: Duration::from_secs(duration),
            audio,
            video,
            join_rate: arguments.people.join_rate.unwrap_or(JOIN_RATE),
            feedback: arguments.generator.feedback,
            gro: arguments.generator.gro,
            receive_threads: arguments.generator.receive_threads as usize,
            seed: arguments.generator.seed,
            pid: arguments.pid,
            json: arguments.json,
            html: arguments.html,
        })
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

    fn check(name: ScenarioName, people: &People) -> Result<Self, String> {
        let mut people = Asked::of(people);
        let scenario = match name {
            ScenarioName::Fanout => Self::Fanout {
                subscribers: people.number("--subscribers", 100),
            },
            ScenarioName::Rooms => Self::Rooms {
                rooms: people.number("--rooms", 8),
                participants: people.number("--participants", 4),
            },
            ScenarioName::Audio => Self::Audio {
                speakers: people.number("--speakers", 3),
                subscribers: people.number("--subscribers", 100),
            },
            ScenarioName::Classroom => Self::Classroom {
                students: people.number("--students", 20),
            },
            ScenarioName::Churn => Self::Churn {
                rooms: people.number("--rooms", 4),
                participants: people.number("--participants", 4),
                joins_per_second: people.rate("--joins-per-second", 2.0),
            },
            ScenarioName::LateJoin => Self::LateJoin {
                subscribers: people.number("--subscribers", 10),
                joins_per_second: people.rate("--joins-per-second", 1.0),
            },
            ScenarioName::Storm => Self::Storm {
                subscribers: people.number("--subscribers", 100),
            },
            ScenarioName::Ramp => Self::Ramp {
                from: people.number("--from", 50),
                step: people.number("--step", 50),
                most: people.number("--subscribers", 1_000),
            },
        };
        if name != ScenarioName::Storm {
            people.rate("--join-rate", JOIN_RATE);
        }
        people.nothing_is_left(name)?;
        if let Self::Ramp { from, most, .. } = scenario
            && from > most
        {
            return Err(format!(
                "the ramp would begin with {from} subscribers, above its end of {most}: lower --from or raise --subscribers"
            ));
        }
        Ok(scenario)
    }
}

/// The numbers of people that were given, by their flags; those that a scenario takes are taken out.
struct Asked {
    given: Vec<(&'static str, f64)>,
    known: Vec<&'static str>,
}

impl Asked {
    fn of(people: &People) -> Self {
        let number = |value: Option<u64>| value.map(|value| value as f64);
        let flags = [
            ("--subscribers", number(people.subscribers)),
            ("--rooms", number(people.rooms)),
            ("--participants", number(people.participants)),
            ("--speakers", number(people.speakers)),
            ("--students", number(people.students)),
            ("--joins-per-second", people.joins_per_second),
            ("--from", number(people.from)),
            ("--step", number(people.step)),
            ("--join-rate", people.join_rate),
        ];
        let given = flags.into_iter();
        Self {
            given: given
                .filter_map(|(flag, value)| Some((flag, value?)))
                .collect(),
            known: Vec::new(),
        }
    }

    fn rate(&mut self, flag: &'static str, default: f64) -> f64 {
        self.known.push(flag);
        let place = self.given.iter().position(|(given, _)| *given == flag);
        place.map_or(default, |place| self.given.remove(place).1)
    }

    fn number(&mut self, flag: &'static str, default: usize) -> usize {
        self.rate(flag, default as f64) as usize
    }

    fn nothing_is_left(self, name: ScenarioName) -> Result<(), String> {
        match self.given.first() {
            None => Ok(()),
            Some((flag, _)) => Err(format!(
                "{flag} says nothing in the scenario {}, which takes {}",
                name.as_str(),
                self.known.join(", ")
            )),
        }
    }
}

fn check_media(
    scenario: Scenario,
    media: &MediaArguments,
) -> Result<(bool, Option<Video>), String> {
    let kind = media.media.unwrap_or(match scenario {
        Scenario::Audio { .. } => MediaKind::Audio,
        Scenario::Rooms { .. } | Scenario::Classroom { .. } | Scenario::Churn { .. } => {
            MediaKind::Both
        }
        _ => MediaKind::Video,
    });
    if matches!(scenario, Scenario::Audio { .. }) && kind != MediaKind::Audio {
        return Err("the scenario audio sends sound alone: leave --media out".to_owned());
    }
    if kind == MediaKind::Audio && media.simulcast {
        return Err("--simulcast is for pictures, and only sound is sent".to_owned());
    }
    let video = (kind != MediaKind::Audio).then_some(Video {
        bitrate: media.bitrate,
        packet_bytes: media.packet_bytes as usize,
        frames_per_second: media.frames_per_second as u32,
        key_frame_interval: Duration::from_secs(media.key_frame_interval),
        codec: media.codec,
        simulcast: media.simulcast,
    });
    Ok((kind != MediaKind::Video, video))
}

fn check_url(url: &str, server: ServerKind) -> Result<(), String> {
    let (schemes, example) = match server {
        ServerKind::Plenum => (["http://", "https://"], "http://127.0.0.1:8080"),
        ServerKind::Janus => (["ws://", "wss://"], "ws://192.0.2.1:8188"),
    };
    let host = schemes.iter().find_map(|scheme| url.strip_prefix(scheme));
    match host {
        Some(host) if host.starts_with(|c: char| c.is_alphanumeric() || c == '[') => Ok(()),
        _ => Err(format!(
            "--url {url} is no address of such a server: write it as {example}"
        )),
    }
}
