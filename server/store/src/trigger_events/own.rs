//! Events of the product itself, in the transaction that causes them; stored only when a run listens.

use std::collections::BTreeSet;

use domain::{actor::Actor, ids::ContactId, time::Timestamp};
use uuid::Uuid;

use super::NewEvent;
use crate::{ConnectionTrait, Result, Tx, all};

/// Something that happened here.
#[derive(Clone, Debug)]
pub struct Own {
    /// One of `domain::trigger_event::OWN_EVENTS`.
    pub name: &'static str,
    pub contact: ContactId,
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// Those of these names that a run listens to now.
///
/// # Errors
/// What the database says.
pub async fn listened_to(db: &impl ConnectionTrait, names: &[&'static str]) -> Result<BTreeSet<&'static str>> {
    let places: Vec<String> = (1..=names.len()).map(|place| format!("${place}")).collect();
    let query = format!(
        "SELECT DISTINCT event_name FROM runs WHERE event_name IN ({}) AND event_name IS NOT NULL \
         AND finished_at IS NULL AND status IN ('running', 'paused')",
        places.join(", ")
    );
    let rows = all(db, query, names.iter().map(|name| (*name).into()).collect()).await?;
    let found: Vec<String> = rows.iter().map(|row| row.get("event_name")).collect::<Result<_>>()?;
    Ok(names.iter().copied().filter(|name| found.iter().any(|found| found == name)).collect())
}

/// Stores what happened, as far as a run listens. Called with the people locked, and before messages are.
///
/// # Errors
/// What the database says.
pub async fn tell(tx: &Tx, actor: &Actor, at: Timestamp, events: &[Own]) -> Result<()> {
    let names: BTreeSet<&'static str> = events.iter().map(|event| event.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    let heard = listened_to(tx, &names.into_iter().collect::<Vec<_>>()).await?;
    let events: Vec<NewEvent> = events
        .iter()
        .filter(|event| heard.contains(event.name))
        .map(|event| NewEvent {
            id: format!("{}:{}", event.name, Uuid::new_v4()),
            name: event.name.to_owned(),
            occurred_at: Some(at),
            contact: Some(event.contact),
            definition: None,
            data: serde_json::Value::Object(event.data.clone()).to_string(),
        })
        .collect();
    super::insert(tx, actor, at, &events).await?;
    Ok(())
}
