//! Accounts at the provider: the environment's own, and further ones whose credentials are sealed in the database.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, PoisonError},
    time::Duration,
};

use domain::{
    problem::FieldError,
    provider_account::{NewProviderAccount, ProviderAccount, ProviderAccountPatch},
    role::Permission,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::provider_accounts::StoredAccount;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    Actor, Engine, Error, Result,
    bell::Who,
    config::Secret,
    provider::{Account, Bases, Credentials},
    require,
    services::stale::stale,
};

/// How old the accounts that senders and webhooks go by may be.
const FRESH_FOR: Duration = Duration::from_millis(400);

const NAME_MAX: usize = 100;
const SECRET_MAX: usize = 256;

/// So many senders are named where an account cannot be removed.
const SENDERS_NAMED: usize = 3;

/// Every account whose credentials are known, by SID.
#[derive(Debug, Default)]
pub(crate) struct Accounts(HashMap<String, Arc<Account>>);

impl Accounts {
    pub fn get(&self, sid: &str) -> Option<&Arc<Account>> {
        self.0.get(sid)
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.0.values()
    }
}

/// The accounts as this process last read them.
#[derive(Default)]
pub(crate) struct Cache {
    read: Mutex<Option<(Instant, Arc<Accounts>)>>,
    /// What was told to the log already, so that it is not told again with every look.
    told: std::sync::Mutex<BTreeSet<String>>,
}

impl Cache {
    /// True the first time.
    fn tells(&self, sid: &str) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(sid.to_owned())
    }

    fn keep_told(&self, still: impl Fn(&str) -> bool) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).retain(|sid| still(sid));
    }
}

/// The accounts, at most half a second old.
///
/// # Errors
/// When they cannot be read. Whoever would send must then not send.
pub(crate) async fn current(engine: &Engine) -> Result<Arc<Accounts>> {
    let cache = &engine.inner().provider_accounts;
    // The lock is held while reading: many askers cause one query.
    let mut cached = cache.read.lock().await;
    if let Some((read_at, accounts)) = &*cached
        && read_at.elapsed() < FRESH_FOR
    {
        return Ok(accounts.clone());
    }
    let read_at = Instant::now();
    let accounts = Arc::new(load(engine).await?);
    cache.keep_told(|sid| accounts.get(sid).is_none());
    *cached = Some((read_at, accounts.clone()));
    Ok(accounts)
}

async fn load(engine: &Engine) -> Result<Accounts> {
    let mut accounts = HashMap::new();
    for stored in store::provider_accounts::list(engine.db().lookout()).await? {
        let provider = &engine.config().provider;
        // Where an account has an address of its own, its credentials go nowhere else.
        let bases = stored.api_base.as_deref().map_or_else(|| Bases::of(provider), Bases::all);
        match open(engine, &stored) {
            Ok(sealed) => {
                let account = Account::new(&stored.account_sid, &stored.name, sealed.credentials(), bases);
                accounts.insert(stored.account_sid, Arc::new(account));
            }
            Err(error) if engine.inner().provider_accounts.tells(&stored.account_sid) => {
                tracing::error!(%error, account.sid = %stored.account_sid, "an account's credentials cannot be opened");
            }
            Err(_) => {}
        }
    }
    // The environment says last what holds for its own account.
    let own = engine.inner().provider.own_account();
    accounts.insert(own.sid().to_owned(), own.clone());
    Ok(Accounts(accounts))
}

/// The account with this SID. When nobody knows its credentials, the log is told so, once.
pub(crate) fn find(engine: &Engine, accounts: &Accounts, sid: &str) -> Option<Arc<Account>> {
    let found = accounts.get(sid).cloned();
    if found.is_none() && engine.inner().provider_accounts.tells(sid) {
        tracing::error!(
            account.sid = sid,
            "senders belong to an account that is not set up: nothing goes out from them until it is"
        );
    }
    found
}

/// The credentials as they are sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    auth_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    other_auth_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key: Option<(String, String)>,
}

impl Sealed {
    fn credentials(self) -> Credentials {
        Credentials {
            auth_token: Secret::new(self.auth_token),
            other_auth_token: self.other_auth_token.map(Secret::new),
            api_key: self.api_key.map(|(sid, secret)| (sid, Secret::new(secret))),
        }
    }
}

fn context(account_sid: &str) -> String {
    format!("provider_account/{account_sid}")
}

fn seal(engine: &Engine, account_sid: &str, sealed: &Sealed) -> Result<Vec<u8>> {
    let plain = serde_json::to_vec(sealed).map_err(Error::internal)?;
    Ok(engine.config().keys.seal(&context(account_sid), &plain))
}

fn open(engine: &Engine, stored: &StoredAccount) -> Result<Sealed> {
    let plain =
        engine.config().keys.open(&context(&stored.account_sid), &stored.credentials).map_err(Error::internal)?;
    serde_json::from_slice(&plain).map_err(Error::internal)
}

/// See [`Engine::provider_accounts`].
pub struct ProviderAccounts<'a>(&'a Engine);

impl Engine {
    /// Accounts at the provider that senders belong to.
    #[must_use]
    pub const fn provider_accounts(&self) -> ProviderAccounts<'_> {
        ProviderAccounts(self)
    }
}

const NO_ACCOUNT: Error = Error::NotFound { what: "provider account" };

impl ProviderAccounts<'_> {
    /// All accounts, the environment's own first, without what opens them.
    ///
    /// # Errors
    /// `Forbidden` for all but admins.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<ProviderAccount>> {
        require(actor, Permission::Administer)?;
        let db = self.0.db().reader();
        let counts = store::senders::accounts(db).await?;
        let senders = |sid: &str| counts.get(sid).copied().unwrap_or(0);
        let own = self.own();
        let mut accounts = vec![ProviderAccount { senders: senders(&own.account_sid), ..own }];
        for stored in store::provider_accounts::list(db).await? {
            if stored.account_sid != accounts[0].account_sid {
                accounts.push(self.shown(&stored, senders(&stored.account_sid)));
            }
        }
        Ok(accounts)
    }

    fn own(&self) -> ProviderAccount {
        let config = &self.0.config().provider;
        ProviderAccount {
            account_sid: config.account_sid.clone(),
            name: self.0.inner().provider.own_account().name().to_owned(),
            from_environment: true,
            api_key_sid: config.api_key.as_ref().map(|(sid, _)| sid.clone()),
            has_other_auth_token: config.webhook_keys.other_token.is_some(),
            api_base: None,
            senders: 0,
            created_at: None,
            version: 0,
        }
    }

    fn shown(&self, stored: &StoredAccount, senders: i64) -> ProviderAccount {
        let sealed = open(self.0, stored).ok();
        let has_other_auth_token = sealed.as_ref().is_some_and(|sealed| sealed.other_auth_token.is_some());
        let key = sealed.and_then(|sealed| sealed.api_key);
        ProviderAccount {
            account_sid: stored.account_sid.clone(),
            name: stored.name.clone(),
            from_environment: false,
            api_key_sid: key.map(|(sid, _)| sid),
            has_other_auth_token,
            api_base: stored.api_base.clone(),
            senders,
            created_at: Some(stored.created_at),
            version: stored.version,
        }
    }

    fn is_own(&self, account_sid: &str) -> bool {
        self.0.config().provider.account_sid == account_sid
    }

    /// Adds an account; its credentials are sealed. They are tried when the first message goes out.
    ///
    /// # Errors
    /// `Invalid` with the fields to correct, `Conflict` when there is one with this SID.
    pub async fn create(&self, actor: &Actor, new: NewProviderAccount) -> Result<ProviderAccount> {
        require(actor, Permission::Administer)?;
        let new = checked(self.0, new)?;
        if self.is_own(&new.account_sid) {
            return Err(own_stays());
        }
        let now = self.0.now();
        let sealed = Sealed {
            auth_token: new.auth_token,
            other_auth_token: None,
            api_key: new.api_key_sid.zip(new.api_key_secret),
        };
        let stored = StoredAccount {
            credentials: seal(self.0, &new.account_sid, &sealed)?,
            account_sid: new.account_sid,
            name: new.name,
            api_base: new.api_base,
            created_at: now,
            version: 1,
        };
        let tx = self.0.begin(actor).await?;
        store::provider_accounts::insert(&tx, &stored).await.map_err(|error| match error {
            store::Error::Duplicate(_) => {
                Error::Conflict(format!("The account {} is here already: change that one.", stored.account_sid))
            }
            other => other.into(),
        })?;
        let detail = json!({ "name": stored.name, "api_base": stored.api_base });
        store::audit::append(&tx, actor, now, "create", ("provider_account", &stored.account_sid), &detail).await?;
        // Senders may have waited for it: their account was the environment's once.
        let senders = store::senders::names_of_account(&tx, &stored.account_sid).await?.len();
        tx.commit().await.map_err(store::Error::from)?;
        self.changed().await;
        Ok(self.shown(&stored, i64::try_from(senders).unwrap_or(i64::MAX)))
    }

    /// Changes an account's name, credentials or address. New credentials hold within a second, in every process.
    ///
    /// # Errors
    /// `Invalid` with the fields to correct, `NotFound`, `Stale`, `Conflict` for the environment's own account.
    pub async fn update(&self, actor: &Actor, sid: &str, patch: ProviderAccountPatch) -> Result<ProviderAccount> {
        require(actor, Permission::Administer)?;
        if self.is_own(sid) {
            return Err(own_stays());
        }
        Error::unless_valid(problems_of_patch(self.0, &patch))?;
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        let former = account_or(store::provider_accounts::lock(&tx, sid).await)?;
        if patch.version.is_some_and(|read| read != former.version) {
            return Err(self.stale(patch, &former));
        }
        let new_credentials =
            patch.auth_token.is_some() || patch.other_auth_token.is_some() || patch.api_key_sid.is_some();
        let stored = patched(self.0, former.clone(), patch)?;
        let senders = store::senders::names_of_account(&tx, sid).await?.len();
        let senders = i64::try_from(senders).unwrap_or(i64::MAX);
        if !new_credentials && (&stored.name, &stored.api_base) == (&former.name, &former.api_base) {
            return Ok(self.shown(&former, senders));
        }
        store::provider_accounts::update(&tx, now, &stored).await?;
        let detail = json!({ "name": stored.name, "api_base": stored.api_base, "new_credentials": new_credentials });
        store::audit::append(&tx, actor, now, "update", ("provider_account", sid), &detail).await?;
        let stored = account_or(store::provider_accounts::lock(&tx, sid).await)?;
        tx.commit().await.map_err(store::Error::from)?;
        self.changed().await;
        Ok(self.shown(&stored, senders))
    }

    /// Removes an account and its credentials.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for the environment's own account, and naming the senders that belong to it.
    pub async fn delete(&self, actor: &Actor, sid: &str) -> Result<()> {
        require(actor, Permission::Administer)?;
        if self.is_own(sid) {
            return Err(own_stays());
        }
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        let stored = account_or(store::provider_accounts::lock(&tx, sid).await)?;
        unless_used(&store::senders::names_of_account(&tx, sid).await?)?;
        store::provider_accounts::delete(&tx, sid).await?;
        let detail = json!({ "name": stored.name });
        store::audit::append(&tx, actor, now, "delete", ("provider_account", sid), &detail).await?;
        tx.commit().await.map_err(store::Error::from)?;
        self.changed().await;
        Ok(())
    }

    /// What is sealed is not told.
    fn stale(&self, patch: ProviderAccountPatch, stored: &StoredAccount) -> Error {
        let shown = ProviderAccountPatch { auth_token: None, other_auth_token: None, api_key_secret: None, ..patch };
        stale(&shown, &self.shown(stored, 0))
    }

    /// This process knows it at once; the others read it again within half a second.
    async fn changed(&self) {
        *self.0.inner().provider_accounts.read.lock().await = None;
        self.0.inner().bell.ring(Who::Senders);
    }
}

/// Makes sure that senders may be given to this account, and that it stays while they are.
///
/// # Errors
/// `Invalid` when nobody knows its credentials.
pub(super) async fn must_exist(engine: &Engine, tx: &store::Tx, sid: &str) -> Result<()> {
    if engine.config().provider.account_sid == sid {
        return Ok(());
    }
    match store::provider_accounts::lock(tx, sid).await {
        Ok(_) => Ok(()),
        Err(store::Error::NotFound) => {
            let text = format!("The account {sid} is not set up here. Add it with its auth token first.");
            Err(Error::invalid("account_sid", text))
        }
        Err(error) => Err(error.into()),
    }
}

fn account_or<T>(result: store::Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        store::Error::NotFound => NO_ACCOUNT,
        other => other.into(),
    })
}

fn own_stays() -> Error {
    Error::Conflict(
        "This is the main account: it is set by TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN. Change them there and \
         start again."
            .to_owned(),
    )
}

/// `Err(Conflict)` naming the senders that belong to an account.
fn unless_used(senders: &[String]) -> Result<()> {
    if senders.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = senders.iter().take(SENDERS_NAMED).map(|name| format!("“{name}”")).collect();
    let more = if senders.len() > SENDERS_NAMED { " and others" } else { "" };
    Err(Error::Conflict(format!(
        "These senders belong to the account: {}{more}. Move them to another account first.",
        named.join(", ")
    )))
}

fn patched(engine: &Engine, stored: StoredAccount, patch: ProviderAccountPatch) -> Result<StoredAccount> {
    let mut sealed = open(engine, &stored)?;
    if let Some(token) = patch.auth_token {
        token.trim().clone_into(&mut sealed.auth_token);
    }
    if let Some(other) = patch.other_auth_token {
        sealed.other_auth_token = given(other.as_deref());
    }
    if let Some(sid) = patch.api_key_sid {
        sealed.api_key = sid.zip(patch.api_key_secret).map(|(sid, secret)| trimmed_key(&sid, &secret));
    }
    Ok(StoredAccount {
        credentials: seal(engine, &stored.account_sid, &sealed)?,
        name: patch.name.map_or(stored.name, |name| name.trim().to_owned()),
        api_base: patch.api_base.map_or(stored.api_base, |base| given(base.as_deref())),
        ..stored
    })
}

fn trimmed_key(sid: &str, secret: &str) -> (String, String) {
    (sid.trim().to_owned(), secret.trim().to_owned())
}

/// Empty text is none: that is what forms send.
fn given(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn checked(engine: &Engine, new: NewProviderAccount) -> Result<NewProviderAccount> {
    let new = NewProviderAccount {
        account_sid: new.account_sid.trim().to_owned(),
        name: new.name.trim().to_owned(),
        auth_token: new.auth_token.trim().to_owned(),
        api_key_sid: given(new.api_key_sid.as_deref()),
        api_key_secret: given(new.api_key_secret.as_deref()),
        api_base: given(new.api_base.as_deref()),
    };
    let mut errors = Vec::new();
    if !is_sid(&new.account_sid, "AC") {
        let text = "Give the account's SID: AC and 32 hexadecimal digits, from the Twilio console.";
        errors.push(FieldError::new("account_sid", text));
    }
    check_name(&new.name, &mut errors);
    check_token("auth_token", &new.auth_token, &mut errors);
    check_key(new.api_key_sid.as_deref(), new.api_key_secret.as_deref(), &mut errors);
    check_base(engine, new.api_base.as_deref(), &mut errors);
    Error::unless_valid(errors)?;
    Ok(new)
}

fn problems_of_patch(engine: &Engine, patch: &ProviderAccountPatch) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(name) = &patch.name {
        check_name(name.trim(), &mut errors);
    }
    if let Some(token) = &patch.auth_token {
        check_token("auth_token", token.trim(), &mut errors);
    }
    if let Some(other) = patch.other_auth_token.as_ref().and_then(|other| given(other.as_deref())) {
        check_token("other_auth_token", &other, &mut errors);
    }
    let sid = patch.api_key_sid.as_ref().and_then(Option::as_deref).map(str::trim);
    check_key(sid, patch.api_key_secret.as_deref().map(str::trim), &mut errors);
    let base = patch.api_base.as_ref().and_then(|base| given(base.as_deref()));
    check_base(engine, base.as_deref(), &mut errors);
    errors
}

fn check_name(name: &str, errors: &mut Vec<FieldError>) {
    if name.is_empty() || name.chars().count() > NAME_MAX || name.contains('\0') {
        errors.push(FieldError::new("name", format!("Give the account a name of 1 to {NAME_MAX} characters.")));
    }
}

fn check_token(field: &str, token: &str, errors: &mut Vec<FieldError>) {
    if !is_secret(token) {
        let text = "Give the account's auth token, from the Twilio console: its webhooks are signed with it.";
        errors.push(FieldError::new(field, text));
    }
}

fn check_key(sid: Option<&str>, secret: Option<&str>, errors: &mut Vec<FieldError>) {
    if sid.is_some_and(|sid| !is_sid(sid, "SK")) {
        errors.push(FieldError::new("api_key_sid", "An API key's SID is SK and 32 hexadecimal digits."));
    }
    match (sid, secret) {
        (Some(_), None) => {
            errors.push(FieldError::new("api_key_secret", "Give the secret that goes with the API key."));
        }
        (None, Some(_)) => errors.push(FieldError::new("api_key_sid", "Give the API key that the secret belongs to.")),
        (Some(_), Some(secret)) if !is_secret(secret) => {
            errors.push(FieldError::new("api_key_secret", "This cannot be the secret of an API key."));
        }
        _ => {}
    }
}

/// Credentials travel no less protected than the environment's own.
fn check_base(engine: &Engine, base: Option<&str>, errors: &mut Vec<FieldError>) {
    let Some(base) = base else { return };
    let plain_is_fine = engine.config().provider.api_base.starts_with("http://");
    let fine = url::Url::parse(base).is_ok_and(|url| {
        (url.scheme() == "https" || (url.scheme() == "http" && plain_is_fine))
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if !fine {
        let text = "Give an https address such as https://api.dublin.ie1.twilio.com, or leave it empty.";
        errors.push(FieldError::new("api_base", text));
    }
}

fn is_secret(text: &str) -> bool {
    (1..=SECRET_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_sid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sids_and_secrets_are_told_from_other_text() {
        assert!(is_sid(&format!("AC{}", "0a".repeat(16)), "AC"));
        for bad in ["", "AC", "AC1", &format!("SK{}", "0a".repeat(16)), &format!("AC{}", "0g".repeat(16))] {
            assert!(!is_sid(bad, "AC"), "{bad}");
        }
        assert!(is_secret("0000517a") && !is_secret("") && !is_secret("two words") && !is_secret(&"x".repeat(300)));
    }

    #[test]
    fn a_key_and_its_secret_come_together() {
        let sid = format!("SK{}", "0".repeat(32));
        let fields = |sid: Option<&str>, secret: Option<&str>| {
            let mut errors = Vec::new();
            check_key(sid, secret, &mut errors);
            errors.into_iter().map(|error| error.field).collect::<Vec<_>>()
        };
        assert!(fields(None, None).is_empty() && fields(Some(&sid), Some("s")).is_empty());
        assert_eq!(fields(Some(&sid), None), ["api_key_secret"]);
        assert_eq!(fields(None, Some("s")), ["api_key_sid"]);
        assert_eq!(fields(Some("SK1"), Some("s")), ["api_key_sid"]);
    }

    #[test]
    fn no_more_than_a_few_senders_are_named() {
        let names: Vec<String> = (1..=5).map(|number| format!("Number {number}")).collect();
        let Err(Error::Conflict(text)) = unless_used(&names) else { panic!("in use") };
        assert!(text.contains("“Number 3” and others") && !text.contains("Number 4"), "{text}");
        assert!(unless_used(&[]).is_ok());
    }
}
