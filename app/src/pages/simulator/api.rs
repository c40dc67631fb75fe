//! The simulator's phones: adapters between the page and the service.

use domain::{
    phone::Phone,
    simulator::{Conversation, SimulatorPhone},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use crate::context::ctx;
use crate::error::AppError;

/// The page: who has a phone, and the one that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulatorView {
    pub phones: Vec<SimulatorPhone>,
    pub open: Option<Conversation>,
    /// What was given for a number and is none.
    pub unreadable: String,
}

/// `phone` may be written with spaces; empty opens the latest one.
#[server]
pub async fn load_simulator(phone: String) -> Result<SimulatorView, AppError> {
    let ctx = ctx()?;
    let simulator = ctx.engine.simulator();
    let phones = simulator.phones(&ctx.actor).await?;
    let wanted = read(&phone);
    let unreadable = if wanted.is_none() { phone.trim().to_owned() } else { String::new() };
    let wanted = wanted.or_else(|| phones.first().map(|first| first.phone.clone()).filter(|_| unreadable.is_empty()));
    let open = match wanted {
        Some(phone) => Some(simulator.conversation(&ctx.actor, &phone).await?),
        None => None,
    };
    Ok(SimulatorView { phones, open, unreadable })
}

/// Writes as the person: `quick` is the button that was pressed, `text` what was typed.
#[server]
pub async fn answer_as(
    phone: String,
    #[server(default)] text: String,
    #[server(default)] quick: String,
) -> Result<Conversation, AppError> {
    let ctx = ctx()?;
    let phone = read(&phone).ok_or(AppError::NotFound)?;
    let said = if quick.is_empty() { text.trim() } else { quick.as_str() };
    if said.is_empty() {
        return Err(AppError::field("text", "Write something first."));
    }
    let answer = ctx.engine.simulator().answer(&ctx.actor, &phone, said).await;
    answer.map_err(|error| AppError::from(error).keep(&[("text", &text)]))
}

/// A number as people write it: spaces, brackets and hyphens do not count.
#[cfg_attr(not(any(feature = "ssr", test)), expect(dead_code, reason = "only the server reads numbers"))]
fn read(phone: &str) -> Option<Phone> {
    let bare: String = phone.chars().filter(|c| !(c.is_whitespace() || "()-./".contains(*c))).collect();
    let international = bare.strip_prefix("00").map_or(bare.clone(), |rest| format!("+{rest}"));
    international.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        let read = |text| read(text).map(|phone| phone.to_string());
        assert_eq!(read("+94 77 (678)-9012").as_deref(), Some("+94776789012"));
        assert_eq!(read("0094 776789012").as_deref(), Some("+94776789012"));
        assert_eq!(read("077 678 9012"), None, "a national number has no country here");
        assert_eq!(read(""), None);
    }
}
