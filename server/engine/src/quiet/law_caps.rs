//! How often law lets marketing reach a person (server/engine/data/law_caps.txt): data, never code.

use std::sync::LazyLock;

use domain::{phone::Phone, quiet::LawCapLine};

use crate::zones;

/// The table's version: the day on which its sources were read.
const PACK: &str = "2026-11-28";

/// Only its area codes tell where somebody lives.
const COUNTRY: &str = "US";

const TABLE: &str = include_str!("../../data/law_caps.txt");

/// At most so many messages on one subject within so many times 24 hours, to people in these states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LawCap {
    states: &'static str,
    pub messages: u16,
    pub days: u16,
    basis: &'static str,
    confidence: &'static str,
    source: &'static str,
}

impl LawCap {
    /// Whether it protects who has this number. An area code is presumed to be where its owner lives, as the laws say.
    #[must_use]
    pub fn protects(&self, phone: &Phone) -> bool {
        zones::states_of(phone).iter().any(|state| self.states.split(',').any(|of| of == *state))
    }
}

/// All of them.
pub fn law_caps() -> &'static [LawCap] {
    static CAPS: LazyLock<Vec<LawCap>> = LazyLock::new(|| TABLE.lines().filter_map(read).collect());
    &CAPS
}

/// The table is ours; its test reads every line.
fn read(line: &'static str) -> Option<LawCap> {
    let fields: Vec<&str> = line.split('|').collect();
    let [COUNTRY, states, messages, days, basis, confidence, source] = fields[..] else { return None };
    Some(LawCap { states, messages: messages.parse().ok()?, days: days.parse().ok()?, basis, confidence, source })
}

/// The table, for showing.
#[must_use]
pub fn lines() -> Vec<LawCapLine> {
    let shown = |cap: &LawCap| LawCapLine {
        country: COUNTRY.to_owned(),
        subdivision: cap.states.to_owned(),
        messages: cap.messages,
        days: cap.days,
        basis: cap.basis.to_owned(),
        confidence: cap.confidence.to_owned(),
        source: cap.source.to_owned(),
        read_on: PACK.to_owned(),
    };
    law_caps().iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read() {
        let written = TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count();
        assert_eq!((law_caps().len(), written), (written, 1));
        assert!(TABLE.contains(&format!("# pack {PACK}\n")));
        for line in lines() {
            assert!(["law", "practice", "policy"].contains(&line.basis.as_str()), "{line:?}");
            assert!(["high", "medium", "low"].contains(&line.confidence.as_str()), "{line:?}");
            assert!(line.source.starts_with("Florida Statutes 501.059(8)(b);"), "{line:?}");
        }
    }

    #[test]
    fn area_codes_say_where_somebody_lives() {
        let [cap] = law_caps() else { panic!("one line") };
        let protects = |number: &str| cap.protects(&number.parse().unwrap());
        assert!(protects("+13055550100") && protects("+14055550100"), "Miami, Oklahoma City");
        assert!(!protects("+12125550100") && !protects("+493055550100"), "New York, Berlin");
        assert_eq!((cap.messages, cap.days), (3, 1));
    }
}
