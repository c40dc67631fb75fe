//! Stored evidence beside present state: webhooks, messages, runs and people. What differs is told, and set right on request.

use domain::{
    consent::{Consent, Subscription},
    ids::{ContactId, MessageId, TopicId},
    role::Permission,
};
use serde_json::json;
use store::{
    messages::Evidence,
    replay::{TopicWish, Wish},
};
use uuid::Uuid;

use crate::{Actor, Engine, Result, ingest, require};

/// Rows that are looked at in one statement.
const CHUNK: u32 = 2_000;

/// What a replay looked at, and what differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Webhooks whose raw form is kept, and was read once more.
    pub webhooks: u64,
    /// Webhooks whose raw form is gone, with its retention or with the version that kept it.
    pub purged: u64,
    pub messages: u64,
    pub people: u64,
    pub subscriptions: u64,
    /// In words, without personal data.
    pub differences: Vec<String>,
    /// Of them, how many were set right.
    pub repaired: u64,
}

impl Engine {
    /// Reads all stored evidence once more and compares it with what is stored as the present state: each webhook with
    /// what was made of it, messages with their receipts and transitions, runs' counters with their messages, consent
    /// with its ledger. With `repair`, messages and counters are set to what the evidence says; consent only where that
    /// protects the person: an opt-out that is in the ledger and not in effect.
    ///
    /// # Errors
    /// `Forbidden` without the permission; what the database says.
    pub async fn replay(&self, actor: &Actor, repair: bool) -> Result<Replay> {
        require(actor, Permission::Audit)?;
        let mut replay = Replay::default();
        let webhooks = ingest::webhooks(self).await?;
        let all = store::replay::count_webhooks(self.db().reader()).await?;
        replay.webhooks = webhooks.read;
        replay.purged = u64::try_from(all).unwrap_or(0).saturating_sub(webhooks.read);
        replay.differences = webhooks.differences;
        messages(self, repair, &mut replay).await?;
        runs(self, repair, &mut replay).await?;
        people(self, repair, &mut replay).await?;
        subscriptions(self, &mut replay).await?;
        if repair && replay.repaired > 0 {
            let tx = self.begin(actor).await?;
            let detail = json!({ "differences": replay.differences.len(), "repaired": replay.repaired });
            store::audit::append(&tx, actor, self.now(), "replay", ("installation", "1"), &detail).await?;
            tx.commit().await.map_err(store::Error::from)?;
        }
        Ok(replay)
    }
}

async fn messages(engine: &Engine, repair: bool, replay: &mut Replay) -> Result<()> {
    let mut after = MessageId(0);
    loop {
        let chunk = store::messages::evidence(engine.db().reader(), after, CHUNK).await?;
        let Some(last) = chunk.last() else { return Ok(()) };
        after = last.id;
        replay.messages += chunk.len() as u64;
        let wrong: Vec<Evidence> = chunk.into_iter().filter(|evidence| !evidence.holds()).collect();
        replay.differences.extend(wrong.iter().map(|evidence| {
            let told = evidence.told().map_or("nothing of the kind", |state| state.as_str());
            format!("message {}: it is {}, and its receipts and transitions say {told}", evidence.id, evidence.state)
        }));
        if repair && !wrong.is_empty() {
            let tx = engine.db().begin().await?;
            replay.repaired += store::messages::restore(&tx, engine.now(), &wrong).await?;
            tx.commit().await.map_err(store::Error::from)?;
        }
    }
}

async fn runs(engine: &Engine, repair: bool, replay: &mut Replay) -> Result<()> {
    for found in store::replay::miscounted(engine.db().reader()).await? {
        replay.differences.push(format!("run {}: its ledger is not what its messages count", found.run));
        if repair {
            let tx = engine.db().begin().await?;
            store::replay::recount(&tx, found.run).await?;
            tx.commit().await.map_err(store::Error::from)?;
            replay.repaired += 1;
        }
    }
    Ok(())
}

async fn people(engine: &Engine, repair: bool, replay: &mut Replay) -> Result<()> {
    let mut after = ContactId(i64::MIN);
    loop {
        let chunk = store::replay::wishes(engine.db().reader(), after, CHUNK).await?;
        let Some(last) = chunk.last() else { return Ok(()) };
        after = last.contact_id;
        replay.people += chunk.len() as u64;
        let wrong: Vec<Wish> = chunk.into_iter().filter(|wish| !holds(*wish)).collect();
        replay.differences.extend(wrong.iter().map(|wish| {
            let told = wish.told.map_or("nothing", |consent| consent.as_str());
            format!("contact {}: consent is {}, and the ledger's last line says {told}", wish.contact_id, wish.consent)
        }));
        let lost: Vec<ContactId> = wrong
            .iter()
            .filter(|wish| wish.told == Some(Consent::OptedOut) && wish.consent != Consent::OptedOut)
            .map(|wish| wish.contact_id)
            .collect();
        if repair && !lost.is_empty() {
            let tx = engine.db().begin().await?;
            replay.repaired += store::consent::restore_opt_outs(&tx, engine.now(), &lost).await?;
            tx.commit().await.map_err(store::Error::from)?;
            engine.told_opt_outs(lost);
        }
    }
}

/// Whoever said nothing may have been written down as known or not; whoever opted out of everything is suppressed.
fn holds(wish: Wish) -> bool {
    match wish.told {
        Some(told) => told == wish.consent && (told != Consent::OptedOut || wish.suppressed),
        None => wish.consent == Consent::Unknown,
    }
}

async fn subscriptions(engine: &Engine, replay: &mut Replay) -> Result<()> {
    let mut after = (ContactId(i64::MIN), TopicId(Uuid::nil()));
    loop {
        let chunk = store::replay::topic_wishes(engine.db().reader(), after, CHUNK).await?;
        let Some(last) = chunk.last() else { return Ok(()) };
        after = (last.contact_id, last.topic_id);
        replay.subscriptions += chunk.len() as u64;
        replay.differences.extend(chunk.iter().filter(|wish| !subscription_holds(wish)).map(|wish| {
            let told = wish.told.map_or("nothing", |consent| consent.as_str());
            format!(
                "contact {}, topic {}: {}, and the ledger's last line says {told}",
                wish.contact_id, wish.topic_id, wish.state
            )
        }));
    }
}

fn subscription_holds(wish: &TopicWish) -> bool {
    (wish.state == Subscription::Subscribed) == (wish.told == Some(Consent::OptedIn))
}
