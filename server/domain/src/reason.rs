//! Why a message was not sent, or waits: stable codes, stored and returned; words are made at display.

use crate::word_enum;

word_enum! {
    /// Listed with its meaning in docs/api.md.
    pub enum Reason {
        NoConsent = "no_consent",
        OptedOut = "opted_out",
        Suppressed = "suppressed",
        NotSubscribed = "not_subscribed",
        MissingVariable = "missing_variable",
        TooLong = "too_long",
        OutsideWindow = "outside_window",
        DeadlinePassed = "deadline_passed",
        FrequencyCap = "frequency_cap",
        /// It is too early or too late where the person is; the message waits.
        QuietHours = "quiet_hours",
        /// Quiet hours bind the message, and it is not known what time it is where the person is, or no hour suits all
        /// places where that may be.
        NeedsTimezone = "needs_timezone",
        /// It is known what time it is where the person is, and the rules together allow no hour there.
        NoAllowedTime = "no_allowed_time",
        HeldForReview = "held_for_review",
        OutcomeUnknown = "outcome_unknown",
        /// The person was erased while the run was under way.
        ContactErased = "contact_erased",
        /// The provider refused the message; the error code says why.
        ProviderRefused = "provider_refused",
        /// No answer, a broken connection or a 5xx: the message may or may not have been sent.
        NoAnswer = "no_answer",
        /// The provider was asked twice and has no such message: it was never sent.
        NotAtProvider = "not_at_provider",
        /// The provider asked to slow down; the message waits for its next turn.
        RateLimited = "rate_limited",
        /// The provider could not be reached before a byte was sent; the message waits for its next turn.
        NotReached = "not_reached",
        /// This person got too many messages from this number within a minute; the message waits.
        PairRate = "pair_rate",
        /// The business has written to as many people within 24 hours as WhatsApp lets it; the message waits.
        DailyLimit = "daily_limit",
        /// The worker that held the message disappeared.
        LeaseExpired = "lease_expired",
        /// The last messages to this number did not come to it; campaigns leave it alone for a while.
        Unreachable = "unreachable",
        /// The campaign says once per person, and an earlier run reached this one.
        AlreadyReceived = "already_received",
        /// The campaign says once per person, and a message of it is under way to this one, for an earlier event.
        AlreadyPlanned = "already_planned",
        RunCancelled = "run_cancelled",
        /// The template cannot be rendered for this person for another reason than a missing variable.
        TemplateError = "template_error",
    }
}

word_enum! {
    /// One check of a decision. New ones come at the end: their place here is their bit in stored decisions.
    pub enum Check {
        Suppression = "suppression",
        Consent = "consent",
        Subscription = "subscription",
        Deadline = "deadline",
        Window = "window",
        Variables = "variables",
        Length = "length",
        QuietHours = "quiet_hours",
        FrequencyCap = "frequency_cap",
    }
}

impl Reason {
    /// The check that says no for this reason; none when the reason is not a check's.
    #[must_use]
    pub const fn check(self) -> Option<Check> {
        Some(match self {
            Self::Suppressed => Check::Suppression,
            Self::NoConsent | Self::OptedOut | Self::HeldForReview => Check::Consent,
            Self::NotSubscribed => Check::Subscription,
            Self::DeadlinePassed => Check::Deadline,
            Self::QuietHours | Self::NeedsTimezone | Self::NoAllowedTime => Check::QuietHours,
            Self::FrequencyCap => Check::FrequencyCap,
            Self::OutsideWindow => Check::Window,
            Self::MissingVariable | Self::TemplateError => Check::Variables,
            Self::TooLong => Check::Length,
            _ => return None,
        })
    }
}

impl Check {
    /// The order in which they are made.
    pub const ORDER: [Self; 9] = [
        Self::Suppression,
        Self::Consent,
        Self::Subscription,
        Self::Deadline,
        Self::QuietHours,
        Self::FrequencyCap,
        Self::Window,
        Self::Variables,
        Self::Length,
    ];

    /// The check's bit in a stored decision.
    #[must_use]
    pub const fn bit(self) -> i64 {
        1 << (self as i64)
    }

    /// The checks that are made before this one, and with it passed, as a stored decision keeps them.
    #[must_use]
    pub const fn bits_through(self) -> i64 {
        let (mut bits, mut place) = (0, 0);
        while place < Self::ORDER.len() {
            bits |= Self::ORDER[place].bit();
            if Self::ORDER[place] as i64 == self as i64 {
                break;
            }
            place += 1;
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_follow_the_order_of_the_checks() {
        assert!(Check::ALL.iter().all(|check| Check::ORDER.contains(check)));
        assert_eq!(Check::ORDER.len(), Check::ALL.len());
        assert_eq!(Check::Window.bits_through() & Check::QuietHours.bit(), Check::QuietHours.bit());
        assert_eq!(Check::Suppression.bit(), 1);
        assert_eq!(Check::Subscription.bits_through(), 0b111);
        let all = Check::ALL.iter().fold(0, |bits, check| bits | check.bit());
        assert_eq!(Check::Length.bits_through(), all);
    }
}
