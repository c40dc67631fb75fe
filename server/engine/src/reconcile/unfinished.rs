//! Asking for messages whose final status never came: a callback may be lost, or was never asked for.
//!
//! Each is asked for after an hour of silence, then after two more, four, and so on for three days. What is still on its
//! way then (a phone that is off) is left to its callback.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    ids::{ContactId, RunId},
    message::State,
    time::Timestamp,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use store::messages::Unfinished;
use tokio_util::sync::CancellationToken;

use super::{AT_ONCE, PAUSE, micros, told_opt_out};
use crate::{
    Engine, Error, Result,
    provider::Account,
    retry::{is_passing, retrying},
    services::provider_accounts,
};

/// Messages taken at a time.
const ROUND: u32 = 100;

/// Asked for at most in one look: the rest waits for the next one.
const IN_ONE_LOOK: usize = 5_000;

/// Runs older than this are let be.
pub(crate) const FOLLOWED_FOR: i64 = 3 * Timestamp::DAY;

/// Asks until told to stop.
pub async fn run(engine: Engine, stop: CancellationToken) {
    let every = (engine.config().status_quiet / 6).max(Duration::from_millis(200));
    while !stop.is_cancelled() {
        let wait = match look(&engine, &stop).await {
            Ok(()) => every,
            Err(error) => {
                tracing::warn!(%error, "messages without a final status could not be asked for; trying again");
                PAUSE.max(every)
            }
        };
        let _ = tokio::time::timeout(wait, stop.cancelled()).await;
    }
}

async fn look(engine: &Engine, stop: &CancellationToken) -> Result<()> {
    let since = engine.now().plus(-FOLLOWED_FOR);
    let runs = store::messages::unfinished_runs(engine.db().reader(), since).await?;
    metrics::gauge!("messages_unfinished").set(runs.iter().map(|(.., messages)| *messages).sum::<i64>() as f64);
    let accounts = provider_accounts::current(engine).await?;
    let (mut room, mut away, mut done) = (IN_ONE_LOOK, BTreeSet::new(), Ok(()));
    for (run, sid, _) in runs {
        // An account that does not let us in keeps no other waiting.
        let account = provider_accounts::find(engine, &accounts, &sid).filter(|_| !away.contains(&sid));
        let Some(account) = account else { continue };
        if let Err(error) = ask_for_run(engine, &account, run, &mut room, stop).await {
            away.insert(sid);
            done = Err(error);
        }
    }
    done
}

async fn ask_for_run(
    engine: &Engine,
    account: &Account,
    run: RunId,
    room: &mut usize,
    stop: &CancellationToken,
) -> Result<()> {
    let quiet = micros(engine.config().status_quiet);
    let mut after = ContactId(-1);
    while *room > 0 && !stop.is_cancelled() {
        let now = engine.now();
        let found = store::messages::unfinished(engine.db().reader(), run, after, now, quiet, ROUND).await?;
        let Some(last) = found.last() else { return Ok(()) };
        after = last.contact_id;
        let taken = retrying!(take(engine, found.clone()).await)?;
        *room = room.saturating_sub(taken.len());
        stream::iter(taken)
            .map(|message| async move { ask(engine, account, &message).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
    }
    Ok(())
}

async fn take(engine: &Engine, found: Vec<Unfinished>) -> Result<Vec<Unfinished>> {
    let tx = engine.db().begin().await?;
    let taken = store::messages::take_unfinished(&tx, engine.now(), found).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(taken)
}

/// Asks for one message and writes what came of it. What is wrong with this one alone does not keep the others waiting.
async fn ask(engine: &Engine, account: &Account, message: &Unfinished) -> Result<()> {
    let listed = match engine.inner().provider.fetch(account, &message.provider_sid).await {
        Ok(listed) => listed,
        Err(error) if error.is_about_this_one() => {
            tracing::warn!(%error, message.id = message.id.0, "Twilio cannot say where this message stands");
            return Ok(());
        }
        Err(error) => return Err(Error::Unavailable(error.to_string())),
    };
    let Some(state) = State::from_twilio(&listed.status) else { return Ok(()) };
    let failed = matches!(state, State::Failed | State::Undelivered);
    let code = listed.error_code.filter(|_| failed);
    let moved = match retrying!(write(engine, message, state, code).await) {
        Ok(moved) => moved,
        Err(error) if is_passing(&error) => return Err(error),
        Err(error) => {
            tracing::error!(%error, message.id = message.id.0, "where this message stands cannot be written");
            return Ok(());
        }
    };
    let result = if moved { state.as_str() } else { "no_change" };
    if let Some(code) = code.filter(|_| moved) {
        engine.error_codes().heard(code, None, engine.now());
    }
    metrics::counter!("messages_followed_up_total", "result" => result).increment(1);
    Ok(())
}

async fn write(engine: &Engine, message: &Unfinished, state: State, code: Option<i32>) -> Result<bool> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    let told = told_opt_out(&tx, &engine.error_codes().current(), message.phone.as_ref(), code).await?;
    if state == State::Read {
        let named = store::receipts::Named { message_id: Some(message.id), provider_sid: &message.provider_sid };
        store::receipts::touch_read(&tx, &[named], now).await?;
    }
    let moved = store::messages::settle_unfinished(&tx, now, message.id, state, code).await?;
    let opted_out = match told.filter(|_| moved) {
        Some(told) => told.record(engine, &tx, message.created_at, &message.provider_sid).await?,
        None => None,
    };
    tx.commit().await.map_err(store::Error::from)?;
    engine.told_opt_outs(opted_out);
    Ok(moved)
}
