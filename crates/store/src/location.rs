//! Where the database is. It is shown without its password.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use crate::Error;

/// The file in the data directory.
const FILE: &str = "plenum.db";

/// Where the database is.
#[derive(Clone)]
pub enum Location {
    /// `plenum.db` in this directory, which is made if it is missing.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres(Box<PgConnectOptions>),
}

impl Location {
    /// PostgreSQL where a URL (`postgres://user:password@host/database`) is given, else SQLite in the data
    /// directory.
    pub fn of(data_directory: &Path, database_url: Option<&str>) -> Result<Self, Error> {
        let Some(url) = database_url else {
            return Ok(Location::Sqlite(data_directory.to_owned()));
        };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(Error::Unusable(
                "the database's URL must begin with postgres://; without one, SQLite is used"
                    .into(),
            ));
        }
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| Error::Unusable(format!("the database's URL: {error}")))?;
        Ok(Location::Postgres(Box::new(options)))
    }

    /// The file of a SQLite database.
    pub(crate) fn file(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Sqlite(directory) => write!(f, "{}", Self::file(directory).display()),
            Location::Postgres(options) => write!(
                f,
                "PostgreSQL's {} at {}:{}",
                options.get_database().unwrap_or(options.get_username()),
                options.get_host(),
                options.get_port()
            ),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_shown_without_its_password() {
        let url = "postgres://plenum:hunter2@db.example:5433/rooms";
        let location = Location::of(Path::new("/data"), Some(url)).unwrap();
        assert_eq!(
            format!("{location} {location:?}"),
            "PostgreSQL's rooms at db.example:5433 PostgreSQL's rooms at db.example:5433"
        );
        let location = Location::of(Path::new("/data"), None).unwrap();
        assert_eq!(location.to_string(), "/data/plenum.db");
    }

    #[test]
    fn a_url_of_another_kind_is_refused_and_not_repeated() {
        for url in ["mysql://u:hunter2@h/d", "postgres://u:hunter2@h:port/d"] {
            let error = Location::of(Path::new("/data"), Some(url)).unwrap_err();
            assert!(matches!(error, Error::Unusable(_)), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
