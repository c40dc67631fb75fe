//! Consent, by what the message is for.

use domain::{
    consent::{Category, Consent},
    message::Kind,
    reason::Reason,
};

use super::{Facts, No, Person};

/// A test goes to people of ours, an answer to somebody who wrote, and a question asks for the consent itself: none of them
/// is marketing, whatever its template says.
fn category(facts: &Facts) -> Category {
    match facts.kind {
        Kind::Test | Kind::Question | Kind::AutoReply => Category::Utility,
        Kind::Campaign | Kind::Single | Kind::Confirmation => facts.category.unwrap_or(Category::Utility),
    }
}

/// What the check saw that passed.
pub(super) fn seen(facts: &Facts) -> Option<String> {
    let consent = facts.person?.consent;
    Some(format!("{consent}, for {}", category(facts)))
}

pub(super) fn check(facts: &Facts, person: Person) -> Result<(), No> {
    let category = category(facts);
    match person.consent {
        Consent::OptedOut => Err(No::because(Reason::OptedOut)),
        consent if category.allows(consent) && person.in_review && category == Category::Marketing => {
            Err(No::because(Reason::HeldForReview))
        }
        consent if category.allows(consent) => Ok(()),
        consent => Err(No::with(Reason::NoConsent, format!("{category} needs opted_in, it is {consent}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::willing;

    fn reason(kind: Kind, category: Option<Category>, consent: Consent) -> Option<Reason> {
        let facts = Facts { kind, category, ..willing() };
        let person = Person { consent, ..facts.person.expect("a person") };
        check(&facts, person).err().map(|no| no.reason)
    }

    #[test]
    fn marketing_needs_a_yes_and_the_rest_no_no() {
        let campaign = |category, consent| reason(Kind::Campaign, Some(category), consent);
        assert_eq!(campaign(Category::Marketing, Consent::OptedIn), None);
        assert_eq!(campaign(Category::Marketing, Consent::Unknown), Some(Reason::NoConsent));
        assert_eq!(campaign(Category::Marketing, Consent::Pending), Some(Reason::NoConsent));
        assert_eq!(campaign(Category::Utility, Consent::Unknown), None);
        for category in Category::ALL {
            assert_eq!(campaign(*category, Consent::OptedOut), Some(Reason::OptedOut));
        }
    }

    #[test]
    fn whose_words_are_in_doubt_gets_no_marketing() {
        let held = |kind, category, consent| {
            let facts = Facts { kind, category: Some(category), ..willing() };
            let person = Person { consent, in_review: true, ..facts.person.expect("a person") };
            check(&facts, person).err().map(|no| no.reason)
        };
        assert_eq!(held(Kind::Campaign, Category::Marketing, Consent::OptedIn), Some(Reason::HeldForReview));
        assert_eq!(held(Kind::Campaign, Category::Utility, Consent::OptedIn), None);
        assert_eq!(held(Kind::Single, Category::Utility, Consent::Unknown), None);
        assert_eq!(held(Kind::Campaign, Category::Marketing, Consent::Unknown), Some(Reason::NoConsent));
        assert_eq!(held(Kind::Campaign, Category::Marketing, Consent::OptedOut), Some(Reason::OptedOut));
    }

    #[test]
    fn tests_and_answers_need_no_yes_but_respect_a_no() {
        assert_eq!(reason(Kind::Test, Some(Category::Marketing), Consent::Unknown), None);
        assert_eq!(reason(Kind::Single, None, Consent::Unknown), None);
        assert_eq!(reason(Kind::Single, Some(Category::Marketing), Consent::Unknown), Some(Reason::NoConsent));
        for consent in [Consent::Unknown, Consent::Pending] {
            assert_eq!(reason(Kind::Question, Some(Category::Marketing), consent), None);
        }
        for kind in [Kind::Test, Kind::Single, Kind::Question] {
            assert_eq!(reason(kind, None, Consent::OptedOut), Some(Reason::OptedOut));
        }
    }
}
