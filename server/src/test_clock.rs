//! A clock that tests set while the program runs: a file holds the seconds that it is off by.

use std::{
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};

use domain::time::Timestamp;
use engine::clock::ShiftedClock;

/// How often the file is read.
const EVERY: Duration = Duration::from_millis(20);

/// The clock that follows this file for as long as anybody has it. It is right while there is no such file.
#[must_use]
pub fn read(file: PathBuf) -> Arc<ShiftedClock> {
    let clock = Arc::new(ShiftedClock::default());
    // At once too: what starts while the clock is off starts with it.
    clock.set(shift(std::fs::read_to_string(&file)));
    tracing::warn!(file = %file.display(), "the clock is one for tests (TEST_CLOCK)");
    tokio::spawn(follow(file, Arc::downgrade(&clock)));
    clock
}

async fn follow(file: PathBuf, clock: Weak<ShiftedClock>) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        let off = shift(tokio::fs::read_to_string(&file).await);
        let Some(clock) = clock.upgrade() else { return };
        clock.set(off);
    }
}

/// In microseconds.
fn shift(read: std::io::Result<String>) -> i64 {
    let seconds: i64 = read.ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default();
    seconds.saturating_mul(Timestamp::SECOND)
}

#[cfg(test)]
mod tests {
    use engine::clock::{Clock as _, SystemClock};

    use super::*;

    #[tokio::test]
    async fn the_clock_is_off_by_what_the_file_says() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("clock");
        let clock = read(file.clone());
        let off = || clock.now().since(SystemClock.now()).abs() / Timestamp::MINUTE;
        assert_eq!(off(), 0, "there is no file");
        for (text, minutes) in [("3600\n", 60), ("-120", 2), ("nonsense", 0)] {
            tokio::fs::write(&file, text).await.expect("written");
            tokio::time::timeout(Duration::from_secs(10), async {
                // The two clocks are read one after the other.
                while (off() - minutes).abs() > 1 || (minutes == 0) != (off() == 0) {
                    tokio::time::sleep(EVERY).await;
                }
            })
            .await
            .expect(text);
        }
        let again = read(file);
        assert_eq!(again.now().since(SystemClock.now()).abs() / Timestamp::MINUTE, 0);
    }
}
