//! What Twilio's list says about one unknown message. Pure: time and list are passed in.

use domain::{
    campaign::OnUnknown,
    message::{Channel, State},
    time::Timestamp,
};
use store::messages::{Finding, UnknownMessage};

use super::GIVE_UP;
use crate::{provider::Listed, sender::MAX_ATTEMPTS};

/// How far Twilio's clock and ours may be apart.
pub(super) const SKEW: i64 = 2 * Timestamp::MINUTE;

/// How far ahead our clock may have been when the message was claimed, be it right by now: what Twilio took then seems to be
/// so much older than the claim.
const AHEAD: i64 = Timestamp::DAY;

/// From when on Twilio's messages may be this one: it was handed over after it was claimed, however long ago it was planned.
/// A claim in the future was made by a clock that was ahead: Twilio took it at any time until now.
fn since(message: &UnknownMessage, now: Timestamp) -> Timestamp {
    let claimed_at = message.handed_over_at;
    if claimed_at > now { now.plus(-SKEW - AHEAD) } else { claimed_at.plus(-SKEW) }
}

/// How far back Twilio's messages are asked for. Nobody knows how far ahead the clock was that claims from the future: all of
/// them may tell of it.
pub(super) fn look_since(message: &UnknownMessage, now: Timestamp) -> Timestamp {
    if message.handed_over_at > now { Timestamp::default() } else { since(message, now).plus(-AHEAD) }
}

/// `listed`: what Twilio has for this person and sender from [`look_since`] on, less what belongs to other messages
/// of ours. `filled`: the text as it would be now, of a message whose own is not known.
pub(super) fn judge(message: &UnknownMessage, filled: Option<&str>, listed: &[&Listed], now: Timestamp) -> Finding {
    let since = since(message, now);
    // What has no date that can be read may be the one.
    let (free, earlier): (Vec<&Listed>, Vec<&Listed>) =
        listed.iter().partition(|listed| listed.created_at.is_none_or(|at| at >= since));
    if free.is_empty() {
        // Twilio's clock is right and ours may not have been: that it is too old does not prove that it is another one.
        let all_others = earlier.iter().all(|listed| is_another(message, listed));
        return if all_others { absent(message, now) } else { unclear(message, now) };
    }
    match the_one(message, filled, &free) {
        Some(listed) => found(listed),
        None => unclear(message, now),
    }
}

/// Whether its text proves that it is not this message. Only the text that was handed over does: what is filled anew is
/// made of what is known of the person now, and Twilio may put other characters into an SMS (smart encoding).
fn is_another(message: &UnknownMessage, listed: &Listed) -> bool {
    let text = message.text.as_deref().filter(|_| message.channel == Channel::Whatsapp);
    text.is_some_and(|text| !is_text(listed, text))
}

fn is_text(listed: &Listed, text: &str) -> bool {
    listed.body.as_deref().is_some_and(|body| body.trim() == text.trim())
}

/// Nothing can be told: perhaps later, but not for ever. What seems to have been unknown only from a day ahead on, because
/// our clock was set back, would else stay so until then.
pub(super) fn unclear(message: &UnknownMessage, now: Timestamp) -> Finding {
    if now.since(message.since).abs() >= GIVE_UP { Finding::GiveUp } else { Finding::Unclear }
}

/// Only the same text proves it, be it filled anew, and only once. Another program may send from the same number: that one
/// message is there, and none of ours may be it, says nothing. Everything else stays open: what was sent is not sent again,
/// and what was not is not shown as delivered.
fn the_one<'a>(message: &UnknownMessage, filled: Option<&str>, free: &[&'a Listed]) -> Option<&'a Listed> {
    let text = message.text.as_deref().or(filled)?;
    let mut same = free.iter().filter(|listed| is_text(listed, text));
    match (same.next(), same.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

fn found(listed: &Listed) -> Finding {
    // A word we do not know still says that Twilio has the message.
    let state = State::from_twilio(&listed.status).unwrap_or(State::Accepted);
    let failed = matches!(state, State::Failed | State::Undelivered);
    Finding::Found { sid: listed.sid.clone(), state, error_code: listed.error_code.filter(|_| failed) }
}

fn absent(message: &UnknownMessage, now: Timestamp) -> Finding {
    if !message.absent_before {
        return Finding::AbsentOnce;
    }
    match message.on_unknown {
        Some(OnUnknown::GiveUp) => Finding::GiveUp,
        Some(OnUnknown::Requeue) if message.attempt < MAX_ATTEMPTS => Finding::Requeue,
        Some(OnUnknown::Requeue) => Finding::GiveUp,
        // Until somebody can read what its campaign says.
        None => unclear(message, now),
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::{ContactId, MessageId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_392_000);

    fn message(text: Option<&str>) -> UnknownMessage {
        UnknownMessage {
            id: MessageId(1),
            run_id: None,
            contact_id: ContactId(1),
            attempt: 1,
            phone: "+14155550100".parse().ok(),
            from: "+15005550006".to_owned(),
            channel: Channel::Whatsapp,
            created_at: NOW,
            handed_over_at: NOW,
            since: NOW,
            looked_at: NOW,
            absent_before: false,
            text: text.map(str::to_owned),
            on_unknown: Some(OnUnknown::Requeue),
        }
    }

    fn listed(sid: &str, body: &str) -> Listed {
        Listed {
            sid: sid.to_owned(),
            status: "delivered".to_owned(),
            error_code: None,
            body: Some(body.to_owned()),
            created_at: Some(NOW),
        }
    }

    fn adopted(sid: &str) -> Finding {
        Finding::Found { sid: sid.to_owned(), state: State::Delivered, error_code: None }
    }

    #[test]
    fn absence_has_to_be_seen_twice_and_then_the_campaign_decides() {
        let once = message(None);
        assert_eq!(judge(&once, None, &[], NOW), Finding::AbsentOnce);
        let twice = UnknownMessage { absent_before: true, ..once };
        assert_eq!(judge(&twice, None, &[], NOW), Finding::Requeue);
        let give_up = UnknownMessage { on_unknown: Some(OnUnknown::GiveUp), ..twice.clone() };
        assert_eq!(judge(&give_up, None, &[], NOW), Finding::GiveUp);
        let unreadable = UnknownMessage { on_unknown: None, ..twice.clone() };
        assert_eq!(judge(&unreadable, None, &[], NOW), Finding::Unclear);
        assert_eq!(judge(&unreadable, None, &[], NOW.plus(GIVE_UP)), Finding::GiveUp, "not for ever");
        let often = UnknownMessage { attempt: MAX_ATTEMPTS, ..twice };
        assert_eq!(judge(&often, None, &[], NOW), Finding::GiveUp);
    }

    #[test]
    fn the_same_text_is_adopted_whatever_else_is_there() {
        let (mine, other) = (listed("SM1", "Hi Ann "), listed("SM2", "Hi Bob"));
        assert_eq!(judge(&message(Some("Hi Ann")), None, &[&other, &mine], NOW), adopted("SM1"));
    }

    #[test]
    fn the_only_message_there_is_nobodys_as_long_as_its_text_proves_nothing() {
        let other = listed("SM1", "Your code is 123456");
        let dead = UnknownMessage { absent_before: true, ..message(None) };
        // What is known of the person may have changed since: it may be ours, or another program's.
        for filled in [None, Some("Hi Ann")] {
            assert_eq!(judge(&dead, filled, &[&other], NOW), Finding::Unclear, "{filled:?}");
            assert_eq!(judge(&dead, filled, &[&other], NOW.plus(GIVE_UP)), Finding::GiveUp, "{filled:?}");
        }
        assert_eq!(judge(&dead, None, &[&other, &listed("SM2", "Hi Ann")], NOW), Finding::Unclear);
    }

    #[test]
    fn what_was_there_before_the_claim_is_another_one_however_long_ago_it_was_planned() {
        let early = |body: &str, before: i64| Listed { created_at: Some(NOW.plus(-before)), ..listed("SM1", body) };
        let planned = |text| UnknownMessage { created_at: NOW.plus(-7 * Timestamp::DAY), ..message(text) };
        let (code, same) = (early("Your code is 123456", 12 * Timestamp::HOUR), early("Hi Ann", 12 * Timestamp::HOUR));
        assert_eq!(judge(&planned(Some("Hi Ann")), None, &[&code], NOW), Finding::AbsentOnce);
        for filled in [None, Some("Hi Ann")] {
            assert_eq!(judge(&planned(None), filled, &[&code], NOW), Finding::Unclear, "{filled:?}");
            assert_eq!(judge(&planned(None), filled, &[&same], NOW), Finding::Unclear, "{filled:?}");
        }
        assert_eq!(judge(&planned(Some("Hi Ann")), None, &[&same], NOW), Finding::Unclear);
        // Older ones are not even asked for.
        assert_eq!(look_since(&planned(None), NOW), NOW.plus(-SKEW - AHEAD));
    }

    #[test]
    fn a_text_that_is_filled_anew_tells_two_messages_apart() {
        let both = [listed("SM1", "Event 1"), listed("SM2", "Event 2")];
        let both: Vec<&Listed> = both.iter().collect();
        assert_eq!(judge(&message(None), Some("Event 2"), &both, NOW), adopted("SM2"));
        assert_eq!(judge(&message(None), Some("Event 3"), &both, NOW), Finding::Unclear);
    }

    #[test]
    fn another_text_is_no_proof_of_anything_and_is_never_sent_again() {
        let other = listed("SM1", "Something else");
        let seen = UnknownMessage { absent_before: true, ..message(Some("Hi Ann")) };
        assert_eq!(judge(&seen, None, &[&other], NOW), Finding::Unclear);
        assert_eq!(judge(&seen, None, &[&other], NOW.plus(GIVE_UP)), Finding::GiveUp);
    }

    #[test]
    fn what_twilio_took_before_the_claim_may_be_it_when_our_clock_was_ahead() {
        let early = |body: &str, before: i64| Listed { created_at: Some(NOW.plus(-before)), ..listed("SM1", body) };
        let (same, other) = (early("Hi Ann", 3 * Timestamp::HOUR), early("Hi Bob", 3 * Timestamp::HOUR));
        let mine = UnknownMessage { absent_before: true, ..message(Some("Hi Ann")) };
        assert_eq!(judge(&mine, None, &[&same], NOW), Finding::Unclear, "neither adopted nor sent again");
        assert_eq!(judge(&mine, None, &[&same], NOW.plus(GIVE_UP)), Finding::GiveUp);
        assert_eq!(judge(&mine, None, &[&other], NOW), Finding::Requeue);
        let dead = UnknownMessage { absent_before: true, ..message(None) };
        assert_eq!(judge(&dead, Some("Hi Ann"), &[&other], NOW), Finding::Unclear, "she may have been Bob then");
        assert_eq!(judge(&dead, None, &[&other], NOW), Finding::Unclear, "nobody knows what it said");
        let sms = UnknownMessage { channel: Channel::Sms, ..mine.clone() };
        assert_eq!(judge(&sms, None, &[&other], NOW), Finding::Unclear, "Twilio may have put it into other characters");
        let found = early("Hi Ann", Timestamp::MINUTE);
        assert_eq!(judge(&mine, None, &[&found, &same], NOW), adopted("SM1"), "within what clocks differ");
    }

    #[test]
    fn a_clock_that_was_ahead_while_it_was_planned_says_nothing_of_the_hand_over() {
        let planned = UnknownMessage { created_at: NOW.plus(3 * Timestamp::HOUR), ..message(Some("Hi Ann")) };
        for later in [Timestamp::MINUTE, 4 * Timestamp::HOUR] {
            assert_eq!(judge(&planned, None, &[&listed("SM1", "Hi Ann")], NOW.plus(later)), adopted("SM1"));
        }
    }

    #[test]
    fn a_message_from_the_future_was_taken_at_any_time_until_now() {
        // The clock was ahead by three hours when Twilio took it, and set right before the grace was over.
        let ahead = NOW.plus(3 * Timestamp::HOUR);
        let future = |text| UnknownMessage {
            created_at: ahead,
            handed_over_at: ahead,
            since: ahead,
            absent_before: true,
            ..message(text)
        };
        let taken = listed("SM1", "Hi Ann");
        for later in [150 * Timestamp::SECOND, Timestamp::HOUR, 3 * Timestamp::HOUR - 1] {
            let now = NOW.plus(later);
            assert_eq!(judge(&future(Some("Hi Ann")), None, &[&taken], now), adopted("SM1"), "after {later}");
            assert_eq!(judge(&future(None), Some("Hi Ann"), &[&taken], now), adopted("SM1"), "after {later}");
            assert_eq!(judge(&future(None), Some("Hi Bob"), &[&taken], now), Finding::Unclear, "after {later}");
            let smart = judge(&future(Some("Hi \u{201c}Ann\u{201d}")), None, &[&taken], now);
            assert_eq!(smart, Finding::Unclear, "after {later}");
            assert_eq!(judge(&future(None), None, &[], now), Finding::Requeue, "after {later}");
            assert_eq!(look_since(&future(None), now), Timestamp::default());
        }
        // Nobody looked until our clock came to where it had been: not found any more, and never sent again.
        let now = ahead.plus(Timestamp::MINUTE);
        assert!(look_since(&future(None), now) < NOW);
        assert_eq!(judge(&future(Some("Hi Ann")), None, &[&taken], now), Finding::Unclear);
        assert_eq!(judge(&future(None), Some("Hi Bob"), &[&taken], now), Finding::Unclear);
    }

    #[test]
    fn a_clock_that_was_set_back_by_years_keeps_nothing_open_for_years() {
        let message = UnknownMessage { since: NOW.plus(400 * Timestamp::DAY), ..message(None) };
        assert_eq!(unclear(&message, NOW), Finding::GiveUp);
        let by_hours = UnknownMessage { since: NOW.plus(3 * Timestamp::HOUR), ..message };
        assert_eq!(unclear(&by_hours, NOW), Finding::Unclear);
    }

    #[test]
    fn twice_the_same_text_stays_open() {
        let (one, two) = (listed("SM1", "Hi Ann"), listed("SM2", "Hi Ann"));
        assert_eq!(judge(&message(Some("Hi Ann")), None, &[&one, &two], NOW), Finding::Unclear);
    }

    #[test]
    fn a_failure_keeps_its_code_and_an_unknown_word_is_an_acceptance() {
        let failed = Listed { status: "failed".to_owned(), error_code: Some(30_003), ..listed("SM1", "Hi") };
        let expected = Finding::Found { sid: "SM1".to_owned(), state: State::Failed, error_code: Some(30_003) };
        assert_eq!(judge(&message(Some("Hi")), None, &[&failed], NOW), expected);
        let odd = Listed { status: "pondering".to_owned(), ..listed("SM1", "Hi") };
        let expected = Finding::Found { sid: "SM1".to_owned(), state: State::Accepted, error_code: None };
        assert_eq!(judge(&message(Some("Hi")), None, &[&odd], NOW), expected);
    }
}
