//! Which installation, account and key the database belongs to.

use domain::time::Timestamp;
use serde_json::json;
use store::{
    Db,
    installation::{Installation, RULES},
};
use uuid::Uuid;

use crate::{Actor, Error, Result, config::Config, services::settings};

/// Who opens the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A server: the database is its account's and its address's from now on.
    Serve,
    /// A command beside it, which need not know the account: it takes nothing over.
    Command,
}

/// Claims a new database for this installation; refuses one that was ever written with an `ENCRYPTION_KEY` that is not
/// here. One that last
/// served another provider account or another public address is taken over by a server, but sending is held until an
/// admin releases it: it may be a copy.
///
/// # Errors
/// `Conflict` when the database was written with another key.
pub(crate) async fn claim(db: &Db, config: &Config, purpose: Purpose, now: Timestamp) -> Result<()> {
    let of_server = |value: &str| if purpose == Purpose::Serve { value.to_owned() } else { String::new() };
    let wanted = Installation {
        instance_id: Uuid::new_v4(),
        account_sid: of_server(&config.provider.account_sid),
        public_url: of_server(&config.public_url),
        key_check: config.keys.check_value(),
    };
    let tx = db.begin().await?;
    let found = store::installation::claim(&tx, &wanted, now).await?;
    let used = store::installation::note_key(&tx, &wanted.key_check, now).await?;
    let missing = used.iter().filter(|check_value| !config.keys.knows(check_value)).count();
    if missing > 0 {
        return Err(Error::Conflict(format!(
            "This database was written with {missing} other ENCRYPTION_KEY(s). Start with all keys it ever had (the \
             new one first, the others behind it, separated by commas): without them opt-outs are not recognised and \
             sealed data cannot be read."
        )));
    }
    if purpose == Purpose::Command {
        tx.commit().await.map_err(store::Error::from)?;
        return Ok(());
    }
    store::installation::ask_for_rules(&tx, RULES).await?;
    let reason = reason_to_hold(&found, &wanted);
    if let Some(reason) = reason {
        let actor = Actor::worker("start");
        let detail = json!({ "from": found.account_sid, "to": wanted.account_sid });
        let entity = ("installation", &*found.instance_id.to_string());
        store::audit::append(&tx, &actor, now, "move", entity, &detail).await?;
        settings::hold(&tx, &actor, reason, now).await?;
        tracing::warn!(reason, "all sending is held until an admin releases it in Settings");
    }
    if found.account_sid != wanted.account_sid || found.public_url != wanted.public_url {
        store::installation::move_to(&tx, &wanted.account_sid, &wanted.public_url).await?;
    }
    tx.commit().await.map_err(store::Error::from)?;
    Ok(())
}

fn reason_to_hold(found: &Installation, wanted: &Installation) -> Option<&'static str> {
    // Until now there were only commands.
    if found.account_sid.is_empty() {
        return None;
    }
    if found.account_sid != wanted.account_sid {
        return Some("The database was last used with another Twilio account. Check open runs, then release sending.");
    }
    // A development machine changes its port often, and Twilio cannot reach it anyway.
    let moved = host(&found.public_url) != host(&wanted.public_url);
    if moved && !is_loopback(&wanted.public_url) && !is_loopback(&found.public_url) {
        return Some(
            "The database was last used at another PUBLIC_URL: it may be a copy. Check, then release sending.",
        );
    }
    None
}

fn host(public_url: &str) -> Option<String> {
    url::Url::parse(public_url).ok()?.host_str().map(str::to_owned)
}

fn is_loopback(public_url: &str) -> bool {
    host(public_url).is_none_or(|host| host == "localhost" || host == "[::1]" || host.starts_with("127."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(account_sid: &str, public_url: &str) -> Installation {
        Installation {
            instance_id: Uuid::nil(),
            account_sid: account_sid.to_owned(),
            public_url: public_url.to_owned(),
            key_check: vec![],
        }
    }

    #[test]
    fn another_account_or_address_holds_but_another_port_does_not() {
        let live = at("AC1", "https://send.example.com");
        assert!(reason_to_hold(&live, &at("AC2", "https://send.example.com")).is_some());
        assert!(reason_to_hold(&live, &at("AC1", "https://staging.example.com")).is_some());
        assert!(reason_to_hold(&live, &at("AC1", "https://send.example.com:8443")).is_none());
        assert!(reason_to_hold(&at("AC1", "http://127.0.0.1:3000"), &at("AC1", "http://127.0.0.1:3001")).is_none());
        assert!(reason_to_hold(&at("AC1", "http://127.0.0.1:3000"), &at("AC1", "https://send.example.com")).is_none());
    }
}
