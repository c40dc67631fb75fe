//! The frequency caps that bind a lane, and what the people of a claim had of late.

use domain::{consent::Category, ids::TopicId, settings::Settings, time::Timestamp};
use store::{
    Tx,
    messages::{CapWindow, Claimed, Lease},
};

use super::Cap;
use crate::{Engine, Result, decide::Capped};

/// The caps that bind a run's messages: marketing of campaigns, and of those about a topic what it is about.
pub(super) async fn of_run(
    engine: &Engine,
    settings: &Settings,
    category: Category,
    of: Option<TopicId>,
) -> Result<Vec<Cap>> {
    let mut caps = Vec::new();
    if category != Category::Marketing {
        return Ok(caps);
    }
    for cap in &settings.frequency_caps {
        let topic = match &cap.topic {
            None => None,
            Some(key) => {
                let topic = store::topics::id_of(engine.db().reader(), key).await?;
                if topic.is_none() || topic != of {
                    continue;
                }
                topic
            }
        };
        caps.push(Cap { messages: cap.messages, days: cap.days, topic });
    }
    Ok(caps)
}

/// Counts what the people of a claim had, in the claim's own transaction: nobody else claims for them meanwhile.
pub(super) async fn count(tx: &Tx, now: Timestamp, lease: Lease, caps: &[Cap], claimed: &mut [Claimed]) -> Result<()> {
    if caps.is_empty() || claimed.is_empty() {
        return Ok(());
    }
    store::messages::count_for_caps(tx, lease, &windows(caps, now), claimed).await?;
    Ok(())
}

/// As [`count`], of messages that are only looked at.
pub(super) async fn count_planned(tx: &Tx, now: Timestamp, caps: &[Cap], planned: &mut [Claimed]) -> Result<()> {
    if caps.is_empty() || planned.is_empty() {
        return Ok(());
    }
    store::messages::count_for_rehearsal(tx, &windows(caps, now), planned).await?;
    Ok(())
}

fn windows(caps: &[Cap], now: Timestamp) -> Vec<CapWindow> {
    let since = |cap: &Cap| now.plus(-i64::from(cap.days) * Timestamp::DAY);
    caps.iter().map(|cap| CapWindow { since: since(cap), topic: cap.topic }).collect()
}

/// The caps with what the person had.
pub(super) fn of_message(caps: &[Cap], message: &Claimed) -> Vec<Capped> {
    let with_count = |(cap, had): (&Cap, &i64)| Capped {
        messages: cap.messages,
        days: cap.days,
        topic: cap.topic.is_some(),
        had: *had,
    };
    caps.iter().zip(&message.recent).map(with_count).collect()
}
