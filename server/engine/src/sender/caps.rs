//! The frequency caps that bind a lane, and what the people of a claim had of late.

use std::collections::BTreeMap;

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

/// What caps call topics.
pub(super) type Keys = BTreeMap<TopicId, String>;

/// The keys of topics, read once for all runs; none where no cap is about a topic.
pub(super) async fn keys(engine: &Engine, settings: &Settings) -> Result<Keys> {
    if settings.frequency_caps.iter().all(|cap| cap.topic.is_none()) {
        return Ok(Keys::new());
    }
    Ok(store::topics::keys(engine.db().lookout()).await?)
}

/// The caps that bind a run's messages: marketing of campaigns, and of those about a topic what it is about. While the law
/// table holds, its caps too. `keys` have been read after the run.
pub(super) fn of_run(settings: &Settings, keys: &Keys, category: Category, of: Option<TopicId>) -> Vec<Cap> {
    if category != Category::Marketing {
        return Vec::new();
    }
    caps_about(settings, of, of.and_then(|of| keys.get(&of)).map(String::as_str))
}

/// The caps that bind single marketing messages, which are about no topic.
pub(super) fn of_singles(settings: &Settings) -> Vec<Cap> {
    caps_about(settings, None, None)
}

/// Those of marketing about this topic, which caps call by this key.
fn caps_about(settings: &Settings, of: Option<TopicId>, key: Option<&str>) -> Vec<Cap> {
    let own = settings.frequency_caps.iter().filter(|cap| cap.topic.is_none() || cap.topic.as_deref() == key);
    let own =
        own.map(|cap| Cap { messages: cap.messages, days: cap.days, topic: cap.topic.as_ref().and(of), law: None });
    // "On one subject": the topic, where the campaign has one.
    own.chain(by_law(settings, of)).collect()
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
