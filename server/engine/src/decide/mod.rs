//! The pure function: send, skip or wait. No I/O; the same for runs, single sends and tests. One file per check; the
//! first that says no decides, and every check that passed before it is kept with the decision.

mod consent;
mod deadline;
mod frequency;
mod length;
mod quiet;
mod subscription;
mod suppression;
mod variables;
mod window;

pub use frequency::Capped;
pub use quiet::{Hours, MARGIN};

use domain::{
    campaign::Late,
    consent::{Category, Consent, Subscription},
    message::{Channel, Kind},
    reason::{Check, Reason},
    time::Timestamp,
};

/// What a decision is made from: the message, the person as read in the claim, the run's rules, the settings, now.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    pub kind: Kind,
    pub channel: Channel,
    /// The template's, or none for a text that somebody wrote to this person.
    pub category: Option<Category>,
    /// None after the person was erased.
    pub person: Option<Person>,
    /// Whether the message is about a topic …
    pub has_topic: bool,
    /// … and how the person stands to it.
    pub subscription: Option<Subscription>,
    pub send_before: Option<Timestamp>,
    pub late: Late,
    /// None when no quiet hours bind the message.
    pub hours: Option<Hours>,
    /// Who has put them aside, and why; none where nobody has.
    pub overridden: Option<String>,
    /// The caps that bind it.
    pub caps: Vec<Capped>,
    /// The setting: free text only within the WhatsApp window.
    pub enforce_window: bool,
    /// The text is ours, not an approved content template.
    pub free_text: bool,
    pub now: Timestamp,
}

/// A person, as far as decisions care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    pub consent: Consent,
    pub suppressed: bool,
    /// Somebody is to decide whether the person's words were an opt-out.
    pub in_review: bool,
    /// When the person last wrote to the sender of the message.
    pub last_inbound_at: Option<Timestamp>,
}

/// What is handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The text as the person reads it; of a content template, our rendering of it.
    pub text: String,
    /// The approved content template (`HX…`) with its variables as a JSON object.
    pub content: Option<(String, String)>,
    pub media_url: Option<String>,
}

/// Why there is nothing to hand over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentFault {
    /// The person has no value for this variable.
    Missing(String),
    /// The filled text has this many characters.
    TooLong(usize),
    /// The template cannot be rendered; the line and problem.
    Broken(String),
}

/// What is to be done with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Send(Content),
    Skip(Reason),
    /// Not now: decide again then.
    Wait {
        until: Timestamp,
        reason: Reason,
    },
}

/// A verdict and what led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    pub verdict: Verdict,
    /// The checks that passed, one bit each.
    pub passed: i64,
    /// When the window closes in which it may be handed over, when there is one.
    pub closes: Option<Timestamp>,
    /// What the failed check saw. No personal data.
    pub detail: Option<String>,
}

/// A check that says no.
#[derive(Clone, Debug, PartialEq, Eq)]
struct No {
    reason: Reason,
    detail: Option<String>,
    /// Not never, but not before then.
    until: Option<Timestamp>,
}

impl No {
    const fn because(reason: Reason) -> Self {
        Self { reason, detail: None, until: None }
    }

    fn with(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: Some(detail.into()), until: None }
    }

    fn until(reason: Reason, until: Timestamp, detail: impl Into<String>) -> Self {
        Self { reason, detail: Some(detail.into()), until: Some(until) }
    }
}

/// Makes the decision; `render` fills the text and is asked only when everything before it passed.
pub fn decide(facts: &Facts, render: impl FnOnce() -> Result<Content, ContentFault>) -> Decided {
    let Some(person) = facts.person else { return refused(No::because(Reason::ContactErased), 0) };
    let hours = quiet::check(facts);
    let closes = hours.as_ref().ok().copied().flatten();
    let about_person: [(Check, Result<(), No>); 7] = [
        (Check::Suppression, suppression::check(person)),
        (Check::Consent, consent::check(facts, person)),
        (Check::Subscription, subscription::check(facts)),
        (Check::Deadline, deadline::check(facts)),
        (Check::QuietHours, hours.map(drop)),
        (Check::FrequencyCap, frequency::check(facts)),
        (Check::Window, window::check(facts, person)),
    ];
    let mut passed = 0;
    for (check, result) in about_person {
        match result {
            Ok(()) => passed |= check.bit(),
            Err(no) => return refused(no, passed),
        }
    }
    let rendered = render();
    for (check, result) in [(Check::Variables, variables::check(&rendered)), (Check::Length, length::check(&rendered))]
    {
        match result {
            Ok(()) => passed |= check.bit(),
            Err(no) => return refused(no, passed),
        }
    }
    match rendered {
        Ok(content) => Decided { verdict: Verdict::Send(content), passed, closes, detail: None },
        // The two checks above name every fault; this one would be new and is not sent either.
        Err(_) => refused(No::because(Reason::TemplateError), passed),
    }
}

impl Facts {
    /// What the checks saw that passed, so that a decision can be made again: of those that have something to tell.
    #[must_use]
    pub fn seen(&self, passed: i64) -> Vec<(Check, String)> {
        let tell = |check: Check, seen: fn(&Self) -> Option<String>| {
            let passed = passed & check.bit() != 0;
            Some((check, passed.then(|| seen(self)).flatten()?))
        };
        let checks = [
            tell(Check::Consent, consent::seen),
            tell(Check::Subscription, subscription::seen),
            tell(Check::Deadline, deadline::seen),
            tell(Check::QuietHours, quiet::seen),
            tell(Check::FrequencyCap, frequency::seen),
            tell(Check::Window, window::seen),
        ];
        checks.into_iter().flatten().collect()
    }
}

fn refused(no: No, passed: i64) -> Decided {
    let verdict = match no.until {
        Some(until) => Verdict::Wait { until, reason: no.reason },
        None => Verdict::Skip(no.reason),
    };
    Decided { verdict, passed, closes: None, detail: no.detail }
}

/// Facts under which everything passes, for the checks' own tests.
#[cfg(test)]
fn willing() -> Facts {
    Facts {
        kind: Kind::Campaign,
        channel: Channel::Whatsapp,
        category: Some(Category::Marketing),
        person: Some(Person { consent: Consent::OptedIn, suppressed: false, in_review: false, last_inbound_at: None }),
        has_topic: true,
        subscription: Some(Subscription::Subscribed),
        send_before: None,
        late: Late::Wait,
        hours: None,
        overridden: None,
        caps: Vec::new(),
        enforce_window: false,
        free_text: true,
        now: Timestamp::from_seconds(1_795_392_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Result<Content, ContentFault> {
        Ok(Content { text: "Hello".to_owned(), ..Content::default() })
    }

    #[test]
    fn who_is_willing_gets_it_with_every_check_passed() {
        let decided = decide(&willing(), hello);
        assert_eq!(decided.verdict, Verdict::Send(hello().expect("a text")));
        assert_eq!(decided.passed, Check::Length.bits_through());
    }

    #[test]
    fn what_passed_is_kept_with_what_it_saw() {
        let cap = Capped { messages: 3, days: 7, topic: false, law: false, had: 1 };
        let facts = Facts { caps: vec![cap], ..willing() };
        let seen = facts.seen(decide(&facts, hello).passed);
        let expected = [
            (Check::Consent, "opted_in, for marketing"),
            (Check::Subscription, "subscribed"),
            (Check::QuietHours, "no quiet hours bind this message"),
            (Check::FrequencyCap, "1 of 3 in 7 days"),
            (Check::Window, "free text, and the setting asks for no open conversation"),
        ];
        assert_eq!(seen, expected.map(|(check, saw)| (check, saw.to_owned())));
        // Of what was refused, what passed before the refusal.
        let unsubscribed = Facts { subscription: None, ..facts };
        let seen = unsubscribed.seen(decide(&unsubscribed, hello).passed);
        assert_eq!(seen, [(Check::Consent, "opted_in, for marketing".to_owned())]);
    }

    #[test]
    fn the_first_no_decides_and_nothing_is_rendered_for_it() {
        let person = Person { consent: Consent::OptedOut, suppressed: true, in_review: false, last_inbound_at: None };
        let facts = Facts { person: Some(person), subscription: None, ..willing() };
        let decided = decide(&facts, || unreachable!("a refused message is not rendered"));
        assert_eq!(decided.verdict, Verdict::Skip(Reason::Suppressed));
        assert_eq!(decided.passed, 0);
    }

    #[test]
    fn an_erased_person_gets_nothing() {
        let decided = decide(&Facts { person: None, ..willing() }, hello);
        assert_eq!(decided.verdict, Verdict::Skip(Reason::ContactErased));
    }

    #[test]
    fn faults_of_the_text_are_told_apart() {
        let skip = |fault: ContentFault| decide(&willing(), || Err(fault)).verdict;
        assert_eq!(skip(ContentFault::Missing("city".to_owned())), Verdict::Skip(Reason::MissingVariable));
        assert_eq!(skip(ContentFault::TooLong(1_601)), Verdict::Skip(Reason::TooLong));
        assert_eq!(skip(ContentFault::Broken("line 1".to_owned())), Verdict::Skip(Reason::TemplateError));
        let decided = decide(&willing(), || Err(ContentFault::TooLong(1_601)));
        assert_eq!(decided.passed, Check::Variables.bits_through());
        assert_eq!(decided.detail.as_deref(), Some("1601 characters"));
    }
}
