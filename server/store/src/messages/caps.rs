//! What people had of late, for frequency caps.

use std::collections::HashMap;

use domain::{
    consent::Category,
    ids::TopicId,
    message::{Kind as MessageKind, State},
    time::Timestamp,
};
use sea_orm::Value;

use super::{
    claim::{Claimed, Lease},
    unknown::given_up,
};
use crate::{
    Kind, Result, Tx, all,
    batch::{Columns, Type, column},
    exec,
};

/// What a cap counts: marketing that was claimed since then, of all campaigns and single messages, or of campaigns about one
/// topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapWindow {
    pub since: Timestamp,
    pub topic: Option<TopicId>,
}

/// Ours among the advisory locks of a PostgreSQL database.
const LOCKS: i32 = 7_412;

/// Fills [`Claimed::recent`], in the transaction of the claim: the people are locked against other claims that count, so
/// that of two runs that come to the same person at once the second one sees the first. Counted is what was handed over or
/// is about to be, and what was given up because nobody can tell; what else failed, was skipped or cancelled did not reach
/// anybody.
///
/// # Errors
/// What the database says.
pub async fn count_for_caps(tx: &Tx, lease: Lease, windows: &[CapWindow], claimed: &mut [Claimed]) -> Result<()> {
    if Kind::of(tx) == Kind::Postgres {
        let mut values = vec![LOCKS.into()];
        // In the order of their keys, so that two claims never wait for each other.
        let lock = format!(
            "SELECT pg_advisory_xact_lock($1, k.key) FROM (SELECT hashint8(wanted.contact_id) AS key FROM {} \
             GROUP BY 1 ORDER BY 1) AS k",
            people(tx, claimed).table("wanted", &mut values)?
        );
        exec(tx, lock, values).await?;
    }
    fill(tx, lease.owner, windows, claimed).await
}

/// As [`count_for_caps`], of messages that nobody has claimed: nobody is locked, because nothing is sent for it.
///
/// # Errors
/// What the database says.
pub async fn count_for_rehearsal(tx: &Tx, windows: &[CapWindow], planned: &mut [Claimed]) -> Result<()> {
    // No claim has this owner.
    fill(tx, 0, windows, planned).await
}

fn people(tx: &Tx, claimed: &[Claimed]) -> Columns<2> {
    let mut batch = Columns::new(Kind::of(tx), [column("id", Type::BigInt), column("contact_id", Type::BigInt)]);
    claimed.iter().for_each(|message| batch.push([message.id.0.into(), message.contact_id.0.into()]));
    batch
}

async fn fill(tx: &Tx, owner: i64, windows: &[CapWindow], claimed: &mut [Claimed]) -> Result<()> {
    let mut values: Vec<Value> = vec![owner.into()];
    let counts: Vec<String> =
        windows.iter().enumerate().map(|(index, window)| count(index, window, &mut values)).collect();
    let wanted = people(tx, claimed).table("wanted", &mut values)?;
    let query = format!("SELECT wanted.id, {} FROM {wanted}", counts.join(", "));
    let mut found = HashMap::with_capacity(claimed.len());
    for row in all(tx, query, values).await? {
        let had: Vec<i64> = (0..windows.len()).map(|index| row.get(&format!("had_{index}"))).collect::<Result<_>>()?;
        found.insert(row.get::<i64>("id")?, had);
    }
    for message in claimed {
        message.recent = found.remove(&message.id.0).unwrap_or_default();
    }
    Ok(())
}

fn count(index: usize, window: &CapWindow, values: &mut Vec<Value>) -> String {
    values.push(window.since.as_micros().into());
    let since = values.len();
    let topic = window.topic.map(|topic| {
        values.push(topic.0.into());
        format!(" AND r.topic_id = ${}", values.len())
    });
    let nothing_sent: Vec<String> = [State::Queued, State::Failed, State::Skipped, State::Cancelled]
        .iter()
        .map(|state| state.rank().to_string())
        .collect();
    // A single message has its own template. Of the same claim only those that come before it.
    format!(
        "(SELECT CAST(count(*) AS bigint) FROM messages m LEFT JOIN runs r ON r.id = m.run_id \
         JOIN template_versions v ON v.template_id = COALESCE(r.template_id, m.template_id) \
         AND v.version = COALESCE(r.template_version, m.template_version) \
         WHERE m.contact_id = wanted.contact_id AND m.id <> wanted.id AND m.kind IN ({campaign}, {single}) \
         AND m.claimed_at > ${since} \
         AND (m.state NOT IN ({states}) OR {given_up}) AND v.category = '{marketing}' \
         AND (m.lease_owner IS NULL OR m.lease_owner <> $1 OR m.id < wanted.id){topic}) AS had_{index}",
        campaign = MessageKind::Campaign.number(),
        single = MessageKind::Single.number(),
        states = nothing_sent.join(", "),
        given_up = given_up("m"),
        marketing = Category::Marketing,
        topic = topic.unwrap_or_default(),
    )
}
