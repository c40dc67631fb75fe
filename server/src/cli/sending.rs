//! `sending`.

use clap::Subcommand;
use domain::{
    actor::Actor,
    settings::{Sending, SendingState, SettingsPatch},
};

use crate::{config::Config, startup};

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Hold all sending, in every process within a second; also before the first one starts, such as on a restored database
    Hold {
        /// Why: others will want to know
        #[arg(long, default_value = "Held from the command line.")]
        reason: String,
    },
    /// Release it: what is queued goes on
    Release,
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let sending = match command {
        Command::Hold { reason } => Sending { state: SendingState::Held, reason: Some(reason) },
        Command::Release => Sending::default(),
    };
    let engine = startup::engine(config).await?;
    let patch = SettingsPatch { sending: Some(sending), ..SettingsPatch::default() };
    let Sending { state, reason } = engine.settings().update(&Actor::command_line(), patch).await?.sending;
    match state {
        SendingState::Held => println!("Sending is held: {}", reason.unwrap_or_default()),
        SendingState::On => println!("Sending is on"),
    }
    Ok(())
}
