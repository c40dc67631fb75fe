//! Until when a campaign's messages are worth sending.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Timestamp;

/// An instant, or a time from the run's start (ISO 8601, such as `PT6H`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendBefore {
    At(Timestamp),
    After {
        /// As it was written.
        text: String,
        micros: i64,
    },
}

/// The text is neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a time such as 2026-11-23T18:00:00Z nor a duration of at most 366 days such as PT6H")]
pub struct NotADeadline(pub String);

/// A longer duration is a mistake.
pub const MOST_DAYS: i64 = 366;

impl SendBefore {
    /// The instant, for a run that starts then.
    #[must_use]
    pub const fn from_start(&self, start: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => *at,
            Self::After { micros, .. } => start.plus(*micros),
        }
    }
}

/// The microseconds of an ISO 8601 duration: `P2W`, `P1DT12H`, `PT90M`; days are of 24 hours. None for years and months,
/// which have no length, for nothing at all, and for more than 366 days.
#[must_use]
pub fn duration(text: &str) -> Option<i64> {
    let text = text.strip_prefix('P')?;
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    if time.is_empty() && text.contains('T') {
        return None;
    }
    let date = parts(date, &[('W', 7 * Timestamp::DAY), ('D', Timestamp::DAY)])?;
    let time = parts(time, &[('H', Timestamp::HOUR), ('M', Timestamp::MINUTE), ('S', Timestamp::SECOND)])?;
    let micros = date.checked_add(time)?;
    (micros > 0 && micros <= MOST_DAYS * Timestamp::DAY).then_some(micros)
}

/// The sum of numbers with these units, each at most once and in this order.
fn parts(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut sum = 0_i64;
    for (unit, micros) in units {
        if let Some((number, rest)) = text.split_once(*unit) {
            let is_number = (1..=9).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
            let number: i64 = number.parse().ok().filter(|_| is_number)?;
            sum = sum.checked_add(number.checked_mul(*micros)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(sum)
}

impl FromStr for SendBefore {
    type Err = NotADeadline;
    fn from_str(text: &str) -> Result<Self, NotADeadline> {
        if let Some(micros) = duration(text) {
            return Ok(Self::After { text: text.to_owned(), micros });
        }
        text.parse().map(Self::At).map_err(|_| NotADeadline(text.to_owned()))
    }
}

impl fmt::Display for SendBefore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => at.fmt(f),
            Self::After { text, .. } => f.write_str(text),
        }
    }
}

impl Serialize for SendBefore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SendBefore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_durations_are_told_apart() {
        let start = Timestamp::from_seconds(1_000);
        for (text, seconds) in [
            ("PT6H", 1_000 + 6 * 3_600),
            ("P1DT1H30M5S", 1_000 + 86_400 + 5_405),
            ("P2W", 1_000 + 14 * 86_400),
            ("1970-01-01T01:00:00Z", 3_600),
        ] {
            let deadline: SendBefore = text.parse().unwrap();
            assert_eq!(deadline.from_start(start), Timestamp::from_seconds(seconds), "{text}");
            assert_eq!(deadline.to_string(), text);
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in
            ["", "P", "PT", "P1DT", "PT0S", "P1Y", "P1M", "PT1H1H", "PT1M1H", "P1H", "PT-1H", "6h", "P400D", "PT1.5H"]
        {
            assert!(text.parse::<SendBefore>().is_err(), "{text}");
        }
    }
}
