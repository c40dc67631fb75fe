//! `serve`.

use clap::{Args, ValueEnum};
use engine::{Engine, config::Secret};

use super::demo;
use crate::{
    config::{Config, Options},
    shutdown::Shutdown,
    startup::{self, Migrate, Server},
};

/// Who is made when nobody says who the first admin is.
const FIRST_ADMIN: &str = "admin@example.org";

#[derive(Args, Debug, Default)]
pub struct Arguments {
    /// What this process does
    #[arg(long, value_enum, default_value_t)]
    role: Role,
    /// Leave the database's schema as it is
    #[arg(long)]
    no_migrate: bool,
    /// Fill the database with demo data when it is empty (only with the built-in simulator)
    #[arg(long)]
    demo: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Pages, API, webhooks, and everything that runs by itself
    #[default]
    All,
    /// Pages, API and webhooks only (not built yet)
    Web,
    /// What runs by itself only (not built yet)
    Worker,
}

pub(super) async fn run(arguments: Arguments, options: &Options) -> anyhow::Result<()> {
    if arguments.role != Role::All {
        anyhow::bail!("--role web and --role worker are not built yet: one process does everything (--role all)");
    }
    let config = Config::read(options)?;
    let migrate = if arguments.no_migrate { Migrate::No } else { Migrate::Yes };
    let server = startup::build(&config, migrate).await?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let shutdown = Shutdown::on_signals()?;
    if arguments.demo {
        demo::on_start(server.engine()).await?;
    }
    let first = first_admin(server.engine(), &config).await?;
    greet(&server, first.as_ref());
    server.run(shutdown).await
}

/// The first admin's address, and the one-time password when one was made.
async fn first_admin(engine: &Engine, config: &Config) -> anyhow::Result<Option<(String, Option<String>)>> {
    let email = config.admin_email.as_deref().unwrap_or(FIRST_ADMIN);
    let password = config.admin_password.as_ref().map(Secret::reveal);
    Ok(engine.accounts().ensure_first_admin(Some(email), password).await?)
}

/// For the person who started it: where it is and how to get in. On standard output, so that no log keeps the password.
fn greet(server: &Server, first: Option<&(String, Option<String>)>) {
    tracing::info!(addr = %server.addr(), public_url = server.public_url(), simulator = server.simulator().is_some(), "serving");
    println!("\n  Event Stream Engine: {}", server.public_url());
    match first {
        Some((email, Some(password))) => {
            println!("  First admin:         {email}");
            println!("  One-time password:   {password}   (shown only now)");
        }
        Some((email, None)) => println!("  First admin:         {email}, with the password of ADMIN_PASSWORD"),
        None => println!("  Log in with an account; `event-stream-engine admin create` makes another one."),
    }
    if server.simulator().is_some() {
        println!("  Nothing leaves this machine: the built-in Twilio simulator takes all messages.");
    }
    println!();
}
