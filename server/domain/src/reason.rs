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
        NeedsTimezone = "needs_timezone",
        HeldForReview = "held_for_review",
        OutcomeUnknown = "outcome_unknown",
        /// The person was erased while the run was under way.
        ContactErased = "contact_erased",
        /// The provider refused the message; the error code says why.
        ProviderRefused = "provider_refused",
        /// No answer, a broken connection or a 5xx: the message may or may not have been sent.
        NoAnswer = "no_answer",
        /// The provider asked to slow down; the message waits for its next turn.
        RateLimited = "rate_limited",
        /// The provider could not be reached before a byte was sent; the message waits for its next turn.
        NotReached = "not_reached",
        /// The worker that held the message disappeared.
        LeaseExpired = "lease_expired",
        RunCancelled = "run_cancelled",
        /// The template cannot be rendered for this person for another reason than a missing variable.
        TemplateError = "template_error",
    }
}

word_enum! {
    /// One check of a decision.
    pub enum Check {
        Suppression = "suppression",
        Consent = "consent",
        Subscription = "subscription",
        Deadline = "deadline",
        Window = "window",
        Variables = "variables",
        Length = "length",
    }
}

impl Check {
    /// The check's bit in a stored decision.
    #[must_use]
    pub const fn bit(self) -> i64 {
        1 << (self as i64)
    }
}
