//! Everybody of a plan, decided as at sending, with nothing claimed and nothing sent.

use std::{collections::HashMap, num::NonZero, sync::Arc, thread};

use domain::{
    consent::Category,
    ids::{ContactId, MessageId},
    message::{Channel, Outcome},
    reason::{Check, Reason},
    run::{Rehearsal, RehearsalCount as Counted},
    text::{self, Count},
    time::Timestamp,
};
use jiff::civil::DateTime;
use sha2::{Digest as _, Sha256};
use store::{
    Tx,
    messages::Claimed,
    rehearsals::{Counts, LeftOut, count, count_many, count_outcome},
    runs::{Asleep, RunPlan},
};

use super::{Cap, RunContext, caps, content, content::Text, verdict, verdict::Binding};
use crate::{
    Engine, Error, Result,
    decide::{self, Content, ContentFault, Decided, Facts, Verdict},
    own_page::Link,
    planner::local::{Due, DueTimes},
    quiet::{self, Holidays, Policy},
    services::settings,
    templates::Compiled,
    zones::{self, Zones, zones_of},
};

/// More threads than this do not make a chunk quicker than the database.
const THREADS: usize = 4;

/// The longest code of a language (ISO 639), and what stands for what is none.
const LANGUAGE_MAX: usize = 3;
const NO_LANGUAGE: &str = "?";

/// Meta delivers no marketing to numbers of the United States (error 63049, since 2025-04-01): those of +1 whose area code
/// is there, not Canada's.
pub(crate) fn is_refused_in_us(channel: Channel, category: Category) -> bool {
    channel == Channel::Whatsapp && category == Category::Marketing
}

/// All that deciding about a run's people needs.
pub(crate) struct Rehearsing {
    engine: Engine,
    run: RunContext,
    hours: Policy,
    caps: Vec<Cap>,
    enforce_window: bool,
    due: DueTimes,
}

/// What is found of some people.
#[derive(Default)]
pub(crate) struct Found {
    pub left_out: Vec<LeftOut>,
    /// Who sleeps.
    pub asleep: Vec<Asleep>,
    /// Who is due by their own clock, then.
    pub due: Vec<(MessageId, Timestamp)>,
    pub counts: Counts,
    /// For each person what the plan's hash is made of.
    pub leaves: Vec<(ContactId, Leaf)>,
}

pub(crate) type Leaf = [u8; 32];

/// A person's part of the plan's hash.
pub(crate) fn leaf(contact: ContactId, outcome: Outcome, reason: Option<Reason>, content: Option<&Content>) -> Leaf {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update(text.len().to_be_bytes());
        hash.update(text);
    };
    part(&contact.0.to_string());
    part(outcome.as_str());
    part(reason.map_or("", Reason::as_str));
    if let Some(content) = content {
        part(&content.text);
        let (sid, variables) = content.content.as_ref().map_or(("", ""), |(sid, variables)| (sid, variables));
        part(sid);
        part(variables);
        part(content.media_url.as_deref().unwrap_or_default());
    }
    hash.finalize().into()
}

/// The link to a message's own page is another one in every rehearsal of the same plan: it is no part of what is said.
fn without_token(content: &mut Content, token: &str) {
    content.text = content.text.replace(token, "");
    if let Some((_, variables)) = &mut content.content {
        *variables = variables.replace(token, "");
    }
}

impl Rehearsing {
    /// Everything that the run has frozen, and the settings as they are now.
    ///
    /// # Errors
    /// What the database says, or that the template cannot be used.
    pub async fn of(engine: &Engine, plan: &RunPlan, now: Timestamp) -> Result<Self> {
        let settings = settings::current(engine).await?;
        let holidays = Holidays::of(&settings.holidays);
        let template = content::compiled(engine, plan.template).await?;
        let keys = caps::keys(engine, &settings).await?;
        Ok(Self {
            engine: engine.clone(),
            hours: quiet::of_run(&settings, &holidays, &plan.rules),
            caps: caps::of_run(&settings, &keys, plan.rules.category, plan.topic),
            enforce_window: settings.enforce_whatsapp_window,
            due: DueTimes::of(&plan.rules, plan.snapshot_at, now),
            run: RunContext { rules: plan.rules.clone(), topic: plan.topic, template },
        })
    }

    /// What is wrong with the template's version itself; none when it is the database that is away.
    pub fn fault(error: &Error) -> Option<String> {
        content::fault_of_version(error)
    }

    /// When the first of its people are due.
    pub const fn due(&self) -> Timestamp {
        self.due.from()
    }

    /// Counts what the people will have had of late when it is their turn, as far as it is known, for the caps that bind the
    /// run. Their order is another one afterwards.
    ///
    /// # Errors
    /// What the database says.
    pub async fn count_for_caps(self: &Arc<Self>, tx: &Tx, mut people: Vec<Claimed>) -> Result<Vec<Claimed>> {
        caps::count_planned(tx, self.due(), &self.caps, &mut people).await?;
        // Later it can only be less: who has room now has it then, too.
        if !people.iter().any(|person| caps::is_full(&self.caps, person)) {
            return Ok(people);
        }
        let rehearsing = Arc::clone(self);
        let turning = tokio::task::spawn_blocking(move || {
            let turns = rehearsing.later_turns(&people);
            (people, turns)
        });
        let (mut people, turns) = turning.await.map_err(Error::internal)?;
        // Few instants for many people: as many as there are mornings.
        people.sort_unstable_by_key(|person| turns.get(&person.id).copied());
        for part in people.chunk_by_mut(|one, other| turns.get(&one.id) == turns.get(&other.id)) {
            if let Some(turn) = part.first().and_then(|person| turns.get(&person.id)).copied() {
                caps::count_planned(tx, turn, &self.caps, part).await?;
            }
        }
        Ok(people)
    }

    /// Whose turn comes later than the first one's, when they wake or by their own clock, of those who had enough as of then.
    fn later_turns(&self, people: &[Claimed]) -> HashMap<MessageId, Timestamp> {
        let text = self.text();
        let full = people.iter().filter(|person| caps::is_full(&self.caps, person));
        full.filter_map(|person| Some((person.id, self.later_turn(&text, person)?))).collect()
    }

    fn later_turn(&self, text: &Text<'_>, message: &Claimed) -> Option<Timestamp> {
        let contact = message.contact.as_ref()?;
        let Due::At(due) = self.due.of_person(&zones_of(&contact.phone, contact.timezone.as_deref())) else {
            return None;
        };
        let facts = verdict::facts(&self.binding(), text, message, due);
        // Who is awake is not asked for a text here.
        let decided = decide::decide(&Facts { caps: Vec::new(), ..facts }, || Err(ContentFault::TooLong(0)));
        let turn = if let Verdict::Wait { until, .. } = decided.verdict { until } else { due };
        (turn > self.due()).then_some(turn)
    }

    /// Decides about some people by when they are due, on as many processors as there are. It takes a while: not for a
    /// thread that others wait for.
    pub fn decide(&self, people: &[Claimed], now: Timestamp) -> Found {
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS);
        let part = people.len().div_ceil(threads).max(1);
        let mut all = Found::default();
        thread::scope(|scope| {
            let parts: Vec<_> =
                people.chunks(part).map(|part| scope.spawn(move || self.decide_part(part, now))).collect();
            for part in parts {
                match part.join() {
                    Ok(found) => all.add(found),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        all
    }

    fn decide_part(&self, people: &[Claimed], now: Timestamp) -> Found {
        let mut found = Found::default();
        let text = self.text();
        for person in people {
            self.decide_one(&text, person, now, &mut found);
        }
        found
    }

    fn decide_one(&self, text: &Text<'_>, message: &Claimed, now: Timestamp, found: &mut Found) {
        let id = message.id;
        let zones = message.contact.as_ref().map(|one| zones_of(&one.phone, one.timezone.as_deref()));
        let due = zones.as_ref().map_or(Due::At(self.due()), |zones| self.due.of_person(zones));
        let Due::At(due) = due else {
            let reason = Reason::DeadlinePassed;
            found.left_out.push(LeftOut { id, reason, decision: self.due.over(now) });
            count_outcome(&mut found.counts, Outcome::Skip, Some(reason));
            let leaf = leaf(message.contact_id, Outcome::Skip, Some(reason), None);
            return found.leaves.push((message.contact_id, leaf));
        };
        let facts = verdict::facts(&self.binding(), text, message, due);
        let decided = Self::verdict(&facts, || text.render(self.engine.config(), message));
        let (outcome, reason, at) = match &decided.verdict {
            Verdict::Skip(reason) => {
                if let (Reason::MissingVariable, Some(variable)) = (reason, &decided.detail) {
                    count(&mut found.counts, Counted::Variable, variable);
                }
                let decision = verdict::record(&facts, &decided, now);
                found.left_out.push(LeftOut { id, reason: *reason, decision });
                (Outcome::Skip, Some(*reason), None)
            }
            Verdict::Send(_) => {
                if self.due.is_local() {
                    found.due.push((id, due));
                }
                (Outcome::Send, None, Some(due))
            }
            Verdict::Wait { until, reason } => {
                let decision = verdict::record(&facts, &decided, now);
                found.asleep.push(Asleep { id, until: *until, decision });
                (Outcome::Wait, Some(*reason), Some(*until))
            }
        };
        count_outcome(&mut found.counts, outcome, reason);
        let mut content = match (at, &decided.verdict) {
            (None, _) => None,
            (Some(_), Verdict::Send(content)) => Some(content.clone()),
            (Some(_), _) => text.render(self.engine.config(), message).ok(),
        };
        if let Some(length) = content.as_ref().and_then(|content| length_by_sms(self.run.rules.channel, content)) {
            let encoding = length.encoding.as_str();
            count(&mut found.counts, Counted::Encoding, encoding);
            count_many(&mut found.counts, Counted::Segments, encoding, i64::from(length.segments));
        }
        if let Some(content) = content.as_mut().filter(|_| self.run.template.has_own_page()) {
            without_token(content, &Link::to(self.engine.config(), message.contact_id, message.id).token());
        }
        found.leaves.push((message.contact_id, leaf(message.contact_id, outcome, reason, content.as_ref())));
        if let (Some(at), Some(zones)) = (at, &zones) {
            count(&mut found.counts, Counted::LocalHour, local_hour(zones, at));
            let country = message.contact.as_ref().and_then(|contact| contact.country.as_deref());
            if country == Some("US") && is_refused_in_us(self.run.rules.channel, self.run.rules.category) {
                count(&mut found.counts, Counted::Refused, Rehearsal::US_MARKETING);
            }
            let locale = message.contact.as_ref().and_then(|contact| contact.locale.as_deref());
            if let Some(locale) = locale.filter(|locale| !self.run.template.has_variant(locale)) {
                count(&mut found.counts, Counted::Language, language(locale));
            }
        }
    }

    /// As at sending, but that whoever sleeps is decided about as of their morning, too: what a text lacks, it lacks then, and
    /// who had enough or has not written for too long by then is known already.
    fn verdict(facts: &Facts, render: impl Fn() -> Result<Content, ContentFault>) -> Decided {
        let decided = decide::decide(facts, &render);
        let Verdict::Wait { until, .. } = decided.verdict else { return decided };
        let awake = decide::decide(&Facts { hours: None, now: until, ..facts.clone() }, &render);
        match awake.verdict {
            Verdict::Skip(
                Reason::MissingVariable
                | Reason::TooLong
                | Reason::TemplateError
                | Reason::FrequencyCap
                | Reason::OutsideWindow,
            ) => {
                // That it is not too early was only supposed.
                Decided { passed: awake.passed & !Check::QuietHours.bit(), ..awake }
            }
            // Nor does anything else speak against it then.
            Verdict::Send(_) => Decided { passed: awake.passed & !Check::QuietHours.bit(), ..decided },
            _ => decided,
        }
    }

    fn binding(&self) -> Binding<'_> {
        Binding {
            config: self.engine.config(),
            channel: self.run.rules.channel,
            run: Some(&self.run),
            hours: &self.hours,
            caps: self.caps.as_slice(),
            enforce_window: self.enforce_window,
        }
    }

    fn text(&self) -> Text<'static> {
        Text::Template(self.run.template.clone(), self.run.rules.category)
    }
}

impl Found {
    fn add(&mut self, other: Self) {
        self.left_out.extend(other.left_out);
        self.asleep.extend(other.asleep);
        self.due.extend(other.due);
        self.leaves.extend(other.leaves);
        for (key, n) in other.counts {
            *self.counts.entry(key).or_default() += n;
        }
    }
}

/// What a message's person would get, filled by the same function as at sending.
pub(crate) fn content_for(engine: &Engine, template: &Compiled, message: &Claimed) -> Result<Content, ContentFault> {
    content::fill(engine.config(), template, message)
}

/// How long a text is where segments are billed, and count towards the sender's rate: by SMS, and not with a file, which makes
/// it an MMS.
pub(crate) fn length_by_sms(channel: Channel, content: &Content) -> Option<Count> {
    (channel == Channel::Sms && content.media_url.is_none()).then(|| text::count(&content.text))
}

/// The hour on the person's clock. With several zones it is the first of them, with none UTC.
pub(crate) fn local_hour(zones: &Zones, at: Timestamp) -> String {
    let local = local_time(zones, at);
    format!("{:04}-{:02}-{:02}T{:02}", local.year(), local.month(), local.day(), local.hour())
}

/// The time on the person's clock; see [`local_hour`].
pub(crate) fn local_time(zones: &Zones, at: Timestamp) -> DateTime {
    match zones.zones().first() {
        Some(zone) => zones::civil(zone, at),
        None => zones::civil(&jiff::tz::TimeZone::UTC, at),
    }
}

/// What a locale's language is called in the counts: few, whatever stands in a file.
pub(crate) fn language(locale: &str) -> String {
    let language = locale.trim().split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let is_code =
        (2..=LANGUAGE_MAX).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_lowercase());
    if is_code { language } else { NO_LANGUAGE.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_tells_people_outcomes_and_texts_apart() {
        let hello = Content { text: "Hello".to_owned(), ..Content::default() };
        let of = |contact, outcome, content: &Content| leaf(ContactId(contact), outcome, None, Some(content));
        let first = of(1, Outcome::Send, &hello);
        assert_eq!(first, of(1, Outcome::Send, &hello));
        assert_ne!(first, of(2, Outcome::Send, &hello));
        assert_ne!(first, of(1, Outcome::Wait, &hello));
        assert_ne!(first, of(1, Outcome::Send, &Content { text: "Hallo".to_owned(), ..Content::default() }));
    }

    #[test]
    fn languages_are_few() {
        assert_eq!(language("pt_BR"), "pt");
        assert_eq!(language(" FIL "), "fil");
        for odd in ["klingon", "", "1", "d"] {
            assert_eq!(language(odd), NO_LANGUAGE, "{odd}");
        }
    }
}
