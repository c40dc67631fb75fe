#![doc = include_str!("../README.md")]

mod api;
mod callbacks;
mod clock;
mod content;
mod control;
mod control_api;
mod errors;
mod faults;
mod inbound;
mod messages;
mod queue;
mod segments;
mod services;
pub mod settings;
mod sid;
pub mod signature;
mod state;
mod status;
mod store;
mod twiml;
mod webhook;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use axum::serve::ListenerExt;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use control::{ApprovalChange, Control, ControlError, MessageFilter, MessageInfo, Stats};
pub use inbound::{Inbound, InboundAnswer, Media};
pub use settings::{
    ACCOUNT_SID, AUTH_TOKEN, Callbacks, ErrorRule, Fault, NumberRule, OptOut, SENDER, Settings, SettingsError,
    WHATSAPP_SENDER, When,
};

/// A fake Twilio. Its background tasks end when the last of it, its router and its controls is dropped.
#[derive(Clone, Debug)]
pub struct Simulator {
    shared: Arc<state::Shared>,
}

/// Why a simulator did not start.
#[derive(Debug)]
pub enum StartError {
    /// The settings cannot be meant.
    Settings(SettingsError),
    /// The HTTP client for webhooks cannot be made.
    Client(String),
    /// The address cannot be listened on.
    Listen(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(error) => write!(f, "simulator settings: {error}"),
            Self::Client(error) => write!(f, "simulator: cannot make an HTTP client: {error}"),
            Self::Listen(error) => write!(f, "simulator: cannot listen: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl Simulator {
    /// A simulator without a listener, for mounting its [`router`](Self::router). Needs a tokio runtime.
    pub fn new(settings: Settings) -> Result<Self, StartError> {
        Ok(Self { shared: state::Shared::start(settings)? })
    }

    /// The Twilio API, the Content API and `/control`.
    pub fn router(&self) -> Router {
        Router::new()
            .merge(api::routes(&self.shared))
            .merge(control_api::routes())
            .fallback(async |uri: Uri| errors::ApiError::not_found(uri.path()))
            .with_state(self.shared.clone())
    }

    /// The handle for tests and the demo.
    pub fn control(&self) -> Control {
        Control { shared: self.shared.clone() }
    }

    /// Listens on an address (port 0: any free one) and serves.
    pub async fn start(addr: impl ToSocketAddrs, settings: Settings) -> Result<Running, StartError> {
        let listener = TcpListener::bind(addr).await.map_err(StartError::Listen)?;
        Self::serve(listener, settings)
    }

    /// Serves on a listener that is already bound. Needs a tokio runtime.
    pub fn serve(listener: TcpListener, settings: Settings) -> Result<Running, StartError> {
        let simulator = Self::new(settings)?;
        let addr = listener.local_addr().map_err(StartError::Listen)?;
        if !addr.ip().is_loopback() {
            tracing::warn!(%addr, "the simulator's /control has no authentication and is reachable from other machines");
        }
        let listener = listener.tap_io(|stream| {
            // Small answers must not wait for more; if it cannot be set, they are only slower.
            let _ = stream.set_nodelay(true);
        });
        let stop = simulator.shared.stop.clone();
        let server = axum::serve(listener, simulator.router()).with_graceful_shutdown(stop.clone().cancelled_owned());
        let server = tokio::spawn(async move { server.await });
        tracing::info!(%addr, "Twilio simulator listening");
        Ok(Running { addr, control: simulator.control(), stop, server: Some(server) })
    }
}

/// A simulator that serves. Dropping it stops it; [`shutdown`](Self::shutdown) also waits for that.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    control: Control,
    stop: CancellationToken,
    server: Option<JoinHandle<std::io::Result<()>>>,
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://` and where it listens: the value for `TWILIO_API_BASE`, `TWILIO_CONTENT_BASE` and
    /// `TWILIO_MESSAGING_BASE`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The handle for tests and the demo.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Waits until the server ends by itself, which it does only on an error.
    pub async fn wait(&mut self) {
        if let Some(server) = &mut self.server {
            match server.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "the simulator's listener failed"),
                Err(error) => tracing::error!(%error, "the simulator's server ended"),
            }
            self.server = None;
        }
    }

    /// Stops listening, ends what is pending, and waits (a few seconds at most) for requests in progress.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.take() {
            let abort = server.abort_handle();
            if tokio::time::timeout(Duration::from_secs(5), server).await.is_err() {
                abort.abort();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
