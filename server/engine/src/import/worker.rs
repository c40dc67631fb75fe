//! The worker that imports what was uploaded.

use std::{fs::File, path::PathBuf, time::Duration};

use domain::{
    actor::{Actor, ActorKind},
    ids::{ImportId, SenderId, TopicId},
    role::Role,
    time::Timestamp,
};
use serde_json::json;
use store::imports::Stored;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    Plan,
    apply::{Job, apply},
    chunk::{Chunk, Chunks, ROWS},
    records::{Place, Records},
    row::RowReader,
    sniff, spool,
};
use crate::{
    Engine, Error, Result,
    bell::Who,
    retry,
    services::{contacts::topic_ids, opt_ins},
};

/// How often the worker looks by itself: another process may have taken the upload, or have died over one.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long the machine that has an upload's file may be away.
const GIVEN_UP_AFTER: i64 = Timestamp::DAY;

/// How long a worker is believed to be alive without finishing a chunk.
const LEASE: i64 = 30 * Timestamp::SECOND;

/// Does imports, one after the other, until `stop`. One that was interrupted is taken up where it stands.
pub async fn run(engine: Engine, stop: CancellationToken) {
    if let Err(error) = spool::sweep(&engine).await {
        tracing::warn!(%error, "old uploads could not be looked for");
    }
    if engine.db().kind() == store::Kind::Sqlite {
        // One process only: whoever held these leases is gone.
        if let Err(error) = release_all(&engine).await {
            tracing::warn!(%error, "interrupted imports wait for their leases");
        }
    }
    while !stop.is_cancelled() {
        match take(&engine).await {
            Ok(Some(id)) => {
                if let Err(error) = work(&engine, id, &stop, ROWS).await {
                    tracing::error!(%error, import = %id, "an import was interrupted; it is taken up again");
                    pause(&engine, &stop).await;
                }
            }
            Ok(None) => pause(&engine, &stop).await,
            Err(error) => {
                tracing::error!(%error, "imports cannot be looked for");
                pause(&engine, &stop).await;
            }
        }
    }
}

async fn pause(engine: &Engine, stop: &CancellationToken) {
    tokio::select! {
        () = engine.inner().bell.wait(Who::Imports, LOOK_EVERY) => {}
        () = stop.cancelled() => {}
    }
}

async fn release_all(engine: &Engine) -> Result<()> {
    let tx = engine.db().begin().await?;
    store::imports::release_all(&tx).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(())
}

async fn take(engine: &Engine) -> Result<Option<ImportId>> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    // A file that lies on another machine's disk is that one's work; the one that is nowhere has failed.
    let one_process = engine.db().kind() == store::Kind::Sqlite;
    let is_here = |path: &str, uploaded: Timestamp| {
        one_process || std::path::Path::new(path).exists() || now.since(uploaded) > GIVEN_UP_AFTER
    };
    let taken = store::imports::take(&tx, now, now.plus(LEASE), is_here).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(taken)
}

/// Does an import, or the rest of it, in chunks of `rows`; returns when it is done, has failed, or `stop` is called.
///
/// # Errors
/// What the database says; the import then waits to be taken up again.
pub(crate) async fn work(engine: &Engine, id: ImportId, stop: &CancellationToken, rows: usize) -> Result<()> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    let started = store::imports::start(&tx, id, now, now.plus(LEASE)).await?;
    tx.commit().await.map_err(store::Error::from)?;
    let Some(stored) = started else { return Ok(()) };
    let path = PathBuf::from(&stored.file_path);
    match go_on(engine, &stored, stop, rows).await {
        Ok(true) => end(engine, id, None).await?,
        Ok(false) => return release(engine, id).await,
        Err(Stopped::File(problem)) => end(engine, id, Some(&problem)).await?,
        Err(Stopped::Database(error)) => {
            return match error {
                // Another worker has it.
                store::Error::Stale => Ok(()),
                error => Err(error.into()),
            };
        }
        Err(Stopped::Other(error)) => return Err(error),
    }
    spool::remove(&path);
    Ok(())
}

/// Does one chunk and leaves the import as a process leaves it that is then killed.
#[cfg(test)]
pub(super) async fn work_once(engine: &Engine, id: ImportId, rows: usize) -> Result<()> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    let started = store::imports::start(&tx, id, now, now.plus(LEASE)).await?;
    tx.commit().await.map_err(store::Error::from)?;
    let stored = started.ok_or(Error::NotFound { what: "open import" })?;
    let plan: Plan = serde_json::from_str(&stored.options).map_err(Error::internal)?;
    let topics = topic_ids(engine.db().reader(), &plan.options.topics).await?;
    let actor = Actor::new(ActorKind::Import, id.to_string(), Role::Marketer);
    let (asking, patience) = asking(engine, &topics).await?;
    let job = Job { db: engine.db(), keys: &engine.config().keys, id, actor, topics, asking, patience };
    let mut chunks = open(engine, &stored, &plan, rows).map_err(|_| Error::NotFound { what: "file" })?;
    match chunks.next().map_err(Error::internal)? {
        Some(chunk) => store_chunk(engine, &job, &chunk).await.map(drop).map_err(Error::from),
        None => end(engine, id, None).await,
    }
}

/// Why reading stopped before the end.
enum Stopped {
    /// The file cannot be read (any more): the import has failed.
    File(String),
    Database(store::Error),
    Other(Error),
}

/// Reads on and stores chunk after chunk; false when it was stopped.
async fn go_on(engine: &Engine, stored: &Stored, stop: &CancellationToken, rows: usize) -> Result<bool, Stopped> {
    let plan: Plan = serde_json::from_str(&stored.options).map_err(|error| Stopped::File(error.to_string()))?;
    let id = stored.import.id;
    let topics = match topic_ids(engine.db().reader(), &plan.options.topics).await {
        Ok(topics) => topics,
        Err(Error::Invalid(_)) => return Err(Stopped::File("A topic of the import was deleted.".to_owned())),
        Err(error) => return Err(Stopped::Other(error)),
    };
    let (asking, patience) = asking(engine, &topics).await.map_err(Stopped::Other)?;
    let job = Job {
        db: engine.db(),
        keys: &engine.config().keys,
        id,
        actor: Actor::new(ActorKind::Import, id.to_string(), Role::Marketer),
        topics,
        asking,
        patience,
    };
    let (sender, mut chunks) = mpsc::channel(1);
    let chunks_of_file = open(engine, stored, &plan, rows)?;
    // The next chunk is read and parsed while this one is stored.
    let reading = tokio::task::spawn_blocking(move || read(chunks_of_file, &sender));
    while let Some(chunk) = chunks.recv().await {
        let chunk = chunk.map_err(|error| Stopped::File(format!("The file could not be read: {error}.")))?;
        if stop.is_cancelled() {
            return Ok(false);
        }
        let opted_out = store_chunk(engine, &job, &chunk).await.map_err(Stopped::Database)?;
        engine.told_opt_outs(opted_out);
        if !job.asking.is_empty() {
            opt_ins::ring(engine);
        }
    }
    reading.await.map_err(|error| Stopped::Other(Error::internal(error)))?;
    Ok(true)
}

/// Those of the topics that ask back, where their questions go out from, and how long those wait.
async fn asking(
    engine: &Engine,
    topics: &[TopicId],
) -> Result<(Vec<(store::opt_ins::AskingTopic, Option<SenderId>)>, i64)> {
    let db = engine.db().reader();
    let mut asking = Vec::new();
    for topic in store::opt_ins::asking(db).await? {
        if topics.contains(&topic.id) {
            let sender = opt_ins::sender_for(db, &topic).await?;
            asking.push((topic, sender));
        }
    }
    let now = engine.now();
    Ok((asking, opt_ins::expiry(engine, now).await?.since(now)))
}

fn open(engine: &Engine, stored: &Stored, plan: &Plan, rows: usize) -> Result<Chunks, Stopped> {
    let import = &stored.import;
    let gone = |error: std::io::Error| Stopped::File(format!("The uploaded file is not there any more: {error}."));
    let file = File::open(&stored.file_path).map_err(gone)?;
    let place = Place { byte: u64::try_from(import.bytes_done).unwrap_or(0), line: stored.lines_done };
    let records = Records::new(file, sniff::form(import.format, plan), place).map_err(gone)?;
    let reader = RowReader::new(plan, &import.columns);
    Ok(Chunks::new(records, reader, engine.config().keys.clone(), rows))
}

/// Sends the file's chunks until nobody wants them any more.
fn read(mut chunks: Chunks, sender: &mpsc::Sender<std::io::Result<Chunk>>) {
    while let Some(chunk) = chunks.next().transpose() {
        let failed = chunk.is_err();
        if sender.blocking_send(chunk).is_err() || failed {
            return;
        }
    }
}

/// Stores a chunk, again where that may help: somebody may have stored one of its people at the same time.
async fn store_chunk(engine: &Engine, job: &Job<'_>, chunk: &Chunk) -> store::Result<Vec<domain::ids::ContactId>> {
    let mut tries = 1;
    loop {
        let now = engine.now();
        match apply(job, chunk, now, now.plus(LEASE)).await {
            Err(error) if tries < retry::TRIES && is_worth_another_try(&error) => {
                tracing::debug!(%error, tries, import = %job.id, "a chunk is stored again");
                tokio::time::sleep(retry::pause(tries)).await;
                tries += 1;
            }
            done => return done,
        }
    }
}

fn is_worth_another_try(error: &store::Error) -> bool {
    error.is_transient() || matches!(error, store::Error::Duplicate(_))
}

async fn release(engine: &Engine, id: ImportId) -> Result<()> {
    let tx = engine.db().begin().await?;
    store::imports::release(&tx, id).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(())
}

async fn end(engine: &Engine, id: ImportId, problem: Option<&str>) -> Result<()> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    match problem {
        None => store::imports::finish(&tx, id, now).await?,
        Some(problem) => store::imports::fail(&tx, id, problem, now).await?,
    }
    let import = store::imports::find(&tx, id).await?.ok_or(store::Error::NotFound)?.import;
    let detail = json!({
        "status": import.status, "rows": import.rows, "created": import.created, "updated": import.updated,
        "unchanged": import.unchanged, "duplicates": import.duplicates, "rejected": import.rejected,
    });
    let actor = Actor::new(ActorKind::Import, id.to_string(), Role::Marketer);
    store::audit::append(&tx, &actor, now, "finish", ("import", &id.to_string()), &detail).await?;
    tx.commit().await.map_err(store::Error::from)?;
    tracing::info!(
        import = %id, status = %import.status, rows = import.rows, created = import.created, updated = import.updated,
        rejected = import.rejected, "an import has ended"
    );
    Ok(())
}
