//! A campaign about a topic goes to its subscribers.

use domain::{consent::Subscription, message::Kind, reason::Reason};

use super::{Facts, No};

fn is_needed(facts: &Facts) -> bool {
    facts.has_topic && facts.kind == Kind::Campaign
}

/// What the check saw that passed; nothing where the message is about no topic.
pub(super) fn seen(facts: &Facts) -> Option<String> {
    facts.subscription.filter(|_| is_needed(facts)).map(|state| state.to_string())
}

pub(super) fn check(facts: &Facts) -> Result<(), No> {
    if !is_needed(facts) || facts.subscription == Some(Subscription::Subscribed) {
        return Ok(());
    }
    let state = facts.subscription.map_or("none", Subscription::as_str);
    Err(No::with(Reason::NotSubscribed, format!("subscription: {state}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::willing;

    #[test]
    fn only_subscribers_get_a_topics_campaign() {
        assert_eq!(check(&willing()), Ok(()));
        for subscription in [None, Some(Subscription::Unsubscribed)] {
            let facts = Facts { subscription, ..willing() };
            assert_eq!(check(&facts).err().map(|no| no.reason), Some(Reason::NotSubscribed));
            assert_eq!(check(&Facts { has_topic: false, ..facts.clone() }), Ok(()));
            assert_eq!(check(&Facts { kind: Kind::Test, ..facts }), Ok(()));
        }
    }
}
