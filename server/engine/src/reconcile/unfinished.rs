//! Asking for messages whose final status never came: a callback may be lost, or was never asked for.
//!
//! Each is asked for after an hour of silence, then after two more, four, and so on for three days from its hand-over,
//! whenever it was planned. What is still on its way then (a phone that is off) is left to its callback. Who starts does
//! not know how long nobody asked, and so begins with a month.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::{ids::ContactId, message::State, time::Timestamp};
use futures::{StreamExt as _, stream};
use store::messages::{Among, Patience, Unfinished};
use tokio_util::sync::CancellationToken;

use super::{AT_ONCE, PAUSE, micros, told_opt_out};
use crate::{
    Engine, Error, Result,
    provider::Account,
    retry::{is_passing, retrying},
    services::provider_accounts::{self, Accounts},
};

/// Messages taken at a time.
const ROUND: u32 = 100;

/// Asked for at most in one look: the rest waits for the next one.
const IN_ONE_LOOK: usize = 5_000;

/// What was handed over longer ago is let be.
pub(crate) const FOLLOWED_FOR: i64 = 3 * Timestamp::DAY;

/// The same in the first look after a start: everything may have been away for days.
const FOLLOWED_AT_START: i64 = 30 * Timestamp::DAY;

/// Single messages and those that events make are looked for among all that were made so long before: one that waited for
/// days before it went out is followed, too.
const WAITED: i64 = 4 * Timestamp::DAY;

/// Asks until told to stop.
pub async fn run(engine: Engine, stop: CancellationToken) {
    let every = (engine.config().status_quiet / 6).max(Duration::from_millis(200));
    let mut followed_for = FOLLOWED_AT_START;
    while !stop.is_cancelled() {
        let looked = look(&engine, &stop, followed_for).await;
        // Also when one account does not let us in: it would be asked for a month's messages for ever.
        if let Ok((true, _)) = &looked {
            followed_for = FOLLOWED_FOR;
        }
        let wait = match looked.and_then(|(_, done)| done) {
            Ok(()) => every,
            Err(error) => {
                tracing::warn!(%error, "messages without a final status could not be asked for; trying again");
                PAUSE.max(every)
            }
        };
        let _ = tokio::time::timeout(wait, stop.cancelled()).await;
    }
}

/// Asks for what was handed over within this time. False when there was more than is asked for in one look; and what went
/// wrong with single accounts.
async fn look(engine: &Engine, stop: &CancellationToken, followed_for: i64) -> Result<(bool, Result<()>)> {
    let (db, now) = (engine.db().reader(), engine.now());
    let runs = store::messages::unfinished_runs(db, now.plus(-followed_for)).await?;
    metrics::gauge!("messages_unfinished").set(runs.iter().map(|run| run.messages).sum::<i64>() as f64);
    let mut look = Look {
        engine,
        stop,
        followed_for,
        accounts: provider_accounts::current(engine).await?,
        away: Mutex::default(),
        room: IN_ONE_LOOK,
        done: Ok(()),
    };
    for run in runs.iter().filter(|run| !run.is_by_events) {
        if look.account(&run.account_sid).is_some() {
            look.ask_for(Among::Run(run.run, ContactId(-1))).await?;
        }
    }
    let before = store::messages::made_before(db, now.plus(-followed_for - WAITED)).await?;
    look.ask_for(Among::OneByOne(before)).await?;
    Ok((look.room > 0, look.done))
}

/// One look at everything.
struct Look<'a> {
    engine: &'a Engine,
    stop: &'a CancellationToken,
    followed_for: i64,
    accounts: Arc<Accounts>,
    /// Accounts that did not let us in: they keep no other waiting.
    away: Mutex<BTreeSet<String>>,
    room: usize,
    done: Result<()>,
}

impl Look<'_> {
    /// The account, while it lets us in.
    fn account(&self, sid: &str) -> Option<Arc<Account>> {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner).contains(sid);
        provider_accounts::find(self.engine, &self.accounts, sid).filter(|_| !away)
    }

    /// Asks for everything there that it is time to ask for.
    ///
    /// # Errors
    /// When the database does not answer.
    async fn ask_for(&mut self, mut among: Among) -> Result<()> {
        let quiet = micros(self.engine.config().status_quiet);
        while self.room > 0 && !self.stop.is_cancelled() {
            let now = self.engine.now();
            let patience = Patience { now, quiet, since: now.plus(-self.followed_for) };
            let mut found = store::messages::unfinished(self.engine.db().reader(), among, patience, ROUND).await?;
            let Some(last) = found.last() else { return Ok(()) };
            among = among.behind(last);
            found.retain(|message| self.account(&message.account_sid).is_some());
            let taken = retrying!(take(self.engine, found.clone()).await)?;
            self.room = self.room.saturating_sub(taken.len());
            let this = &*self;
            let asked: Vec<Result<()>> = stream::iter(taken)
                .map(|message| async move { this.ask(&message).await })
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            if let Some(failed) = asked.into_iter().find(Result::is_err) {
                self.done = failed;
            }
        }
        Ok(())
    }

    /// Asks for one message, unless its account turned out to be away meanwhile.
    async fn ask(&self, message: &Unfinished) -> Result<()> {
        let Some(account) = self.account(&message.account_sid) else { return Ok(()) };
        let asked = ask(self.engine, &account, message).await;
        if asked.is_err() {
            self.away.lock().unwrap_or_else(PoisonError::into_inner).insert(message.account_sid.clone());
        }
        asked
    }
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
