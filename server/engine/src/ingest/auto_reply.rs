//! Answers by themselves: chosen by pure rules, queued in the transaction that stores what they answer.
//!
//! Two programs that answer each other would never end. So a rule answers one person once in some hours, all together a few
//! times a day, and nobody who writes as no human does; what was understood as a keyword is answered elsewhere.

use domain::{
    auto_reply::{AutoReplies, AutoReply, AutoReplyWhen},
    contact::Attributes,
    ids::{ContactId, MessageId},
    message::{Kind, State},
    settings::Settings,
    time::Timestamp,
};
use store::{Tx, auto_replies::Lately, messages::NewSingle};

use super::{event::InboundIn, keywords::fold};
use crate::zones::{civil, zone};

/// Who writes more often than this is taken for a program: messages within a minute.
const BURST: i64 = 4;

/// A message that a rule may answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard<'a> {
    pub contact_id: ContactId,
    pub message: &'a InboundIn,
    /// The person had never written before.
    pub is_first: bool,
}

/// Queues the answers; true when there are any.
pub(super) async fn answer(tx: &Tx, now: Timestamp, settings: &Settings, heard: &[Heard<'_>]) -> store::Result<bool> {
    let rules = &settings.auto_replies;
    if rules.rules.iter().all(|rule| !rule.enabled) {
        return Ok(false);
    }
    let out_of_hours = is_out_of_hours(settings, now);
    let called: Vec<(&Heard<'_>, Vec<&AutoReply>)> = heard
        .iter()
        .map(|one| (one, matching(rules, one, out_of_hours).collect::<Vec<_>>()))
        .filter(|(_, matching)| !matching.is_empty())
        .collect();
    let longest = i64::from(rules.pause_hours).max(24) * Timestamp::HOUR;
    let people = called.iter().map(|(one, _)| one.contact_id);
    let since = (now.plus(-longest), now.plus(-Timestamp::MINUTE));
    let mut lately = store::auto_replies::lately(tx, people, since.0, since.1).await?;
    let mut answered: Vec<(ContactId, &str, MessageId)> = Vec::new();
    for (one, matching) in called {
        let lately = lately.entry(one.contact_id).or_default();
        let Some(rule) = choose(&matching, rules, lately, now) else { continue };
        if let Some(message) = queue(tx, now, rule, one).await? {
            // What comes later in the batch has to know.
            lately.answered.push((rule.name.clone(), now));
            answered.push((one.contact_id, rule.name.as_str(), message));
        }
    }
    store::auto_replies::note(tx, now, &answered).await?;
    Ok(!answered.is_empty())
}

/// The rules that a message calls, the more special ones first.
fn matching<'a>(
    rules: &'a AutoReplies,
    heard: &Heard<'_>,
    out_of_hours: bool,
) -> impl Iterator<Item = &'a AutoReply> + use<'a> {
    let text = fold(&heard.message.body);
    let is_first = heard.is_first;
    AutoReplyWhen::ALL.iter().flat_map(move |when| {
        let text = text.clone();
        rules.rules.iter().filter(move |rule| {
            rule.enabled
                && rule.when == *when
                && match rule.when {
                    AutoReplyWhen::Keyword => !text.is_empty() && rule.words.iter().any(|word| fold(word) == text),
                    AutoReplyWhen::FirstContact => is_first,
                    AutoReplyWhen::OutOfHours => out_of_hours,
                }
        })
    })
}

/// The first of the rules that may answer this person now. A rule that has just answered lets no other one speak for it.
fn choose<'a>(
    matching: &[&'a AutoReply],
    rules: &AutoReplies,
    lately: &Lately,
    now: Timestamp,
) -> Option<&'a AutoReply> {
    let within = |hours: i64| move |at: Timestamp| now.since(at) < hours * Timestamp::HOUR;
    let today = lately.answered.iter().filter(|(_, at)| within(24)(*at)).count();
    if lately.wrote >= BURST || i64::try_from(today).unwrap_or(i64::MAX) >= i64::from(rules.per_day) {
        return None;
    }
    let rule = matching.first()?;
    let rests = |rule: &AutoReply| {
        lately.answered.iter().any(|(name, at)| *name == rule.name && within(i64::from(rules.pause_hours))(*at))
    };
    (!rests(rule)).then_some(*rule)
}

/// Whether nobody is there, by the clock of the office.
fn is_out_of_hours(settings: &Settings, now: Timestamp) -> bool {
    let hours = &settings.auto_replies.office_hours;
    let name = hours.timezone.as_deref().unwrap_or(&settings.default_timezone);
    // A zone that is not known is refused where it is set.
    let Some(zone) = zone(name) else { return false };
    let local = civil(&zone, now);
    let weekday = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
    let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or(0);
    !hours.hold(weekday, minute)
}

/// Queues one answer, from where the message came to; none when it cannot go out from there.
async fn queue(tx: &Tx, now: Timestamp, rule: &AutoReply, heard: &Heard<'_>) -> store::Result<Option<MessageId>> {
    let message = heard.message;
    let sender = store::inbound::sender_at(tx, message.channel, &message.our_address).await?;
    let Some(sender_id) = sender else { return Ok(None) };
    let template = match rule.template_id {
        Some(id) => match store::templates::find(tx, id).await? {
            Some(template) if template.channel == message.channel => Some((id, template.version)),
            _ => return Ok(None),
        },
        None => None,
    };
    let single = NewSingle {
        contact_id: heard.contact_id,
        sender_id,
        kind: Kind::AutoReply,
        state: State::Queued,
        campaign_id: None,
        template,
        body: rule.text.clone().filter(|_| template.is_none()),
        variables: Attributes::new(),
    };
    store::messages::insert_single(tx, now, &single).await.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_392_000);

    fn rule(name: &str, when: AutoReplyWhen) -> AutoReply {
        let words = vec!["Prices".to_owned()];
        AutoReply { name: name.to_owned(), when, words, text: Some("Hi".to_owned()), template_id: None, enabled: true }
    }

    fn chosen(lately: &Lately) -> Option<String> {
        let rules = AutoReplies { rules: vec![rule("a", AutoReplyWhen::OutOfHours)], ..AutoReplies::default() };
        let matching: Vec<&AutoReply> = rules.rules.iter().collect();
        choose(&matching, &rules, lately, NOW).map(|rule| rule.name.clone())
    }

    #[test]
    fn a_rule_rests_and_nobody_is_answered_without_end() {
        let ago = |rule: &str, hours: i64| (rule.to_owned(), NOW.plus(-hours * Timestamp::HOUR));
        let lately = |answered: Vec<(String, Timestamp)>, wrote| Lately { answered, wrote };
        assert_eq!(chosen(&lately(Vec::new(), 1)).as_deref(), Some("a"));
        assert_eq!(chosen(&lately(vec![ago("a", 23)], 1)), None, "once in a day");
        assert_eq!(chosen(&lately(vec![ago("a", 24)], 1)).as_deref(), Some("a"));
        assert_eq!(chosen(&lately(vec![ago("b", 1), ago("c", 2)], 1)).as_deref(), Some("a"));
        assert_eq!(chosen(&lately(vec![ago("b", 1), ago("c", 2), ago("d", 3)], 1)), None, "three in a day");
        assert_eq!(chosen(&lately(Vec::new(), BURST)), None, "no human writes so fast");
    }
}
