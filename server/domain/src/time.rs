//! Instants. The program stores and compares microseconds since the Unix epoch (UTC): the same number on both
//! databases, and RFC 3339 text outside.

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, format = DateTime))]
pub struct Timestamp(pub i64);

/// The text is not an RFC 3339 instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time such as 2026-11-23T09:00:00Z")]
pub struct NotATime(pub String);

impl Timestamp {
    pub const SECOND: i64 = 1_000_000;
    pub const MINUTE: i64 = 60 * Self::SECOND;
    pub const HOUR: i64 = 60 * Self::MINUTE;
    pub const DAY: i64 = 24 * Self::HOUR;

    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * Self::SECOND)
    }

    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0 / 1_000
    }

    /// This instant moved by a number of microseconds (see the constants).
    #[must_use]
    pub const fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this instant; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The UTC month as `yyyymm`: the partition that append-only rows of this instant belong to.
    #[must_use]
    pub fn month(self) -> i32 {
        use chrono::Datelike;
        let date = self.to_chrono();
        date.year() * 100 + i32::try_from(date.month()).unwrap_or(1)
    }

    /// When a UTC month (`yyyymm`) begins; the epoch for what is no month.
    #[must_use]
    pub fn start_of_month(month: i32) -> Self {
        let number = u32::try_from(month % 100).unwrap_or_default();
        let first = NaiveDate::from_ymd_opt(month / 100, number, 1).unwrap_or_default();
        Self(first.and_time(NaiveTime::MIN).and_utc().timestamp_micros())
    }

    /// `2026-11-23`, UTC.
    #[must_use]
    pub fn date(self) -> String {
        self.to_chrono().format("%Y-%m-%d").to_string()
    }

    /// `2026-11-23 09:00 UTC`, for people.
    #[must_use]
    pub fn minute(self) -> String {
        self.to_chrono().format("%Y-%m-%d %H:%M UTC").to_string()
    }

    fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;
    fn from_str(text: &str) -> Result<Self, NotATime> {
        DateTime::parse_from_rfc3339(text)
            .map(|time| Self(time.timestamp_micros()))
            .map_err(|_| NotATime(text.to_owned()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_number_agree() {
        let time: Timestamp = "2026-11-23T09:30:00.25+05:30".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-23T04:00:00.250Z");
        assert_eq!(time.month(), 202_611);
        assert_eq!(Timestamp::start_of_month(202_611).to_string(), "2026-11-01T00:00:00Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
    }
}
