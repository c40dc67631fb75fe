//! Stored values that this version cannot read: a newer one has written them, or they are damaged. Where many are read at
//! once, such a one alone is passed over.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

use crate::{Error, Result, Row};

/// So often it is said at most of one of them: some are looked at several times a second.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// When it was said last.
static SAID: Mutex<BTreeMap<(Uuid, &'static str), Instant>> = Mutex::new(BTreeMap::new());

/// What was read of a run or a campaign (`what`); none where a stored value cannot be read, which is said in the log.
///
/// # Errors
/// Whatever else is wrong.
pub(crate) fn if_readable<T>(what: &'static str, id: Uuid, read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Error::Corrupt { column, .. }) => {
            if is_news(id, column, Instant::now()) {
                // What stands there is not for the log: it may be about people.
                tracing::error!(what, %id, field = column, "this version cannot read what is stored: it is passed over");
            }
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What can be read of these rows; `key` is the column with the id of what they are about.
///
/// # Errors
/// As [`if_readable`].
pub(crate) fn each_readable<T>(
    rows: &[Row],
    (what, key): (&'static str, &str),
    read: impl Fn(&Row) -> Result<T>,
) -> Result<Vec<T>> {
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        found.extend(if_readable(what, row.get(key)?, read(row))?);
    }
    Ok(found)
}

fn is_news(id: Uuid, column: &'static str, now: Instant) -> bool {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    said.retain(|_, at| now.saturating_duration_since(*at) < SAID_EVERY);
    let is_news = !said.contains_key(&(id, column));
    if is_news {
        said.insert((id, column), now);
    }
    is_news
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_read_is_passed_over() {
        let corrupt = || Error::Corrupt { column: "rules", problem: "EOF".to_owned() };
        assert_eq!(if_readable("run", Uuid::nil(), Ok(1)).expect("read"), Some(1));
        assert_eq!(if_readable::<i32>("run", Uuid::nil(), Err(corrupt())).expect("passed over"), None);
        assert!(matches!(if_readable::<i32>("run", Uuid::nil(), Err(Error::NotFound)), Err(Error::NotFound)));
    }

    #[test]
    fn it_is_said_once_a_minute() {
        let (run, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let begin = Instant::now();
        assert!(is_news(run, "rules", begin) && is_news(run, "definition", begin) && is_news(other, "rules", begin));
        assert!(!is_news(run, "rules", begin + SAID_EVERY / 2));
        assert!(is_news(run, "rules", begin + SAID_EVERY));
    }
}
