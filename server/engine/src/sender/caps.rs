//! The frequency caps that bind a lane, and what the people of a claim had of late.

use domain::{consent::Category, settings::Settings, time::Timestamp};
use store::{
    Tx,
    messages::{CapWindow, Claimed, Lease},
    runs::RunLane,
};

use super::Cap;
use crate::{Engine, Result, decide::Capped};

/// The caps that bind a run's messages: marketing of campaigns, and of those about a topic what it is about.
pub(super) async fn of_run(engine: &Engine, settings: &Settings, run: &RunLane) -> Result<Vec<Cap>> {
    let mut caps = Vec::new();
    if run.rules.category != Category::Marketing {
        return Ok(caps);
    }
    for cap in &settings.frequency_caps {
        let topic = match &cap.topic {
            None => None,
            Some(key) => {
                let topic = store::topics::id_of(engine.db().reader(), key).await?;
                if topic.is_none() || topic != run.topic {
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
    let windows: Vec<CapWindow> = caps
        .iter()
        .map(|cap| CapWindow { since: now.plus(-i64::from(cap.days) * Timestamp::DAY), topic: cap.topic })
        .collect();
    store::messages::count_for_caps(tx, lease, &windows, claimed).await?;
    Ok(())
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
