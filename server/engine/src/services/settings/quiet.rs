//! Quiet hours, holidays and frequency caps among the settings.

use std::collections::BTreeSet;

use domain::{
    problem::FieldError,
    quiet::{FrequencyCap, Holiday, LawTable, QuietHours, WorkspaceQuiet},
    role::Permission,
    settings::{Settings, SettingsPatch, UNREACHABLE_DAYS_MAX},
    time::Timestamp,
};
use jiff::{civil::Date, tz::TimeZone};
use serde_json::{Value, json};
use store::Tx;

use super::SettingsService;
use crate::{
    Actor, Result,
    quiet::{self, Holidays, Policy},
    require, zones,
};

const HOLIDAYS_MAX: usize = 2_000;
const CAPS_MAX: usize = 20;
const CAP_MESSAGES_MAX: u16 = 1_000;
const CAP_DAYS_MAX: u16 = 366;
const NAME_MAX: usize = 100;
const REASON_MAX: usize = 500;

/// What holds until somebody changes it: everything with a real account, nothing on the simulator.
pub(super) const fn default_rule(real: bool) -> WorkspaceQuiet {
    let QuietHours { start, end } = QuietHours::DEFAULT;
    WorkspaceQuiet { enabled: real, start, end, law: real }
}

/// The places where the workspace's hours, the law table and the workspace's lines leave marketing no time at all. No error:
/// whoever writes to one country alone may well close all others.
pub(super) fn closed_places(settings: &Settings, now: Timestamp) -> Vec<String> {
    let marketing = quiet::of_singles(settings, &Holidays::default());
    marketing.closed_places(zones::civil(&TimeZone::UTC, now).date())
}

/// The days that came and went, for the audit log: whoever was messaged on one wants to know since when it is none.
pub(super) fn holiday_changes(before: &[Holiday], after: &[Holiday]) -> Value {
    let only = |these: &[Holiday], not_those: &[Holiday]| -> Vec<String> {
        let known: BTreeSet<_> = not_those.iter().map(|day| (&day.country, &day.date)).collect();
        let new = these.iter().filter(|day| !known.contains(&(&day.country, &day.date)));
        new.map(|day| format!("{} {} {}", day.country, day.date, day.name)).collect()
    };
    json!({ "added": only(after, before), "removed": only(before, after) })
}

/// What is wrong with a change, seen beside the rule that it changes.
pub(super) async fn problems(
    tx: &Tx,
    former: WorkspaceQuiet,
    patch: &SettingsPatch,
    real: bool,
) -> Result<Vec<FieldError>> {
    let mut errors = Vec::new();
    if let Some(change) = &patch.quiet_hours {
        let rule = change.applied(former);
        let reason = change.reason.as_deref().unwrap_or_default().trim();
        if rule.start == rule.end {
            errors.push(FieldError::new("quiet_hours.end", "Give another time than the start."));
        }
        let hours = rule.hours().into_iter().collect();
        if rule != former
            && rule.start != rule.end
            && Policy::new(rule.law, hours, &Holidays::default()).leaves_nothing()
        {
            let text =
                "No marketing could ever be sent: beside the law table these hours leave no time at all. Shorten them.";
            errors.push(FieldError::new("quiet_hours.end", text));
        }
        if rule != former && reason.is_empty() {
            let text = "Say why the quiet hours are changed: it goes to the audit log.";
            errors.push(FieldError::new("quiet_hours.reason", text));
        }
        if reason.chars().count() > REASON_MAX {
            errors.push(FieldError::new("quiet_hours.reason", format!("Use at most {REASON_MAX} characters.")));
        }
        if real && !rule.law {
            let text = "With a real account the law table always binds marketing.";
            errors.push(FieldError::new("quiet_hours.law", text));
        }
    }
    errors.extend(patch.holidays.iter().flat_map(|list| holiday_problems(list)));
    for (index, cap) in patch.frequency_caps.iter().flatten().enumerate() {
        errors.extend(cap_problem(tx, index, cap).await?);
    }
    if patch.unreachable_days.is_some_and(|days| !(0..=UNREACHABLE_DAYS_MAX).contains(&days)) {
        let text = format!("Give 0 to {UNREACHABLE_DAYS_MAX} days; 0 leaves nobody alone.");
        errors.push(FieldError::new("unreachable_days", text));
    }
    if patch.frequency_caps.as_ref().is_some_and(|caps| caps.len() > CAPS_MAX) {
        errors.push(FieldError::new("frequency_caps", format!("Give at most {CAPS_MAX} limits.")));
    }
    Ok(errors)
}

fn holiday_problems(list: &[Holiday]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if list.len() > HOLIDAYS_MAX {
        errors.push(FieldError::new("holidays", format!("Give at most {HOLIDAYS_MAX} days.")));
    }
    let mut seen = BTreeSet::new();
    for (index, holiday) in list.iter().enumerate().take(HOLIDAYS_MAX) {
        let wrong = |field: &str, text: &str| FieldError::new(format!("holidays[{index}].{field}"), text);
        if !(holiday.country.len() == 2 && holiday.country.bytes().all(|byte| byte.is_ascii_uppercase())) {
            errors.push(wrong("country", "Give a country as two capital letters, such as FR."));
        }
        if holiday.date.len() != 10 || holiday.date.parse::<Date>().is_err() {
            errors.push(wrong("date", "Give a day such as 2026-12-25."));
        }
        if holiday.name.trim().is_empty() || holiday.name.chars().count() > NAME_MAX {
            errors.push(wrong("name", "Give it a name of at most 100 characters."));
        }
        if !seen.insert((&holiday.country, &holiday.date)) {
            errors.push(wrong("date", "This day is in the list already."));
        }
    }
    errors
}

async fn cap_problem(tx: &Tx, index: usize, cap: &FrequencyCap) -> Result<Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, text: String| {
        errors.push(FieldError::new(format!("frequency_caps[{index}].{field}"), text));
    };
    if !(1..=CAP_MESSAGES_MAX).contains(&cap.messages) {
        wrong("messages", format!("Give a number from 1 to {CAP_MESSAGES_MAX}."));
    }
    if !(1..=CAP_DAYS_MAX).contains(&cap.days) {
        wrong("days", format!("Give a number from 1 to {CAP_DAYS_MAX}."));
    }
    if let Some(key) = &cap.topic
        && store::topics::id_of(tx, key).await?.is_none()
    {
        wrong("topic", format!("There is no topic with the key `{key}`."));
    }
    Ok(errors)
}

impl SettingsService<'_> {
    /// The law table with its source and date, as applied to marketing.
    ///
    /// # Errors
    /// `Forbidden` for who may not read; what the database says.
    pub async fn law(&self, actor: &Actor) -> Result<LawTable> {
        require(actor, Permission::Read)?;
        let settings = super::load(self.0.db().reader(), self.0.config(), self.0.now()).await?;
        Ok(LawTable {
            pack_version: quiet::PACK.to_owned(),
            tzdb_version: zones::version().to_owned(),
            lines: quiet::law_lines(),
            caps: quiet::law_cap_lines(),
            idle_holidays: quiet::idle_holidays(&settings.holidays, &settings.law_lines),
            own: settings.law_lines,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_that_came_and_went_are_told() {
        let day =
            |date: &str, name: &str| Holiday { country: "FR".to_owned(), date: date.to_owned(), name: name.to_owned() };
        let (noel, new_year, ascension) = (day("2026-12-25", "Noël"), day("2027-01-01", "x"), day("2027-05-06", "y"));
        let told = holiday_changes(&[noel.clone(), new_year.clone()], &[new_year, ascension]);
        assert_eq!(told, json!({ "added": ["FR 2027-05-06 y"], "removed": ["FR 2026-12-25 Noël"] }));
        let same = [noel];
        assert_eq!(holiday_changes(&same, &same), json!({ "added": [], "removed": [] }));
    }
}
