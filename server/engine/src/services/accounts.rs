//! Accounts: people who log in.

use domain::{
    account::{Account, AccountPatch, PASSWORD_MAX_CHARS, PASSWORD_MIN_CHARS},
    actor::ActorKind,
    ids::AccountId,
    role::{Permission, Role},
};
use serde_json::json;
use store::accounts::NewAccount;

use crate::{Actor, Engine, Error, Result, require};

mod password;
mod tries;

/// See [`Engine::accounts`].
pub struct Accounts<'a>(&'a Engine);

impl Engine {
    /// Accounts: people who log in.
    #[must_use]
    pub const fn accounts(&self) -> Accounts<'_> {
        Accounts(self)
    }
}

impl Accounts<'_> {
    /// Checks e-mail and password; `from` is the address the try came from. Takes the same work for an e-mail that is
    /// not known, and counts the try before it looks, so that guesses in parallel gain nothing.
    ///
    /// # Errors
    /// `Unauthenticated` for a wrong pair or a disabled account, `TooMany` after some of those.
    pub async fn log_in(&self, email: &str, password: &str, from: &str) -> Result<Account> {
        let engine = self.0;
        let email = normal_email(email);
        let tries = tries::Subjects::new(&email, from);
        tries.count(engine).await?;
        let stored = store::accounts::by_email(engine.db().reader(), &email).await?;
        let hash = stored.as_ref().map(|stored| stored.password_hash.clone());
        // The password is checked whether or not there is such an account.
        let right = password::verify(password, hash).await?;
        let Some(stored) = stored.filter(|stored| right && !stored.account.disabled) else {
            metrics::counter!("logins_refused_total").increment(1);
            return Err(Error::Unauthenticated);
        };
        let mut account = stored.account;
        let now = engine.now();
        let tx = engine.db().begin().await?;
        tries.succeeded(&tx).await?;
        store::accounts::logged_in(&tx, account.id, now).await?;
        let actor = Actor::new(ActorKind::Account, account.id.to_string(), account.role);
        store::audit::append(&tx, &actor, now, "log_in", ("account", &account.id.to_string()), &json!({})).await?;
        tx.commit().await.map_err(store::Error::from)?;
        account.last_login_at = Some(now);
        Ok(account)
    }

    /// The account behind a session.
    ///
    /// # Errors
    /// `Unauthenticated` when it is gone or may no longer log in.
    pub async fn get(&self, id: AccountId) -> Result<Account> {
        let stored = store::accounts::by_id(self.0.db().reader(), id).await?;
        stored.map(|stored| stored.account).filter(|account| !account.disabled).ok_or(Error::Unauthenticated)
    }

    /// All accounts, oldest first.
    ///
    /// # Errors
    /// `Forbidden` for all but admins.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<Account>> {
        require(actor, Permission::Administer)?;
        Ok(store::accounts::list(self.0.db().reader()).await?)
    }

    /// Makes an account; without a password it gets a one-time one, which is returned once.
    ///
    /// # Errors
    /// `Invalid` for an e-mail or a password that will not do, `Conflict` when the e-mail is taken.
    pub async fn create(
        &self,
        actor: &Actor,
        email: &str,
        role: Role,
        password: Option<String>,
    ) -> Result<(Account, Option<String>)> {
        require(actor, Permission::Administer)?;
        let (new, one_time) = self.prepare(email, role, password).await?;
        let tx = self.0.begin(actor).await?;
        let account = self.insert(&tx, actor, new).await?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok((account, one_time))
    }

    /// Makes the first admin when there is none: with the given e-mail and password, else `admin@localhost` and a
    /// one-time password. Returns what was made: e-mail and, when it was made up, the password.
    ///
    /// # Errors
    /// `Invalid` for an e-mail or a password that will not do.
    pub async fn ensure_first_admin(
        &self,
        email: Option<&str>,
        password: Option<&str>,
    ) -> Result<Option<(String, Option<String>)>> {
        let db = self.0.db();
        if store::accounts::count_admins(db.reader()).await? > 0 {
            return Ok(None);
        }
        let email = email.unwrap_or("admin@localhost");
        let (new, one_time) = self.prepare(email, Role::Admin, password.map(str::to_owned)).await?;
        let tx = db.begin().await?;
        store::accounts::lock_admins(&tx).await?;
        if store::accounts::count_admins(&tx).await? > 0 {
            return Ok(None);
        }
        let account = self.insert(&tx, &Actor::worker("start"), new).await?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(Some((account.email, one_time)))
    }

    /// Changes an account's own password and ends all its sessions: the caller gives the present one a new id.
    ///
    /// # Errors
    /// `Invalid` when the present password is wrong or the new one will not do, `Forbidden` for another's account,
    /// `TooMany` after some wrong ones.
    pub async fn change_password(&self, actor: &Actor, id: AccountId, present: &str, new: &str) -> Result<()> {
        if actor.kind != ActorKind::Account || actor.id != id.to_string() {
            return Err(Error::Forbidden);
        }
        let engine = self.0;
        let stored = store::accounts::by_id(engine.db().reader(), id).await?.ok_or(Error::Unauthenticated)?;
        check_password("new", new)?;
        if present == new {
            return Err(Error::invalid("new", "Choose another password than the present one."));
        }
        let tries = tries::Subjects::new(&stored.account.email, "change of password");
        tries.count(engine).await?;
        if !password::verify(present, Some(stored.password_hash.clone())).await? {
            return Err(Error::invalid("present", "This is not your present password."));
        }
        let hash = password::hash(new.to_owned()).await?;
        let now = engine.now();
        let tx = engine.begin(actor).await?;
        tries.succeeded(&tx).await?;
        store::accounts::set_password(&tx, id, &stored.password_hash, &hash, false, now).await?;
        store::sessions::delete_of(&tx, id).await?;
        let entity = ("account", &*id.to_string());
        store::audit::append(&tx, actor, now, "change_password", entity, &json!({})).await?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(())
    }

    /// Gives an account a new one-time password, which is returned once, and ends its sessions.
    ///
    /// # Errors
    /// `NotFound` for an unknown account, `Conflict` when its password was changed at the same moment.
    pub async fn reset_password(&self, actor: &Actor, id: AccountId) -> Result<String> {
        require(actor, Permission::Administer)?;
        let engine = self.0;
        let stored = store::accounts::by_id(engine.db().reader(), id).await?;
        let stored = stored.ok_or(Error::NotFound { what: "account" })?;
        let one_time = password::one_time();
        let hash = password::hash(one_time.clone()).await?;
        let now = engine.now();
        let tx = engine.begin(actor).await?;
        store::accounts::set_password(&tx, id, &stored.password_hash, &hash, true, now).await?;
        store::sessions::delete_of(&tx, id).await?;
        let entity = ("account", &*id.to_string());
        store::audit::append(&tx, actor, now, "reset_password", entity, &json!({})).await?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(one_time)
    }

    /// Changes an account's role, or locks it out.
    ///
    /// # Errors
    /// `Conflict` for a stale version and when no admin would be left.
    pub async fn update(&self, actor: &Actor, id: AccountId, patch: AccountPatch) -> Result<Account> {
        require(actor, Permission::Administer)?;
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        store::accounts::lock_admins(&tx).await?;
        let stored = store::accounts::by_id(&tx, id).await?.ok_or(Error::NotFound { what: "account" })?;
        let mut account = stored.account;
        if patch.version.is_some_and(|version| version != account.version) {
            return Err(store::Error::Stale.into());
        }
        let role = patch.role.unwrap_or(account.role);
        let disabled = patch.disabled.unwrap_or(account.disabled);
        store::accounts::update(&tx, id, account.version, role, disabled, now).await?;
        if store::accounts::count_admins(&tx).await? == 0 {
            return Err(Error::Conflict("This is the last admin. Make somebody else an admin first.".to_owned()));
        }
        if disabled {
            store::sessions::delete_of(&tx, id).await?;
        }
        let detail = json!({ "role": role, "disabled": disabled });
        store::audit::append(&tx, actor, now, "update", ("account", &id.to_string()), &detail).await?;
        tx.commit().await.map_err(store::Error::from)?;
        account.role = role;
        account.disabled = disabled;
        account.version += 1;
        Ok(account)
    }

    /// Checks and hashes before a transaction is begun: hashing takes long.
    async fn prepare(&self, email: &str, role: Role, password: Option<String>) -> Result<(NewAccount, Option<String>)> {
        let email = normal_email(email);
        check_email(&email)?;
        if let Some(password) = &password {
            check_password("password", password)?;
        }
        let one_time = password.is_none().then(password::one_time);
        let password_hash = password::hash(password.or_else(|| one_time.clone()).unwrap_or_default()).await?;
        let id = AccountId(self.0.new_uuid());
        Ok((NewAccount { id, email, role, password_hash, password_is_temporary: one_time.is_some() }, one_time))
    }

    async fn insert(&self, tx: &store::Tx, actor: &Actor, new: NewAccount) -> Result<Account> {
        let now = self.0.now();
        store::accounts::insert(tx, &new, now).await.map_err(|error| match error {
            store::Error::Duplicate(_) => Error::Conflict("There is an account with this e-mail already.".to_owned()),
            other => other.into(),
        })?;
        let detail = json!({ "role": new.role });
        store::audit::append(tx, actor, now, "create", ("account", &new.id.to_string()), &detail).await?;
        Ok(Account {
            id: new.id,
            email: new.email,
            role: new.role,
            password_is_temporary: new.password_is_temporary,
            disabled: false,
            last_login_at: None,
            created_at: now,
            version: 1,
        })
    }
}

/// E-mails are compared without regard to case, as all providers do.
fn normal_email(email: &str) -> String {
    email.trim().to_lowercase()
}

fn check_email(email: &str) -> Result<()> {
    let parts = email.split_once('@').filter(|(local, host)| !local.is_empty() && !host.is_empty());
    let plain = !email.chars().any(|c| c.is_whitespace() || c.is_control()) && email.matches('@').count() == 1;
    if parts.is_some() && plain && email.len() <= 254 {
        Ok(())
    } else {
        Err(Error::invalid("email", "Give an e-mail address such as ada@example.com."))
    }
}

fn check_password(field: &str, password: &str) -> Result<()> {
    let chars = password.chars().count();
    if (PASSWORD_MIN_CHARS..=PASSWORD_MAX_CHARS).contains(&chars) {
        Ok(())
    } else {
        let message = format!("Use {PASSWORD_MIN_CHARS} to {PASSWORD_MAX_CHARS} characters; a few words do well.");
        Err(Error::invalid(field, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_are_folded_and_checked() {
        assert_eq!(normal_email(" Ada@Example.COM "), "ada@example.com");
        assert!(check_email("ada@example.com").is_ok() && check_email("admin@localhost").is_ok());
        for bad in ["", "ada", "@example.com", "ada@", "a da@example.com", "a@b@c"] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn passwords_are_long_enough_but_not_endless() {
        assert!(check_password("new", "short").is_err());
        assert!(check_password("new", "correct horse battery").is_ok());
        assert!(check_password("new", &"x".repeat(PASSWORD_MAX_CHARS + 1)).is_err());
    }
}
