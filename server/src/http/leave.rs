//! Stopping without leaving anybody standing. Behind a proxy the others take over, if it has time to notice:
//!
//! 1. from the signal on every answer closes its connection, and `/readyz` says no, so that new requests go elsewhere;
//! 2. a while later nobody is let in any more: who connects is refused at once, and is sent to another process;
//! 3. who was let in by then still gets an answer; then connections that wait for nothing are closed.
//!
//! Closing at once would lose those requests that are on their way over connections that look idle here.

use std::{convert::Infallible, io, net::SocketAddr, pin::Pin, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, Version, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    serve::Listener,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::{problem::Problem, shutdown::Shutdown};

/// After the doors are closed, how long those who came in last have to say what they want.
const LAST: Duration = Duration::from_millis(500);

/// From `soft` on, answers close their connections.
pub fn layer(router: Router, shutdown: &Shutdown) -> Router {
    router.layer(middleware::from_fn_with_state(shutdown.soft.clone(), say_goodbye))
}

async fn say_goodbye(State(leaving): State<CancellationToken>, request: Request, next: Next) -> Response {
    let version = request.version();
    let mut answer = if leaving.is_cancelled() && request.uri().path() == "/readyz" {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "It is stopping.").into_response()
    } else {
        next.run(request).await
    };
    if leaving.is_cancelled() && version <= Version::HTTP_11 {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// Lets people in until it is time to close.
pub struct Doors {
    listener: Option<TcpListener>,
    /// One for all who come: it must not begin anew with each of them.
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Doors {
    #[must_use]
    pub fn new(listener: TcpListener, shutdown: Shutdown) -> Self {
        Self { listener: Some(listener), closing: Box::pin(closed(shutdown)) }
    }
}

impl Listener for Doors {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        if let Some(listener) = &mut self.listener {
            tokio::select! {
                // Who is at the door comes in first.
                biased;
                accepted = Listener::accept(listener) => return accepted,
                () = &mut self.closing => {}
            }
        }
        self.listener = None;
        match std::future::pending::<Infallible>().await {}
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.as_ref().map_or_else(|| Err(io::ErrorKind::NotConnected.into()), TcpListener::local_addr)
    }
}

async fn closed(shutdown: Shutdown) {
    shutdown.soft.cancelled().await;
    tokio::time::sleep(shutdown.linger).await;
}

/// When connections that wait for nothing may be closed.
pub async fn over(shutdown: Shutdown) {
    let linger = shutdown.linger;
    closed(shutdown).await;
    if !linger.is_zero() {
        tokio::time::sleep(LAST).await;
    }
}
