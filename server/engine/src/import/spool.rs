//! Uploaded files, until their import is done.

use std::{
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use domain::{ids::ImportId, time::Timestamp};
use futures::{Stream, StreamExt};
use tokio::{fs, io::AsyncWriteExt};

use crate::{Engine, Error, Result, private};

/// A file that no import knows is one whose upload broke off; after so long nobody is still uploading it.
const FORGOTTEN_AFTER: i64 = Timestamp::DAY;

/// A file that is removed again unless it is kept.
pub(crate) struct Spool {
    path: PathBuf,
    kept: bool,
}

impl Drop for Spool {
    fn drop(&mut self) {
        if !self.kept {
            remove(&self.path);
        }
    }
}

impl Spool {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The import is stored: from now on it is the worker's.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }

    /// Writes an upload to the disk.
    ///
    /// # Errors
    /// `TooLarge` beyond the limit, `Invalid` when the upload breaks off.
    pub(crate) async fn receive(
        engine: &Engine,
        id: ImportId,
        mut body: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    ) -> Result<Self> {
        let folder = folder(engine);
        private::make_folder(folder.clone()).await.map_err(Error::internal)?;
        let spool = Self { path: folder.join(id.to_string()), kept: false };
        let limit = engine.config().import_limit;
        let mut file = fs::File::create(&spool.path).await.map_err(Error::internal)?;
        let mut size: u64 = 0;
        while let Some(block) = body.next().await {
            let block =
                block.map_err(|error| Error::invalid("file", format!("The upload broke off ({error}). Try again.")))?;
            size += block.len() as u64;
            if size > limit {
                let limit = limit / (1024 * 1024);
                return Err(Error::TooLarge(format!("The file is larger than {limit} MiB. Split it into several.")));
            }
            file.write_all(&block).await.map_err(Error::internal)?;
        }
        file.sync_all().await.map_err(Error::internal)?;
        Ok(spool)
    }
}

fn folder(engine: &Engine) -> PathBuf {
    engine.config().data_dir.join("imports")
}

/// Removes a file that is not needed any more.
pub(super) fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "an uploaded file could not be removed");
    }
}

/// Removes files of uploads that broke off with the process that took them.
///
/// # Errors
/// When folder or database cannot be read.
pub(super) async fn sweep(engine: &Engine) -> Result<()> {
    let mut files = match fs::read_dir(folder(engine)).await {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::internal(error)),
    };
    let in_use = store::imports::files_in_use(engine.db().reader()).await?;
    while let Some(file) = files.next_entry().await.map_err(Error::internal)? {
        let path = file.path();
        let is_used = in_use.iter().any(|used| Path::new(used) == path);
        if !is_used && is_forgotten(&path, engine.now()) {
            remove(&path);
        }
    }
    Ok(())
}

/// The name is the import's id, which tells its age.
fn is_forgotten(path: &Path, now: Timestamp) -> bool {
    let id = path.file_stem().and_then(|name| name.to_str()).and_then(|name| uuid::Uuid::parse_str(name).ok());
    let Some((seconds, _)) = id.and_then(|id| id.get_timestamp()).map(|made| made.to_unix()) else { return false };
    let made = Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX / Timestamp::SECOND));
    now.since(made) > FORGOTTEN_AFTER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_uploads_are_forgotten() {
        let now = Timestamp::from_seconds(1_795_392_000);
        let path = |seconds: u64| {
            let id = uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, 0));
            PathBuf::from(format!("/data/imports/{id}"))
        };
        assert!(!is_forgotten(&path(1_795_391_000), now));
        assert!(is_forgotten(&path(1_795_292_000), now));
        assert!(!is_forgotten(Path::new("/data/imports/notes.txt"), now));
    }
}
