//! `migrate`.

use clap::{Args, ValueEnum};

use crate::{config::Config, startup};

#[derive(Args, Debug)]
pub struct Arguments {
    #[arg(value_enum, default_value_t)]
    action: Action,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Run what has not run yet
    #[default]
    Up,
    /// List the migrations and whether each has run
    Status,
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    if arguments.action == Action::Up {
        startup::migrate(config).await?;
    }
    for (name, applied) in startup::schema(config).await? {
        println!("{}  {name}", if applied { "applied" } else { "pending" });
    }
    Ok(())
}
