//! Phone numbers in any usual writing.

use domain::phone::Phone;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, Region};

/// Why a text is no phone number of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPhone {
    #[error("empty")]
    Empty,
    #[error("not a phone number")]
    Invalid,
    #[error("a national number without a country")]
    NoCountry,
}

/// Fewer digits than this are no subscriber's number anywhere.
const FEWEST_DIGITS: usize = 4;

/// More digits than this are no number, with any prefix.
const MOST_DIGITS: usize = 24;

/// The zeros of the scripts whose digits are written in phone numbers; the nine others follow each of them.
const ZEROS: [char; 9] = ['0', '٠', '۰', '०', '০', '๐', '០', '၀', '０'];

/// Reads a number; `region` (ISO 3166) serves numbers written without a country code.
///
/// Understood are: international form, also with `00` for the plus sign, and with `011` where `region` dials so;
/// national form of the region; `whatsapp:`, `tel:` and `sms:` in front; any common punctuation, digits of other
/// scripts, an apostrophe in front (spreadsheets), invisible characters; `(0)` after a country code. Not understood, on
/// purpose, are letters, extensions (nobody can be messaged there) and scientific notation (its digits are lost).
/// A number that is known not to exist is refused.
///
/// # Errors
/// When it is none.
pub fn parse(text: &str, region: Option<&str>) -> Result<Phone, NotAPhone> {
    read(text, region).map(|(phone, _)| phone)
}

/// As [`parse`], with the region the number belongs to.
///
/// # Errors
/// When it is none.
pub(crate) fn read(text: &str, region: Option<&str>) -> Result<(Phone, Option<String>), NotAPhone> {
    let written = Written::read(text)?;
    if written.international {
        return existing(&format!("+{}", written.digits), None);
    }
    if let Some(rest) = written.digits.strip_prefix("00")
        && let Ok(found) = existing(&format!("+{rest}"), None)
    {
        return Ok(found);
    }
    let Some(region) = region.and_then(known) else {
        let long_enough = written.digits.len() >= FEWEST_DIGITS;
        return Err(if long_enough { NotAPhone::NoCountry } else { NotAPhone::Invalid });
    };
    existing(&written.digits, Some(region))
}

/// The region (ISO 3166) a number belongs to.
#[must_use]
pub fn region(phone: &Phone) -> Option<String> {
    PHONE_NUMBER_UTIL.parse(phone.as_str(), None).ok().as_ref().and_then(region_of)
}

/// Whether a text is the code of a region (ISO 3166, two letters) that has phone numbers.
#[must_use]
pub fn is_region(code: &str) -> bool {
    known(code).is_some()
}

fn known(code: &str) -> Option<Region> {
    let code = code.trim();
    if code.len() != 2 {
        return None;
    }
    let code = if code.eq_ignore_ascii_case("UK") { "GB" } else { code };
    Region::from_code(code).ok().filter(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(*region).is_some())
}

fn region_of(number: &PhoneNumber) -> Option<String> {
    number.get_region_code().filter(|region| *region != Region::World).map(|region| region.to_string())
}

fn existing(digits: &str, region: Option<Region>) -> Result<(Phone, Option<String>), NotAPhone> {
    let mut number = PHONE_NUMBER_UTIL.parse(digits, region).map_err(|_| NotAPhone::Invalid)?;
    if !number.is_valid()
        && let Some(canonical) = without_mexican_one(digits)
    {
        number = PHONE_NUMBER_UTIL.parse(&canonical, None).map_err(|_| NotAPhone::Invalid)?;
    }
    if !number.is_valid() {
        return Err(NotAPhone::Invalid);
    }
    let phone = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).parse().map_err(|_| NotAPhone::Invalid)?;
    Ok((phone, region_of(&number)))
}

/// Mexico dropped the 1 after +52 in 2019; WhatsApp ids still carry it.
fn without_mexican_one(digits: &str) -> Option<String> {
    digits.strip_prefix("+521").filter(|rest| rest.len() == 10).map(|rest| format!("+52{rest}"))
}

/// The number by which a person is stored whom Twilio names by this one: as import, API and events store it. One that is known
/// not to exist stays as it is, for somebody writes from there.
pub(crate) fn canonical(phone: Phone) -> Phone {
    without_mexican_one(phone.as_str()).and_then(|number| number.parse().ok()).unwrap_or(phone)
}

/// The other way in which a number is written, or was stored before it was read as [`canonical`] has it.
pub(crate) fn other_writing(phone: &str) -> Option<String> {
    let with_one = || phone.strip_prefix("+52").filter(|rest| rest.len() == 10).map(|rest| format!("+521{rest}"));
    without_mexican_one(phone).or_else(with_one)
}

/// A text's digits, and whether they begin with a country code.
struct Written {
    digits: String,
    international: bool,
}

impl Written {
    fn read(text: &str) -> Result<Self, NotAPhone> {
        let text = text.trim_matches(|c: char| is_filler(c) || matches!(c, '\'' | '’' | '`' | '"'));
        if text.is_empty() {
            return Err(NotAPhone::Empty);
        }
        let (text, is_whatsapp) = without_scheme(text);
        let mut written = Self { digits: String::with_capacity(text.len()), international: is_whatsapp };
        let mut plus = false;
        for character in without_fraction(text).chars() {
            if let Some(digit) = digit(character) {
                written.digits.push(digit);
            } else if matches!(character, '+' | '＋' | '﹢') && !plus && written.digits.is_empty() {
                plus = true;
                written.international = true;
            } else if !is_filler(character) && !is_punctuation(character) {
                return Err(NotAPhone::Invalid);
            }
        }
        if written.digits.is_empty() || written.digits.len() > MOST_DIGITS {
            return Err(NotAPhone::Invalid);
        }
        Ok(written)
    }
}

/// WhatsApp's ids begin with the country code, with or without a plus sign.
fn without_scheme(text: &str) -> (&str, bool) {
    let scheme = |name: &str| text.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name));
    for (name, is_whatsapp) in [("whatsapp:", true), ("tel:", false), ("sms:", false)] {
        if scheme(name).is_some() {
            return (&text[name.len()..], is_whatsapp);
        }
    }
    (text, false)
}

/// Programs that took the column for decimals write `94771234567.0`.
fn without_fraction(text: &str) -> &str {
    match text.split_once('.') {
        Some((whole, fraction))
            if matches!(fraction, "0" | "00")
                && whole.len() >= FEWEST_DIGITS
                && whole.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            whole
        }
        _ => text,
    }
}

/// The digits in a text, of any script, and nothing else.
pub(crate) fn digits(text: &str) -> String {
    text.chars().filter_map(digit).collect()
}

fn digit(character: char) -> Option<char> {
    if character.is_ascii() {
        return character.is_ascii_digit().then_some(character);
    }
    ZEROS.iter().find_map(|zero| {
        let offset = u32::from(character).checked_sub(u32::from(*zero))?;
        char::from_digit(offset, 10)
    })
}

/// Blanks of all kinds, and characters that are not seen.
fn is_filler(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn is_punctuation(character: char) -> bool {
    matches!(
        character,
        '-' | '.' | '/' | '(' | ')' | '[' | ']' | '~' | '\u{2010}'
            ..='\u{2015}' | '\u{2212}' | '·' | '•' | '（' | '）' | '－' | '．' | '／' | '〜'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(text: &str, region: Option<&str>) -> Result<String, NotAPhone> {
        parse(text, region).map(|phone| phone.to_string())
    }

    #[test]
    fn usual_writings_are_understood() {
        for (text, region, expected) in [
            ("+14155550100", None, "+14155550100"),
            ("+1 (415) 555-0100", None, "+14155550100"),
            ("+1.415.555.0100", None, "+14155550100"),
            ("  +94\u{a0}77\u{a0}123\u{a0}4567 ", None, "+94771234567"),
            ("\u{202a}+94\u{200b}771234567\u{202c}", None, "+94771234567"),
            ("\u{feff}+94771234567", None, "+94771234567"),
            ("'+94771234567", None, "+94771234567"),
            ("\"+94771234567\"", None, "+94771234567"),
            ("whatsapp:+31612345158", None, "+31612345158"),
            ("WhatsApp:31612345158", None, "+31612345158"),
            ("tel:+31-6-1234-5158", None, "+31612345158"),
            ("sms:+31612345158", None, "+31612345158"),
            ("＋１７８７２３４８３５３", None, "+17872348353"),
            ("+٩٤٧٧١٢٣٤٥٦٧", None, "+94771234567"),
            ("+९४ ७७१ २३४ ५६७", None, "+94771234567"),
            ("0094771234567", None, "+94771234567"),
            ("00 94 77 123 4567", Some("US"), "+94771234567"),
            ("011 94 77 123 4567", Some("US"), "+94771234567"),
            ("0011 94 77 123 4567", Some("AU"), "+94771234567"),
            ("077 123 4567", Some("LK"), "+94771234567"),
            ("771234567", Some("lk"), "+94771234567"),
            ("94771234567", Some("LK"), "+94771234567"),
            ("94771234567.0", Some("LK"), "+94771234567"),
            ("(415) 555-0100", Some("US"), "+14155550100"),
            ("1-415-555-0100", Some("CA"), "+14155550100"),
            ("07400 123060", Some("UK"), "+447400123060"),
            ("+44 (0)7400 123060", None, "+447400123060"),
            ("06 12 34 56 73", Some("FR"), "+33612345673"),
            ("8 (771) 000 9851", Some("KZ"), "+77710009851"),
            ("+39 06 1234 5678", None, "+390612345678"),
            ("7208", Some("TK"), "+6907208"),
            // Mexico's former mobile prefix, Argentina's two ways of writing a mobile number.
            ("+5212221234563", None, "+522221234563"),
            ("+52 222 123 4563", None, "+522221234563"),
            ("222 123 4563", Some("MX"), "+522221234563"),
            ("011 15-2345-6710", Some("AR"), "+5491123456710"),
            ("+54 9 11 2345-6710", None, "+5491123456710"),
            ("+54 11 15 2345-6710", None, "+5491123456710"),
        ] {
            assert_eq!(read_as(text, region).as_deref(), Ok(expected), "{text:?} in {region:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused_with_its_reason() {
        for (text, region, expected) in [
            ("", None, NotAPhone::Empty),
            (" \u{a0}\u{200b}'", None, NotAPhone::Empty),
            ("n/a", Some("US"), NotAPhone::Invalid),
            ("call me", None, NotAPhone::Invalid),
            ("++", None, NotAPhone::Invalid),
            ("++14155550100", None, NotAPhone::Invalid),
            ("+14155550100x12", None, NotAPhone::Invalid),
            ("+14155550100 ext. 12", None, NotAPhone::Invalid),
            ("+14155550100;ext=12", None, NotAPhone::Invalid),
            ("+14155550100,12", None, NotAPhone::Invalid),
            ("1-800-FLOWERS", Some("US"), NotAPhone::Invalid),
            ("4.47E+11", Some("GB"), NotAPhone::Invalid),
            ("1.41555E+10", None, NotAPhone::Invalid),
            ("0", Some("US"), NotAPhone::Invalid),
            ("0", None, NotAPhone::Invalid),
            ("12345", Some("US"), NotAPhone::Invalid),
            ("+1415555", None, NotAPhone::Invalid),
            ("+999123456789", None, NotAPhone::Invalid),
            ("+1415555010012345678901234567890", None, NotAPhone::Invalid),
            ("077 123 4567", None, NotAPhone::NoCountry),
            ("14155550100", None, NotAPhone::NoCountry),
            ("077 123 4567", Some("XX"), NotAPhone::NoCountry),
            ("077 123 4567", Some("Lanka"), NotAPhone::NoCountry),
        ] {
            assert_eq!(read_as(text, region), Err(expected), "{text:?} in {region:?}");
        }
    }

    #[test]
    fn a_number_knows_its_region() {
        for (phone, expected) in [
            ("+94771234567", Some("LK")),
            ("+14155550100", Some("US")),
            ("+15062345604", Some("CA")),
            ("+80012345678", None),
        ] {
            assert_eq!(region(&phone.parse().unwrap()).as_deref(), expected, "{phone}");
        }
        assert!(is_region("lk") && !is_region("XX") && !is_region("001"));
    }

    #[test]
    fn twilio_names_people_by_the_number_they_are_stored_by() {
        for (named, stored) in [
            ("+5212221234563", "+522221234563"),
            ("+522221234563", "+522221234563"),
            ("+14155550100", "+14155550100"),
            // Not Mexican numbers: too long, too short, another country's.
            ("+52122212345634", "+52122212345634"),
            ("+52122212345", "+52122212345"),
            ("+5491123456710", "+5491123456710"),
            // Nobody has this number, and yet somebody writes from it.
            ("+15005550009", "+15005550009"),
        ] {
            let phone: Phone = named.parse().unwrap();
            assert_eq!(canonical(phone.clone()).as_str(), stored, "{named}");
            if let Ok(read) = parse(named, None) {
                assert_eq!(canonical(phone), read, "{named}");
            }
        }
        assert_eq!(other_writing("+5212221234563").as_deref(), Some("+522221234563"));
        assert_eq!(other_writing("+522221234563").as_deref(), Some("+5212221234563"));
        assert_eq!(other_writing("+14155550100"), None);
    }

    #[test]
    fn what_was_read_is_read_again_as_the_same() {
        for text in ["+5491123456710", "+522221234563", "+390612345678", "+6907208"] {
            assert_eq!(read_as(text, None).as_deref(), Ok(text));
        }
    }
}
