//! Senders: adapters between the pages and the services. Words are made on the server: so they are not part of the
//! browser's download.

use domain::time::Timestamp;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::words;
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{context::ctx, paths};

/// What the list shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SendersView {
    pub senders: Vec<SenderRow>,
    /// Only for those who may change them.
    pub accounts: Vec<AccountRow>,
    /// What their webhook for incoming messages is to be set to.
    pub inbound_webhook: String,
}

/// A sender and how it is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SenderRow {
    pub id: String,
    pub name: String,
    /// Channel, address and account.
    pub what: String,
    pub default: bool,
    pub enabled: bool,
    /// Nobody knows the credentials of its account.
    pub lost: bool,
    pub held: Option<String>,
    pub blocked: Option<BlockedRow>,
    pub slowed: Option<SlowedRow>,
    pub rate: String,
    pub pace: String,
    pub waiting: String,
}

/// Why the provider takes nothing from a sender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockedRow {
    pub because: String,
    pub since: Timestamp,
    pub next_try_at: Timestamp,
}

/// A sender that goes slower than its rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlowedRow {
    /// What is left of its rate.
    pub share: String,
    pub rests_until: Option<Timestamp>,
}

/// A Twilio account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AccountRow {
    pub sid: String,
    pub name: String,
    pub from_environment: bool,
    /// The API key's SID; empty without one.
    pub key: String,
    /// Empty: where the environment's is.
    pub base: String,
    pub senders: String,
    pub version: i64,
}

/// What the form of a sender starts from; a new one has no id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SenderForm {
    pub id: String,
    pub version: i64,
    pub name: String,
    /// In words.
    pub channel: String,
    pub address: String,
    pub account: String,
    pub rate: Option<i64>,
    pub enabled: bool,
    /// SIDs and labels to choose from.
    pub accounts: Vec<(String, String)>,
}

#[cfg(feature = "ssr")]
fn given(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(feature = "ssr")]
fn id(text: &str) -> Result<domain::ids::SenderId, AppError> {
    text.parse().map_err(|_| AppError::NotFound)
}

#[cfg(feature = "ssr")]
fn rate(text: &str) -> Result<Option<i32>, AppError> {
    let read = |text: String| text.parse().map_err(|_| AppError::field("rate_per_second", "Write a whole number."));
    given(text).map(read).transpose()
}

#[server]
pub async fn load_senders() -> Result<SendersView, AppError> {
    use domain::role::Permission;
    let ctx = ctx()?;
    let senders = ctx.engine.senders().health(&ctx.actor).await?;
    let accounts = if ctx.actor.may(Permission::Administer) {
        ctx.engine.provider_accounts().list(&ctx.actor).await?
    } else {
        Vec::new()
    };
    Ok(SendersView {
        senders: senders.iter().map(words::sender).collect(),
        accounts: accounts.iter().map(words::account).collect(),
        inbound_webhook: ctx.engine.senders().inbound_webhook(),
    })
}

/// `new`, or the id of the sender to change.
#[server]
pub async fn load_sender(sender: String) -> Result<SenderForm, AppError> {
    let ctx = ctx()?;
    let accounts = ctx.engine.provider_accounts().list(&ctx.actor).await?;
    if sender == "new" {
        return Ok(words::form(None, &accounts));
    }
    let sender = ctx.engine.senders().get(&ctx.actor, id(&sender)?).await?;
    Ok(words::form(Some(&sender), &accounts))
}

/// What a button of the list does: one function, so that the page has one place for what went wrong.
#[server]
pub async fn change_sender(sender: String, verb: String, #[server(default)] held: String) -> Result<(), AppError> {
    use domain::sender::SenderPatch;
    let ctx = ctx()?;
    let none = SenderPatch::default();
    let (patch, done) = match verb.as_str() {
        "hold" => (SenderPatch { held: Some(Some(held.clone())), ..none }, "sender_held"),
        "release" => (SenderPatch { held: Some(None), ..none }, "sender_released"),
        "enable" => (SenderPatch { enabled: Some(true), ..none }, "saved"),
        "disable" => (SenderPatch { enabled: Some(false), ..none }, "saved"),
        "default" => (SenderPatch { default: Some(true), ..none }, "saved"),
        _ => return Err(AppError::field("verb", "The page does not know this button. Load it again.")),
    };
    let changed = ctx.engine.senders().update(&ctx.actor, id(&sender)?, patch).await;
    changed.map_err(|error| AppError::from(error).keep(&[("held", &held)]))?;
    leptos_axum::redirect(&paths::done(paths::SENDERS, done));
    Ok(())
}

#[server]
pub async fn create_sender(
    name: String,
    #[server(default)] channel: String,
    address: String,
    #[server(default)] account_sid: String,
    #[server(default)] rate_per_second: String,
    #[server(default)] default: bool,
) -> Result<(), AppError> {
    use domain::sender::NewSender;
    let ctx = ctx()?;
    let typed = [
        ("name", &*name),
        ("channel", &*channel),
        ("address", &*address),
        ("account_sid", &*account_sid),
        ("rate_per_second", &*rate_per_second),
        ("default", if default { "true" } else { "" }),
    ];
    let keep = |error: AppError| error.keep(&typed);
    let new = NewSender {
        name: name.clone(),
        channel: channel.parse().map_err(|_| keep(AppError::field("channel", "Choose a channel.")))?,
        address: address.clone(),
        rate_per_second: rate(&rate_per_second).map_err(keep)?,
        enabled: true,
        default,
        account_sid: given(&account_sid),
    };
    ctx.engine.senders().create(&ctx.actor, new).await.map_err(|error| keep(error.into()))?;
    leptos_axum::redirect(&paths::done(paths::SENDERS, "created"));
    Ok(())
}

#[server]
pub async fn update_sender(
    sender: String,
    version: i64,
    name: String,
    #[server(default)] account_sid: String,
    #[server(default)] rate_per_second: String,
    #[server(default)] enabled: bool,
) -> Result<(), AppError> {
    use domain::sender::SenderPatch;
    let ctx = ctx()?;
    let typed = [
        ("name", &*name),
        ("account_sid", &*account_sid),
        ("rate_per_second", &*rate_per_second),
        ("enabled", if enabled { "true" } else { "" }),
    ];
    let keep = |error: AppError| error.keep(&typed);
    let patch = SenderPatch {
        name: Some(name.clone()),
        rate_per_second: rate(&rate_per_second).map_err(keep)?,
        enabled: Some(enabled),
        account_sid: given(&account_sid),
        version: Some(version),
        ..SenderPatch::default()
    };
    ctx.engine.senders().update(&ctx.actor, id(&sender)?, patch).await.map_err(|error| keep(error.into()))?;
    leptos_axum::redirect(&paths::done(paths::SENDERS, "saved"));
    Ok(())
}

#[server]
pub async fn create_account(
    name: String,
    account_sid: String,
    auth_token: String,
    #[server(default)] api_key_sid: String,
    #[server(default)] api_key_secret: String,
    #[server(default)] api_base: String,
) -> Result<(), AppError> {
    use domain::provider_account::NewProviderAccount;
    let ctx = ctx()?;
    let new = NewProviderAccount {
        account_sid: account_sid.clone(),
        name: name.clone(),
        auth_token,
        api_key_sid: given(&api_key_sid),
        api_key_secret: given(&api_key_secret),
        api_base: given(&api_base),
    };
    // Never what is secret.
    let typed =
        [("name", &*name), ("account_sid", &*account_sid), ("api_key_sid", &*api_key_sid), ("api_base", &*api_base)];
    let added = ctx.engine.provider_accounts().create(&ctx.actor, new).await;
    added.map_err(|error| AppError::from(error).keep(&typed))?;
    leptos_axum::redirect(&paths::done(paths::SENDERS, "created"));
    Ok(())
}

/// Fields of secrets that stay empty keep what is stored.
#[server]
pub async fn update_account(
    sid: String,
    version: i64,
    name: String,
    #[server(default)] auth_token: String,
    #[server(default)] api_key_sid: String,
    #[server(default)] api_key_secret: String,
    #[server(default)] api_base: String,
) -> Result<(), AppError> {
    use domain::provider_account::ProviderAccountPatch;
    let ctx = ctx()?;
    let accounts = ctx.engine.provider_accounts();
    let present = accounts.list(&ctx.actor).await?.into_iter().find(|account| account.account_sid == sid);
    let present = present.ok_or(AppError::NotFound)?;
    let (key, secret) = (given(&api_key_sid), given(&api_key_secret));
    let patch = ProviderAccountPatch {
        name: Some(name.clone()),
        auth_token: given(&auth_token),
        api_key_sid: (key != present.api_key_sid || secret.is_some()).then_some(key),
        api_key_secret: secret,
        api_base: Some(given(&api_base)),
        version: Some(version),
        ..ProviderAccountPatch::default()
    };
    let typed = [("name", &*name), ("api_key_sid", &*api_key_sid), ("api_base", &*api_base)];
    let changed = accounts.update(&ctx.actor, &sid, patch).await;
    changed.map_err(|error| AppError::from(error).keep(&typed))?;
    leptos_axum::redirect(&paths::done(paths::SENDERS, "saved"));
    Ok(())
}

#[server]
pub async fn remove_account(sid: String) -> Result<(), AppError> {
    let ctx = ctx()?;
    ctx.engine.provider_accounts().delete(&ctx.actor, &sid).await?;
    leptos_axum::redirect(&paths::done(paths::SENDERS, "deleted"));
    Ok(())
}
