//! Where a value comes from: a flag, else the environment, else the file, else the default. Whatever is
//! given under a name that nobody reads is refused by that name.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Parser;
use serde::Deserialize;
use toml::{Table, Value};

use super::Config;

/// Plenum, a WebRTC media server with signaling built in.
///
/// Each flag is also a key of the configuration file (public_ip) and a variable (PLENUM_PUBLIC_IP). A flag
/// goes before a variable, a variable before the file. Every key has a variable, PLENUM_LIMITS_ROOMS too.
#[derive(Debug, Default, Parser)]
#[command(name = "plenum", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// The configuration file; config/plenum.toml is one with every key
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where HTTP and WebSocket listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) http: Option<String>,
    /// Where media listens; each further worker takes the next port [default: 7882]
    #[arg(long, value_name = "PORT")]
    pub(crate) udp_port: Option<String>,
    /// Where clients reach the media ports, if not at this machine's own addresses
    #[arg(long, value_name = "IP")]
    pub(crate) public_ip: Option<String>,
    /// Where Plenum keeps files [default: data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
    /// A PostgreSQL database, if not an SQLite file in the data directory; with a password in it the variable
    /// is the better place
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// Threads for media, 0 for one each core [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<String>,
    /// How log lines look: text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    #[command(subcommand)]
    pub(crate) subcommand: Option<Subcommand>,
}

/// What else the binary can do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Subcommand {
    /// Print a new API key with its secret, to paste under [keys]
    MakeKey,
}

const PREFIX: &str = "PLENUM_";

/// The configuration from all its places, checked.
pub(crate) fn load(
    arguments: &Arguments,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> anyhow::Result<Config> {
    let known = known_keys()?;
    let variables = plenum_variables(environment)?;
    let file = match (
        &arguments.config,
        variables.iter().find(|(name, _)| name == "PLENUM_CONFIG"),
    ) {
        (Some(path), _) => Some(path.clone()),
        (None, Some((_, path))) if !path.is_empty() => Some(PathBuf::from(path)),
        (None, _) => None,
    };
    let mut table = match file {
        Some(path) => read_file(&path, &known)?,
        None => Table::new(),
    };
    for (name, value) in variables.iter().filter(|(name, _)| name != "PLENUM_CONFIG") {
        let key = key_of_variable(name, &known)?;
        set(&mut table, &known, &key, value).with_context(|| format!("the variable {name}"))?;
    }
    for (flag, value) in flags(arguments) {
        let key = flag.trim_start_matches('-').replace('-', "_");
        set(&mut table, &known, &[key], value).with_context(|| format!("the flag {flag}"))?;
    }
    let config = Config::deserialize(table)?;
    config.check().map_err(anyhow::Error::msg)?;
    Ok(config)
}

/// All keys, as the defaults have them: the one list, against which every given name is held.
fn known_keys() -> anyhow::Result<Table> {
    Table::try_from(Config::default()).context("the defaults as a table")
}

fn flags(arguments: &Arguments) -> impl Iterator<Item = (&'static str, &str)> {
    [
        ("--http", &arguments.http),
        ("--udp-port", &arguments.udp_port),
        ("--public-ip", &arguments.public_ip),
        ("--data-dir", &arguments.data_dir),
        ("--database-url", &arguments.database_url),
        ("--workers", &arguments.workers),
        ("--log-format", &arguments.log_format),
    ]
    .into_iter()
    .filter_map(|(flag, value)| Some((flag, value.as_deref()?)))
}

fn plenum_variables(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        let value = value
            .into_string()
            .map_err(|_| anyhow::anyhow!("the variable {name} is not UTF-8"))?;
        variables.push((name.to_owned(), value));
    }
    variables.sort();
    Ok(variables)
}

fn read_file(path: &Path, known: &Table) -> anyhow::Result<Table> {
    let named = || format!("the configuration file {}", path.display());
    let text = std::fs::read_to_string(path).with_context(named)?;
    let table: Table = text.parse().with_context(named)?;
    refuse_unknown(&table, known).with_context(named)?;
    // Read once for its own sake: an error from the text says the line.
    toml::from_str::<Config>(&text).with_context(named)?;
    Ok(table)
}

fn refuse_unknown(table: &Table, known: &Table) -> anyhow::Result<()> {
    for (section, value) in table {
        let Some(expected) = known.get(section) else {
            bail!(
                "there is no key {section:?}{}",
                suggestion(section, known.keys())
            );
        };
        // The names under [keys] are the operator's own.
        let (Value::Table(inner), Value::Table(expected), true) =
            (value, expected, section != "keys")
        else {
            continue;
        };
        if let Some(key) = inner.keys().find(|&key| !expected.contains_key(key)) {
            bail!(
                "there is no key {key:?} in [{section}]{}",
                suggestion(key, expected.keys())
            );
        }
    }
    Ok(())
}

/// `PLENUM_LIMITS_ROOMS` is `limits.rooms`.
fn key_of_variable(name: &str, known: &Table) -> anyhow::Result<Vec<String>> {
    let paths = known.iter().flat_map(|(key, value)| match value {
        Value::Table(inner) if key != "keys" => inner
            .keys()
            .map(|inner| vec![key.clone(), inner.clone()])
            .collect(),
        _ => vec![vec![key.clone()]],
    });
    let named: Vec<(String, Vec<String>)> = paths
        .map(|path| (format!("{PREFIX}{}", path.join("_").to_uppercase()), path))
        .collect();
    if let Some((_, path)) = named.iter().find(|(known, _)| known == name) {
        return Ok(path.clone());
    }
    let config = format!("{PREFIX}CONFIG");
    let names = named.iter().map(|(name, _)| name).chain([&config]);
    bail!("there is no variable {name}{}", suggestion(name, names))
}

/// Set a key from text, in the type that its default has.
fn set(table: &mut Table, known: &Table, path: &[String], text: &str) -> anyhow::Result<()> {
    let default = path
        .iter()
        .try_fold(Value::Table(known.clone()), |value, key| {
            value.get(key).cloned()
        });
    let value = match default {
        Some(Value::Integer(_)) => Value::Integer(
            text.parse()
                .with_context(|| format!("{text:?} is not a whole number"))?,
        ),
        Some(Value::Array(_)) => Value::Array(
            split(text)
                .map(|item| Value::String(item.to_owned()))
                .collect(),
        ),
        Some(Value::Table(_)) => Value::Table(key_pairs(text)?),
        _ => Value::String(text.to_owned()),
    };
    let [sections @ .., last] = path else {
        bail!("a key without a name")
    };
    let mut inner = table;
    for section in sections {
        let entry = inner
            .entry(section)
            .or_insert_with(|| Value::Table(Table::new()));
        inner = entry
            .as_table_mut()
            .with_context(|| format!("{section} is not a section"))?;
    }
    let mut alone = Table::new();
    alone.insert(last.clone(), value.clone());
    inner.insert(last.clone(), value);
    for section in sections.iter().rev() {
        alone = Table::from_iter([(section.clone(), Value::Table(alone))]);
    }
    // Tried by itself, so that the error names this place and no other.
    Config::deserialize(alone)?;
    Ok(())
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// `key: secret, key: secret`; a key that is there again has several secrets, the first of which signs.
fn key_pairs(text: &str) -> anyhow::Result<Table> {
    let mut table = Table::new();
    for pair in split(text) {
        let (key, secret) = pair
            .split_once(':')
            .context("must be \"key: secret\", and commas between several")?;
        let secrets = table
            .entry(key.trim())
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(secrets) = secrets {
            secrets.push(Value::String(secret.trim().to_owned()));
        }
    }
    Ok(table)
}

fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let nearest = known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((likeness, known)) if likeness > 0.8 => format!("; did you mean {known:?}?"),
        _ => "; config/plenum.toml has all there are".into(),
    }
}

#[cfg(test)]
mod tests;
