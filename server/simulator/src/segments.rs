//! How many SMS segments a text takes (pages "GSM-7" and "SMS character limit").
//!
//! 160 GSM-7 characters in one segment and 153 in each of several; one character outside GSM-7 turns the whole text
//! into UCS-2, with 70 and 67 units. A two-unit character is never split between segments.

/// Segments of an SMS with this body; at least one.
pub(crate) fn count(body: &str) -> u16 {
    let gsm: Option<Vec<u8>> = body.chars().map(gsm_units).collect();
    let (units, single, part) = match gsm {
        Some(units) => (units, 160, 153),
        None => (body.chars().map(|c| c.len_utf16() as u8).collect(), 70, 67),
    };
    if units.iter().map(|n| usize::from(*n)).sum::<usize>() <= single {
        return 1;
    }
    let (mut segments, mut used) = (1_u16, 0_usize);
    for n in units {
        let n = usize::from(n);
        if used + n > part {
            segments = segments.saturating_add(1);
            used = 0;
        }
        used += n;
    }
    segments
}

fn gsm_units(c: char) -> Option<u8> {
    const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
    const EXTENDED: &str = "^{}\\[]~|€\u{c}";
    if c.is_ascii_alphanumeric() || BASIC.contains(c) {
        Some(1)
    } else if EXTENDED.contains(c) {
        Some(2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calculators_own_checks() {
        let digits = |n| "1".repeat(n);
        for (text, expected) in [
            (String::new(), 1),
            (digits(160), 1),
            (digits(161), 2),
            (digits(306), 2),
            (digits(307), 3),
            (format!("€{}", digits(158)), 1),
            (format!("€{}", digits(159)), 2),
            (format!("😀{}", digits(68)), 1),
            (format!("😀{}", digits(69)), 2),
            (format!("😀{}", digits(133)), 3),
            (format!("🇱🇰{}", digits(66)), 1),
            (format!("🇱🇰{}", digits(67)), 2),
            ("ç".repeat(70), 1),
            ("ç".repeat(71), 2),
        ] {
            assert_eq!(count(&text), expected, "{text}");
        }
    }
}
