//! Logging in and out: plain forms, so that they work without scripts. The page itself is the app's.

use axum::extract::FromRequest as _;
use axum::{
    Form, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::post,
};
use engine::Engine;
use serde::Deserialize;
use tower_sessions::Session;
use url::form_urlencoded::{self, byte_serialize};

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

/// The e-mail of a try that failed, for the login page to show again: in an address it would stay in histories and logs.
const TYPED: &str = "ese_login";

/// As long as it takes to read what was wrong, in seconds.
const TYPED_FOR: u32 = 60;

/// Longer than any e-mail address.
const TYPED_MAX: usize = 320;

/// 303 to where the visitor wanted to go, or back to the login page with `error=wrong|wait|away`.
async fn log_in(State(logins): State<Logins>, session: Session, request: Request) -> Response {
    let from = logins.proxies.client(request.extensions(), request.headers());
    let from = from.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    let failed_before = !typed(request.headers()).is_empty();
    let form = match Form::<LoginForm>::from_request(request, &()).await {
        Ok(Form(form)) => form,
        Err(rejection) => return Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()).into_response(),
    };
    let account = match logins.engine.accounts().log_in(form.email.trim(), &form.password, &from).await {
        Ok(account) => account,
        Err(error) => return logins.back(&form, &error),
    };
    // A new id: whoever planted the old one does not come along.
    let started = async {
        session.cycle_id().await?;
        session.insert(ACCOUNT, account.id).await
    };
    if let Err(error) = started.await {
        tracing::error!(%error, "the session cannot be started");
        return logins.back(&form, &engine::Error::Unavailable("the session cannot be stored".to_owned()));
    }
    let there = Redirect::to(local(&form.next)).into_response();
    if failed_before { logins.remember("", there) } else { there }
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

impl Logins {
    fn back(&self, form: &LoginForm, error: &engine::Error) -> Response {
        let mut query = Vec::new();
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
        let page = format!("/login?{}", serde_urlencoded::to_string(query).unwrap_or_default());
        self.remember(form.email.trim(), Redirect::to(&page).into_response())
    }

    /// Has the browser keep the e-mail for a moment; nothing ends that.
    fn remember(&self, email: &str, mut response: Response) -> Response {
        let email = if email.len() <= TYPED_MAX { email } else { "" };
        let seconds = if email.is_empty() { 0 } else { TYPED_FOR };
        let secure = if self.engine.config().public_url.starts_with("https:") { "; Secure" } else { "" };
        let value: String = byte_serialize(email.as_bytes()).collect();
        let cookie =
            format!("{TYPED}={value}; HttpOnly; SameSite=Lax; Path={}; Max-Age={seconds}{secure}", app::paths::LOGIN);
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// The e-mail of a try that failed a moment ago; empty when none did.
pub fn typed(headers: &HeaderMap) -> String {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let typed = cookies.flat_map(|cookies| cookies.split(';')).find_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        (name == TYPED).then(|| form_urlencoded::parse(value.as_bytes()).next().map(|(email, _)| email.into_owned()))?
    });
    typed.unwrap_or_default()
}

/// A path of ours, never another site's.
fn local(next: &str) -> &str {
    if app::paths::is_local(next) { next } else { app::paths::DASHBOARD }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_found_among_other_cookies() {
        let with = |cookies: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(cookies));
            typed(&headers)
        };
        assert_eq!(with("theme=dark; ese_login=ada%2Bx%40example.org; ese_session=abc"), "ada+x@example.org");
        assert_eq!(with("ese_login=a%3Db%26c"), "a=b&c", "what it would mean in a form is not meant here");
        assert_eq!((with("ese_login="), with("theme=dark"), typed(&HeaderMap::new())), Default::default());
    }
}
