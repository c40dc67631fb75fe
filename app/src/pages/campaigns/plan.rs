//! What the pages around a plan show: the rehearsal, and "why?" for any number.

use domain::{
    campaign::Campaign,
    ids::MessageId,
    message::Message,
    page::Page,
    run::{PlannedPerson, Run, SinceRehearsal},
    time::Timestamp,
    trigger_event::TriggerEvent,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::{
    api::{given, id},
    charts,
};
#[cfg(feature = "ssr")]
use crate::context::ctx;
use crate::error::AppError;

/// What the URL of a rehearsal says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearsalQuery {
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub cursor: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RehearsalView {
    pub at: Timestamp,
    pub campaign: Campaign,
    pub run: Option<Run>,
    pub since: Option<SinceRehearsal>,
    pub people: Page<PlannedPerson>,
    /// When everybody has it, and by which hour of their own: drawn by the server.
    pub curve: Option<String>,
    pub hours: Option<String>,
}

/// The answer to "why?", in words.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhyView {
    pub campaign: Campaign,
    pub asked: String,
    pub problem: Option<String>,
    pub answer: Option<String>,
    /// The answer is that the person got it, or will.
    pub is_good: bool,
    /// It waits until then.
    pub until: Option<Timestamp>,
    pub more: String,
    pub message: Option<MessageId>,
    /// All of the campaign to this person, where it is more than the one above.
    pub messages: Vec<Message>,
    /// What the campaign heard about this person.
    pub events: Vec<TriggerEvent>,
    pub contact: Option<String>,
    pub rules: Vec<WhyRow>,
}

/// A rule of the audience, and what it says of the person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhyRow {
    /// How deep it lies in groups.
    pub depth: usize,
    pub holds: bool,
    pub words: String,
    pub actual: Option<String>,
}

#[server]
pub async fn load_rehearsal(query: RehearsalQuery) -> Result<RehearsalView, AppError> {
    use domain::{message::MessageFilter, page::PageRequest, run::RunStatus};
    let ctx = ctx()?;
    let (engine, actor) = (&ctx.engine, &ctx.actor);
    let campaigns = engine.campaigns();
    let campaign = campaigns.get(actor, id(&query.id)?).await?;
    let run = campaigns.rehearsal(actor, campaign.id).await?;
    let mut view = RehearsalView {
        at: engine.now(),
        campaign,
        run: None,
        since: None,
        people: Page { items: Vec::new(), next_cursor: None },
        curve: None,
        hours: None,
    };
    let Some(run) = run else { return Ok(view) };
    if run.status == RunStatus::Rehearsed {
        view.since = Some(campaigns.since_rehearsal(actor, view.campaign.id).await?);
        let zone = engine.settings().default_timezone(actor).await?;
        view.curve = charts::curve(&run, view.at, &zone);
        view.hours = run.rehearsal.as_ref().and_then(charts::hours);
        let filter = MessageFilter {
            state: given(&query.state).and_then(|word| word.parse().ok()),
            reason: given(&query.reason).and_then(|word| word.parse().ok()),
            ..MessageFilter::default()
        };
        let page = PageRequest { cursor: given(&query.cursor).map(str::to_owned), ..PageRequest::default() };
        view.people = engine.runs().planned(actor, run.id, &filter, &page).await?;
    }
    view.run = Some(run);
    Ok(view)
}

#[server]
pub async fn load_why(
    campaign: String,
    #[server(default)] phone: String,
    #[server(default)] run: String,
) -> Result<WhyView, AppError> {
    use domain::{problem::FieldError, why::WhyNot};
    let ctx = ctx()?;
    let campaign = ctx.engine.campaigns().get(&ctx.actor, id(&campaign)?).await?;
    let mut view = WhyView {
        campaign,
        asked: phone.clone(),
        problem: None,
        answer: None,
        is_good: false,
        until: None,
        more: String::new(),
        message: None,
        messages: Vec::new(),
        events: Vec::new(),
        contact: None,
        rules: Vec::new(),
    };
    let Some(asked) = given(&phone) else { return Ok(view) };
    let number = match ctx.engine.campaigns().number(asked).await {
        Ok(number) => number,
        Err(engine::Error::Invalid(errors)) => {
            view.problem = errors.into_iter().next().map(|FieldError { message, .. }| message);
            return Ok(view);
        }
        Err(error) => return Err(error.into()),
    };
    let run = given(&run).map(id).transpose()?;
    let why = ctx.engine.campaigns().why(&ctx.actor, view.campaign.id, &number, run).await?;
    let (answer, more) = words::answer(&why, &view.campaign);
    view.is_good = why.message.as_ref().is_some_and(|message| !NOT_REACHED.contains(&message.state));
    view.answer = Some(answer);
    view.more = more;
    view.until = why.message.as_ref().and_then(|message| waits_until(message, ctx.engine.now()));
    view.message = why.message.as_ref().map(|message| message.id);
    view.messages = why.messages.iter().filter(|one| Some(one.id) != view.message).cloned().collect();
    view.events.clone_from(&why.events);
    view.contact = (why.answer != WhyNot::UnknownNumber).then(|| number.to_string());
    if let Some(rules) = &why.rules {
        words::rows(rules, 0, &mut view.rules);
    }
    Ok(view)
}

/// Nobody got anything of these.
#[cfg(feature = "ssr")]
const NOT_REACHED: [domain::message::State; 4] = {
    use domain::message::State;
    [State::Skipped, State::Failed, State::Undelivered, State::Cancelled]
};

/// When the turn comes of who waits for a reason; that of a held one comes when somebody has read the answer.
#[cfg(feature = "ssr")]
fn waits_until(message: &Message, now: Timestamp) -> Option<Timestamp> {
    use domain::{message::State, reason::Reason};
    let waits = message.state == State::Queued && message.not_before > now;
    (waits && message.reason != Some(Reason::HeldForReview)).then_some(message.not_before)
}

/// Words for a person's rules: made on the server, so that the browser need not know them.
#[cfg(feature = "ssr")]
mod words {
    use domain::{
        campaign::Campaign,
        segment::{Combinator, Operator},
        time::Timestamp,
        why::{RuleResult, Why, WhyNot},
    };
    use serde_json::Value;

    use super::WhyRow;
    use crate::text::{self, Label};

    /// Deeper ones are not set in further.
    const DEPTH: usize = 5;

    pub fn answer(why: &Why, campaign: &Campaign) -> (String, String) {
        // Nothing of the campaign went out yet, and its rehearsal is what there is.
        let is_rehearsed = campaign.run.is_none();
        let stopped = match (why.suppressed, why.consent) {
            (true, _) => " The number is on the do-not-contact list.",
            (false, Some(domain::consent::Consent::OptedOut)) => " The person has opted out, too.",
            _ => "",
        };
        let (answer, more) = match why.answer {
            WhyNot::InPlan => match &why.message {
                Some(message) => {
                    let state = Label::from(message.state).text;
                    let words = match message.reason {
                        Some(reason) => text::reason(reason),
                        None => text::state_meaning(message.state),
                    };
                    let rehearsed = "The person is in the rehearsed plan. Nothing is sent before it is launched.";
                    let plan = if is_rehearsed { rehearsed } else { "The person is in the plan." };
                    (format!("{state}: {}.", words.trim_end_matches('.')), plan)
                }
                None => ("The person is in the plan.".to_owned(), ""),
            },
            WhyNot::UnknownNumber => {
                ("Nobody is stored with this number.".to_owned(), "Who is not stored is in no audience.")
            }
            WhyNot::NotInAudience => {
                ("The audience's rules leave this person out.".to_owned(), "Below, every rule with what it says.")
            }
            WhyNot::CameLater => (
                "The person came after the plan was made.".to_owned(),
                came_later(!why.messages.is_empty(), campaign.next_run_at, is_rehearsed),
            ),
            WhyNot::ChangedLater => (
                "The person was not in the audience when the plan was made.".to_owned(),
                "Something about them was changed since: now the rules mean them.",
            ),
            WhyNot::NotPlannedYet => (
                "The plan is being made, and has not come to this person yet.".to_owned(),
                "The person is in the audience. Look again in a moment.",
            ),
            WhyNot::EndedBefore => (
                "The run was ended before its plan came to this person.".to_owned(),
                "The person is in the audience, and nothing was planned for them.",
            ),
            WhyNot::NotPlanned => (
                "Nothing is planned yet.".to_owned(),
                "The person is in the audience; a rehearsal says what they would get.",
            ),
            WhyNot::NoEvent => (
                "No event was about this person.".to_owned(),
                "The campaign answers events; those it heard were about others.",
            ),
            WhyNot::EventsLeftOut => (
                "Events were about this person, and none of them came to a message.".to_owned(),
                "Below, what became of each.",
            ),
            WhyNot::NoAudience => ("The campaign has no audience.".to_owned(), ""),
        };
        (answer, format!("{more}{stopped}"))
    }

    /// How somebody is reached who came after the plan was made. Each campaign is launched once; only one with a time to come
    /// has another plan made.
    const fn came_later(had_another: bool, next: Option<Timestamp>, is_rehearsed: bool) -> &'static str {
        match (had_another, next, is_rehearsed) {
            (true, ..) => "The rules mean them now; below, what the campaign has for them in another run.",
            (false, Some(_), _) => "The rules mean them now; the next run will, too.",
            (false, None, true) => "The rules mean them now: rehearse again to take them in.",
            (false, None, false) => "The rules mean them now. Duplicate the campaign to reach them.",
        }
    }

    pub fn rows(rule: &RuleResult, depth: usize, found: &mut Vec<WhyRow>) {
        let inside = match rule.combinator {
            // The outermost group says nothing unless it is more than a list of rules.
            Some(Combinator::And) if depth == 0 && !rule.not => depth,
            _ => {
                let actual = rule.field.as_deref().and_then(|field| own(field, &rule.actual));
                found.push(WhyRow { depth: depth.min(DEPTH), holds: rule.holds, words: words(rule), actual });
                depth + 1
            }
        };
        rule.rules.iter().for_each(|rule| rows(rule, inside, found));
    }

    fn words(rule: &RuleResult) -> String {
        let Some(field) = &rule.field else {
            let all = match (rule.combinator, rule.not) {
                (Some(Combinator::Or), false) => "At least one of these",
                (Some(Combinator::Or), true) => "None of these",
                (_, false) => "All of these",
                (_, true) => "Not all of these",
            };
            return match (&rule.segment, rule.not) {
                (Some(name), false) => format!("In the audience “{name}”"),
                (Some(name), true) => format!("Not in the audience “{name}”"),
                (None, _) => all.to_owned(),
            };
        };
        let operator = rule.operator.map_or("", operator);
        let name = match field.as_str() {
            "topic" => "Topics".to_owned(),
            "import" => "The file".to_owned(),
            field => field.strip_prefix("attributes.").unwrap_or(field).replace('_', " "),
        };
        format!("{name} {operator} {}", value(&rule.value)).trim_end().to_owned()
    }

    const fn operator(operator: Operator) -> &'static str {
        match operator {
            Operator::Equal => "is",
            Operator::NotEqual => "is not",
            Operator::Less => "is less than",
            Operator::LessOrEqual => "is at most",
            Operator::Greater => "is more than",
            Operator::GreaterOrEqual => "is at least",
            Operator::Contains => "contains",
            Operator::BeginsWith => "begins with",
            Operator::EndsWith => "ends with",
            Operator::In => "is one of",
            Operator::NotIn => "is none of",
            Operator::Between => "is between",
            Operator::Null => "is not known",
            Operator::NotNull => "is known",
            Operator::WithinLast => "is within the last",
            Operator::NotWithinLast => "is not within the last",
        }
    }

    fn value(value: &Value) -> String {
        match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().map(self::value).collect::<Vec<_>>().join(", "),
            Value::Object(parts) => {
                let part = |key: &str| parts.get(key).map(self::value).unwrap_or_default();
                format!("{} {}", part("n"), part("unit"))
            }
            other => other.to_string(),
        }
    }

    /// What the person has; nothing where the rule is about something else than a value.
    fn own(field: &str, actual: &Value) -> Option<String> {
        if field == "import" || field.starts_with("campaign.") {
            return None;
        }
        Some(match actual {
            Value::Null => "this person: nothing".to_owned(),
            Value::Array(items) if items.is_empty() => "this person: none".to_owned(),
            known => format!("this person: {}", value(known)),
        })
    }

    #[cfg(test)]
    mod tests {
        use serde_json::json;

        use super::*;

        fn leaf(field: &str, of: Value, actual: Value) -> RuleResult {
            RuleResult {
                holds: false,
                field: Some(field.to_owned()),
                operator: Some(Operator::Equal),
                value: of,
                actual,
                combinator: None,
                not: false,
                segment: None,
                rules: Vec::new(),
            }
        }

        #[test]
        fn who_came_later_is_promised_no_run_that_does_not_come() {
            let (next, none) = (Some(Timestamp::from_micros(1)), None);
            assert!(came_later(false, next, false).contains("the next run will"));
            for (campaign, words) in [
                (came_later(false, none, true), "rehearse again"),
                (came_later(false, none, false), "Duplicate the campaign"),
                (came_later(true, none, false), "in another run"),
            ] {
                assert!(campaign.contains(words) && !campaign.contains("the next run"), "{campaign}");
            }
        }

        #[test]
        fn rules_are_told_with_the_persons_own_value() {
            let group = |combinator, rules| RuleResult {
                combinator: Some(combinator),
                field: None,
                operator: None,
                rules,
                ..leaf("", Value::Null, Value::Null)
            };
            let city = leaf("attributes.home_city", json!("Colombo"), json!("Kandy"));
            let either = group(Combinator::Or, vec![leaf("topic", json!("offers"), json!([])), city.clone()]);
            let mut found = Vec::new();
            rows(&group(Combinator::And, vec![city, either]), 0, &mut found);
            let told: Vec<_> = found.iter().map(|row| (row.depth, row.words.as_str(), row.actual.as_deref())).collect();
            assert_eq!(
                told,
                [
                    (0, "home city is Colombo", Some("this person: Kandy")),
                    (0, "At least one of these", None),
                    (1, "Topics is offers", Some("this person: none")),
                    (1, "home city is Colombo", Some("this person: Kandy")),
                ]
            );
        }
    }
}
