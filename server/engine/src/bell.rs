//! Wakes those who wait for work, in all processes. A hint only: whoever waits also looks by itself now and then.

use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::Engine;

/// Who is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Planner,
    Senders,
    Imports,
    OptOuts,
}

impl Who {
    const ALL: [Self; 4] = [Self::Planner, Self::Senders, Self::Imports, Self::OptOuts];

    /// How processes call it.
    const fn word(self) -> &'static str {
        match self {
            Self::Planner => "planner",
            Self::Senders => "senders",
            Self::Imports => "imports",
            Self::OptOuts => "opt_outs",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|who| who.word() == word)
    }
}

/// After the database could not be reached, before it is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Rings here, and by way of the database in other processes.
#[derive(Debug)]
pub struct Bell {
    planner: Notify,
    senders: Notify,
    imports: Notify,
    opt_outs: Notify,
    /// Rings to pass on. When it is full there are enough of them.
    to_others: mpsc::Sender<Who>,
    rung: std::sync::Mutex<Option<mpsc::Receiver<Who>>>,
}

impl Default for Bell {
    fn default() -> Self {
        let (to_others, rung) = mpsc::channel(64);
        Self {
            planner: Notify::new(),
            senders: Notify::new(),
            imports: Notify::new(),
            opt_outs: Notify::new(),
            to_others,
            rung: std::sync::Mutex::new(Some(rung)),
        }
    }
}

impl Bell {
    const fn of(&self, who: Who) -> &Notify {
        match who {
            Who::Planner => &self.planner,
            Who::Senders => &self.senders,
            Who::Imports => &self.imports,
            Who::OptOuts => &self.opt_outs,
        }
    }

    /// There is work. A ring while nobody waits is kept for the next one who does.
    pub fn ring(&self, who: Who) {
        self.ring_here(who);
        // Full, or nobody passes it on: the others look by themselves.
        let _ = self.to_others.try_send(who);
    }

    pub(crate) fn ring_here(&self, who: Who) {
        self.of(who).notify_one();
    }

    /// Waits for a ring, at most this long.
    pub async fn wait(&self, who: Who, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.of(who).notified()).await;
    }
}

/// Passes rings on to other processes, and theirs to those who wait here, until told to stop. On SQLite there are no
/// others.
pub(crate) async fn relay(engine: Engine, stop: CancellationToken) {
    if engine.db().kind() == store::Kind::Sqlite {
        return;
    }
    let taken = engine.inner().bell.rung.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    // A second start in one process: the first one passes on.
    let Some(rung) = taken else { return };
    tokio::select! {
        () = stop.cancelled() => {}
        () = hear(&engine) => {}
        () = pass_on(&engine, rung) => {}
    }
}

async fn hear(engine: &Engine) {
    loop {
        if let Err(error) = hear_until_lost(engine).await {
            tracing::warn!(%error, "other processes cannot be heard; work is found by looking");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hear_until_lost(engine: &Engine) -> store::Result<()> {
    let Some(mut listener) = engine.db().listen().await? else { return Ok(()) };
    loop {
        // An unknown word is one of a newer version.
        if let Some(who) = Who::of_word(&listener.next().await?) {
            engine.inner().bell.ring_here(who);
        }
    }
}

async fn pass_on(engine: &Engine, mut rung: mpsc::Receiver<Who>) {
    let mut batch = Vec::new();
    while rung.recv_many(&mut batch, 64).await > 0 {
        batch.sort_unstable();
        batch.dedup();
        for who in batch.drain(..) {
            if let Err(error) = engine.db().say(who.word()).await {
                tracing::debug!(%error, ?who, "a ring is not passed on");
            }
        }
    }
}
