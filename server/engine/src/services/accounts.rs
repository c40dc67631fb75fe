//! Accounts: people who log in.

use domain::{account::Account, ids::AccountId, role::Role};

use crate::{Actor, Engine, Error, Result};

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
    pub async fn log_in(&self, email: &str, password: &str, from: &str) -> Result<Account> {
        todo!()
    }

    pub async fn get(&self, id: AccountId) -> Result<Account> {
        todo!()
    }

    pub async fn create(&self, actor: &Actor, email: &str, role: Role, password: Option<String>) -> Result<(Account, Option<String>)> {
        todo!()
    }

    pub async fn ensure_first_admin(&self, email: Option<&str>, password: Option<&str>) -> Result<Option<(String, Option<String>)>> {
        todo!()
    }

    pub async fn change_password(&self, actor: &Actor, id: AccountId, present: &str, new: &str) -> Result<()> {
        todo!()
    }

}
