//! Stored evidence beside present state: webhooks, messages, runs and people. What differs is told, and set right on request.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    consent::{Consent, ConsentSource, Subscription, SuppressionReason},
    ids::{ContactId, MessageId, TopicId},
    role::Permission,
};
use serde_json::json;
use store::{
    consent::LostOptOut,
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
    /// Webhooks whose raw form is gone with its retention. What is gone without it is a difference.
    pub purged: u64,
    pub messages: u64,
    /// Of them, those whose callbacks may be gone with their retention: they must be no less than what is left says.
    pub forgotten: u64,
    pub people: u64,
    pub subscriptions: u64,
    /// In words, without personal data.
    pub differences: Vec<String>,
    /// Of them, how many were set right.
    pub repaired: u64,
}

impl Engine {
    /// Reads all stored evidence once more and compares it with what is stored as the present state: each webhook with
    /// what was made of it (an opt-out with the ledger, too), messages with their receipts and transitions, runs' counters
    /// with their messages, consent, subscriptions and the suppression list with the ledger. With `repair`, messages and
    /// counters are set to what the evidence says; consent and subscriptions only where that protects the person: an
    /// opt-out that is in the ledger and not in effect, or that somebody said and that left no line there.
    ///
    /// # Errors
    /// `Forbidden` without the permission; what the database says.
    pub async fn replay(&self, actor: &Actor, repair: bool) -> Result<Replay> {
        require(actor, Permission::Audit)?;
        let mut replay = Replay::default();
        let webhooks = ingest::webhooks(self).await?;
        let all = store::replay::count_webhooks(self.db().reader()).await?;
        replay.webhooks = webhooks.read;
        replay.purged = u64::try_from(all).unwrap_or(0).saturating_sub(webhooks.read + webhooks.missing);
        if repair {
            replay.repaired += ingest::hear(self, actor, &webhooks).await?;
        }
        replay.differences = webhooks.differences;
        messages(self, repair, &mut replay).await?;
        runs(self, repair, &mut replay).await?;
        people(self, actor, repair, &mut replay).await?;
        subscriptions(self, repair, &mut replay).await?;
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
        replay.forgotten += chunk.iter().filter(|evidence| evidence.forgotten).count() as u64;
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

async fn people(engine: &Engine, actor: &Actor, repair: bool, replay: &mut Replay) -> Result<()> {
    let keys = &engine.config().keys;
    let mut after = ContactId(i64::MIN);
    loop {
        let people = store::replay::people(engine.db().reader(), after, CHUNK).await?;
        let Some((last, _)) = people.last() else { return Ok(()) };
        after = *last;
        let numbers: Vec<_> = people.iter().map(|(id, phone)| (*id, keys.suppression_hashes(phone))).collect();
        let chunk = store::replay::wishes(engine.db().reader(), &numbers).await?;
        replay.people += chunk.len() as u64;
        replay.differences.extend(chunk.iter().flat_map(|wish| differences(*wish)));
        let lost: BTreeSet<ContactId> = chunk.iter().filter(|wish| is_lost(wish)).map(|wish| wish.contact_id).collect();
        if repair && !lost.is_empty() {
            let lost: Vec<(ContactId, String)> = people.into_iter().filter(|(id, _)| lost.contains(id)).collect();
            replay.repaired += restore_opt_outs(engine, actor, &lost).await?;
        }
    }
}

/// Puts these people's opt-outs into effect, where the ledger's last line is still one.
async fn restore_opt_outs(engine: &Engine, actor: &Actor, people: &[(ContactId, String)]) -> Result<u64> {
    let keys = &engine.config().keys;
    let ids: Vec<ContactId> = people.iter().map(|(id, _)| *id).collect();
    let numbers: Vec<_> = people.iter().map(|(id, phone)| (*id, keys.suppression_hashes(phone))).collect();
    let tx = engine.db().begin().await?;
    store::replay::lock_people(&tx, &ids).await?;
    let wishes = store::replay::wishes(&tx, &numbers).await?;
    let phones: BTreeMap<ContactId, &str> = people.iter().map(|(id, phone)| (*id, phone.as_str())).collect();
    let lost: Vec<LostOptOut> = wishes
        .iter()
        .filter(|wish| is_lost(wish))
        .filter_map(|wish| {
            Some(LostOptOut {
                contact_id: wish.contact_id,
                phone_hash: keys.suppression_hash(phones.get(&wish.contact_id)?),
                key_id: keys.current_id().to_owned(),
                reason: reason_of(wish.source),
            })
        })
        .collect();
    let restored: Vec<ContactId> = lost.iter().map(|lost| lost.contact_id).collect();
    let count = store::consent::restore_opt_outs(&tx, actor, engine.now(), lost).await?;
    tx.commit().await.map_err(store::Error::from)?;
    engine.told_opt_outs(restored);
    Ok(count)
}

/// Why a number is on the suppression list whose person opted out in this way.
const fn reason_of(source: Option<ConsentSource>) -> SuppressionReason {
    match source {
        Some(ConsentSource::Keyword | ConsentSource::Recipient | ConsentSource::RecipientPage) => {
            SuppressionReason::Stop
        }
        Some(ConsentSource::Provider) => SuppressionReason::Provider,
        Some(ConsentSource::Import | ConsentSource::Api | ConsentSource::Account) | None => SuppressionReason::Manual,
    }
}

/// An opt-out of everything that is in the ledger, and not in effect everywhere.
fn is_lost(wish: &Wish) -> bool {
    let in_effect = wish.consent == Consent::OptedOut && wish.suppressed && wish.listed;
    wish.told == Some(Consent::OptedOut) && !in_effect
}

/// Whoever said nothing may have been written down as known or not. Whoever opted out of everything, and nobody else, is
/// suppressed, and their number on the list.
fn differences(wish: Wish) -> impl Iterator<Item = String> {
    let told = wish.told.unwrap_or(Consent::Unknown);
    let opted_out = told == Consent::OptedOut;
    let says = |what: &str| {
        let told = wish.told.map_or("nothing", |consent| consent.as_str());
        format!("contact {}: {what}, and the ledger's last line says {told}", wish.contact_id)
    };
    let consent = (told != wish.consent).then(|| says(&format!("consent is {}", wish.consent)));
    let suppressed = (wish.suppressed != opted_out)
        .then(|| says(if wish.suppressed { "they are suppressed" } else { "they are not suppressed" }));
    let listed = (wish.listed != opted_out).then(|| {
        says(if wish.listed {
            "their number is on the suppression list"
        } else {
            "their number is not on the suppression list"
        })
    });
    [consent, suppressed, listed].into_iter().flatten()
}

async fn subscriptions(engine: &Engine, repair: bool, replay: &mut Replay) -> Result<()> {
    let mut after = (ContactId(i64::MIN), TopicId(Uuid::nil()));
    loop {
        let chunk = store::replay::topic_wishes(engine.db().reader(), after, CHUNK).await?;
        let Some(last) = chunk.last() else { break };
        after = (last.contact_id, last.topic_id);
        replay.subscriptions += chunk.len() as u64;
        let wrong: Vec<&TopicWish> = chunk.iter().filter(|wish| !subscription_holds(wish)).collect();
        replay.differences.extend(wrong.iter().map(|wish| {
            let told = wish.told.map_or("nothing", |consent| consent.as_str());
            format!(
                "contact {}, topic {}: {}, and the ledger's last line says {told}",
                wish.contact_id, wish.topic_id, wish.state
            )
        }));
        if repair && !wrong.is_empty() {
            let wrong: Vec<_> = wrong.iter().map(|wish| (wish.contact_id, wish.topic_id)).collect();
            replay.repaired += unsubscribe(engine, &wrong).await?;
        }
    }
    let missing = store::replay::without_subscription(engine.db().reader(), CHUNK).await?;
    replay.differences.extend(missing.iter().map(|(contact, topic)| {
        format!("contact {contact}, topic {topic}: no subscription, and the ledger has lines of it")
    }));
    if repair && !missing.is_empty() {
        replay.repaired += unsubscribe(engine, &missing).await?;
    }
    Ok(())
}

/// Unsubscribes these people where the ledger's last line says that they left the topic; never the other way.
async fn unsubscribe(engine: &Engine, of: &[(ContactId, TopicId)]) -> Result<u64> {
    let people: BTreeSet<ContactId> = of.iter().map(|(contact, _)| *contact).collect();
    let tx = engine.db().begin().await?;
    store::replay::lock_people(&tx, &people.into_iter().collect::<Vec<_>>()).await?;
    let left = store::replay::unsubscribe(&tx, engine.now(), of).await?;
    tx.commit().await.map_err(store::Error::from)?;
    let count = left.len() as u64;
    engine.told_left(left.into_iter().map(|(contact, topic)| (contact, Some(topic))));
    Ok(count)
}

fn subscription_holds(wish: &TopicWish) -> bool {
    (wish.state == Subscription::Subscribed) == (wish.told == Some(Consent::OptedIn))
}
