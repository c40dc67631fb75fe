//! Answers that go out by themselves to what people write. There are none until somebody adds a rule.

use serde::{Deserialize, Serialize};

use crate::{ids::TemplateId, quiet::LocalTime, word_enum};

/// So many rules at most.
pub const RULES_MAX: usize = 50;
/// So many characters of a rule's name.
pub const NAME_MAX: usize = 60;
/// A rule answers one person again after at most so many hours.
pub const PAUSE_MAX: i32 = 720;
/// At most so many answers to one person in 24 hours.
pub const PER_DAY_MAX: i32 = 10;

word_enum! {
    /// What a rule answers to. When several would, the first of this order does.
    pub enum AutoReplyWhen {
        /// The whole message is one of the rule's words.
        Keyword = "keyword",
        /// The person's first message at all.
        FirstContact = "first_contact",
        /// A message outside of the office hours.
        OutOfHours = "out_of_hours",
    }
}

word_enum! {
    pub enum Weekday {
        Monday = "mon",
        Tuesday = "tue",
        Wednesday = "wed",
        Thursday = "thu",
        Friday = "fri",
        Saturday = "sat",
        Sunday = "sun",
    }
}

/// When somebody is there to answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OfficeHours {
    /// IANA name; null: the workspace's default.
    #[serde(default)]
    pub timezone: Option<String>,
    pub days: Vec<Weekday>,
    pub start: LocalTime,
    /// Over midnight when it is the earlier one.
    pub end: LocalTime,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AutoReply {
    /// Each rule has another one: how often it answered whom is remembered by it.
    pub name: String,
    pub when: AutoReplyWhen,
    /// Of a keyword's rule.
    #[serde(default)]
    pub words: Vec<String>,
    /// What is answered: either a text …
    #[serde(default)]
    pub text: Option<String>,
    /// … or a template.
    #[serde(default)]
    pub template_id: Option<TemplateId>,
    pub enabled: bool,
}

/// All of them, and how often they answer at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AutoReplies {
    pub rules: Vec<AutoReply>,
    pub office_hours: OfficeHours,
    /// A rule answers one person once in so many hours.
    pub pause_hours: i32,
    /// All rules together answer one person so many times in 24 hours.
    pub per_day: i32,
}

impl Default for OfficeHours {
    fn default() -> Self {
        let days = Weekday::ALL.iter().copied().take(5).collect();
        let time = |hour| LocalTime::new(hour, 0).unwrap_or(crate::quiet::QuietHours::DEFAULT.end);
        Self { timezone: None, days, start: time(9), end: time(17) }
    }
}

impl Default for AutoReplies {
    fn default() -> Self {
        Self { rules: Vec::new(), office_hours: OfficeHours::default(), pause_hours: 24, per_day: 3 }
    }
}

impl OfficeHours {
    /// Whether somebody is there on this day (0 is Monday) at this minute. After midnight a day that began before it goes on.
    #[must_use]
    pub fn hold(&self, weekday: usize, minute: u16) -> bool {
        let works = |day: usize| Weekday::ALL.get(day % 7).is_some_and(|day| self.days.contains(day));
        let (start, end) = (self.start.minutes(), self.end.minutes());
        if start < end {
            return works(weekday) && start <= minute && minute < end;
        }
        (works(weekday) && minute >= start) || (works(weekday + 6) && minute < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn office_hours_may_last_beyond_midnight() {
        let time = |text: &str| text.parse().expect("a time");
        let day = OfficeHours { start: time("09:00"), end: time("17:30"), ..OfficeHours::default() };
        assert!(day.hold(0, 9 * 60) && day.hold(4, 17 * 60 + 29));
        assert!(!day.hold(0, 17 * 60 + 30) && !day.hold(5, 12 * 60));
        let night =
            OfficeHours { days: vec![Weekday::Friday], start: time("20:00"), end: time("04:00"), timezone: None };
        assert!(night.hold(4, 23 * 60) && night.hold(5, 60));
        assert!(!night.hold(5, 23 * 60) && !night.hold(4, 60));
    }
}
