//! `events`.

use anyhow::bail;
use clap::Subcommand;
use domain::actor::Actor;

use crate::{config::Config, startup};

/// Differences that are listed; the rest is counted.
const LISTED: usize = 100;

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Read all stored webhooks, receipts and the consent ledger once more, and set right what differs from them. Exit code 1
    /// if something does
    Replay {
        /// Only say what differs
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let Command::Replay { dry_run } = command;
    let engine = startup::engine(config).await?;
    let replay = engine.replay(&Actor::command_line(), !dry_run).await?;
    println!(
        "{} webhooks, {} messages, {} people, {} subscriptions read",
        replay.webhooks, replay.messages, replay.people, replay.subscriptions
    );
    if replay.purged > 0 {
        println!("{} webhooks have no raw form any more; their receipts were read", replay.purged);
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
