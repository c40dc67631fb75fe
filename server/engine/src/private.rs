//! Folders and files for their owner alone: the database, its key, what people upload. Those that are there already are left
//! as they are: whoever made them may share them on purpose.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// Makes a folder, and those around it, unless they are there.
///
/// # Errors
/// When it cannot be made.
pub fn folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The same, without keeping others from their work.
///
/// # Errors
/// As [`folder`].
pub async fn make_folder(path: PathBuf) -> io::Result<()> {
    tokio::task::spawn_blocking(move || folder(&path)).await.map_err(io::Error::other)?
}

/// Makes a file.
///
/// # Errors
/// When it cannot be made, or is there.
pub fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes an empty file, unless it is there.
///
/// # Errors
/// When it cannot be made.
pub fn file(path: &Path) -> io::Result<()> {
    match new_file(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
    };

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn what_is_made_is_for_its_owner_and_what_is_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (outer, inner) = (dir.path().join("data"), dir.path().join("data/imports"));
        make_folder(inner.clone()).await.unwrap();
        file(&inner.join("a")).unwrap();
        assert_eq!([mode(&outer), mode(&inner), mode(&inner.join("a"))], [0o700, 0o700, 0o600]);
        fs::set_permissions(&outer, Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(inner.join("a"), Permissions::from_mode(0o640)).unwrap();
        fs::write(inner.join("a"), "kept").unwrap();
        folder(&inner).unwrap();
        file(&inner.join("a")).unwrap();
        assert_eq!([mode(&outer), mode(&inner.join("a"))], [0o755, 0o640]);
        assert_eq!(fs::read_to_string(inner.join("a")).unwrap(), "kept");
        assert_eq!(new_file(&inner.join("a")).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
}
