//! A message past its campaign's deadline is dropped, when the campaign says so.

use domain::{campaign::Late, reason::Reason};

use super::{Facts, No, quiet};

/// What the check saw that passed; nothing of a campaign that drops nobody.
pub(super) fn seen(facts: &Facts) -> Option<String> {
    let deadline = facts.send_before.filter(|_| facts.late == Late::Drop)?;
    Some(format!("to be sent before {}", quiet::told(facts, deadline)))
}

pub(super) fn check(facts: &Facts) -> Result<(), No> {
    match facts.send_before {
        Some(deadline) if facts.late == Late::Drop && facts.now >= deadline => {
            Err(No::with(Reason::DeadlinePassed, format!("to be sent before {}", quiet::told(facts, deadline))))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::willing;

    #[test]
    fn only_dropping_campaigns_drop() {
        let now = willing().now;
        let late = Facts { send_before: Some(now), late: Late::Drop, ..willing() };
        assert_eq!(check(&late).err().map(|no| no.reason), Some(Reason::DeadlinePassed));
        assert_eq!(check(&Facts { late: Late::Wait, ..late.clone() }), Ok(()));
        assert_eq!(check(&Facts { send_before: Some(now.plus(1)), ..late }), Ok(()));
    }
}
