//! Which rules bind which message.

use domain::{actor::ActorKind, consent::Category, quiet::QuietHours, run::Rules, settings::Settings};

use super::{Holidays, Policy};

/// Of a campaign's messages: the campaign's own hours and the workspace's, and for marketing the law table with the
/// workspace's lines.
#[must_use]
pub fn of_campaign(settings: &Settings, holidays: &Holidays, category: Category, own: Option<QuietHours>) -> Policy {
    let law = settings.quiet_hours.law && category == Category::Marketing;
    let quiet = settings.quiet_hours.hours().into_iter().chain(own).collect();
    Policy::with_lines(law, &settings.law_lines, quiet, holidays)
}

/// Of a run's messages: as [`of_campaign`], unless somebody said that they cannot wait.
#[must_use]
pub fn of_run(settings: &Settings, holidays: &Holidays, rules: &Rules) -> Policy {
    if rules.quiet_off {
        return Policy::new(false, Vec::new(), holidays);
    }
    of_campaign(settings, holidays, rules.category, rules.quiet_hours)
}

/// What is kept of a run's messages for which no quiet hours hold because somebody said so: who, and why.
#[must_use]
pub fn overridden(rules: &Rules) -> Option<String> {
    if !rules.quiet_off {
        return None;
    }
    // A run that was overridden before that was kept says nothing of who it was.
    let Some(said) = rules.quiet_overrides.last() else { return Some("quiet hours overridden by an admin".to_owned()) };
    let who = match said.by.kind {
        ActorKind::ApiKey => format!("the API key {}", said.by.name),
        ActorKind::CommandLine => "the command line".to_owned(),
        _ => said.by.name.clone(),
    };
    Some(format!("quiet hours overridden by {who}: {}", said.reason))
}

/// Of single messages: only marketing is bound. Replies, codes and what people asked for go when they are wanted.
#[must_use]
pub fn of_singles(settings: &Settings, holidays: &Holidays) -> Policy {
    of_campaign(settings, holidays, Category::Marketing, None)
}
