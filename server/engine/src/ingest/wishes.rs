//! What follows from a person's wish: pure rules, no database.
//!
//! STOP is for everything, whoever asked for what before; START lifts only what the person may lift (see [`may_lift`]);
//! topics are subscriptions of their own, gated by consent. After a STOP nothing is answered but the one confirmation
//! and requests for help.

use domain::{
    consent::{Consent, Subscription, SuppressionReason},
    ids::{ContactId, OptInId, TopicId},
    time::Timestamp,
};
use std::collections::BTreeMap;
use store::{inbound::TopicName, opt_ins::Waiting};

use super::{
    answers::Answer,
    keywords::{Wish, fold, without_courtesy},
};

/// A person, as far as the rules care; changed as wishes are granted, for several may come in one batch.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub id: ContactId,
    pub consent: Consent,
    pub suppressed: bool,
    /// Why the number is suppressed.
    pub reasons: Vec<SuppressionReason>,
    /// The person's own STOP stands and was confirmed.
    pub stopped: bool,
    pub subscriptions: BTreeMap<TopicId, Subscription>,
    /// They never wrote to us before.
    pub is_new: bool,
    /// Questions that wait for the person's yes, the latest last.
    pub waiting: Vec<Waiting>,
}

/// A consent event to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// None: everything.
    pub topic_id: Option<TopicId>,
    pub consent: Consent,
}

/// What a wish leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Granted {
    pub changes: Vec<Change>,
    pub answer: Option<Answer>,
    /// The topic that the person is to be asked about first, and how consent stands until then.
    pub asks: Option<(TopicId, Consent)>,
    /// The question that was answered with yes.
    pub confirms: Option<OptInId>,
}

/// When a wish was said, and to which message of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    pub at: Timestamp,
    pub replied_sid: Option<&'a str>,
}

/// Grants a wish.
pub(super) fn grant(wish: &Wish, person: &mut Person, topics: &[TopicName], said: Said<'_>) -> Granted {
    match wish {
        Wish::Yes(wanted) => {
            let named = find(topics, wanted).map(|topic| topic.id);
            // A button that names a topic we do not have says yes to nothing.
            if !wanted.is_empty() && named.is_none() {
                return Granted::default();
            }
            person.confirm(said, named, topics)
        }
        Wish::Stop => person.stop(Answer::OptedOut),
        Wish::Start => person.start(),
        Wish::Help => Granted { answer: Some(Answer::Help), ..Granted::default() },
        Wish::Subscribe(wanted) => match find(topics, wanted) {
            Some(topic) => person.subscribe(topic),
            None => person.ask_which(topics),
        },
        Wish::Unsubscribe(wanted) => match find(topics, wanted) {
            Some(topic) => person.unsubscribe(topic),
            None => person.stop(Answer::OptedOutOfAll),
        },
    }
}

/// The topic of this key or name, also with "to" or "from" in front, and with what makes it polite.
pub(super) fn find<'a>(topics: &'a [TopicName], wanted: &str) -> Option<&'a TopicName> {
    called(topics, wanted).or_else(|| called(topics, &without_courtesy(wanted)))
}

fn called<'a>(topics: &'a [TopicName], wanted: &str) -> Option<&'a TopicName> {
    if wanted.is_empty() {
        return None;
    }
    let named = |wanted: &str| topics.iter().find(|topic| fold(&topic.key) == wanted || fold(&topic.name) == wanted);
    named(wanted).or_else(|| wanted.strip_prefix("from ").or_else(|| wanted.strip_prefix("to ")).and_then(named))
}

/// Whether the person's own START ends a suppression: what an admin may remove is for an admin to remove.
fn may_lift(reasons: &[SuppressionReason]) -> bool {
    !reasons.is_empty() && !reasons.iter().any(|reason| reason.removable())
}

impl Person {
    pub(super) fn is_blocked(&self) -> bool {
        self.suppressed || self.consent == Consent::OptedOut
    }

    /// Whether this is a wish to hear again what the person has left.
    pub(super) fn comes_back(&self, wish: &Wish, topics: &[TopicName]) -> bool {
        let has_left = |topic: &TopicName| self.subscriptions.get(&topic.id) == Some(&Subscription::Unsubscribed);
        match wish {
            Wish::Start | Wish::Yes(_) => self.is_blocked(),
            Wish::Subscribe(wanted) => find(topics, wanted).is_some_and(has_left),
            Wish::Stop | Wish::Unsubscribe(_) | Wish::Help => false,
        }
    }

    pub(super) fn stop(&mut self, confirmation: Answer) -> Granted {
        if self.stopped && self.suppressed && self.consent == Consent::OptedOut {
            return Granted::default();
        }
        self.stopped = true;
        self.suppressed = true;
        self.consent = Consent::OptedOut;
        // The person's own word takes the place of whatever an admin noted.
        self.reasons.retain(|reason| !reason.removable());
        self.reasons.push(SuppressionReason::Stop);
        let change = Change { topic_id: None, consent: Consent::OptedOut };
        // Who stops is not asked any more.
        self.waiting.clear();
        Granted { changes: vec![change], answer: Some(confirmation), ..Granted::default() }
    }

    fn start(&mut self) -> Granted {
        if self.is_blocked() && !may_lift(&self.reasons) {
            return Granted::default();
        }
        Granted { changes: self.opt_in().into_iter().collect(), answer: Some(Answer::OptedIn), ..Granted::default() }
    }

    fn opt_in(&mut self) -> Option<Change> {
        if self.consent == Consent::OptedIn && !self.suppressed {
            return None;
        }
        self.stopped = false;
        self.suppressed = false;
        self.consent = Consent::OptedIn;
        self.reasons.clear();
        Some(Change { topic_id: None, consent: Consent::OptedIn })
    }

    fn subscribe(&mut self, topic: &TopicName) -> Granted {
        // The wish for a topic is kept also after a STOP, but it is START that lifts that.
        let blocked = self.is_blocked();
        if topic.double_opt_in && !blocked && self.subscriptions.get(&topic.id) != Some(&Subscription::Subscribed) {
            return Granted { asks: Some((topic.id, self.consent)), ..Granted::default() };
        }
        let mut changes = Vec::new();
        if !blocked {
            changes.extend(self.opt_in());
        }
        // The wish for one that asks back is worth a question, once START has lifted the STOP.
        if !(topic.double_opt_in && blocked) {
            changes.extend(self.set_topic(topic.id, Subscription::Subscribed));
        }
        let answer = match (blocked, may_lift(&self.reasons)) {
            (false, _) => Some(Answer::Subscribed { topic: topic.name.clone() }),
            (true, true) => Some(Answer::StillOptedOut),
            (true, false) => None,
        };
        Granted { changes, answer, ..Granted::default() }
    }

    /// Yes to the question that the person answers to, else to the latest, while it waits.
    fn confirm(&mut self, said: Said<'_>, named: Option<TopicId>, topics: &[TopicName]) -> Granted {
        let waits = |question: &Waiting| {
            let in_time = question.asked_at <= said.at && said.at < question.expires_at;
            in_time && named.is_none_or(|topic| topic == question.topic_id)
        };
        if self.is_blocked() {
            return Granted::default();
        }
        let answers = |question: &Waiting| {
            said.replied_sid.is_some() && question.question_sid.as_deref() == said.replied_sid && waits(question)
        };
        let found = self.waiting.iter().rposition(answers).or_else(|| self.waiting.iter().rposition(waits));
        let Some(question) = found.map(|at| self.waiting.remove(at)) else { return Granted::default() };
        let mut changes: Vec<Change> = self.opt_in().into_iter().collect();
        changes.extend(self.set_topic(question.topic_id, Subscription::Subscribed));
        let topic = topics.iter().find(|topic| topic.id == question.topic_id);
        let answer = topic.map(|topic| Answer::Subscribed { topic: topic.name.clone() });
        Granted { changes, answer, confirms: Some(question.id), ..Granted::default() }
    }

    fn ask_which(&self, topics: &[TopicName]) -> Granted {
        let answer = match (self.is_blocked(), may_lift(&self.reasons)) {
            (false, _) => Some(Answer::UnknownTopic { topics: topics.iter().map(|topic| topic.key.clone()).collect() }),
            (true, true) => Some(Answer::StillOptedOut),
            (true, false) => None,
        };
        Granted { answer, ..Granted::default() }
    }

    fn unsubscribe(&mut self, topic: &TopicName) -> Granted {
        self.waiting.retain(|question| question.topic_id != topic.id);
        let change = self.set_topic(topic.id, Subscription::Unsubscribed);
        // Once per revocation, and not to somebody who is to hear nothing.
        let answer =
            (change.is_some() && !self.is_blocked()).then(|| Answer::Unsubscribed { topic: topic.name.clone() });
        Granted { changes: change.into_iter().collect(), answer, ..Granted::default() }
    }

    fn set_topic(&mut self, topic: TopicId, state: Subscription) -> Option<Change> {
        if self.subscriptions.insert(topic, state) == Some(state) {
            return None;
        }
        let consent = match state {
            Subscription::Subscribed => Consent::OptedIn,
            Subscription::Unsubscribed => Consent::OptedOut,
        };
        Some(Change { topic_id: Some(topic), consent })
    }
}

#[cfg(test)]
mod tests {
    use domain::keywords::Keywords;
    use uuid::Uuid;

    use super::{
        super::keywords::{Meaning, meaning},
        *,
    };

    fn person(consent: Consent, reasons: &[SuppressionReason]) -> Person {
        Person {
            id: ContactId(1),
            consent,
            suppressed: !reasons.is_empty(),
            reasons: reasons.to_vec(),
            stopped: reasons.contains(&SuppressionReason::Stop),
            subscriptions: BTreeMap::new(),
            is_new: false,
            waiting: Vec::new(),
        }
    }

    fn topics() -> Vec<TopicName> {
        let topic = |number, key: &str, name: &str, double_opt_in| TopicName {
            id: TopicId(Uuid::from_u128(number)),
            key: key.to_owned(),
            name: name.to_owned(),
            double_opt_in,
        };
        vec![topic(7, "offers", "Weekly Offers", false), topic(8, "club", "The Club", true)]
    }

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn question(id: i64, topic: u128) -> Waiting {
        Waiting {
            id: OptInId(id),
            contact_id: ContactId(1),
            topic_id: TopicId(Uuid::from_u128(topic)),
            asked_at: NOW,
            expires_at: NOW.plus(Timestamp::DAY),
            message_id: None,
            question_sid: Some(format!("SM{id}")),
        }
    }

    fn yes(person: &mut Person, after: i64, replied_sid: Option<&str>) -> Granted {
        grant(&Wish::Yes(String::new()), person, &topics(), Said { at: NOW.plus(after), replied_sid })
    }

    #[test]
    fn a_topic_that_asks_back_subscribes_nobody_before_their_yes() {
        let mut person = person(Consent::Unknown, &[]);
        let asked = grant_to(&mut person, "subscribe club");
        assert_eq!(
            (asked.asks, asked.changes.len(), asked.answer),
            (Some((topics()[1].id, Consent::Unknown)), 0, None)
        );
        person.waiting = vec![question(1, 8)];
        assert_eq!(yes(&mut person, Timestamp::DAY, None), Granted::default(), "too late");
        assert_eq!(yes(&mut person, -1, None), Granted::default(), "before it was asked");
        let granted = yes(&mut person, 1, None);
        assert_eq!((granted.confirms, granted.changes.len()), (Some(OptInId(1)), 2), "consent and topic");
        assert_eq!(yes(&mut person, 1, None), Granted::default(), "once");
        assert_eq!(grant_to(&mut person, "subscribe club").asks, None, "subscribed already");
    }

    #[test]
    fn a_yes_is_for_the_question_it_answers_else_for_the_latest() {
        let mut one = person(Consent::Pending, &[]);
        one.waiting = vec![question(1, 7), question(2, 8)];
        let mut other = one.clone();
        let mut named = one.clone();
        assert_eq!(yes(&mut one, 1, None).confirms, Some(OptInId(2)));
        assert_eq!(yes(&mut other, 1, Some("SM1")).confirms, Some(OptInId(1)));
        let said = Said { at: NOW, replied_sid: None };
        assert_eq!(grant(&Wish::Yes("offers".to_owned()), &mut named, &topics(), said).confirms, Some(OptInId(1)));
        assert_eq!(grant(&Wish::Yes("other".to_owned()), &mut named, &topics(), said), Granted::default());
    }

    #[test]
    fn stop_wins_over_a_question() {
        let mut person = person(Consent::Pending, &[]);
        person.waiting = vec![question(1, 8)];
        grant_to(&mut person, "stop");
        assert_eq!(yes(&mut person, 1, None), Granted::default());
        assert_eq!(grant_to(&mut person, "subscribe club").asks, None);
        assert!(person.subscriptions.is_empty(), "no subscription without a yes");
    }

    fn grant_to(person: &mut Person, text: &str) -> Granted {
        let Meaning::Wish(wish) = meaning(text, &Keywords::default()) else { panic!("{text:?}") };
        grant(&wish, person, &topics(), Said { at: NOW, replied_sid: None })
    }

    #[test]
    fn one_confirmation_for_one_stop() {
        let mut person = person(Consent::OptedIn, &[]);
        let first = grant_to(&mut person, "stop");
        assert_eq!(first.changes, [Change { topic_id: None, consent: Consent::OptedOut }]);
        assert_eq!(first.answer, Some(Answer::OptedOut));
        assert_eq!(grant_to(&mut person, "STOP"), Granted::default());
        assert_eq!(grant_to(&mut person, "help").answer, Some(Answer::Help));
        assert_eq!(grant_to(&mut person, "start").answer, Some(Answer::OptedIn));
        assert_eq!(grant_to(&mut person, "stop").answer, Some(Answer::OptedOut));
    }

    #[test]
    fn start_lifts_the_persons_own_acts_only() {
        for reason in SuppressionReason::ALL {
            let mut person = person(Consent::OptedOut, &[*reason]);
            assert_eq!(grant_to(&mut person, "start").changes.is_empty(), reason.removable(), "{reason}");
            assert_eq!(person.suppressed, reason.removable(), "{reason}");
        }
        let mut both = person(Consent::OptedOut, &[SuppressionReason::Stop, SuppressionReason::Manual]);
        assert_eq!(grant_to(&mut both, "start"), Granted::default());
    }

    #[test]
    fn a_stop_on_top_of_an_admins_note_is_the_persons() {
        let mut person = person(Consent::OptedOut, &[SuppressionReason::Manual]);
        assert_eq!(grant_to(&mut person, "stop").changes.len(), 1);
        assert!(grant_to(&mut person, "start").changes.len() == 1 && !person.suppressed);
    }

    #[test]
    fn topics_are_subscriptions_gated_by_consent() {
        let mut person = person(Consent::Unknown, &[]);
        let granted = grant_to(&mut person, "subscribe weekly offers");
        assert_eq!(granted.changes.len(), 2, "consent and topic");
        assert_eq!(granted.answer, Some(Answer::Subscribed { topic: "Weekly Offers".to_owned() }));
        assert!(grant_to(&mut person, "unsubscribe from offers").answer.is_some());
        assert_eq!(grant_to(&mut person, "unsubscribe offers"), Granted::default());
        assert_eq!(person.consent, Consent::OptedIn);
    }

    #[test]
    fn courtesy_is_no_part_of_a_topics_name() {
        for text in
            ["Unsubscribe from Offers please", "please unsubscribe offers", "Unsubscribe Weekly Offers, thank you"]
        {
            let mut person = person(Consent::OptedIn, &[]);
            person.subscriptions.insert(topics()[0].id, Subscription::Subscribed);
            let granted = grant_to(&mut person, text);
            let change = Change { topic_id: Some(topics()[0].id), consent: Consent::OptedOut };
            assert_eq!((granted.changes, person.consent), (vec![change], Consent::OptedIn), "{text}");
        }
        let mut person = person(Consent::OptedIn, &[]);
        let granted = grant_to(&mut person, "subscribe offers please");
        assert_eq!(granted.answer, Some(Answer::Subscribed { topic: "Weekly Offers".to_owned() }));
        assert_eq!(grant_to(&mut person, "unsubscribe please").answer, Some(Answer::OptedOutOfAll));
        // What is polite may be a name.
        let thanks = TopicName { key: "thanks".to_owned(), ..topics().remove(0) };
        assert!(find(&[thanks], "thanks").is_some());
    }

    #[test]
    fn a_topic_does_not_lift_a_stop() {
        let mut person = person(Consent::OptedOut, &[SuppressionReason::Stop]);
        let granted = grant_to(&mut person, "subscribe offers");
        assert!(granted.changes.iter().all(|change| change.topic_id.is_some()));
        assert_eq!(granted.answer, Some(Answer::StillOptedOut));
        assert!(person.suppressed);
    }

    #[test]
    fn an_unknown_topic_stops_everything_or_asks_which() {
        let mut leaving = person(Consent::OptedIn, &[]);
        assert_eq!(grant_to(&mut leaving, "unsubscribe nothing").answer, Some(Answer::OptedOutOfAll));
        assert_eq!(leaving.consent, Consent::OptedOut);
        let mut coming = person(Consent::OptedIn, &[]);
        let granted = grant_to(&mut coming, "subscribe nothing");
        assert_eq!(granted.answer, Some(Answer::UnknownTopic { topics: vec!["offers".to_owned(), "club".to_owned()] }));
        assert!(granted.changes.is_empty());
    }
}
