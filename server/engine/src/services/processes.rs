//! The programs that serve the database, and what waits for what.

use std::{sync::Arc, time::Duration};

use domain::{
    process::{Paces, Process, Waiting},
    role::Permission,
};
use tokio::{sync::Mutex, time::Instant};

use super::waiting;
use crate::{Actor, Engine, Result, heartbeat, require};

/// How old the other processes' paces may be that forecasts go by.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// What the other processes hand over, as this one last read it.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Option<(Instant, Arc<Paces>)>>);

/// How fast messages are handed over by all processes that are alive: by this one as of now, by the others as they last
/// said, at most a second ago or before their next word.
///
/// # Errors
/// What the database says.
pub(crate) async fn paces(engine: &Engine) -> Result<Paces> {
    let mut sum = heartbeat::paces(engine, engine.now());
    let others = others(engine).await?;
    sum.add(&others);
    Ok(sum)
}

async fn others(engine: &Engine) -> Result<Arc<Paces>> {
    // The lock is held while reading: many askers cause one query.
    let mut cached = engine.inner().processes.0.lock().await;
    if let Some((read_at, paces)) = &*cached
        && read_at.elapsed() < FRESH_FOR
    {
        return Ok(paces.clone());
    }
    let read_at = Instant::now();
    let mut sum = Paces::default();
    for process in store::processes::alive(engine.db().reader(), engine.now()).await? {
        if process.id != engine.inner().process {
            sum.add(&process.figures.pace);
        }
    }
    let paces = Arc::new(sum);
    *cached = Some((read_at, paces.clone()));
    Ok(paces)
}

/// See [`Engine::processes`].
pub struct Processes<'a>(&'a Engine);

impl Engine {
    /// The programs that serve the database, and what waits for what.
    #[must_use]
    pub const fn processes(&self) -> Processes<'_> {
        Processes(self)
    }
}

impl Processes<'_> {
    /// The processes of the last day, the last started first: those at work, those that stopped, and those that were not
    /// seen for ten seconds without having said that they stop.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<Process>> {
        require(actor, Permission::Read)?;
        let mut processes = store::processes::list(self.0.db().reader(), self.0.now()).await?;
        processes.sort_by_key(|process| (std::cmp::Reverse(process.started_at), process.id));
        Ok(processes)
    }

    /// Who waits for what: everything that is not final yet, by what moves it on. Only what there is any of is listed.
    ///
    /// Counted from the ledgers of runs and along the indexes of what is queued, claimed or unknown, so it takes no longer
    /// with millions of messages. The limits of that: of one run, of single messages, and of what is claimed or unknown,
    /// 10,000 are counted at most (then `at_least` is set); what runs have at the provider is as old as their start; and
    /// of single messages that the provider has, those among the newest 10,000 of all are counted.
    ///
    /// # Errors
    /// What the database says.
    pub async fn waiting(&self, actor: &Actor) -> Result<Vec<Waiting>> {
        require(actor, Permission::Read)?;
        waiting::look(self.0).await
    }
}
