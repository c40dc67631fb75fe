//! What the pages say about senders and their accounts, in words.

use domain::{
    message::Channel,
    provider_account::ProviderAccount,
    sender::{Sender, SenderHealth},
};

use super::api::{AccountRow, BlockedRow, SenderForm, SenderRow, SlowedRow};
use crate::{components::format, text};

/// A line of the list.
pub fn sender(health: &SenderHealth) -> SenderRow {
    let sender = &health.sender;
    let account = health.account.as_deref().unwrap_or(&sender.account_sid);
    let blocked = sender.blocked.as_ref().map(|blocked| BlockedRow {
        because: format!(
            "{} ({}).",
            health.blocked_because.as_deref().unwrap_or_default().trim_end_matches('.'),
            blocked.code
        ),
        since: blocked.since,
        next_try_at: blocked.next_try_at,
    });
    SenderRow {
        id: sender.id.to_string(),
        name: sender.name.clone(),
        what: format!("{} · {} · {account}", text::channel(sender.channel), format::phone(&sender.address)),
        default: sender.default,
        enabled: sender.enabled,
        lost: health.account.is_none(),
        held: sender.held.clone(),
        blocked,
        slowed: health.slowed.map(|slowed| SlowedRow {
            share: format!("{:.0} %", slowed.share * 100.0),
            rests_until: slowed.rests_until,
        }),
        rate: rate(sender),
        pace: pace(health.per_second),
        waiting: format::num(health.waiting),
    }
}

/// Of what Twilio counts.
fn rate(sender: &Sender) -> String {
    let rate = format::num(sender.rate_per_second);
    match sender.channel {
        Channel::Whatsapp => format!("{rate}/s"),
        Channel::Sms => format!("{rate} segments/s"),
    }
}

/// `812/s`, `3.5/s`, `–` when nothing goes out.
fn pace(rate: f64) -> String {
    match rate {
        rate if rate <= 0.0 => "–".to_owned(),
        rate if rate < 9.95 => format!("{rate:.1}/s"),
        rate => format!("{rate:.0}/s"),
    }
}

pub fn account(account: &ProviderAccount) -> AccountRow {
    AccountRow {
        sid: account.account_sid.clone(),
        name: account.name.clone(),
        from_environment: account.from_environment,
        key: account.api_key_sid.clone().unwrap_or_default(),
        base: account.api_base.clone().unwrap_or_default(),
        senders: format::num(account.senders),
        version: account.version,
    }
}

/// What the form starts from.
pub fn form(sender: Option<&Sender>, accounts: &[ProviderAccount]) -> SenderForm {
    let mut choices: Vec<_> = accounts
        .iter()
        .map(|account| (account.account_sid.clone(), format!("{} · {}", account.name, account.account_sid)))
        .collect();
    let Some(sender) = sender else {
        return SenderForm { enabled: true, accounts: choices, ..SenderForm::default() };
    };
    if !choices.iter().any(|(sid, _)| *sid == sender.account_sid) {
        choices.push((sender.account_sid.clone(), format!("{} (not set up)", sender.account_sid)));
    }
    SenderForm {
        id: sender.id.to_string(),
        version: sender.version,
        name: sender.name.clone(),
        channel: text::channel(sender.channel).to_owned(),
        address: format::phone(&sender.address),
        account: sender.account_sid.clone(),
        rate: Some(i64::from(sender.rate_per_second)),
        enabled: sender.enabled,
        accounts: choices,
    }
}

#[cfg(test)]
mod tests {
    use domain::{process::Slowed, sender::Blocked, time::Timestamp};

    use super::*;

    fn health() -> SenderHealth {
        SenderHealth {
            sender: Sender {
                id: "01936f4e-0000-7000-8000-000000000000".parse().expect("an id"),
                name: "Offers".to_owned(),
                channel: Channel::Whatsapp,
                address: "+15005550006".to_owned(),
                account_sid: "AC1".to_owned(),
                rate_per_second: 1_000,
                enabled: true,
                default: true,
                held: None,
                blocked: Some(Blocked {
                    code: 20_003,
                    since: Timestamp::from_seconds(1),
                    next_try_at: Timestamp::from_seconds(2),
                    tries: 1,
                }),
                version: 1,
            },
            account: None,
            per_second: 3.54,
            waiting: 1_204,
            blocked_because: Some("Twilio refused the credentials.".to_owned()),
            slowed: Some(Slowed { share: 0.686, rests_until: None }),
        }
    }

    #[test]
    fn a_line_says_what_it_is_and_what_is_wrong() {
        let row = sender(&health());
        assert_eq!(row.what, "WhatsApp · +1 500 555 0006 · AC1");
        assert_eq!((row.rate.as_str(), row.pace.as_str(), row.waiting.as_str()), ("1,000/s", "3.5/s", "1,204"));
        assert!(row.lost);
        assert_eq!(row.slowed.expect("slowed").share, "69 %");
        assert_eq!(row.blocked.expect("blocked").because, "Twilio refused the credentials (20003).");
    }

    #[test]
    fn a_rate_says_what_it_counts() {
        let by_sms = Sender { channel: Channel::Sms, ..health().sender };
        assert_eq!((rate(&health().sender).as_str(), rate(&by_sms).as_str()), ("1,000/s", "1,000 segments/s"));
    }

    #[test]
    fn rates_are_short() {
        assert_eq!([0.0, 0.26, 9.96, 811.6].map(pace), ["–", "0.3/s", "10/s", "812/s"]);
    }

    #[test]
    fn an_account_that_is_gone_can_still_be_seen() {
        let form = form(Some(&health().sender), &[]);
        assert_eq!(form.accounts, [("AC1".to_owned(), "AC1 (not set up)".to_owned())]);
    }
}
