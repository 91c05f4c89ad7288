//! A webhook as it is configured: where to, and signed with which key. It connects to nothing.

use axum::http::Uri;
use axum::http::uri::Scheme;
use serde::{Deserialize, Serialize};

use crate::keys::Keys;

/// Where events are told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub(crate) struct Webhook {
    /// `https://…`, or `http://…`.
    pub(crate) url: String,
    /// The API key that signs; `None`: the first.
    pub(crate) key: Option<String>,
}

/// In a file a table, in a variable the URL alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Url(String),
    Table(Table),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    url: String,
    #[serde(default)]
    key: Option<String>,
}

impl From<Written> for Webhook {
    fn from(written: Written) -> Self {
        match written {
            Written::Url(url) => Self { url, key: None },
            Written::Table(Table { url, key }) => Self { url, key },
        }
    }
}

impl Webhook {
    /// Whether it can be told anything at all.
    pub(crate) fn check(&self, keys: &Keys) -> Result<(), String> {
        let url: Uri = self
            .url
            .parse()
            .map_err(|error| format!("webhook {:?}: {error}", self.url))?;
        let is_web = url
            .scheme()
            .is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        let authority = url.authority().map(|authority| authority.as_str());
        if !is_web || url.host().is_none_or(str::is_empty) {
            return Err(format!(
                "webhook {:?} must be an http:// or https:// URL",
                self.url
            ));
        }
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(format!(
                "the webhook to {} has a password in its URL, which it does not need: it is signed",
                self.host()
            ));
        }
        match &self.key {
            Some(key) if !keys.is_empty() && keys.secret(key).is_none() => Err(format!(
                "webhook {:?} is to be signed with {key:?}, which is not in [keys]",
                self.url
            )),
            _ => Ok(()),
        }
    }

    /// The key that signs.
    pub(super) fn key_among<'a>(&'a self, keys: &'a Keys) -> Option<&'a str> {
        match &self.key {
            Some(key) if keys.secret(key).is_some() => Some(key),
            _ => keys.names().next(),
        }
    }

    /// For logs: a path may be a secret.
    pub(super) fn host(&self) -> String {
        let url: Option<Uri> = self.url.parse().ok();
        url.and_then(|url| url.host().map(str::to_owned))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_that_cannot_be_told_anything_is_refused() {
        let keys = Keys::from([("a", "0123456789abcdef0123456789abcdef")]);
        let check = |url: &str, key: Option<&str>| {
            let key = key.map(str::to_owned);
            Webhook {
                url: url.into(),
                key,
            }
            .check(&keys)
        };
        assert_eq!(check("https://hook.example/path?x=1", Some("a")), Ok(()));
        assert_eq!(check("http://10.0.0.1:8000", None), Ok(()));
        for url in [
            "",
            "hook.example",
            "ftp://hook.example",
            "https://",
            "/path",
            "https://u:p@hook.example",
        ] {
            assert!(check(url, None).is_err(), "{url}");
        }
        assert!(
            check("https://hook.example", Some("b"))
                .unwrap_err()
                .contains("[keys]")
        );
    }

    #[test]
    fn a_webhook_is_a_table_or_its_url_alone() {
        #[derive(Deserialize)]
        struct File {
            webhooks: Vec<Webhook>,
        }
        let text =
            "webhooks = [\"https://a.example\", { url = \"https://b.example\", key = \"k\" }]";
        let file: File = toml::from_str(text).unwrap();
        assert_eq!(file.webhooks[0].key, None);
        assert_eq!(file.webhooks[1].key.as_deref(), Some("k"));
        assert!(toml::from_str::<File>("webhooks = [{ url = \"x\", ky = \"k\" }]").is_err());
    }
}
