//! Nobody is messaged in their quiet hours: it waits for their morning.

use domain::{campaign::Late, reason::Reason, time::Timestamp};
use jiff::tz::TimeZone;

use super::{Facts, No};
use crate::{
    quiet::{Answer, Place, Policy, SEARCH_DAYS},
    zones::{self, Zones},
};

/// What a message is handed over before its window closes: the request may take 15 seconds, and the provider needs some to
/// pass it on.
pub const MARGIN: i64 = 30 * Timestamp::SECOND;

/// What is kept where nothing binds.
const NO_HOURS: &str = "no quiet hours bind this message";

/// `Wed 2 December 2026, 08:00`
const DAY_AND_TIME: &str = "%a %-d %B %Y, %H:%M";

/// An instant by the person's clock where that binds the message, else in UTC.
pub(super) fn told(facts: &Facts, at: Timestamp) -> String {
    match facts.hours.as_ref().filter(|hours| !hours.zones.is_empty()) {
        Some(hours) => hours.told(at),
        None => format!("{} UTC", zones::civil(&TimeZone::UTC, at).strftime(DAY_AND_TIME)),
    }
}

/// The rules that bind a message, and whose clock they go by.
#[derive(Clone, Debug, PartialEq)]
pub struct Hours {
    pub policy: Policy,
    pub zones: Zones,
    pub place: Place,
}

/// What the check saw that passed: the window, whose clock it goes by, the rules.
pub(super) fn seen(facts: &Facts) -> Option<String> {
    if facts.overridden.is_some() {
        return facts.overridden.clone();
    }
    facts.hours.as_ref().map_or_else(|| Some(NO_HOURS.to_owned()), |hours| hours.seen(facts.now))
}

/// Until when the message may be handed over; none when nothing binds it.
pub(super) fn check(facts: &Facts) -> Result<Option<Timestamp>, No> {
    let Some(hours) = &facts.hours else { return Ok(None) };
    let until = match hours.answer(facts.now) {
        Answer::Allowed { until } => return Ok(Some(until)),
        Answer::Quiet { until } => until,
        Answer::Never if hours.zones.is_empty() => {
            return Err(No::with(Reason::NeedsTimezone, format!("{}; {}", hours.zones.known_from(), hours.rules())));
        }
        Answer::Never => {
            let seen = format!("never within {SEARCH_DAYS} days in {}; {}", hours.place(), hours.rules());
            // Where only one place is possible, another zone would be a wrong one.
            let reason = if hours.zones.is_one() { Reason::NoAllowedTime } else { Reason::NeedsTimezone };
            return Err(No::with(reason, seen));
        }
    };
    match facts.send_before.filter(|deadline| facts.late == Late::Drop && *deadline <= until) {
        Some(deadline) => {
            let (deadline, until) = (hours.local(deadline), hours.told(until));
            let seen = format!("to be sent before {deadline}, and quiet until {until}; {}", hours.rules());
            Err(No::with(Reason::DeadlinePassed, seen))
        }
        None => {
            let seen = hours.closed(until);
            Err(No::until(Reason::QuietHours, until, seen))
        }
    }
}

impl Hours {
    /// What is kept of who is to wait until then.
    pub(crate) fn closed(&self, until: Timestamp) -> String {
        format!("until {}; {}", self.told(until), self.rules())
    }

    /// What is kept of who may be messaged at an instant: the window, whose clock it goes by, the rules. None when it is quiet
    /// then.
    pub(crate) fn seen(&self, at: Timestamp) -> Option<String> {
        if self.policy.is_free() {
            return Some(NO_HOURS.to_owned());
        }
        let (from, to) = self.policy.window(&self.zones, self.place, at)?;
        Some(format!("allowed from {} to {}; {}", self.local(from), self.told(to), self.rules()))
    }

    /// With [`MARGIN`] before a window closes.
    fn answer(&self, now: Timestamp) -> Answer {
        match self.policy.answer(&self.zones, self.place, now) {
            Answer::Allowed { until } if until.since(now) <= MARGIN => {
                match self.policy.answer(&self.zones, self.place, until) {
                    Answer::Allowed { until } => Answer::Quiet { until },
                    later => later,
                }
            }
            answer => answer,
        }
    }

    /// Zones, and where they are known from.
    fn place(&self) -> String {
        const SHOWN: usize = 3;
        let names = self.zones.names();
        let more = names.len().saturating_sub(SHOWN);
        let mut zones = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
        if more > 0 {
            zones.push_str(&format!(" and {more} more"));
        }
        format!("{zones} ({})", self.zones.known_from())
    }

    /// An instant by the person's clock, which is that of the first zone where there are several.
    fn local(&self, at: Timestamp) -> String {
        let zone = self.zones.zones().first().cloned().unwrap_or(TimeZone::UTC);
        zones::civil(&zone, at).strftime(DAY_AND_TIME).to_string()
    }

    /// And whose clock that is.
    fn told(&self, at: Timestamp) -> String {
        format!("{} in {}", self.local(at), self.place())
    }

    /// Rules, versions and the place that they are read for: with the zones and the day's holidays they are what it takes to
    /// decide again.
    fn rules(&self) -> String {
        format!("quiet hours {}; tzdb {}", self.policy.words_at(self.place), zones::version())
    }
}

#[cfg(test)]
mod tests {
    use domain::{phone::Phone, quiet::QuietHours};

    use super::*;
    use crate::{decide::willing, quiet::Holidays, zones::zones_of};

    fn facts(phone: &str, now: &str) -> Facts {
        let phone: Phone = phone.parse().expect("a phone");
        let policy = Policy::new(false, vec![QuietHours::DEFAULT], &Holidays::default());
        let hours = Hours { policy, zones: zones_of(&phone, None), place: Place::default() };
        Facts { hours: Some(hours), now: now.parse().expect("an instant"), ..willing() }
    }

    #[test]
    fn it_waits_for_the_person_s_morning() {
        let no = check(&facts("+12125550100", "2027-03-14T02:00:00Z")).expect_err("it is night");
        assert_eq!((no.reason, no.until), (Reason::QuietHours, Some("2027-03-14T12:00:00Z".parse().expect("a time"))));
        let detail = no.detail.expect("a detail");
        let until = "until Sun 14 March 2027, 08:00 in America/New_York (by the number's prefix)";
        for part in [until, "21:00–08:00", "tzdb 20"] {
            assert!(detail.contains(part), "{detail}");
        }
        let closes = check(&facts("+12125550100", "2027-03-14T12:00:00Z")).expect("it is day");
        assert_eq!(closes, Some("2027-03-15T01:00:00Z".parse().expect("a time")));
        assert_eq!(check(&Facts { hours: None, ..facts("+12125550100", "2027-03-14T02:00:00Z") }), Ok(None));
    }

    /// As an auditor would, who has only what is stored: the words, the zones, when it was decided.
    #[test]
    fn what_is_kept_of_a_decision_leads_to_it_again() {
        let cases = [
            ("+12125550100", "2027-03-14T12:00:00Z", "21:00–08:00"),
            ("+12125550100", "2027-03-14T16:30:00Z", "20:30–10:15"),
            ("+4915112345678", "2026-10-25T01:30:00Z", "05:00–01:00"),
            ("+94771234567", "2026-11-29T10:03:25Z", "21:00–08:00"),
        ];
        for (phone, now, hours) in cases {
            let policy = |words: &str| {
                let (start, end) = words.split_once('–').expect("hours");
                let hours = QuietHours { start: start.parse().expect("a time"), end: end.parse().expect("a time") };
                Policy::new(false, vec![hours], &Holidays::default())
            };
            let mut made = facts(phone, now);
            made.hours.as_mut().expect("hours").policy = policy(hours);
            let until = check(&made).unwrap_or_else(|no| panic!("{phone} at {now}: {no:?}"));
            let stored = seen(&made).expect("something was seen");
            let rules = stored.split_once("; quiet hours ").and_then(|(_, rules)| rules.split_once("; tzdb "));
            let (words, tzdb) = rules.expect("rules and version");
            assert_eq!(tzdb, zones::version());
            let zones = zones::of_names(made.hours.as_ref().expect("hours").zones.names());
            let again = Hours { policy: policy(words), zones, place: Place::default() };
            let again = Facts { hours: Some(again), now: made.now, ..willing() };
            assert_eq!(check(&again).expect("the same"), until);
            let window = |text: &str| text.split_once(" (").map(|(window, _)| window.to_owned());
            assert_eq!(seen(&again).as_deref().and_then(window), window(&stored), "{stored}");
        }
    }

    #[test]
    fn nothing_begins_when_the_window_is_about_to_close() {
        let open = facts("+12125550100", "2027-03-14T01:59:29Z");
        assert!(check(&open).is_ok());
        let closing = facts("+12125550100", "2027-03-14T01:59:30Z");
        let no = check(&closing).expect_err("half a minute is too short");
        assert_eq!(no.until, Some("2027-03-14T12:00:00Z".parse().expect("a time")));
    }

    #[test]
    fn a_person_of_no_zone_is_left_out() {
        let no = check(&facts("+18005550100", "2027-03-14T15:00:00Z")).expect_err("nowhere");
        assert_eq!((no.reason, no.until), (Reason::NeedsTimezone, None));
    }

    #[test]
    fn a_person_of_one_zone_without_an_hour_has_a_reason_of_its_own() {
        // By day the campaign is quiet, by night the workspace.
        let by_day = QuietHours { start: "08:00".parse().expect("a time"), end: "21:00".parse().expect("a time") };
        let closed = |phone: &str, timezone: Option<&str>| {
            let phone: Phone = phone.parse().expect("a phone");
            let policy = Policy::new(false, vec![QuietHours::DEFAULT, by_day], &Holidays::default());
            let hours = Hours { policy, zones: zones_of(&phone, timezone), place: Place::default() };
            let facts = Facts { hours: Some(hours), ..facts("+12125550100", "2027-03-14T15:00:00Z") };
            check(&facts).expect_err("there is no hour").reason
        };
        assert_eq!(closed("+12125550100", None), Reason::NoAllowedTime, "New York, by its prefix");
        assert_eq!(closed("+18005550100", Some("Asia/Colombo")), Reason::NoAllowedTime);
        assert_eq!(closed("+18005550100", None), Reason::NeedsTimezone);
        assert!(zones_of(&"+14155550100".parse().expect("a phone"), None).is_one());
        let several = "+79161234567";
        assert!(!zones_of(&several.parse().expect("a phone"), None).is_one());
        assert_eq!(closed(several, None), Reason::NeedsTimezone, "it may be in several zones");
    }

    #[test]
    fn what_would_be_late_in_the_morning_is_dropped_at_once() {
        let night = facts("+12125550100", "2027-03-14T02:00:00Z");
        let deadline = Some("2027-03-14T12:00:00Z".parse().expect("a time"));
        let drop = Facts { send_before: deadline, late: Late::Drop, ..night.clone() };
        assert_eq!(check(&drop).expect_err("too late").reason, Reason::DeadlinePassed);
        let wait = Facts { send_before: deadline, late: Late::Wait, ..night.clone() };
        assert_eq!(check(&wait).expect_err("it waits").reason, Reason::QuietHours);
        let later = Facts { send_before: deadline.map(|at: Timestamp| at.plus(1)), late: Late::Drop, ..night };
        assert_eq!(check(&later).expect_err("it waits").reason, Reason::QuietHours);
    }
}
