//! Chance and limits: which create fails, and how.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::settings::{ErrorRule, Fault, NumberRule, Settings, When};
use crate::sid::mix;
use crate::state::lock;

/// The random choices of one message. The same seed and the same place in the order give the same choices, on every
/// platform and in every version (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64, ordinal: u64) -> Self {
        Self(mix(seed ^ mix(ordinal.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number in `[0, 100)`.
    fn hundred(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64 * 100.0
    }

    /// True in `percent` of the cases. Always draws, so that other choices do not depend on the percentage.
    pub fn percent(&mut self, percent: f64) -> bool {
        self.hundred() < percent
    }

    /// A number below `bound`, or 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let drawn = self.next();
        if bound == 0 { 0 } else { drawn % bound }
    }
}

/// What is decided about a create before it is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    pub fault: Option<Fault>,
    /// A configured failure after the create.
    pub failure: Option<Failure>,
    /// A configured refusal.
    pub refusal: Option<u32>,
}

/// How an accepted message ends badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub code: u32,
    pub after_sent: bool,
    pub status: Option<String>,
}

impl Failure {
    pub fn after_sent(code: u32) -> Self {
        Self { code, after_sent: true, status: None }
    }

    pub fn before_sent(code: u32) -> Self {
        Self { code, after_sent: false, status: None }
    }
}

impl Fate {
    pub fn draw(settings: &Settings, dice: &mut Dice, number: &str) -> Self {
        let mut at = dice.hundred();
        let drawn = [
            (settings.lost_answer_percent, Fault::LostAnswer),
            (settings.timeout_percent, Fault::Timeout),
            (settings.error_500_percent, Fault::Error500),
            (settings.error_500_accepted_percent, Fault::Error500Accepted),
            (settings.error_502_percent, Fault::Error502),
            (settings.error_502_accepted_percent, Fault::Error502Accepted),
            (settings.accepted_late_percent, Fault::AcceptedLate),
        ]
        .into_iter()
        .find_map(|(percent, fault)| {
            at -= percent;
            (at < 0.0).then_some(fault)
        });
        let fault = number_rule(settings, number).and_then(|rule| rule.fault).or(drawn);
        let roll = dice.hundred();
        let rule = settings.errors.iter().find(|rule| matches(&rule.number, number)).filter(|rule| roll < rule.percent);
        Self {
            fault,
            failure: rule.and_then(failure),
            refusal: rule.filter(|rule| rule.when == When::Create).map(|rule| rule.code),
        }
    }
}

/// The rule of a number, if it has one.
pub(crate) fn number_rule<'a>(settings: &'a Settings, number: &str) -> Option<&'a NumberRule> {
    settings.numbers.iter().find(|rule| matches(&rule.number, number))
}

fn failure(rule: &ErrorRule) -> Option<Failure> {
    let after_sent = match rule.when {
        When::Create => return None,
        When::BeforeSent => false,
        When::AfterSent => true,
    };
    Some(Failure { code: rule.code, after_sent, status: rule.status.clone() })
}

/// Whether `text` fits a pattern in which `*` stands for any characters.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, mut pattern)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    while let Some((part, rest)) = pattern.split_once('*') {
        let Some(at) = text.find(part) else {
            return false;
        };
        text = &text[at + part.len()..];
        pattern = rest;
    }
    text.ends_with(pattern)
}

/// The refusals of Twilio's magic numbers (page "Test Credentials").
pub(crate) fn magic_refusal(from: Option<&str>, to: &str) -> Option<u32> {
    match from {
        Some("+15005550001") => return Some(21212),
        Some("+15005550007") => return Some(21606),
        Some("+15005550008") => return Some(21611),
        _ => {}
    }
    match to {
        "+15005550001" => Some(21211),
        "+15005550002" => Some(21612),
        "+15005550003" => Some(21408),
        "+15005550004" => Some(21610),
        "+15005550009" => Some(21614),
        _ => None,
    }
}

/// Lets at most so many through in any second.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<VecDeque<Instant>>);

impl Gate {
    pub fn pass(&self, limit: u32, now: Instant) -> bool {
        let mut passed = lock(&self.0);
        while passed.front().is_some_and(|at| now.saturating_duration_since(*at) >= Duration::from_secs(1)) {
            passed.pop_front();
        }
        if passed.len() >= limit as usize {
            return false;
        }
        passed.push_back(now);
        true
    }

    pub fn clear(&self) {
        lock(&self.0).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("+94*", "+94771234567", true),
            ("+94*", "+1555", false),
            ("*0001", "+15550001", true),
            ("*0001", "+15550002", false),
            ("+1*55*9", "+1405501229", true),
            ("+1*55*9", "+140550122", false),
            ("+15550001", "+15550001", true),
            ("+15550001", "+155500011", false),
            ("12*21", "121", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn the_same_seed_and_order_give_the_same_choices() {
        let settings = Settings { lost_answer_percent: 10.0, error_500_percent: 20.0, ..Settings::default() };
        let run =
            |seed| (0..2000).map(|n| Fate::draw(&settings, &mut Dice::new(seed, n), "+1").fault).collect::<Vec<_>>();
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        let lost = run(3).iter().filter(|fault| **fault == Some(Fault::LostAnswer)).count();
        let failed = run(3).iter().filter(|fault| **fault == Some(Fault::Error500)).count();
        assert!((120..280).contains(&lost), "{lost}");
        assert!((300..500).contains(&failed), "{failed}");
    }

    #[test]
    fn never_more_than_the_limit_in_any_second() {
        let gate = Gate::default();
        let start = Instant::now();
        let passed = (0..100).filter(|n| gate.pass(5, start + Duration::from_millis(n * 9))).count();
        assert_eq!(passed, 5);
        assert!(gate.pass(5, start + Duration::from_millis(1000)));
        assert!(gate.pass(5, start + Duration::from_millis(1009)));
        assert!(!gate.pass(5, start + Duration::from_millis(1010)));
    }

    #[test]
    fn rules_by_number_come_first() {
        let settings = Settings {
            errors: vec![ErrorRule::new("*7", 30003, When::AfterSent), ErrorRule::new("*", 21610, When::Create)],
            numbers: vec![NumberRule { number: "*9".into(), fault: Some(Fault::Timeout), statuses: None }],
            ..Settings::default()
        };
        let mut dice = Dice::new(1, 1);
        assert_eq!(Fate::draw(&settings, &mut dice, "+17").failure, Some(Failure::after_sent(30003)));
        assert_eq!(Fate::draw(&settings, &mut dice, "+18").refusal, Some(21610));
        assert_eq!(Fate::draw(&settings, &mut dice, "+19").fault, Some(Fault::Timeout));
    }
}
