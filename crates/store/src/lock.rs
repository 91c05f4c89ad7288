//! One server per database. SQLite: a lock on a file beside the database, which the kernel takes away from a
//! process that dies. PostgreSQL: an advisory lock held by the very connection that writes, so that whoever
//! has lost the lock has lost the means to write with it.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use crate::database::{Connection, values};
use crate::error::{Error, Fault};
use crate::location::Location;

/// Any number, the same in each server: "plenum" in ASCII.
const ADVISORY_LOCK: i64 = 0x706c_656e_756d;

/// PostgreSQL notices a moment later that a server was killed, and holds its lock until then.
const TRIES: u32 = 60;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// Locks the data directory, which is made if it is missing, until the file is dropped.
pub(crate) fn lock_directory(directory: &Path) -> Result<File, Error> {
    let unusable = |error| Error::Unusable(format!("{}: {error}", directory.display()));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(unusable)?;
    let path = directory.join("plenum.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(
            Location::Sqlite(directory.to_owned()).to_string(),
        )),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Locks the database for as long as the connection lives; of SQLite the directory is locked.
pub(crate) async fn lock_database(
    connection: &mut Connection,
    location: &Location,
) -> Result<(), Error> {
    if let Connection::Sqlite(_) = connection {
        return Ok(());
    }
    for _ in 0..TRIES {
        let is_ours = connection
            .row("SELECT pg_try_advisory_lock($1)", values![ADVISORY_LOCK])
            .await
            .and_then(|row| row.map_or(Ok(false), |row| row.boolean(0)))
            .map_err(Fault::unexpected)?;
        if is_ours {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
    Err(Error::InUse(location.to_string()))
}
