//! What a column is, by its heading.

use std::{fmt, str::FromStr};

use domain::problem::FieldError;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::words::{CONSENT, COUNTRY, LOCALE, OPT_OUT, PHONE, TIMEZONE};

/// What a column of a file becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Phone,
    Consent,
    /// A column that says who does not want anything: its "yes" is an opt-out, its "no" says nothing.
    OptOut,
    Timezone,
    Locale,
    /// Also the attribute `country`.
    Country,
    Attribute(String),
    Ignore,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Phone => "phone",
            Self::Consent => "consent",
            Self::OptOut => "opt_out",
            Self::Timezone => "timezone",
            Self::Locale => "locale",
            Self::Country => "country",
            Self::Attribute(key) => return write!(f, "attributes.{key}"),
            Self::Ignore => "ignore",
        })
    }
}

/// The text names no target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotATarget;

impl FromStr for Target {
    type Err = NotATarget;
    fn from_str(text: &str) -> Result<Self, NotATarget> {
        Ok(match text {
            "phone" => Self::Phone,
            "consent" => Self::Consent,
            "opt_out" => Self::OptOut,
            "timezone" => Self::Timezone,
            "locale" => Self::Locale,
            "country" => Self::Country,
            "ignore" => Self::Ignore,
            other => {
                let key = other.strip_prefix("attributes.").map(key).filter(|key| !key.is_empty());
                Self::Attribute(key.ok_or(NotATarget)?)
            }
        })
    }
}

/// An attribute's key for a heading: NFKC, trimmed, lower case; other than letters and digits becomes `_`.
pub(super) fn key(heading: &str) -> String {
    let text: String = heading.nfkc().collect();
    let text = text.trim().to_lowercase();
    let key: String = text.chars().map(|c| if c.is_alphanumeric() || is_combining_mark(c) { c } else { '_' }).collect();
    key.chars().take(crate::services::contacts::fields::KEY_MAX).collect()
}

/// A heading without case, accents, blanks and punctuation: what is compared.
pub(super) fn compact(heading: &str) -> String {
    heading
        .nfkd()
        .filter(|c| c.is_alphanumeric() && !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .filter(|c| !is_combining_mark(*c))
        .map(|c| match c {
            'ı' => 'i',
            'ł' => 'l',
            'ø' => 'o',
            'đ' => 'd',
            c => c,
        })
        .collect()
}

/// What columns with these headings become: as `map` (target to heading) says, else by sense. Only one column holds the
/// number: the one whose heading says so most plainly.
pub(super) fn targets(headings: &[String], map: &[(String, String)]) -> Vec<Target> {
    let mapped: Vec<Option<Target>> = headings.iter().map(|heading| mapped(heading, map)).collect();
    let has_phone = mapped.contains(&Some(Target::Phone));
    let best = if has_phone {
        None
    } else {
        let rank = |index: &usize| phone_rank(&headings[*index]);
        let unmapped = (0..headings.len()).filter(|index| mapped[*index].is_none());
        unmapped.filter(|index| rank(index).is_some()).min_by_key(rank)
    };
    let by_sense = |(index, mapped): (usize, Option<Target>)| {
        mapped.unwrap_or_else(|| if best == Some(index) { Target::Phone } else { by_sense(&headings[index]) })
    };
    mapped.into_iter().enumerate().map(by_sense).collect()
}

fn mapped(heading: &str, map: &[(String, String)]) -> Option<Target> {
    let means = |wanted: &str| wanted.trim() == heading.trim() || key(wanted) == key(heading);
    map.iter().find(|(_, wanted)| means(wanted)).and_then(|(target, _)| target.parse().ok())
}

/// What a column becomes that nobody mapped and that is not the phone number.
pub(super) fn by_sense(heading: &str) -> Target {
    let wanted = compact(heading);
    let is_one_of = |words: &[&str]| words.iter().any(|word| compact(word) == wanted);
    if is_one_of(CONSENT) {
        Target::Consent
    } else if is_one_of(OPT_OUT) {
        Target::OptOut
    } else if is_one_of(TIMEZONE) {
        Target::Timezone
    } else if is_one_of(LOCALE) {
        Target::Locale
    } else if is_one_of(COUNTRY) {
        Target::Country
    } else {
        let key = key(heading);
        if key.chars().any(char::is_alphanumeric) { Target::Attribute(key) } else { Target::Ignore }
    }
}

fn phone_rank(heading: &str) -> Option<usize> {
    let wanted = compact(heading);
    PHONE.iter().position(|word| compact(word) == wanted)
}

/// What is wrong with a map, before there is a file: targets that do not exist.
pub(crate) fn check_map(map: &[(String, String)]) -> Vec<FieldError> {
    map.iter()
        .filter(|(target, heading)| target.parse::<Target>().is_err() || heading.trim().is_empty())
        .map(|(target, heading)| {
            let message = format!(
                "`{target}:{heading}` is not understood. Write phone, consent, opt_out, timezone, locale, country, \
                 attributes.<key> or ignore, a colon, and the column's heading."
            );
            FieldError::new("map", message)
        })
        .collect()
}

/// The headings of a map that a file does not have.
pub(super) fn missing<'a>(headings: &[String], map: &'a [(String, String)]) -> Vec<&'a str> {
    let has = |wanted: &str| headings.iter().any(|one| one.trim() == wanted.trim() || key(one) == key(wanted));
    map.iter().map(|(_, heading)| heading.as_str()).filter(|heading| !has(heading)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::csv_record, *};

    fn of(headings: &[&str], map: &[(&str, &str)]) -> Vec<String> {
        let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
        let map: Vec<(String, String)> = map.iter().map(|(to, from)| ((*to).to_owned(), (*from).to_owned())).collect();
        targets(&headings, &map).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn headings_are_understood_by_sense() {
        assert_eq!(
            of(&["Phone Number", "First Name", "Country", "Time zone", "Language", "Opt-In", "  E-Mail "], &[]),
            ["phone", "attributes.first_name", "country", "timezone", "locale", "consent", "attributes.e_mail"]
        );
        for heading in
            ["PHONE", "Teléfono", "telefono", "NÚMERO", "Handynummer", "携帯電話", "Cep Telefonu", "WhatsApp"]
        {
            assert_eq!(of(&[heading], &[]), ["phone"], "{heading}");
        }
        assert_eq!(of(&["Unsubscribed", "--"], &[]), ["opt_out", "ignore"]);
    }

    #[test]
    fn the_plainest_heading_is_the_number_and_the_others_are_kept() {
        assert_eq!(of(&["Mobile", "Phone"], &[]), ["attributes.mobile", "phone"]);
        assert_eq!(of(&["No", "Name"], &[]), ["phone", "attributes.name"]);
        assert_eq!(of(&["No", "Mobile"], &[]), ["attributes.no", "phone"]);
    }

    #[test]
    fn what_was_mapped_counts() {
        assert_eq!(
            of(
                &["Phone", "Kontakt", "Stadt"],
                &[("phone", "kontakt"), ("attributes.City", "Stadt"), ("ignore", "Phone")]
            ),
            ["ignore", "phone", "attributes.city"]
        );
        let map = [("city".to_owned(), "Stadt".to_owned()), ("phone".to_owned(), "Kontakt".to_owned())];
        assert_eq!(check_map(&map).len(), 1);
        assert_eq!(missing(&["stadt".to_owned()], &map), ["Kontakt"]);
    }

    #[test]
    fn keys_are_letters_digits_and_underscores() {
        for (heading, expected) in
            [("First Name", "first_name"), ("ＺＩＰ", "zip"), ("Größe (cm)", "größe__cm_"), ("देश", "देश")]
        {
            assert_eq!(key(heading), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

        /// Whatever the first record of a file says: each column becomes something, and one at most the number.
        #[test]
        fn any_headings_are_read(record in "[\\PC\\x00-\\x1f,;\"]{0,60}", wanted in any::<String>(), target in "(phone|consent|attributes\\.)?.{0,9}") {
            let mut headings = Vec::new();
            csv_record::split(&record, b',', &mut headings);
            for map in [vec![], vec![(target, wanted)]] {
                let targets = targets(&headings, &map);
                prop_assert_eq!(targets.len(), headings.len());
                let by_sense = map.is_empty() && targets.iter().filter(|target| **target == Target::Phone).count() > 1;
                prop_assert!(!by_sense, "two numbers: {:?}", headings);
                for target in targets {
                    let Target::Attribute(key) = &target else { continue };
                    let is_fine = |c: char| c == '_' || c.is_alphanumeric() || is_combining_mark(c);
                    let is_short = key.chars().count() <= crate::services::contacts::fields::KEY_MAX;
                    prop_assert!(!key.is_empty() && is_short && key.chars().all(is_fine), "{:?}", target);
                }
                check_map(&map);
                missing(&headings, &map);
            }
        }
    }
}
