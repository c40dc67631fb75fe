//! Twilio's error codes: what each means for a marketer, what to do, and what the sender does by itself.

mod table;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{phone::Phone, time::Timestamp, word_enum};

word_enum! {
    /// What follows from an error.
    pub enum Class {
        /// Refused in the answer: try the same message again, with growing delays. In a callback it is final, as all are.
        Retry = "retry",
        /// The sender is too fast or at its limit: pause the sender, then go on, with what was refused in the answer, too.
        WaitSender = "wait_sender",
        /// Refused in the answer: only this person, later, with growing delays of hours.
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

/// Codes that say that nothing comes to this number on this channel, whoever sends it: not a number, a landline, not in use,
/// switched off for days, not on WhatsApp (Twilio, "Error and Warning Dictionary").
const UNREACHABLE: [i32; 8] = [21_211, 21_614, 21_635, 30_003, 30_005, 30_006, 63_003, 63_024];

/// The code that a sender is blocked with when most answers to it leave open whether a message exists, whatever they are:
/// Twilio's "service unavailable".
pub const NO_CLEAR_ANSWERS: i32 = 20_503;

/// Whether the code says that the number itself cannot be reached.
#[must_use]
pub fn is_unreachable(code: i32) -> bool {
    UNREACHABLE.contains(&code)
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

/// What an admin set for a code; the rest is as built in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub class: Option<Class>,
    pub meaning: Option<String>,
    pub remedy: Option<String>,
}

impl Change {
    /// Whether everything is as built in.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.class.is_none() && self.meaning.is_none() && self.remedy.is_none()
    }
}

/// How often the provider gave a code, and in which words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ErrorCodeHeard))]
pub struct Heard {
    pub times: i64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// The provider's own words with the last answer that had some.
    pub said: Option<String>,
}

/// A code in the list of codes: what `GET /error-codes` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ErrorCode))]
pub struct Entry {
    pub code: i32,
    /// What follows from it.
    pub class: Class,
    /// What happened, in a marketer's words.
    pub meaning: String,
    /// What to do about it.
    pub remedy: String,
    /// False: the provider gave a code that this program does not know.
    pub built_in: bool,
    /// Whether an admin changed what is built in, or described a code that is not.
    pub changed: bool,
    /// Whether its class may be changed: see [`class_is_fixed`].
    pub class_is_fixed: bool,
    /// Null: never.
    pub heard: Option<Heard>,
    pub version: i64,
}

/// Which of the codes: the query of `GET /error-codes`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// A part of the code or of its words.
    pub q: Option<String>,
    /// Only those that the provider gave (true) or never gave (false).
    pub heard: Option<bool>,
    /// Only those that are built in (true) or not (false).
    pub built_in: Option<bool>,
}

/// What `PATCH /error-codes/{code}` takes. Null: as built in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ErrorCodePatch))]
#[serde(deny_unknown_fields)]
pub struct EntryPatch {
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Class>))]
    pub class: Option<Option<Class>>,
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub meaning: Option<Option<String>>,
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub remedy: Option<Option<String>>,
    /// The version that was read; a stale one is refused with 409.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub version: Option<i64>,
}

/// All codes, with what admins changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codes(BTreeMap<i32, Change>);

impl Codes {
    /// What is built in, with these changes. The class of a code whose class is fixed stays.
    #[must_use]
    pub fn new(changes: impl IntoIterator<Item = (i32, Change)>) -> Self {
        Self(changes.into_iter().collect())
    }

    /// What follows from a code. `sync`: it came in the answer to our request, not in a callback.
    ///
    /// A message that failed by callback is never sent again, whatever the class. Unknown codes are not repeated in an answer
    /// either: they mean that this message was refused. In a callback of the carriers (30xxx) they are about the person, and
    /// not about the text.
    #[must_use]
    pub fn class(&self, code: i32, sync: bool) -> Class {
        if !class_is_fixed(code)
            && let Some(class) = self.0.get(&code).and_then(|change| change.class)
        {
            return class;
        }
        match find(code) {
            Some(known) => known.class,
            None if !sync && (30_000..31_000).contains(&code) => Class::PermanentRecipient,
            None => Class::PermanentMessage,
        }
    }

    /// What follows from a code for this person: Meta delivers no marketing templates to the United States (63049), so
    /// there a later try is useless, while elsewhere the person's limit of marketing messages passes.
    #[must_use]
    pub fn class_for(&self, code: i32, sync: bool, to: &Phone) -> Class {
        match code {
            63_049 if to.digits().starts_with('1') => Class::PermanentRecipient,
            _ => self.class(code, sync),
        }
    }

    /// A code in words, also one that is not known.
    #[must_use]
    pub fn explain(&self, code: i32) -> Explained {
        let (meaning, remedy) = find(code).map_or(UNKNOWN, |known| (known.meaning, known.remedy));
        let change = self.0.get(&code);
        let words = |own: Option<&String>, built_in: &str| own.map_or_else(|| built_in.to_owned(), Clone::clone);
        Explained {
            code,
            class: self.class(code, false),
            meaning: words(change.and_then(|change| change.meaning.as_ref()), meaning),
            remedy: words(change.and_then(|change| change.remedy.as_ref()), remedy),
        }
    }

    /// What was changed of a code.
    #[must_use]
    pub fn change(&self, code: i32) -> Option<&Change> {
        self.0.get(&code)
    }

    /// Every code that is built in or was described, in order.
    #[must_use]
    pub fn all(&self) -> Vec<i32> {
        let mut codes: Vec<i32> = table::TABLE.iter().map(|known| known.code).chain(self.0.keys().copied()).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

/// The words of a code that is not known: what happened, and what to do.
pub const UNKNOWN: (&str, &str) = (
    "The provider refused the message for a reason that is not listed here.",
    "Look the code up in Twilio's error dictionary.",
);

/// The code as it is built in, when it is.
#[must_use]
pub fn find(code: i32) -> Option<&'static ErrorCode> {
    table::TABLE.iter().find(|known| known.code == code)
}

/// Whether the code says that it goes too fast, however it is dealt with: for WhatsApp, or for the network of a carrier.
#[must_use]
pub const fn is_too_fast(code: i32) -> bool {
    matches!(code, 30_017 | 63_017)
}

/// Whether nobody may change what follows from a code: who opted out would be written to again, or what may have been
/// sent would be sent twice.
#[must_use]
pub fn class_is_fixed(code: i32) -> bool {
    find(code).is_some_and(|known| matches!(known.class, Class::OptOut | Class::Ambiguous))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code whose meaning Twilio's dictionary or the page of the code tells. Of 63050, 63053 to 63061 and those above
    /// 63062 nobody does: they are dealt with as unknown ones.
    const DOCUMENTED: [&[i32]; 4] = [
        // The API and the account
        &[
            10_001, 20_003, 20_005, 20_008, 20_010, 20_403, 20_404, 20_409, 20_410, 20_422, 20_429, 20_500, 20_503,
            20_504, 30_002, 30_037, 30_454, 63_038, 90_010,
        ],
        // Addresses, parameters, content
        &[
            21_211, 21_212, 21_265, 21_266, 21_268, 21_408, 21_601, 21_602, 21_603, 21_604, 21_606, 21_608, 21_609,
            21_610, 21_611, 21_612, 21_614, 21_617, 21_618, 21_619, 21_620, 21_623, 21_624, 21_635, 21_654, 21_655,
            21_656, 21_657, 21_658, 21_659, 21_660, 21_661, 21_664, 21_666, 21_667, 21_701, 21_702, 21_703, 21_704,
            21_705, 21_910, 30_015, 30_016, 35_111, 35_114, 35_115, 35_117, 35_118, 35_125, 35_126, 35_127,
        ],
        // SMS on its way
        &[
            30_001, 30_003, 30_004, 30_005, 30_006, 30_007, 30_008, 30_009, 30_010, 30_011, 30_012, 30_013, 30_017,
            30_018, 30_019, 30_020, 30_021, 30_022, 30_023, 30_024, 30_025, 30_026, 30_027, 30_028, 30_029, 30_030,
            30_031, 30_032, 30_033, 30_034, 30_035, 30_036, 30_039, 30_040, 30_041, 30_042, 30_043, 30_410, 30_450,
            30_453,
        ],
        // WhatsApp and other channels
        &[
            63_001, 63_002, 63_003, 63_005, 63_006, 63_007, 63_008, 63_009, 63_010, 63_011, 63_012, 63_013, 63_014,
            63_015, 63_016, 63_017, 63_018, 63_019, 63_020, 63_021, 63_022, 63_023, 63_024, 63_025, 63_026, 63_027,
            63_028, 63_029, 63_030, 63_031, 63_032, 63_033, 63_034, 63_035, 63_036, 63_037, 63_039, 63_040, 63_041,
            63_042, 63_043, 63_044, 63_045, 63_046, 63_047, 63_049, 63_051, 63_052, 63_062,
        ],
    ];

    #[test]
    fn every_documented_code_is_described() {
        let documented = DOCUMENTED.concat();
        let missing: Vec<i32> = documented.iter().copied().filter(|code| find(*code).is_none()).collect();
        assert!(missing.is_empty(), "not in the table: {missing:?}");
        let described = table::TABLE.iter().map(|known| known.code);
        let others: Vec<i32> = described.filter(|code| !documented.contains(code)).collect();
        assert!(others.is_empty(), "not in the list above: {others:?}");
    }

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
            assert_eq!(Codes::default().class(code, true), Class::OptOut);
        }
        for code in [20_003, 30_002, 63_007, 63_051] {
            assert_eq!(Codes::default().class(code, false), Class::AccountWide);
        }
        assert_eq!(Codes::default().class(20_429, true), Class::Retry);
        assert_eq!(Codes::default().class(63_018, true), Class::WaitSender);
        assert_eq!(Codes::default().class(63_016, false), Class::PermanentMessage);
        for code in [20_500, NO_CLEAR_ANSWERS] {
            assert_eq!(Codes::default().class(code, true), Class::Ambiguous);
        }
    }

    #[test]
    fn what_concerns_one_country_blocks_no_sender() {
        for code in [21_408, 21_612, 30_033, 30_034, 30_035, 30_040, 30_041, 30_042, 30_043] {
            for sync in [false, true] {
                assert_eq!(Codes::default().class(code, sync), Class::PermanentRecipient, "{code}");
            }
        }
    }

    #[test]
    fn unknown_codes_are_safe() {
        assert_eq!(Codes::default().class(21_999, true), Class::PermanentMessage);
        assert_eq!(Codes::default().class(30_999, false), Class::PermanentRecipient);
        assert_eq!(Codes::default().class(63_999, false), Class::PermanentMessage);
        assert_eq!(Codes::default().explain(63_999).code, 63_999);
    }

    #[test]
    fn marketing_to_the_united_states_is_not_tried_again() {
        let phone = |text: &str| text.parse::<Phone>().unwrap();
        assert_eq!(Codes::default().class_for(63_049, false, &phone("+14155550100")), Class::PermanentRecipient);
        assert_eq!(Codes::default().class_for(63_049, false, &phone("+94771234567")), Class::Defer);
    }

    #[test]
    fn changes_stand_before_what_is_built_in() {
        let change = |class, meaning: &str| Change { class, meaning: Some(meaning.to_owned()), remedy: None };
        let codes = Codes::new([
            (30_007, change(Some(Class::Defer), "Filtered.")),
            (63_999, change(Some(Class::AccountWide), "New at Meta.")),
        ]);
        assert_eq!(codes.class(30_007, false), Class::Defer);
        assert_eq!(codes.explain(30_007).meaning, "Filtered.");
        assert_eq!(codes.explain(30_007).remedy, find(30_007).unwrap().remedy);
        assert_eq!((codes.class(63_999, true), codes.explain(63_999).remedy.as_str()), (Class::AccountWide, UNKNOWN.1));
        assert!(codes.all().contains(&63_999));
    }

    #[test]
    fn nobody_makes_an_opt_out_or_a_doubt_something_else() {
        let retry = Change { class: Some(Class::Retry), ..Change::default() };
        let codes = Codes::new([21_610, 20_500].map(|code| (code, retry.clone())));
        assert_eq!((codes.class(21_610, true), codes.class(20_500, true)), (Class::OptOut, Class::Ambiguous));
    }
}
