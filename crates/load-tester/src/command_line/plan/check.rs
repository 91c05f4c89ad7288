//! From arguments to a run; or to a sentence that says which of them do not go together.

use std::time::Duration;

use super::{Key, Run, Scenario, Video};
use crate::command_line::arguments::{
    MediaArguments, MediaKind, People, RunArguments, ScenarioName, ServerKind,
};

/// A server admits 20 joins per second from one address unless it is told otherwise.
const JOIN_RATE: f64 = 15.0;
/// Seconds that packets are counted, and in each step of a ramp.
const DURATION: u64 = 20;
const STEP_DURATION: u64 = 5;

impl Run {
    /// The arguments, if they go together; else a sentence that says why not.
    pub(in super::super) fn check(arguments: RunArguments) -> Result<Self, String> {
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
