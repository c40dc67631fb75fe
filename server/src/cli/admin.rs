//! `admin`.

use std::io::Read as _;

use anyhow::Context as _;
use clap::Subcommand;
use domain::{actor::Actor, role::Role};

use crate::{config::Config, startup};

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Create an account; prints a one-time password when none is given
    Create {
        /// The address to log in with
        #[arg(long)]
        email: String,
        /// admin, marketer or viewer
        #[arg(long, default_value = "admin")]
        role: Role,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let Command::Create { email, role, password_stdin } = command;
    let password = if password_stdin { Some(read_password()?) } else { None };
    let engine = startup::engine(config).await?;
    let (account, made) = engine.accounts().create(&Actor::command_line(), &email, role, password).await?;
    println!("{} {}", account.role, account.email);
    if let Some(password) = made {
        println!("one-time password: {password}");
    }
    Ok(())
}

fn read_password() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("the password cannot be read from standard input")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
