//! Twilio's error codes: what each means for a marketer, what to do, and what the sender does by itself.

mod table;

use serde::{Deserialize, Serialize};

use crate::{phone::Phone, word_enum};

word_enum! {
    /// What follows from an error.
    pub enum Class {
        /// Try the same message again, with growing delays.
        Retry = "retry",
        /// The sender is too fast or at its limit: pause the sender, then go on.
        WaitSender = "wait_sender",
        /// Only this person, later, with growing delays of hours.
        Defer = "defer",
        /// This person cannot be reached on this channel.
        PermanentRecipient = "permanent_recipient",
        /// This text or template cannot be sent; when it is the campaign's, nobody should get it until it is mended.
        PermanentMessage = "permanent_message",
        /// Counts as the person's opt-out.
        OptOut = "opt_out",
        /// The account or the sender cannot send at all: stop the campaign and tell an admin.
        AccountWide = "account_wide",
        /// It may or may not have been sent: ask the provider before anything else.
        Ambiguous = "ambiguous",
        /// Nothing follows: the message is on its way or was none of ours.
        Informational = "informational",
    }
}

/// One code of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    pub code: i32,
    pub class: Class,
    /// What happened, in a marketer's words.
    pub meaning: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

/// A code with its words, as the API and the pages show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explained {
    pub code: i32,
    pub class: Class,
    pub meaning: String,
    pub remedy: String,
}

/// The code, when it is a known one.
#[must_use]
pub fn find(code: i32) -> Option<&'static ErrorCode> {
    table::TABLE.iter().find(|known| known.code == code)
}

/// What follows from a code. `sync`: it came in the answer to our request, not in a callback.
///
/// Unknown codes are never repeated at once: in an answer they mean that this message was refused; in a callback of the
/// carriers (30xxx) one later try is worth it; every other failure is final, because sending again what a channel
/// refused costs the sender's reputation.
#[must_use]
pub fn class(code: i32, sync: bool) -> Class {
    match find(code) {
        Some(known) => known.class,
        None if !sync && (30_000..31_000).contains(&code) => Class::Defer,
        None => Class::PermanentMessage,
    }
}

/// What follows from a code for this person: Meta delivers no marketing templates to the United States (63049), so
/// there a later try is useless, while elsewhere the person's limit of marketing messages passes.
#[must_use]
pub fn class_for(code: i32, sync: bool, to: &Phone) -> Class {
    match code {
        63_049 if to.digits().starts_with('1') => Class::PermanentRecipient,
        _ => class(code, sync),
    }
}

/// A code in words, also one that is not known.
#[must_use]
pub fn explain(code: i32) -> Explained {
    let (meaning, remedy) = find(code).map_or(
        (
            "The provider refused the message for a reason that is not listed here.",
            "Look the code up in Twilio's error dictionary.",
        ),
        |known| (known.meaning, known.remedy),
    );
    Explained { code, class: class(code, false), meaning: meaning.to_owned(), remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_once_and_says_what_to_do() {
        let mut codes: Vec<i32> = table::TABLE.iter().map(|known| known.code).collect();
        codes.sort_unstable();
        let count = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), count);
        for known in table::TABLE {
            assert!(known.meaning.ends_with('.') && known.remedy.ends_with('.'), "{}", known.code);
        }
    }

    #[test]
    fn opt_outs_and_account_faults_are_told_apart() {
        for code in [21_610, 63_014, 63_033] {
            assert_eq!(class(code, true), Class::OptOut);
        }
        for code in [20_003, 30_002, 63_007, 63_051] {
            assert_eq!(class(code, false), Class::AccountWide);
        }
        assert_eq!(class(20_429, true), Class::Retry);
        assert_eq!(class(63_018, true), Class::WaitSender);
        assert_eq!(class(63_016, false), Class::PermanentMessage);
        assert_eq!(class(20_500, true), Class::Ambiguous);
    }

    #[test]
    fn unknown_codes_are_safe() {
        assert_eq!(class(21_999, true), Class::PermanentMessage);
        assert_eq!(class(30_999, false), Class::Defer);
        assert_eq!(class(63_999, false), Class::PermanentMessage);
        assert_eq!(explain(63_999).code, 63_999);
    }

    #[test]
    fn marketing_to_the_united_states_is_not_tried_again() {
        let phone = |text: &str| text.parse::<Phone>().unwrap();
        assert_eq!(class_for(63_049, false, &phone("+14155550100")), Class::PermanentRecipient);
        assert_eq!(class_for(63_049, false, &phone("+94771234567")), Class::Defer);
    }
}
