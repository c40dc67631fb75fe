//! When to stop: SIGTERM or SIGINT asks for a graceful stop, a second one ends the waiting.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// What a proxy needs to send everybody elsewhere.
const LINGER: Duration = Duration::from_secs(1);

/// Two stages of stopping.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Take nothing new; finish what is under way.
    pub soft: CancellationToken,
    /// Wait no longer.
    pub hard: CancellationToken,
    /// How long after `soft` people are still let in.
    pub linger: Duration,
}

impl Shutdown {
    /// Stops with the process's signals.
    ///
    /// # Errors
    /// When the signals cannot be listened to.
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self { linger: LINGER, ..Self::default() };
        let stages = shutdown.clone();
        let mut signals = Signals::new()?;
        tokio::spawn(async move {
            signals.next().await;
            tracing::info!("stopping: finishing what is under way (a second signal ends it at once)");
            stages.soft.cancel();
            signals.next().await;
            tracing::warn!("stopping at once");
            stages.hard.cancel();
        });
        Ok(shutdown)
    }
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
