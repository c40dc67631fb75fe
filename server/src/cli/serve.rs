//! `serve`.

use clap::{Args, ValueEnum};
use engine::{Engine, config::Secret, workers};

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
    /// Pages, API and webhooks only
    Web,
    /// What runs by itself only, with /healthz, /readyz and /metrics
    Worker,
}

impl From<Role> for workers::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::All => Self::All,
            Role::Web => Self::Web,
            Role::Worker => Self::Worker,
        }
    }
}

pub(super) async fn run(arguments: Arguments, options: &Options) -> anyhow::Result<()> {
    let config = Config::read(options)?;
    let role = workers::Role::from(arguments.role);
    check_role(role, &config)?;
    let migrate = if arguments.no_migrate { Migrate::No } else { Migrate::Yes };
    let server = startup::build(&config, migrate, role).await?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let shutdown = Shutdown::on_signals()?;
    if arguments.demo {
        demo::on_start(server.engine()).await?;
    }
    if role.is_called() {
        let first = first_admin(server.engine(), &config).await?;
        greet(&server, first.as_ref());
    } else {
        tracing::info!(addr = %server.addr(), "working");
    }
    server.run(shutdown).await
}

/// A process that does only a part needs others beside it, on what they can share.
fn check_role(role: workers::Role, config: &Config) -> anyhow::Result<()> {
    if role == workers::Role::All {
        return Ok(());
    }
    if config.is_embedded() {
        anyhow::bail!("--role: processes share a database on a server: set DATABASE_URL to postgres://…");
    }
    if config.twilio.is_none() {
        anyhow::bail!(
            "--role: the built-in simulator is one process's own: set TWILIO_ACCOUNT_SID (with TWILIO_API_BASE for a \
             simulator that runs by itself)"
        );
    }
    Ok(())
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
