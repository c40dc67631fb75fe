//! `simulator`: the stand-in for Twilio as a process of its own.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use simulator::{Settings, Simulator};

use crate::shutdown::Shutdown;

#[derive(Args, Debug)]
pub struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:4010")]
    addr: String,
    /// The account's SID [default: AC5117000000000000000000000000517a]
    #[arg(long)]
    account_sid: Option<String>,
    /// The account's auth token, which signs the webhooks [default: 0000517a0000517a0000517a0000517a]
    #[arg(long)]
    auth_token: Option<String>,
    /// Where messages from people are posted
    #[arg(long)]
    inbound_url: Option<String>,
    /// How long each answer is held back
    #[arg(long)]
    latency_ms: Option<u64>,
    /// A JSON file with further settings: faults, callbacks, limits
    #[arg(long)]
    profile: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut settings = arguments.profile.as_deref().map(read).transpose()?.unwrap_or_default();
    if let Some(sid) = arguments.account_sid {
        settings.account_sid = sid;
    }
    if let Some(token) = arguments.auth_token {
        settings.auth_token = token;
    }
    if let Some(latency) = arguments.latency_ms {
        settings.latency_ms = latency;
    }
    settings.inbound_url = arguments.inbound_url.or(settings.inbound_url);
    let shutdown = Shutdown::on_signals()?;
    let mut running = Simulator::start(&arguments.addr, settings)
        .await
        .with_context(|| format!("the simulator cannot start on {}", arguments.addr))?;
    println!("{}", running.base_url());
    tokio::select! {
        () = running.wait() => anyhow::bail!("the simulator ended by itself"),
        () = shutdown.soft.cancelled() => {}
    }
    running.shutdown().await;
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Settings> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("the profile {} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("the profile {} is not valid", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::Command;
    use simulator::settings::{ACCOUNT_SID, AUTH_TOKEN};

    use super::*;

    #[test]
    fn the_account_is_told_where_it_is_looked_for() {
        let help = Arguments::augment_args(Command::new("simulator")).render_long_help().to_string();
        let docs = include_str!("../../../docs/development.md");
        for text in [help.as_str(), docs] {
            assert!(text.contains(ACCOUNT_SID) && text.contains(AUTH_TOKEN), "{text}");
        }
    }
}
