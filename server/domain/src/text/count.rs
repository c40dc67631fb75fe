//! How many message segments a text takes.
//! Source: Twilio, "SMS character limit" and "What is GSM-7 character encoding".

use serde::{Deserialize, Serialize};

use crate::word_enum;

/// Units of one segment, and of each segment of a longer text: the header that joins the parts takes 6 of 140 octets.
const GSM7: (u32, u32) = (160, 153);
const UCS2: (u32, u32) = (70, 67);

word_enum! {
    pub enum Encoding {
        Gsm7 = "GSM-7",
        Ucs2 = "UCS-2",
    }
}

/// The length of a text on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub encoding: Encoding,
    /// What people count, and Twilio's limit for a body: Unicode characters.
    pub characters: u32,
    /// GSM-7 septets or UTF-16 units.
    pub units: u32,
    /// Message segments, which are billed. An empty text takes none.
    pub segments: u32,
    /// Units that still fit into the last segment.
    pub remaining: u32,
}

/// Counts a text as Twilio does: one character outside GSM-7 switches the whole text to UCS-2, and neither an escaped
/// GSM-7 character nor a joined symbol (a flag, a family) is split over two segments.
#[must_use]
pub fn count(text: &str) -> Count {
    let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    if text.chars().all(|c| septets(c).is_some()) {
        let pieces = text.chars().map(|c| septets(c).unwrap_or(1));
        return counted(Encoding::Gsm7, GSM7, characters, pieces);
    }
    counted(Encoding::Ucs2, UCS2, characters, clusters(text))
}

fn counted(
    encoding: Encoding,
    (whole, part): (u32, u32),
    characters: u32,
    pieces: impl Iterator<Item = u32> + Clone,
) -> Count {
    let units = pieces.clone().fold(0_u32, u32::saturating_add);
    if units <= whole {
        return Count { encoding, characters, units, segments: u32::from(units > 0), remaining: whole - units };
    }
    let (segments, used) = pieces.fold((1_u32, 0_u32), |(segments, used), piece| match used + piece {
        sum if sum <= part => (segments, sum),
        // A joined symbol longer than a whole segment is cut all the same.
        _ if piece > part => (segments + (used + piece).div_ceil(part) - 1, (used + piece - 1) % part + 1),
        _ => (segments + 1, piece),
    });
    Count { encoding, characters, units, segments, remaining: part - used }
}

/// Septets of a character in GSM 03.38: one, two for the extension table, none when it is not in it.
fn septets(c: char) -> Option<u32> {
    match c {
        '\n' | '\r' | ' '..='Z' | '_' | 'a'..='z' => Some(1),
        '£' | '¥' | '§' | '¡' | '¿' | '¤' | 'Ä' | 'Å' | 'Æ' | 'Ç' | 'É' | 'Ñ' | 'Ö' | 'Ø' | 'Ü' | 'ß' | 'à' | 'ä'
        | 'å' | 'æ' | 'è' | 'é' | 'ì' | 'ñ' | 'ò' | 'ö' | 'ø' | 'ù' | 'ü' | 'Γ' | 'Δ' | 'Θ' | 'Λ' | 'Ξ' | 'Π' | 'Σ'
        | 'Φ' | 'Ψ' | 'Ω' => Some(1),
        '^' | '{' | '}' | '\\' | '[' | '~' | ']' | '|' | '€' | '\u{c}' => Some(2),
        _ => None,
    }
}

/// UTF-16 units of each visible character.
fn clusters(text: &str) -> impl Iterator<Item = u32> + Clone {
    let mut rest = text.chars().peekable();
    std::iter::from_fn(move || {
        let first = rest.next()?;
        let mut units = width(first);
        let mut previous = first;
        let mut flags = u32::from(is_regional(first));
        while let Some(&next) = rest.peek() {
            let paired = is_regional(previous) && is_regional(next) && flags % 2 == 1;
            let joined = previous == JOINER && !is_plain(next);
            if !(extends(next) || paired || joined || (previous == '\r' && next == '\n')) {
                break;
            }
            flags += u32::from(is_regional(next));
            units += width(next);
            previous = next;
            rest.next();
        }
        Some(units)
    })
}

const JOINER: char = '\u{200d}';

fn width(c: char) -> u32 {
    if c.len_utf16() == 2 { 2 } else { 1 }
}

fn is_regional(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

/// Characters that a joiner does not glue: letters, digits and blanks of ASCII.
fn is_plain(c: char) -> bool {
    c.is_ascii()
}

/// Characters that belong to the one before: combining marks, variation selectors, skin tones, tags, the joiner.
/// The ranges cover emoji and the accents of European scripts; Indic vowel signs count as characters of their own,
/// which can only count a segment too many at a boundary.
fn extends(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}'
        | '\u{e0100}'..='\u{e01ef}' | JOINER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn segments(text: &str) -> u32 {
        count(text).segments
    }

    #[test]
    fn gsm_7_fits_160_then_153() {
        assert_eq!(count(""), Count { encoding: Encoding::Gsm7, characters: 0, units: 0, segments: 0, remaining: 160 });
        assert_eq!(segments(&"1".repeat(160)), 1);
        assert_eq!(segments(&"1".repeat(161)), 2);
        assert_eq!(segments(&"1".repeat(306)), 2);
        assert_eq!(segments(&"1".repeat(307)), 3);
    }

    #[test]
    fn extension_characters_count_twice_and_are_not_split() {
        assert_eq!(count(&format!("€{}", "1".repeat(158))).units, 160);
        assert_eq!(segments(&format!("€{}", "1".repeat(158))), 1);
        assert_eq!(segments(&format!("€{}", "1".repeat(159))), 2);
        for extended in "^{}\\[~]|€\u{c}".chars() {
            assert_eq!(count(&extended.to_string()).units, 2, "{extended}");
        }
        // 152 units, then a pair that does not fit into the last one of the first segment.
        assert_eq!(count(&format!("{}€{}", "1".repeat(152), "1".repeat(152))).segments, 3);
    }

    #[test]
    fn one_other_character_switches_the_whole_text() {
        for other in ["`", "ç", "á", "“", "–", "…", "\u{a0}", "\t", "😀"] {
            assert_eq!(count(&format!("hello {other}")).encoding, Encoding::Ucs2, "{other}");
        }
        assert_eq!(segments(&"ç".repeat(70)), 1);
        assert_eq!(segments(&"ç".repeat(71)), 2);
        assert_eq!(count("\r\n").units, 2);
    }

    #[test]
    fn emoji_count_in_utf_16_and_stay_whole() {
        assert_eq!(count(&format!("😀{}", "1".repeat(68))).units, 70);
        assert_eq!(segments(&format!("😀{}", "1".repeat(68))), 1);
        assert_eq!(segments(&format!("😀{}", "1".repeat(69))), 2);
        assert_eq!(segments(&format!("😀{}", "1".repeat(133))), 3);
        assert_eq!(segments(&format!("🇮🇹{}", "1".repeat(66))), 1);
        assert_eq!(segments(&format!("🇮🇹{}", "1".repeat(67))), 2);
        // 66 units, then a symbol of two: it moves to the second segment as a whole.
        assert_eq!(count(&format!("{}😀{}", "ç".repeat(66), "ç".repeat(66))).segments, 3);
    }

    #[test]
    fn joined_symbols_are_one_piece() {
        let family = "👨\u{200d}👩\u{200d}👧";
        assert_eq!(clusters(family).collect::<Vec<_>>(), [8]);
        assert_eq!(clusters("🇮🇹🇱🇰").collect::<Vec<_>>(), [4, 4]);
        assert_eq!(clusters("👍🏽e\u{301}x").collect::<Vec<_>>(), [4, 2, 1]);
    }

    proptest! {
        #[test]
        fn segments_hold_all_units(text in "\\PC{0,400}") {
            let counted = count(&text);
            let (whole, part) = if counted.encoding == Encoding::Gsm7 { GSM7 } else { UCS2 };
            let room = if counted.segments <= 1 { whole * counted.segments } else { part * counted.segments };
            prop_assert!(counted.units <= room);
            prop_assert!(counted.segments >= counted.units.div_ceil(whole));
        }
    }
}
