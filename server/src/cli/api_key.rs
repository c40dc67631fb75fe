//! `api-key`.

use clap::Subcommand;
use domain::{actor::Actor, role::Role};

use crate::{config::Config, startup};

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Create a key and print it, once
    Create {
        /// What the key is for
        #[arg(long)]
        name: String,
        /// admin, marketer or viewer
        #[arg(long)]
        role: Role,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let Command::Create { name, role } = command;
    let engine = startup::engine(config).await?;
    println!("{}", engine.api_keys().create(&Actor::command_line(), &name, role).await?);
    Ok(())
}
