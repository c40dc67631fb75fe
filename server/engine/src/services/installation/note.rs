//! The note beside the database: which installation served it, and how far its witness had come by then. A backup of the
//! database does not hold it, so a database that was restored or copied is behind it, or has none.

use std::{
    fs::{self, File},
    io::{Error, ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::private;

/// What the note says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub instance_id: Uuid,
    /// Never more than the database's own, which is raised first.
    pub count: i64,
}

/// None when there is none, or nothing that can be read, which the log is told: it is replaced as a whole and cannot be half
/// written.
pub(super) fn read(path: &Path) -> Option<Note> {
    let read = fs::read_to_string(path).and_then(|text| serde_json::from_str(&text).map_err(Error::from));
    match read {
        Ok(note) => Some(note),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            let path = path.display();
            tracing::warn!(%error, %path, "the note of which database was served here cannot be read");
            None
        }
    }
}

/// Writes the note, so that there is always the former one or this one, also after the power fails.
pub(super) async fn write(path: PathBuf, note: Note) -> Result<(), Error> {
    tokio::task::spawn_blocking(move || replace(&path, note)).await.map_err(Error::other)?
}

fn replace(path: &Path, note: Note) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private::folder(folder)?;
    // Several processes may share the folder.
    let draft = path.with_added_extension(Uuid::new_v4().to_string());
    let written = write_through(&draft, note).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written?;
    // The name, too. Not every file system can do that for a folder.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn write_through(path: &Path, note: Note) -> Result<(), Error> {
    let mut file = File::create_new(path)?;
    file.write_all(&serde_json::to_vec(&note)?)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_note_is_replaced_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data").join("engine.db.witness");
        assert_eq!(read(&path), None);
        let note = |count| Note { instance_id: Uuid::from_u128(7), count };
        for count in [1, 2] {
            write(path.clone(), note(count)).await.unwrap();
            assert_eq!(read(&path), Some(note(count)));
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
        fs::write(&path, "{").unwrap();
        assert_eq!(read(&path), None);
    }
}
