//! The account that is logged in.

use domain::account::Account;
use leptos::prelude::*;

use crate::error::AppError;

#[server]
pub async fn load_account() -> Result<Account, AppError> {
    crate::context::account()
}
