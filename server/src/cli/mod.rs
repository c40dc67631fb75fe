//! The command line. Each command is an adapter around the engine's services, acting as the person at the machine.

mod admin;
mod api_key;
mod audit;
mod demo;
mod events;
mod import;
mod migrate;
mod sending;
mod serve;
mod simulator;

use clap::{Parser, Subcommand};

use crate::{
    config::{Config, Options},
    telemetry,
};

/// Personalised WhatsApp and SMS campaigns through Twilio: one program, one database
#[derive(Parser, Debug)]
#[command(name = "event-stream-engine", version, max_term_width = 110)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Serve pages, API and webhooks, and send (the default)
    Serve(serve::Arguments),
    /// Bring the database's schema up to date, or show where it stands
    Migrate(migrate::Arguments),
    /// Accounts: people who log in
    #[command(subcommand)]
    Admin(admin::Command),
    /// Keys for programs
    #[command(subcommand)]
    ApiKey(api_key::Command),
    /// The audit log and the consent ledger
    #[command(subcommand)]
    Audit(audit::Command),
    /// Hold all sending, or release it
    #[command(subcommand)]
    Sending(sending::Command),
    /// Trigger events, and stored webhooks
    #[command(subcommand)]
    Events(events::Command),
    /// Import files of contacts, as the page and the API do
    Import(import::Arguments),
    /// Fill an empty database with demo data
    Demo,
    /// Run the Twilio simulator as a process of its own
    Simulator(simulator::Arguments),
}

/// Runs the command.
///
/// # Errors
/// What the person at the machine is told, in one line.
pub async fn run(line: CommandLine) -> anyhow::Result<()> {
    let CommandLine { command, options } = line;
    telemetry::init(&options)?;
    match command.unwrap_or_else(|| Command::Serve(serve::Arguments::default())) {
        Command::Serve(arguments) => serve::run(arguments, &options).await,
        Command::Simulator(arguments) => simulator::run(arguments).await,
        Command::Migrate(arguments) => migrate::run(arguments, &Config::read(&options)?).await,
        Command::Admin(command) => admin::run(command, &Config::read(&options)?).await,
        Command::ApiKey(command) => api_key::run(command, &Config::read(&options)?).await,
        Command::Audit(command) => audit::run(command, &Config::read(&options)?).await,
        Command::Sending(command) => sending::run(command, &Config::read(&options)?).await,
        Command::Events(command) => events::run(command, &Config::read(&options)?).await,
        Command::Import(arguments) => import::run(arguments, &Config::read(&options)?).await,
        Command::Demo => demo::run(&Config::read(&options)?).await,
    }
}
