//! Who is it? Puts the acting account into the request, and shows the door to everybody else.

use app::{
    error::AppError,
    frame::{Frame, FrameAccount},
};
use axum::{
    extract::{Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Redirect, Response},
};
use domain::{
    account::Account,
    actor::{Actor, ActorKind},
    ids::AccountId,
};
use engine::Engine;
use leptos::server_fn::error::FromServerFnError as _;
use tower_sessions::Session;

use super::{login, observe::RequestId, session::ACCOUNT};
use crate::problem::Problem;

/// What people may see before they log in.
const OPEN: [&str; 2] = ["/login", "/logout"];
/// Where server functions live (`SERVER_FN_PREFIX`).
pub const SERVER_FUNCTIONS: &str = "/_fn/";

/// The middleware: [`Account`], [`Actor`] and the pages' [`Frame`] go into the request's extensions.
pub async fn identify(State(engine): State<Engine>, session: Session, mut request: Request, next: Next) -> Response {
    let (account, mut frame) = match look_up(&engine, &session).await {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(%error, "the session cannot be read");
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The database is away; try again in a moment.")
                .into_response();
        }
    };
    if request.uri().path() == app::paths::LOGIN {
        frame.typed_email = login::typed(request.headers());
    }
    request.extensions_mut().insert(frame);
    if let Some(account) = account {
        let mut actor = Actor::new(ActorKind::Account, account.id.to_string(), account.role);
        actor.request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
        request.extensions_mut().insert(actor);
        request.extensions_mut().insert(account);
    } else if !OPEN.contains(&request.uri().path()) {
        return to_login(&request);
    }
    next.run(request).await
}

async fn look_up(engine: &Engine, session: &Session) -> anyhow::Result<(Option<Account>, Frame)> {
    let account = account(engine, session).await?;
    let frame = Frame {
        account: account.as_ref().map(|account| FrameAccount {
            email: account.email.clone(),
            role: account.role,
            password_is_temporary: account.password_is_temporary,
        }),
        // Everybody sees whether sending is held; the page says no more than that.
        sending: engine.settings().get(&Actor::worker("pages")).await?.sending,
        simulator: engine.simulator().is_there().await,
        typed_email: String::new(),
        failed: None,
    };
    Ok((account, frame))
}

/// The account of the session; read each time, so that a changed role or a disabled account counts at once.
async fn account(engine: &Engine, session: &Session) -> anyhow::Result<Option<Account>> {
    let Some(id) = session.get::<AccountId>(ACCOUNT).await? else { return Ok(None) };
    match engine.accounts().get(id).await {
        Ok(account) => Ok(Some(account)),
        Err(engine::Error::NotFound { .. } | engine::Error::Unauthenticated) => {
            session.flush().await?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// A page's visitor comes back after the login; a script is told plainly.
fn to_login(request: &Request) -> Response {
    let path = request.uri().path();
    if path.starts_with(SERVER_FUNCTIONS) && !wants_html(request) {
        return pages_unauthenticated();
    }
    let readable = matches!(*request.method(), Method::GET | Method::HEAD);
    let next = request.uri().path_and_query().map_or("/", |target| target.as_str());
    if !readable || path == "/" || path.starts_with(SERVER_FUNCTIONS) {
        return Redirect::to("/login").into_response();
    }
    let query = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
    Redirect::to(&format!("/login?{query}")).into_response()
}

/// Whether a person's browser asks by itself, not a script on a page.
pub fn wants_html(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// As the pages' own errors are written, so that the page says it in its own words.
fn pages_unauthenticated() -> Response {
    in_own_words(&AppError::Unauthenticated)
}

/// An error as server functions answer it.
pub fn in_own_words(error: &AppError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], error.ser()).into_response()
}
