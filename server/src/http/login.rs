//! Logging in and out: plain forms, so that they work without scripts. The page itself is the app's.

use axum::extract::FromRequest as _;
use axum::{
    Form, Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::post,
};
use engine::Engine;
use serde::Deserialize;
use tower_sessions::Session;

use super::{client::TrustedProxies, session::ACCOUNT};
use crate::problem::Problem;

#[derive(Clone)]
struct Logins {
    engine: Engine,
    proxies: TrustedProxies,
}

/// `POST /login` and `POST /logout`.
pub fn router(engine: Engine, proxies: TrustedProxies) -> Router {
    Router::new().route("/login", post(log_in)).route("/logout", post(log_out)).with_state(Logins { engine, proxies })
}

#[derive(Deserialize)]
struct LoginForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

/// 303 to where the visitor wanted to go, or back to the login page with `error=wrong|wait|away`.
async fn log_in(State(logins): State<Logins>, session: Session, request: Request) -> Response {
    let from = logins.proxies.client(request.extensions(), request.headers());
    let from = from.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    let form = match Form::<LoginForm>::from_request(request, &()).await {
        Ok(Form(form)) => form,
        Err(rejection) => return Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()).into_response(),
    };
    let account = match logins.engine.accounts().log_in(form.email.trim(), &form.password, &from).await {
        Ok(account) => account,
        Err(error) => return back(&form, &error),
    };
    // A new id: whoever planted the old one does not come along.
    let started = async {
        session.cycle_id().await?;
        session.insert(ACCOUNT, account.id).await
    };
    if let Err(error) = started.await {
        tracing::error!(%error, "the session cannot be started");
        return back(&form, &engine::Error::Unavailable("the session cannot be stored".to_owned()));
    }
    Redirect::to(local(&form.next)).into_response()
}

async fn log_out(session: Session) -> Response {
    match session.flush().await {
        Ok(()) => Redirect::to("/login").into_response(),
        Err(error) => {
            tracing::error!(%error, "the session cannot be ended");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "You are still logged in: the database is away.")
                .into_response()
        }
    }
}

fn back(form: &LoginForm, error: &engine::Error) -> Response {
    let mut query = vec![("email", form.email.clone())];
    match error {
        engine::Error::TooMany { retry_after_seconds } => {
            query.push(("error", "wait".to_owned()));
            query.push(("seconds", retry_after_seconds.to_string()));
        }
        engine::Error::Unauthenticated | engine::Error::Invalid(_) | engine::Error::Forbidden => {
            query.push(("error", "wrong".to_owned()));
        }
        error => {
            tracing::error!(%error, "login failed");
            query.push(("error", "away".to_owned()));
        }
    }
    if local(&form.next) != "/" {
        query.push(("next", form.next.clone()));
    }
    Redirect::to(&format!("/login?{}", serde_urlencoded::to_string(query).unwrap_or_default())).into_response()
}

/// A path of ours, never another site's.
fn local(next: &str) -> &str {
    if app::paths::is_local(next) { next } else { app::paths::DASHBOARD }
}
