//! `audit`.

use anyhow::bail;
use clap::Subcommand;
use domain::actor::Actor;

use crate::{config::Config, startup};

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Check the audit log and the consent ledger: was a line changed, removed or put in? Exit code 1 if so
    Verify,
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let Command::Verify = command;
    let engine = startup::engine(config).await?;
    let reports = engine.audit().verify(&Actor::command_line()).await?;
    for report in &reports {
        println!("{}: {} lines hold", report.stream, report.lines);
    }
    let broken: Vec<String> =
        reports.iter().filter_map(|report| Some(format!("{}: {}", report.stream, report.broken.as_ref()?))).collect();
    if broken.is_empty() { Ok(()) } else { bail!("{}", broken.join("; ")) }
}
