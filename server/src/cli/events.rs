//! `events`.

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Subcommand;
use domain::actor::Actor;
use engine::Engine;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tokio_util::io::ReaderStream;

use crate::{config::Config, startup};

/// Bytes that are read at a time.
const PIECE: usize = 64 * 1024;

/// Differences that are listed; the rest is counted.
const LISTED: usize = 100;

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Take trigger events from a file, one JSON object a line, as `POST /events` does: {"id","name","occurred_at",
    /// "phone" or "segment","data"}. Prints the same report as JSON. Exit code 1 if a line was rejected; the others are taken
    Ingest {
        /// The file; - is the standard input
        file: PathBuf,
    },
    /// Read all stored webhooks, receipts and the consent ledger once more, and set right what differs from them. Exit code 1
    /// if something does
    Replay {
        /// Only say what differs
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let engine = startup::engine(config).await?;
    match command {
        Command::Ingest { file } => ingest(&engine, &file).await,
        Command::Replay { dry_run } => replay(&engine, dry_run).await,
    }
}

async fn ingest(engine: &Engine, file: &Path) -> anyhow::Result<()> {
    let name = file.display().to_string();
    let lines: BoxStream<'static, io::Result<Bytes>> = if name == "-" {
        stream::try_unfold((), |()| async { Ok(piece_of_stdin().await?.map(|piece| (piece, ()))) }).boxed()
    } else {
        let opened = tokio::fs::File::open(file).await;
        ReaderStream::with_capacity(opened.with_context(|| format!("{name} cannot be read"))?, PIECE).boxed()
    };
    let report = engine.trigger_events().ingest(&Actor::command_line(), lines, None).await;
    let report = report.with_context(|| format!("{name} was not taken to its end; it can be taken again"))?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    let rejected = i64::try_from(report.rejected.len())? + report.rejected_besides;
    anyhow::ensure!(rejected == 0, "{rejected} lines of {name} were rejected");
    Ok(())
}

/// None at its end.
async fn piece_of_stdin() -> io::Result<Option<Bytes>> {
    let read = tokio::task::spawn_blocking(|| {
        let mut piece = vec![0; PIECE];
        let length = io::stdin().lock().read(&mut piece)?;
        piece.truncate(length);
        Ok((length > 0).then(|| piece.into()))
    });
    read.await.map_err(io::Error::other)?
}

async fn replay(engine: &Engine, dry_run: bool) -> anyhow::Result<()> {
    let replay = engine.replay(&Actor::command_line(), !dry_run).await?;
    println!(
        "{} webhooks, {} messages, {} people, {} subscriptions read",
        replay.webhooks, replay.messages, replay.people, replay.subscriptions
    );
    if replay.purged > 0 {
        println!("{} webhooks have no raw form any more; their receipts were read", replay.purged);
    }
    if replay.forgotten > 0 {
        println!("Of {} messages callbacks are gone with their retention; what is left was read", replay.forgotten);
    }
    for difference in replay.differences.iter().take(LISTED) {
        println!("{difference}");
    }
    let count = replay.differences.len();
    if count > LISTED {
        println!("… and {} more", count - LISTED);
    }
    if count == 0 {
        println!("0 differences");
        return Ok(());
    }
    if dry_run {
        bail!("{count} differences")
    } else {
        bail!("{count} differences, {} of them set right", replay.repaired)
    }
}
