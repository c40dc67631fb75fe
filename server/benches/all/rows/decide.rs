//! Decisions per second on one core.

use std::time::Instant;

use anyhow::{Result, ensure};
use domain::{
    campaign::Late,
    consent::{Category, Consent, Subscription},
    message::{Channel, Kind},
    phone::Phone,
    quiet::QuietHours,
    time::Timestamp,
};
use engine::{
    decide::{Content, Facts, Hours, Person, Verdict, decide},
    quiet::{Holidays, Place, Policy, shipped_holidays},
    zones::zones_of,
};

use crate::report::{Figure, Limit, Report};

const PEOPLE: usize = 10_000;
const ROUNDS: usize = 20;

/// Numbers of many places; every tenth person says their zone.
fn people() -> Result<Vec<(Phone, Option<&'static str>, &'static str)>> {
    let areas = [
        ("+1212555", "US"),
        ("+1415555", "US"),
        ("+1305555", "US"),
        ("+3361234", "FR"),
        ("+4915112", "DE"),
        ("+9198765", "IN"),
        ("+9477123", "LK"),
        ("+6141234", "AU"),
    ];
    (0..PEOPLE)
        .map(|number| {
            let (prefix, country) = areas[number % areas.len()];
            let digits = if country == "US" || country == "IN" { 4 } else { 5 };
            let number = number % 10_usize.pow(digits);
            let phone = format!("{prefix}{number:0width$}", width = digits as usize).parse()?;
            Ok((phone, number.is_multiple_of(10).then_some("Europe/Paris"), country))
        })
        .collect()
}

/// Every check with the law table, quiet hours of workspace and campaign, zones from the number; the text is given.
/// Baseline: the same checks for messages that no quiet hours bind.
pub fn run(report: &mut Report) -> Result<()> {
    let holidays = Holidays::of(&shipped_holidays());
    let lunch = QuietHours { start: "12:00".parse()?, end: "12:30".parse()? };
    let policy = Policy::new(true, vec![QuietHours::DEFAULT, lunch], &holidays);
    let bound = rate(Some(&policy))?;
    report.add(Figure {
        row: "decide",
        backend: String::new(),
        what: "all checks, quiet hours by law, workspace and campaign".to_owned(),
        value: bound,
        unit: "decisions/s",
        baseline: Some(rate(None)?),
        limit: Some(Limit::AtLeast(200_000.0)),
    });
    Ok(())
}

fn rate(policy: Option<&Policy>) -> Result<f64> {
    let people = people()?;
    let start: Timestamp = "2026-12-02T00:00:00Z".parse()?;
    let mut sent = 0;
    let began = Instant::now();
    for round in 0..ROUNDS {
        let now = start.plus(i64::try_from(round)? * Timestamp::HOUR);
        for (phone, timezone, country) in &people {
            let hours = policy.map(|policy| {
                let zones = zones_of(phone, *timezone);
                let place = Place::of(phone, Some(country), &zones);
                Hours { policy: policy.clone(), zones, place }
            });
            let facts = Facts {
                kind: Kind::Campaign,
                channel: Channel::Whatsapp,
                category: Some(Category::Marketing),
                person: Some(Person {
                    consent: Consent::OptedIn,
                    suppressed: false,
                    in_review: false,
                    last_inbound_at: None,
                }),
                has_topic: true,
                subscription: Some(Subscription::Subscribed),
                send_before: None,
                late: Late::Wait,
                hours,
                overridden: None,
                caps: Vec::new(),
                enforce_window: false,
                free_text: false,
                now,
            };
            let decided = decide(&facts, || Ok(Content { text: "Hello".to_owned(), ..Content::default() }));
            sent += usize::from(matches!(decided.verdict, Verdict::Send(_)));
        }
    }
    let rate = (PEOPLE * ROUNDS) as f64 / began.elapsed().as_secs_f64();
    let expected = policy.map_or(PEOPLE * ROUNDS, |_| sent);
    ensure!(sent == expected && sent > 0, "{sent} of {} decisions said send", PEOPLE * ROUNDS);
    Ok(rate)
}
