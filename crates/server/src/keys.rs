//! API keys and their secrets: how they are made, kept and never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Fewest characters of a secret: HS256 wants a key as long as its hash (RFC 7518, section 3.2).
pub(crate) const SECRET_CHARACTERS: usize = 32;

/// The name of the key in development mode.
pub(crate) const DEVELOPMENT_KEY: &str = "devkey";

/// API keys with their secrets. Printed for debugging it shows the keys alone.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Keys(BTreeMap<String, Secrets>);

/// The secrets of one key. The first signs; the others are good until they are taken away, so that a secret
/// can be changed while tokens signed with the old one are about.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Secrets {
    One(String),
    Several(Vec<String>),
}

impl Secrets {
    fn as_slice(&self) -> &[String] {
        match self {
            Secrets::One(secret) => std::slice::from_ref(secret),
            Secrets::Several(secrets) => secrets,
        }
    }
}

impl Keys {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The secret that signs for a key.
    pub(crate) fn secret(&self, key: &str) -> Option<&str> {
        self.secrets(key).next()
    }

    /// Every secret that is good for a key.
    pub(crate) fn secrets(&self, key: &str) -> impl Iterator<Item = &str> {
        let secrets = self.0.get(key).map(Secrets::as_slice);
        secrets.unwrap_or_default().iter().map(String::as_str)
    }

    /// Every key.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Keys {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(key, secret)| (key.to_owned(), Secrets::One(secret.to_owned())))
                .collect(),
        )
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What `plenum make-key` prints.
pub(crate) fn made_key() -> String {
    let (key, secret) = (format!("PL{}", random_text(10)), random_text(43));
    format!(
        "# For the [keys] section of the configuration file:\n{key} = \"{secret}\"\n\
         # Or as a variable:\n# PLENUM_KEYS=\"{key}: {secret}\""
    )
}

/// The secret of development mode: the one in the data directory, so that tokens outlive a restart, or a
/// new one. Where the directory cannot be written, one for this run.
pub(crate) fn development_secret(data_dir: &Path) -> String {
    let path = data_dir.join("development-secret");
    if let Ok(text) = std::fs::read_to_string(&path)
        && text.trim().len() >= SECRET_CHARACTERS
    {
        return text.trim().to_owned();
    }
    let secret = random_text(43);
    if let Err(error) = write_private(&path, &secret) {
        tracing::info!(path = %path.display(), %error, "the development secret is for this run alone");
    }
    secret
}

/// Letters and digits, 5.95 bits each, from the system's generator.
pub(crate) fn random_text(characters: usize) -> String {
    use rand::distr::{Alphanumeric, SampleString};
    Alphanumeric.sample_string(&mut rand::rng(), characters)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_printed_for_debugging_show_no_secret() {
        let keys = Keys::from([("key", "0123456789abcdef")]);
        assert_eq!(format!("{keys:?}"), r#"{"key"}"#);
    }

    #[test]
    fn a_made_key_can_be_pasted() {
        let table: toml::Table = made_key().parse().unwrap();
        let secret = table
            .values()
            .next()
            .and_then(|secret| secret.as_str())
            .unwrap();
        assert!(table.len() == 1 && secret.len() >= SECRET_CHARACTERS);
        assert_ne!(made_key(), made_key());
    }

    #[test]
    fn the_development_secret_outlives_a_restart() {
        let directory = std::env::temp_dir().join(format!("plenum-secret-{}", std::process::id()));
        assert_eq!(
            development_secret(&directory),
            development_secret(&directory)
        );
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
