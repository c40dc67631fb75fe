//! When nothing is sent, and how often at most: what people set. The arithmetic of zones lives in the engine.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time of day, to the minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, example = "21:00"))]
pub struct LocalTime(u16);

/// The text is no time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time of day such as 21:00")]
pub struct NotATimeOfDay(pub String);

impl LocalTime {
    /// Minutes of a day.
    pub const DAY: u16 = 24 * 60;

    /// None for 24:00 and later.
    #[must_use]
    pub const fn new(hour: u16, minute: u16) -> Option<Self> {
        if hour < 24 && minute < 60 { Some(Self(hour * 60 + minute)) } else { None }
    }

    /// Minutes since midnight.
    #[must_use]
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl FromStr for LocalTime {
    type Err = NotATimeOfDay;
    fn from_str(text: &str) -> Result<Self, NotATimeOfDay> {
        let wrong = || NotATimeOfDay(text.to_owned());
        let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
        let number = |part: &str, lengths: [usize; 2]| {
            let is_number = lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| part.parse().ok()).flatten()
        };
        let (hour, minute) = number(hour, [1, 2]).zip(number(minute, [2, 2])).ok_or_else(wrong)?;
        Self::new(hour, minute).ok_or_else(wrong)
    }
}

impl Serialize for LocalTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LocalTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Nothing is sent from `start` until `end`, by the recipient's clock; over midnight when `end` is the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    pub start: LocalTime,
    pub end: LocalTime,
}

impl QuietHours {
    /// What the workspace begins with: 21:00–08:00.
    pub const DEFAULT: Self = Self { start: LocalTime(21 * 60), end: LocalTime(8 * 60) };

    /// Whether the minute of a day is quiet.
    #[must_use]
    pub const fn holds(self, minute: u16) -> bool {
        let (start, end) = (self.start.0, self.end.0);
        if start <= end { start <= minute && minute < end } else { start <= minute || minute < end }
    }

    /// Whether the quiet hours of all of these leave no minute of the day.
    #[must_use]
    pub fn leave_nothing(all: &[Self]) -> bool {
        (0..LocalTime::DAY).all(|minute| all.iter().any(|quiet| quiet.holds(minute)))
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}–{}", self.start, self.end)
    }
}

/// The workspace's rule, for all campaigns and for single marketing messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkspaceQuiet {
    /// Off is for emergencies, and for the simulator.
    pub enabled: bool,
    pub start: LocalTime,
    pub end: LocalTime,
    /// Whether the law table binds marketing: always with a real account.
    pub law: bool,
}

impl WorkspaceQuiet {
    /// The hours, while the rule is on.
    #[must_use]
    pub const fn hours(self) -> Option<QuietHours> {
        if self.enabled { Some(QuietHours { start: self.start, end: self.end }) } else { None }
    }
}

/// A change of the workspace's rule: what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WorkspaceQuietPatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<LocalTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<LocalTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub law: Option<bool>,
    /// Why: every change of this rule needs one, which goes to the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl WorkspaceQuietPatch {
    /// The rule with this change made.
    #[must_use]
    pub fn applied(&self, rule: WorkspaceQuiet) -> WorkspaceQuiet {
        WorkspaceQuiet {
            enabled: self.enabled.unwrap_or(rule.enabled),
            start: self.start.unwrap_or(rule.start),
            end: self.end.unwrap_or(rule.end),
            law: self.law.unwrap_or(rule.law),
        }
    }
}

/// A day on which places that keep holidays allow no marketing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// ISO 3166.
    pub country: String,
    /// `2026-12-25`.
    pub date: String,
    pub name: String,
}

/// No person gets more marketing messages than this, of campaigns and single ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FrequencyCap {
    pub messages: u16,
    /// The sliding window, in days of 24 hours.
    pub days: u16,
    /// Only messages about this topic count, and only they are kept back; null counts all marketing.
    #[serde(default)]
    pub topic: Option<String>,
}

/// A line of the law table, for showing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LawLine {
    /// ISO 3166, or `**` for all that have no line of their own.
    pub country: String,
    /// States or provinces; `*` everywhere in the country, `?` where the state is not known.
    pub subdivision: String,
    pub days: String,
    /// Marketing is allowed from here …
    pub from: String,
    /// … until here, by the recipient's clock.
    pub to: String,
    /// Another clock than the recipient's that must agree, too.
    pub zone: Option<String>,
    /// Not on the holidays of the list.
    pub holidays: bool,
    /// The first local day on which it holds.
    pub valid_from: Option<String>,
    /// The last one.
    pub valid_to: Option<String>,
    /// `law`, `practice` or `policy`.
    pub basis: String,
    /// `high`, `medium` or `low`.
    pub confidence: String,
    pub source: String,
    /// The day on which the source was read.
    pub read_on: String,
}

/// A line that the workspace adds to the law table. It binds marketing where the table does, beside the table's lines:
/// what it does not allow is forbidden, and what they forbid stays so. Lines of one place add up, so that days which none
/// of them names are closed there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OwnLawLine {
    /// ISO 3166, or `**` for all that the table has no line of their own for.
    pub country: String,
    /// In the US and Canada also states or provinces (`FL,GA`), or `?` where the state is not known.
    #[serde(default = "everywhere")]
    pub subdivision: String,
    /// `Sun`, or `Mon-Sat`.
    pub days: String,
    /// Marketing is allowed from here …
    #[cfg_attr(feature = "openapi", schema(example = "09:00"))]
    pub from: String,
    /// … until here, by the recipient's clock; up to 24:00.
    #[cfg_attr(feature = "openapi", schema(example = "20:00"))]
    pub to: String,
    /// Not on the holidays of the list.
    #[serde(default)]
    pub holidays: bool,
    /// The first local day on which it holds; it always has where there is none.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "2027-01-01"))]
    pub valid_from: Option<String>,
    /// The last one; it has no end where there is none.
    #[serde(default)]
    pub valid_to: Option<String>,
    /// Where it is written: a text or an address.
    pub source: String,
    /// The day on which the source was read.
    #[cfg_attr(feature = "openapi", schema(example = "2026-11-23"))]
    pub read_on: String,
}

fn everywhere() -> String {
    "*".to_owned()
}

impl fmt::Display for OwnLawLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.country)?;
        if self.subdivision != "*" {
            write!(f, " {}", self.subdivision)?;
        }
        write!(f, " {} {}–{}", self.days, self.from, self.to)?;
        if self.holidays {
            f.write_str(" not on holidays")?;
        }
        if let Some(day) = &self.valid_from {
            write!(f, " from {day}")?;
        }
        if let Some(day) = &self.valid_to {
            write!(f, " until {day}")?;
        }
        write!(f, " ({}, read {})", self.source, self.read_on)
    }
}

/// How often law lets marketing reach a person, for showing. It binds beside the limits of the workspace while the law table
/// binds, and nobody can raise it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LawCapLine {
    /// ISO 3166.
    pub country: String,
    /// States or provinces, by the area codes of numbers.
    pub subdivision: String,
    /// At most so many messages on one subject: about one topic, or all of those without one.
    pub messages: u16,
    /// The sliding window, in days of 24 hours.
    pub days: u16,
    /// `law`, `practice` or `policy`.
    pub basis: String,
    /// `high`, `medium` or `low`.
    pub confidence: String,
    pub source: String,
    /// The day on which the source was read.
    pub read_on: String,
}

/// The law table, and what it is applied with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LawTable {
    /// The day on which it was read together.
    pub pack_version: String,
    /// The version of the time zones in use.
    pub tzdb_version: String,
    pub lines: Vec<LawLine>,
    /// How often at most.
    pub caps: Vec<LawCapLine>,
    /// What the workspace added.
    pub own: Vec<OwnLawLine>,
    /// Countries of the list of holidays that no line keeps holidays for: their days there change nothing.
    pub idle_holidays: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(start: &str, end: &str) -> QuietHours {
        QuietHours { start: start.parse().unwrap(), end: end.parse().unwrap() }
    }

    #[test]
    fn times_of_day_are_read_and_written() {
        assert_eq!("9:05".parse::<LocalTime>().unwrap().to_string(), "09:05");
        for wrong in ["24:00", "9", "09:60", "9:5", "09:00:00", "-1:00", "+9:00", "", "nine"] {
            assert!(wrong.parse::<LocalTime>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn quiet_hours_go_over_midnight() {
        let night = quiet("21:00", "08:00");
        assert!(night.holds(21 * 60) && night.holds(0) && night.holds(8 * 60 - 1));
        assert!(!night.holds(8 * 60) && !night.holds(21 * 60 - 1));
        let lunch = quiet("12:00", "13:00");
        assert!(lunch.holds(12 * 60) && !lunch.holds(13 * 60));
    }

    #[test]
    fn hours_that_leave_nothing_are_noticed() {
        assert!(QuietHours::leave_nothing(&[quiet("21:00", "08:00"), quiet("08:00", "21:00")]));
        assert!(!QuietHours::leave_nothing(&[quiet("21:00", "08:00"), quiet("08:00", "20:59")]));
        assert!(!QuietHours::leave_nothing(&[]));
    }
}
