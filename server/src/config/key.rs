//! `ENCRYPTION_KEY`, and the key file of the embedded database.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::Path,
};

use engine::{private, secrets::KeyRing};

use super::ConfigError;

const VARIABLE: &str = "ENCRYPTION_KEY";
const EXPECTED: &str = "32 bytes in base64 (make one with: openssl rand -base64 32), or a comma-separated list of them";
/// Beside the embedded database: keep it with every copy of the database, and apart from its backups.
const FILE: &str = "encryption.key";

/// The keys that are given; on the embedded database those of the key file, made at the first start.
pub(super) fn read_or_make(given: Option<&str>, database_url: &str, data_dir: &Path) -> Result<KeyRing, ConfigError> {
    if let Some(text) = given {
        return KeyRing::parse(text)
            .map_err(|error| ConfigError::BadSecret { variable: VARIABLE, expected: format!("{EXPECTED}; {error}") });
    }
    if !database_url.starts_with("sqlite:") {
        return Err(ConfigError::Missing { variable: VARIABLE, expected: EXPECTED.to_owned() });
    }
    let path = data_dir.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(data_dir, &path).map_err(|error| file_error(&path, "cannot be written", &error))?
        }
        Err(error) => return Err(file_error(&path, "cannot be read", &error)),
    };
    KeyRing::parse(text.trim()).map_err(|error| ConfigError::File {
        variable: VARIABLE,
        problem: format!("{} does not hold a key ({error}): put the right one back", path.display()),
    })
}

/// Writes a new key for its owner's eyes only. Of two processes that start together both end with the same key.
fn make(data_dir: &Path, path: &Path) -> std::io::Result<String> {
    private::folder(data_dir)?;
    let key = KeyRing::generate();
    let draft = data_dir.join(format!("{FILE}.{}", uuid::Uuid::new_v4()));
    let mut file = private::new_file(&draft)?;
    file.write_all(key.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    // Unlike a rename, a link never replaces what another process wrote meanwhile.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => fs::read_to_string(path),
    }
}

fn file_error(path: &Path, what: &str, error: &std::io::Error) -> ConfigError {
    ConfigError::File { variable: VARIABLE, problem: format!("the key file {} {what}: {error}", path.display()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_for_the_owner_only() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let data = dir.path().join("data");
        let first = read_or_make(None, "sqlite://x", &data).expect("made");
        let second = read_or_make(None, "sqlite://x", &data).expect("read");
        assert_eq!(first.check_value(), second.check_value());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(data.join(FILE)).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_damaged_key_file_is_not_replaced() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::write(dir.path().join(FILE), "nonsense").expect("written");
        let error = read_or_make(None, "sqlite://x", dir.path()).expect_err("refused").to_string();
        assert!(error.contains("put the right one back") && !error.contains("nonsense"), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join(FILE)).expect("there"), "nonsense");
    }
}
