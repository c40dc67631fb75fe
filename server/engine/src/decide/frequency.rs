//! Nobody gets more than the workspace's caps allow.

use std::fmt;

use domain::reason::Reason;

use super::{Facts, No};

/// A cap that binds the message, and what the person had of late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capped {
    pub messages: u16,
    pub days: u16,
    /// Whether it is about the campaign's topic alone.
    pub topic: bool,
    /// Whether it is law where the person lives.
    pub law: bool,
    /// Marketing messages handed over to the person within the window, but this one.
    pub had: i64,
}

impl fmt::Display for Capped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.topic { " about the topic" } else { "" };
        let law = if self.law { ", by law" } else { "" };
        let days = if self.days == 1 { "day" } else { "days" };
        write!(f, "{} of {} in {} {days}{about}{law}", self.had, self.messages, self.days)
    }
}

/// What the check saw that passed; nothing where no cap binds.
pub(super) fn seen(facts: &Facts) -> Option<String> {
    let caps: Vec<String> = facts.caps.iter().map(ToString::to_string).collect();
    (!caps.is_empty()).then(|| caps.join("; "))
}

pub(super) fn check(facts: &Facts) -> Result<(), No> {
    match facts.caps.iter().find(|cap| cap.had >= i64::from(cap.messages)) {
        None => Ok(()),
        Some(cap) => Err(No::with(Reason::FrequencyCap, cap.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::willing;

    #[test]
    fn a_full_cap_says_no() {
        let cap = |messages, had| Capped { messages, days: 7, topic: false, law: false, had };
        let of = |caps: &[Capped]| check(&Facts { caps: caps.to_vec(), ..willing() });
        assert_eq!(of(&[]), Ok(()));
        assert_eq!(of(&[cap(3, 2)]), Ok(()));
        let no = of(&[cap(9, 3), cap(3, 3)]).expect_err("three are enough");
        assert_eq!((no.reason, no.detail.as_deref()), (Reason::FrequencyCap, Some("3 of 3 in 7 days")));
        let by_law = Capped { days: 1, topic: true, law: true, ..cap(3, 3) };
        assert_eq!(by_law.to_string(), "3 of 3 in 1 day about the topic, by law");
    }
}
