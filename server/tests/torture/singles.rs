//! Single messages between those of the campaign, to people of their own: whoever asks for one asks again with the same
//! key until there is an answer, and the person gets it once.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use testkit::api::{Api, text};

use crate::{
    round::{PATIENCE, patiently, phone},
    scenario::Scenario,
};

/// The first of their numbers, far behind those of the campaign.
const FIRST: u32 = 1_000_000;

/// Whom they go to.
pub fn phones(scenario: &Scenario) -> impl Iterator<Item = String> {
    (FIRST..).take(scenario.singles.len()).map(phone)
}

/// What it says.
pub fn body(phone: &str) -> String {
    format!("Only for {phone}")
}

/// Asks for all of them, one after the other.
pub async fn send(api: &Api, scenario: &Scenario) -> Result<()> {
    for (after, phone) in scenario.singles.iter().zip(phones(scenario)) {
        tokio::time::sleep(*after).await;
        let body = json!({"phone": phone, "channel": scenario.channel(), "body": body(&phone)});
        let started = Instant::now();
        loop {
            match api.post_once("/messages", &phone, &body).await {
                Ok((202, _)) => break,
                // Its answer was lost.
                Ok((409, told)) if told.contains("took effect") => break,
                Ok((status, told)) if status != 409 && status < 500 => bail!("{status}: {told}"),
                answer => ensure!(started.elapsed() < PATIENCE, "nobody takes a single message: {answer:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

/// Waits until each of them is there once, and nothing is left of it to be done.
pub async fn until_settled(api: &Api, scenario: &Scenario) -> Result<()> {
    let started = Instant::now();
    for phone in phones(scenario) {
        let path = format!("/messages?phone=%2B{}", phone.trim_start_matches('+'));
        let state = loop {
            let page = patiently(api, &path).await?;
            let messages = page["items"].as_array().context("a page has items")?;
            ensure!(messages.len() == 1, "{} single messages to {phone}: {page}", messages.len());
            let state = text(&messages[0], "state")?.to_owned();
            if !["queued", "sending", "unknown"].contains(&state.as_str()) {
                break state;
            }
            ensure!(started.elapsed() < PATIENCE, "a single message is not settled: {page}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        ensure!(["accepted", "sent", "delivered", "read"].contains(&state.as_str()), "{phone}: {state}");
    }
    Ok(())
}
