//! Consent: who may get what (design: one table, here).

use crate::word_enum;

word_enum! {
    /// What is known about a person's wish to hear from us. The ledger of consent events is the truth; this is its
    /// projection on the contact.
    pub enum Consent {
        Unknown = "unknown",
        /// A double opt-in waits for the person's answer.
        Pending = "pending",
        OptedIn = "opted_in",
        OptedOut = "opted_out",
    }
}

word_enum! {
    /// A person's relation to one topic.
    pub enum Subscription {
        Subscribed = "subscribed",
        Unsubscribed = "unsubscribed",
    }
}

word_enum! {
    /// What a message is for; decides which consent it needs.
    pub enum Category {
        Marketing = "marketing",
        Utility = "utility",
        Authentication = "authentication",
    }
}

word_enum! {
    /// Where a consent event came from. Only the person's own words lift what the person's own words set.
    pub enum ConsentSource {
        /// The person wrote STOP, START or pressed a button.
        Keyword = "keyword",
        /// Twilio or the carrier reported the opt-out.
        Provider = "provider",
        Import = "import",
        Api = "api",
        /// Somebody of ours, on a page.
        Account = "account",
        /// The person wrote to us from a number that is on the suppression list.
        Recipient = "recipient",
        /// The person's own page.
        RecipientPage = "recipient_page",
    }
}

word_enum! {
    /// Why a number is suppressed.
    pub enum SuppressionReason {
        Stop = "stop",
        Complaint = "complaint",
        Erasure = "erasure",
        Bounce = "bounce",
        Manual = "manual",
        Provider = "provider",
    }
}

impl SuppressionReason {
    /// Whether an admin may remove the suppression; the others are lifted only by the person.
    #[must_use]
    pub const fn removable(self) -> bool {
        matches!(self, Self::Manual | Self::Bounce)
    }
}

impl Category {
    /// Whether a message of this category may go to a person with this consent. Suppression and subscriptions are
    /// separate checks.
    #[must_use]
    pub const fn allows(self, consent: Consent) -> bool {
        match self {
            Self::Marketing => matches!(consent, Consent::OptedIn),
            Self::Utility | Self::Authentication => !matches!(consent, Consent::OptedOut),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_who_opted_out_gets_anything() {
        for category in Category::ALL {
            assert!(!category.allows(Consent::OptedOut));
            assert!(category.allows(Consent::OptedIn));
        }
        assert!(!Category::Marketing.allows(Consent::Unknown));
        assert!(Category::Utility.allows(Consent::Unknown));
    }
}
