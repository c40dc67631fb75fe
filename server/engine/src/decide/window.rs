//! WhatsApp: free text only within 24 hours of the person's last message to the same sender (Twilio error 63016).

use domain::{
    message::{Channel, Kind},
    reason::Reason,
    time::Timestamp,
};

use super::{Facts, No, Person, quiet};

fn is_needed(facts: &Facts) -> bool {
    // An answer by itself is for the conversation at hand, whatever it consists of.
    let is_bound = (facts.enforce_window && facts.free_text) || facts.kind == Kind::AutoReply;
    facts.channel == Channel::Whatsapp && is_bound
}

/// What the check saw that passed. Not when the person wrote: that is different for everybody.
pub(super) fn seen(facts: &Facts) -> Option<String> {
    let what = match (facts.channel, facts.free_text) {
        (Channel::Whatsapp, _) if is_needed(facts) => "the person wrote to this sender within 24 hours",
        (Channel::Whatsapp, false) => "an approved template needs no open conversation",
        (Channel::Whatsapp, true) => "free text, and the setting asks for no open conversation",
        _ => return None,
    };
    Some(what.to_owned())
}

pub(super) fn check(facts: &Facts, person: Person) -> Result<(), No> {
    if !is_needed(facts) {
        return Ok(());
    }
    match person.last_inbound_at {
        Some(last) if facts.now.since(last) < Timestamp::DAY => Ok(()),
        Some(last) => {
            let seen = format!("last message from the person to this sender: {}", quiet::told(facts, last));
            Err(No::with(Reason::OutsideWindow, seen))
        }
        None => Err(No::with(Reason::OutsideWindow, "the person never wrote to this sender")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::willing;

    #[test]
    fn free_text_needs_a_message_of_the_last_day() {
        let facts = Facts { enforce_window: true, ..willing() };
        let wrote =
            |ago: i64| Person { last_inbound_at: Some(facts.now.plus(-ago)), ..facts.person.expect("a person") };
        assert_eq!(check(&facts, wrote(Timestamp::DAY - 1)), Ok(()));
        assert_eq!(check(&facts, wrote(Timestamp::DAY)).err().map(|no| no.reason), Some(Reason::OutsideWindow));
        let by_itself = Facts { enforce_window: false, free_text: false, kind: Kind::AutoReply, ..facts.clone() };
        assert!(check(&by_itself, wrote(Timestamp::DAY)).is_err() && check(&by_itself, wrote(0)).is_ok());
        let never = facts.person.expect("a person");
        assert!(check(&facts, never).is_err());
        for free in [
            Facts { enforce_window: false, ..facts.clone() },
            Facts { channel: Channel::Sms, ..facts.clone() },
            Facts { free_text: false, ..facts.clone() },
        ] {
            assert_eq!(check(&free, never), Ok(()));
        }
    }
}
