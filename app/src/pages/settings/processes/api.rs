//! The page's one query. Its words are made on the server: so they are not part of the browser's download.

use domain::time::Timestamp;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::summary;
#[cfg(feature = "ssr")]
use crate::context::ctx;
use crate::error::AppError;

/// What the page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessesView {
    /// What is wrong, and what to do about it.
    pub warnings: Vec<(String, String)>,
    pub processes: Vec<ProcessRow>,
    /// About those that are not listed; empty when there are none.
    pub others: String,
    pub waiting: Vec<WaitingRow>,
}

/// A process that is alive, or that vanished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessRow {
    pub alive: bool,
    pub role: String,
    pub host: String,
    pub version: String,
    pub started_at: Timestamp,
    pub seen_at: Timestamp,
    pub claimed: String,
    pub in_flight: String,
    /// What the meters of the rates let it claim, a second.
    pub granted: String,
    pub per_second: String,
    pub may_send: String,
}

/// What waits for the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitingRow {
    pub what: String,
    /// Where they are; empty when there is no such page.
    pub href: String,
    pub count: String,
    pub oldest_at: Option<Timestamp>,
    pub moves_on: String,
    pub next_at: Option<Timestamp>,
}

#[server]
pub async fn load_processes() -> Result<ProcessesView, AppError> {
    let ctx = ctx()?;
    let processes = ctx.engine.processes().list(&ctx.actor).await?;
    let waiting = ctx.engine.processes().waiting(&ctx.actor).await?;
    Ok(summary::of(&processes, &waiting))
}
