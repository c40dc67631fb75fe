//! The simulator, and a listener for its webhooks in place of the product's own.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use simulator::{Running, Settings, Simulator};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// A running simulator and the address that its webhooks go to.
pub struct Twilio {
    pub simulator: Running,
    /// For the product's `public_url`.
    pub public_url: String,
    listener: JoinHandle<()>,
}

/// A webhook that came in, and where its answer goes.
pub struct Received {
    /// Path and query.
    pub target: String,
    pub content_type: Option<String>,
    pub signature: Option<String>,
    pub idempotency_token: Option<String>,
    pub body: Bytes,
    /// HTTP status, and TwiML for an inbound message.
    pub answer: oneshot::Sender<(u16, Option<String>)>,
}

/// Starts the simulator and the listener. Webhooks wait in the channel until the test answers them.
///
/// # Panics
/// When there is no port to listen on.
pub async fn start(mut settings: Settings) -> (Twilio, mpsc::Receiver<Received>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let public_url = format!("http://{}", socket.local_addr().expect("an address"));
    settings.inbound_url = Some(format!("{public_url}/webhooks/twilio/inbound"));
    let (queue, received) = mpsc::channel(1_024);
    let router = Router::new().fallback(take).with_state(queue);
    let listener = tokio::spawn(async move {
        let _ = axum::serve(socket, router).await;
    });
    let simulator = Simulator::start("127.0.0.1:0", settings).await.expect("the simulator starts");
    (Twilio { simulator, public_url, listener }, received)
}

impl Drop for Twilio {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn take(State(queue): State<mpsc::Sender<Received>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let (answer, answered) = oneshot::channel();
    let received = Received {
        target: uri.path_and_query().map_or_else(String::new, ToString::to_string),
        content_type: header("content-type"),
        signature: header("x-twilio-signature"),
        idempotency_token: header("i-twilio-idempotency-token"),
        body,
        answer,
    };
    if queue.send(received).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match answered.await {
        Ok((status, Some(twiml))) => {
            (status_of(status), [("content-type", "text/xml; charset=utf-8")], twiml).into_response()
        }
        Ok((status, None)) => status_of(status).into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
