//! Forgetting what has served its time, and setting right what an earlier version leaves behind.

use domain::{auto_reply::PAUSE_MAX, time::Timestamp};
use serde_json::json;
use store::texts::Texts;

use crate::{Actor, Engine, Result, services::settings};

/// Rejected rows of an import are kept this long after it: they hold what somebody typed, phone numbers among it.
const REJECT_DAYS: i64 = 30;

/// What processes said of themselves.
const PROCESSES_KEPT_FOR: i64 = Timestamp::DAY;

/// Tries to log in count for an hour; a day leaves room for a clock that was set.
const TRIES_KEPT_FOR: i64 = Timestamp::DAY;

/// Rows deleted in one transaction: others want to write too.
const CHUNK: u32 = 2_000;

/// Removes expired sessions, kept answers, old tries to log in, rejected rows of old imports and processes that are gone,
/// and raw webhooks whose time is over, with the keys of their days: whatever a backup still holds of them can no longer
/// be read. Texts and callbacks go when the settings say so. Runs that a process of an earlier version has launched under the
/// number of a rehearsal get one of their own.
///
/// # Errors
/// What the database says; what was removed by then stays removed.
pub async fn tidy(engine: &Engine) -> Result<()> {
    let (db, now) = (engine.db(), engine.now());
    store::sessions::purge(db, now).await?;
    store::idempotency::purge(db.writer(), now).await?;
    store::accounts::purge_tries(db.writer(), now.plus(-TRIES_KEPT_FOR)).await?;
    let before = now.plus(-REJECT_DAYS * Timestamp::DAY);
    while store::imports::purge_rejects(db.writer(), before, CHUNK).await? == u64::from(CHUNK) {}
    // A while longer than they count: a clock may have been set.
    store::daily_recipients::purge(db.writer(), now.plus(-2 * Timestamp::DAY)).await?;
    // The longest pause of a rule, and a while.
    store::auto_replies::purge(db.writer(), now.plus(-2 * i64::from(PAUSE_MAX) * Timestamp::HOUR)).await?;
    store::processes::purge(db.writer(), now.plus(-PROCESSES_KEPT_FOR)).await?;
    let retention = settings::current(engine).await?.retention;
    forget_webhooks(engine, now, days(retention.raw_webhook_days)).await?;
    if let Some(text_days) = retention.text_days {
        forget_texts(engine, now, days(text_days)).await?;
    }
    if let Some(callback_days) = retention.callback_days {
        forget_callbacks(engine, now, days(callback_days)).await?;
    }
    // Last: what has to go does not wait for a number.
    number_runs(engine).await
}

async fn number_runs(engine: &Engine) -> Result<()> {
    for (run, campaign) in store::rehearsals::unnumbered(engine.db().reader()).await? {
        let tx = engine.db().begin().await?;
        store::rehearsals::number(&tx, run, campaign).await?;
        tx.commit().await.map_err(store::Error::from)?;
    }
    Ok(())
}

fn days(count: i32) -> i64 {
    i64::from(count) * Timestamp::DAY
}

async fn forget_webhooks(engine: &Engine, now: Timestamp, keep: i64) -> Result<()> {
    let before = crate::ingest::period(now.plus(-keep));
    let tx = engine.db().begin().await?;
    let days = store::webhook_events::destroy_keys(&tx, now, before).await?;
    if days > 0 {
        let detail = json!({ "before": before, "days": days });
        let actor = Actor::worker("retention");
        store::audit::append(&tx, &actor, now, "forget", ("webhook_bodies", &before.to_string()), &detail).await?;
    }
    tx.commit().await.map_err(store::Error::from)?;
    while store::webhook_events::purge_bodies(engine.db(), now, before, CHUNK).await? == u64::from(CHUNK) {}
    Ok(())
}

/// Texts of messages, both ways. What became of the messages stays; so do texts of messages that are not settled, and of
/// people whose words somebody still has to read.
async fn forget_texts(engine: &Engine, now: Timestamp, keep: i64) -> Result<()> {
    let before = now.plus(-keep);
    for texts in [Texts::Messages, Texts::Inbound] {
        let mut after = Some(0);
        while let Some(from) = after {
            let piece = store::texts::look(engine.db().reader(), texts, before, from, CHUNK).await?;
            if !piece.old.is_empty() {
                forget_piece(engine, now, before, texts, &piece.old).await?;
            }
            after = piece.next;
        }
    }
    Ok(())
}

/// Together with its line in the audit log: what breaks off in between has left nothing out.
async fn forget_piece(engine: &Engine, now: Timestamp, before: Timestamp, texts: Texts, ids: &[i64]) -> Result<()> {
    let tx = engine.db().begin().await?;
    let removed = store::texts::remove(&tx, texts, ids).await?;
    if removed > 0 {
        let count = |of| if texts == of { removed } else { 0 };
        let detail = json!({ "before": before, "messages": count(Texts::Messages), "inbound": count(Texts::Inbound) });
        let actor = Actor::worker("retention");
        store::audit::append(&tx, &actor, now, "forget", ("texts", &before.to_string()), &detail).await?;
    }
    tx.commit().await.map_err(store::Error::from)?;
    Ok(())
}

/// Webhooks as they were read and receipts, by whole months; after their raw forms, which nobody could compare with them any
/// more. What became of the messages stays.
async fn forget_callbacks(engine: &Engine, now: Timestamp, keep: i64) -> Result<()> {
    let (db, kept) = (engine.db(), now.plus(-keep).month());
    loop {
        if let Some(since) = store::callbacks::since(db.reader()).await? {
            while store::callbacks::purge(db, now, since.min(kept), CHUNK).await? {}
        }
        let oldest = store::callbacks::oldest_month(db.reader()).await?;
        let Some(month) = oldest.filter(|month| *month < kept) else { return Ok(()) };
        match forget_month(engine, now, month).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) if error.is_lock_timeout() => {
                tracing::warn!(month, "callbacks whose time is over are in use; they go the next time");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// With its line in the audit log. False when another process was quicker.
async fn forget_month(engine: &Engine, now: Timestamp, month: i32) -> store::Result<bool> {
    let tx = engine.db().begin().await?;
    let Some(going) = store::callbacks::let_go(&tx, month).await? else { return Ok(false) };
    let (actor, detail) = (Actor::worker("retention"), json!({ "month": month }));
    store::audit::append(&tx, &actor, now, "forget", ("callbacks", &month.to_string()), &detail).await?;
    store::callbacks::drop_tables(&tx, going).await?;
    tx.commit().await?;
    Ok(true)
}
