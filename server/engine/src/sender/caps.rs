//! The frequency caps that bind a lane, and what the people of a claim had of late.

use domain::{consent::Category, ids::TopicId, settings::Settings, time::Timestamp};
use store::{
    Tx,
    messages::{CapWindow, Claimed, Lease},
};

use super::Cap;
use crate::{
    Engine, Result,
    decide::Capped,
    quiet::{LawCap, law_caps},
};

/// The caps that bind a run's messages: marketing of campaigns, and of those about a topic what it is about. While the law
/// table holds, its caps too.
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
                let topic = store::topics::id_of(engine.db().lookout(), key).await?;
                if topic.is_none() || topic != of {
                    continue;
                }
                topic
            }
        };
        caps.push(Cap { messages: cap.messages, days: cap.days, topic, law: None });
    }
    // "On one subject": the topic, where the campaign has one.
    caps.extend(by_law(settings, of));
    Ok(caps)
}

/// The caps that bind single marketing messages, which are about no topic.
pub(super) fn of_singles(settings: &Settings) -> Vec<Cap> {
    let own = settings.frequency_caps.iter().filter(|cap| cap.topic.is_none());
    let own = own.map(|cap| Cap { messages: cap.messages, days: cap.days, topic: None, law: None });
    own.chain(by_law(settings, None)).collect()
}

fn by_law(settings: &Settings, topic: Option<TopicId>) -> impl Iterator<Item = Cap> {
    let binds = settings.quiet_hours.law;
    let cap = move |law: &LawCap| Cap { messages: law.messages, days: law.days, topic, law: Some(*law) };
    law_caps().iter().filter(move |_| binds).map(cap)
}

/// Counts what the people of a claim had, in the claim's own transaction: nobody else claims for them meanwhile.
pub(super) async fn count(tx: &Tx, now: Timestamp, lease: Lease, caps: &[Cap], claimed: &mut [Claimed]) -> Result<()> {
    if !binds_any(caps, claimed) {
        return Ok(());
    }
    store::messages::count_for_caps(tx, lease, &windows(caps, now), claimed).await?;
    Ok(())
}

/// As [`count`], of messages that are only looked at.
pub(super) async fn count_planned(tx: &Tx, now: Timestamp, caps: &[Cap], planned: &mut [Claimed]) -> Result<()> {
    if !binds_any(caps, planned) {
        return Ok(());
    }
    store::messages::count_for_rehearsal(tx, &windows(caps, now), planned).await?;
    Ok(())
}

/// Most batches have nobody whom a law protects, and most single messages are no marketing: nothing is counted for them.
fn binds_any(caps: &[Cap], messages: &[Claimed]) -> bool {
    caps.iter().any(|cap| messages.iter().any(|message| cap.binds(message)))
}

/// Whether one of the caps that bind the message is full already.
pub(super) fn is_full(caps: &[Cap], message: &Claimed) -> bool {
    caps.iter().zip(&message.recent).any(|(cap, had)| cap.binds(message) && *had >= i64::from(cap.messages))
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
        law: cap.law.is_some(),
        had: *had,
    };
    caps.iter().zip(&message.recent).filter(|(cap, _)| cap.binds(message)).map(with_count).collect()
}
