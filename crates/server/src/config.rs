//! What an operator may set: every key with its default, and what may not go together. Where the values
//! come from is in `config/layers.rs`.

mod layers;
mod limits;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub(crate) use layers::{Arguments, Subcommand, load};
pub(crate) use limits::Limits;

use crate::keys::{Keys, SECRET_CHARACTERS};
use crate::sight::Sight;
use crate::webhooks::{Network, Webhook};

/// Everything that an operator may set. `config/plenum.toml` says what each key means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) http: SocketAddr,
    pub(crate) udp_port: u16,
    #[serde(with = "empty_or")]
    pub(crate) public_ip: Option<IpAddr>,
    /// 0: one for each core.
    pub(crate) workers: usize,
    /// 0: a room never spills over.
    pub(crate) room_peers_per_worker: usize,
    pub(crate) socket_buffer_bytes: usize,
    pub(crate) data_dir: PathBuf,
    /// `postgres://…`; `None`: SQLite, in `data_dir`.
    #[serde(with = "empty_or")]
    pub(crate) database_url: Option<DatabaseUrl>,
    /// How long ended sessions are kept. 0: for ever.
    pub(crate) retention_days: u32,
    pub(crate) log_format: LogFormat,
    /// A filter as `tracing-subscriber` reads it: `info,media=debug`.
    pub(crate) log: String,
    /// Origins whose pages may open a WebSocket; empty: all.
    pub(crate) allowed_origins: Vec<String>,
    /// What those without a token see of the rooms that are live.
    pub(crate) public_listing: Sight,
    /// Where events are told.
    pub(crate) webhooks: Vec<Webhook>,
    /// Networks that are not public, and yet may be told events.
    pub(crate) webhook_allowed_networks: Vec<Network>,
    pub(crate) keys: Keys,
    pub(crate) limits: Limits,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The address of a PostgreSQL database, which has a password in it: printed for debugging it shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DatabaseUrl(String);

impl DatabaseUrl {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_postgres = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        match is_postgres {
            true => Ok(Self(text.to_owned())),
            false => Err(
                "database_url must begin with postgres:// (postgres://user:password@host/database); \
                 without one Plenum keeps an SQLite file in data_dir",
            ),
        }
    }
}

/// For the table of known keys, which has the defaults alone.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a PostgreSQL database")
    }
}

/// A worker's number is a byte of each ICE username.
const MOST_WORKERS: usize = 64;

impl Default for Config {
    fn default() -> Self {
        Self {
            http: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            udp_port: 7882,
            public_ip: None,
            workers: 0,
            room_peers_per_worker: 200,
            socket_buffer_bytes: 4 * 1024 * 1024,
            data_dir: "data".into(),
            database_url: None,
            retention_days: 90,
            log_format: LogFormat::Text,
            // rtc-dtls warns of each extension of a browser that it does not know.
            log: "info,rtc_dtls=error".into(),
            allowed_origins: Vec::new(),
            public_listing: Sight::People,
            webhooks: Vec::new(),
            webhook_allowed_networks: Vec::new(),
            keys: Keys::default(),
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// Without keys there is nobody who could sign a token: the server signs them itself, for whoever
    /// asks, and therefore listens on loopback alone.
    pub(crate) fn is_development(&self) -> bool {
        self.keys.is_empty()
    }

    /// Workers to start.
    pub(crate) fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism()
                .map_or(1, |cores| cores.get().min(MOST_WORKERS)),
            workers => workers,
        }
    }

    /// What may not go together, in words that say what to do.
    fn check(&self) -> Result<(), String> {
        self.check_development()?;
        for key in self.keys.names() {
            if key.is_empty() {
                return Err("an API key in [keys] has no name".into());
            }
            if self.keys.secret(key).is_none() {
                return Err(format!("API key {key:?} has no secret"));
            }
            let mut secrets = self.keys.secrets(key);
            if secrets.any(|secret| secret.chars().count() < SECRET_CHARACTERS) {
                return Err(format!(
                    "a secret of API key {key:?} has fewer than {SECRET_CHARACTERS} characters, and could be \
                     guessed; `plenum make-key` makes a good one"
                ));
            }
        }
        self.check_webhooks()?;
        if self.workers > MOST_WORKERS {
            return Err(format!(
                "workers is {}, but may be {MOST_WORKERS} at most",
                self.workers
            ));
        }
        let last_port = usize::from(self.udp_port) + self.worker_count() - 1;
        if last_port > usize::from(u16::MAX) {
            return Err(format!(
                "udp_port is {}, and each of the {} workers takes the next port: that ends beyond 65535",
                self.udp_port,
                self.worker_count()
            ));
        }
        // What ends something is written down even then, and needs room.
        if self.limits.waiting_commands > store::MOST_WAITING / 2 {
            return Err(format!(
                "limits.waiting_commands is {}, but may be {} at most",
                self.limits.waiting_commands,
                store::MOST_WAITING / 2
            ));
        }
        self.limits.check()
    }

    fn check_webhooks(&self) -> Result<(), String> {
        if self.webhooks.len() > store::MOST_TARGETS {
            return Err(format!(
                "there may be {} webhooks at most",
                store::MOST_TARGETS
            ));
        }
        for (index, webhook) in self.webhooks.iter().enumerate() {
            webhook.check(&self.keys)?;
            let mut before = self.webhooks.iter().take(index);
            if before.any(|other| other.url == webhook.url) {
                return Err(format!("webhook {:?} is there twice", webhook.url));
            }
        }
        Ok(())
    }

    fn check_development(&self) -> Result<(), String> {
        if !self.is_development() {
            return Ok(());
        }
        let why = "no API keys are configured, so Plenum is in development mode, makes access tokens for \
                   whoever asks, and listens on loopback alone";
        let what = "Make a key with `plenum make-key` and put it under [keys] of the file given with --config \
                    (or into PLENUM_KEYS)";
        if !self.http.ip().is_loopback() {
            return Err(format!(
                "http is {}, but {why}. {what}, or leave http at 127.0.0.1.",
                self.http
            ));
        }
        match self.public_ip {
            Some(address) if !address.is_loopback() => Err(format!(
                "public_ip is {address}, but {why}. {what}, or leave public_ip out."
            )),
            _ => Ok(()),
        }
    }
}

/// An optional value whose absence is an empty text, so that every key can stand in the reference file
/// and an empty variable (as docker-compose makes them) means "not set".
mod empty_or {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_str(""),
        }
    }

    pub(super) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = String::deserialize(from)?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_order() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn development_mode_refuses_to_listen_elsewhere_and_says_how_to_make_keys() {
        let open = Config {
            http: SocketAddr::from(([0, 0, 0, 0], 8080)),
            ..Config::default()
        };
        let public = Config {
            public_ip: Some(IpAddr::from([192, 0, 2, 1])),
            ..Config::default()
        };
        for config in [open, public] {
            let refusal = config.check().unwrap_err();
            assert!(
                refusal.contains("development mode") && refusal.contains("make-key"),
                "{refusal}"
            );
            let keys = Keys::from([("key", "0123456789abcdef0123456789abcdef")]);
            assert_eq!(Config { keys, ..config }.check(), Ok(()));
        }
    }

    #[test]
    fn a_secret_that_could_be_guessed_is_refused_and_not_shown() {
        let keys = Keys::from([("key", "hunter2")]);
        let refusal = Config {
            keys,
            ..Config::default()
        }
        .check()
        .unwrap_err();
        assert!(
            refusal.contains("32 characters") && !refusal.contains("hunter2"),
            "{refusal}"
        );
    }

    #[test]
    fn ports_and_workers_that_cannot_be_are_refused() {
        assert!(
            Config {
                udp_port: 65_535,
                workers: 2,
                ..Config::default()
            }
            .check()
            .is_err()
        );
        assert!(
            Config {
                workers: MOST_WORKERS + 1,
                ..Config::default()
            }
            .check()
            .is_err()
        );
        assert!(
            Config {
                udp_port: 65_535,
                workers: 1,
                ..Config::default()
            }
            .check()
            .is_ok()
        );
    }
}
