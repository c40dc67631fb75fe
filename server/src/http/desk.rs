//! People and programs are answered by threads of their own. While a campaign is sent at full speed, thousands of callbacks a
//! second take turns in the others, and each step of a page would wait behind them.

use std::{future::Future, io, panic};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::problem::Problem;

/// Those threads. What goes on there when it is dropped is broken off.
pub struct Desk {
    handle: Handle,
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

impl Desk {
    /// Opens it.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn open() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().thread_name("desk").enable_all().build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Where what is done there is spawned.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Waiting for its threads is not allowed where others run.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The middleware: whatever is inside of it is done at the desk.
pub async fn answer(State(desk): State<Handle>, request: Request, next: Next) -> Response {
    match done(&desk, next.run(request).in_current_span()).await {
        Some(response) => response,
        // It was closed meanwhile.
        None => Problem::internal().into_response(),
    }
}

/// What this comes to, done at the desk; none when that is closed. It goes on no longer than somebody waits for it.
pub async fn done<T: Send + 'static>(desk: &Handle, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    match AbortOnDropHandle::new(desk.spawn(work)).await {
        Ok(done) => Some(done),
        Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}
