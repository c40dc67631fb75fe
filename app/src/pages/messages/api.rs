//! One message with what it belongs to.

use domain::{campaign::Campaign, message::Message, run::Run};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use crate::context::ctx;
use crate::{error::AppError, faults::Faults};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MessageView {
    pub message: Message,
    /// None for single messages, once the campaign was deleted, and while it cannot be read.
    pub campaign: Option<Campaign>,
    pub run: Option<Run>,
    pub faults: Faults,
}

#[server]
pub async fn load_message(id: String) -> Result<MessageView, AppError> {
    let ctx = ctx()?;
    let message = ctx.engine.messages().get(&ctx.actor, id.parse().map_err(|_| AppError::NotFound)?).await?;
    let campaign = match message.campaign_id {
        Some(id) => found(ctx.engine.campaigns().get(&ctx.actor, id).await)?,
        None => None,
    };
    let run = match message.run_id {
        Some(id) => found(ctx.engine.runs().get(&ctx.actor, id).await)?,
        None => None,
    };
    let codes = message.history.iter().filter_map(|entry| entry.error_code).chain(message.error_code);
    let faults = Faults::of(&ctx.engine, codes);
    Ok(MessageView { message, campaign, run, faults })
}

/// What a message belonged to may be gone, or a campaign that cannot be read; the message stays.
#[cfg(feature = "ssr")]
fn found<T>(result: engine::Result<T>) -> Result<Option<T>, AppError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(engine::Error::NotFound { .. } | engine::Error::Conflict(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
