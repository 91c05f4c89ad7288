//! What can go wrong with the store, in the words of whoever runs a server.

/// What can go wrong with the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, is locked, or failed. Nothing is known to be wrong with what was
    /// asked: it may be asked again.
    #[error("the database is away: {0}")]
    Away(String),
    /// One server per database.
    #[error("{0} is in use by another server: one server per database")]
    InUse(String),
    /// Another server opened the database while this one was cut off from it.
    #[error(
        "another server has opened the database since: this one writes nothing more and must be restarted"
    )]
    TakenOver,
    /// The schema is of a version that this program does not know.
    #[error(
        "the database was made by a newer version of Plenum (it has migration {0}, which this version \
         does not know): start that version, or restore a backup"
    )]
    Newer(i64),
    /// It cannot be used, and trying again does not help.
    #[error("the database cannot be used: {0}")]
    Unusable(String),
    /// Something read from the database cannot be understood.
    #[error("the database has something that cannot be read: {0}")]
    Unreadable(String),
}

/// Why a statement failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database works, and refuses what was asked: a constraint, or a value it cannot hold.
    Refused(String),
    /// Anything else.
    Failed(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Failed(error)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Encode(reason) => Fault::Refused(reason.to_string()),
            sqlx::Error::Database(reason)
                if reason.code().is_some_and(|code| is_refusal(&code)) =>
            {
                Fault::Refused(reason.message().to_owned())
            }
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. } => {
                Fault::Failed(Error::Unreadable(error.to_string()))
            }
            _ => Fault::Failed(Error::Away(error.to_string())),
        }
    }
}

impl Fault {
    /// As an error of somebody who wrote nothing that could be refused.
    pub(crate) fn unexpected(self) -> Error {
        match self {
            Fault::Refused(reason) => Error::Unusable(reason),
            Fault::Failed(error) => error,
        }
    }
}

/// Whether a database's code says that it refuses what was asked: of PostgreSQL's five characters, class 23
/// (a constraint) and 22 (a value); of SQLite's numbers, those that end in `SQLITE_TOOBIG`,
/// `SQLITE_CONSTRAINT` or `SQLITE_MISMATCH`.
fn is_refusal(code: &str) -> bool {
    if code.len() == 5 {
        return code.starts_with("23") || code.starts_with("22");
    }
    code.parse::<u32>()
        .is_ok_and(|number| matches!(number & 0xff, 18..=20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_a_failure_by_its_code() {
        for refusal in ["23505", "23000", "22021", "19", "2067", "1811", "18"] {
            assert!(is_refusal(refusal), "{refusal}");
        }
        for failure in [
            "57P01", "53300", "40001", "42P01", "5", "10", "13", "517", "",
        ] {
            assert!(!is_refusal(failure), "{failure}");
        }
    }
}
