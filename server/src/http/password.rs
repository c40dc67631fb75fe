//! Another password for one's own account: a plain form, because it works with the session. The page is the app's.

use axum::{
    Extension, Form, Router,
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
    routing::post,
};
use domain::{account::Account, actor::Actor};
use engine::Engine;
use serde::Deserialize;
use tower_sessions::Session;

/// `POST /account/password`.
pub fn router(engine: Engine) -> Router {
    Router::new().route(app::paths::PASSWORD, post(change)).with_state(engine)
}

#[derive(Deserialize)]
struct PasswordForm {
    #[serde(default)]
    present: String,
    #[serde(default)]
    new: String,
    #[serde(default)]
    repeated: String,
}

/// 303 to the account's page, with `done=password_changed` or `error=present|length|same|repeated|wait|away`.
async fn change(
    State(engine): State<Engine>,
    Extension(account): Extension<Account>,
    Extension(actor): Extension<Actor>,
    session: Session,
    Form(form): Form<PasswordForm>,
) -> Response {
    if form.new != form.repeated {
        return back(&[("error", "repeated")]);
    }
    if let Err(error) = engine.accounts().change_password(&actor, account.id, &form.present, &form.new).await {
        return refused(&form, &error);
    }
    // All sessions of the account have ended with the old password. This one begins anew, under an id that nobody knows.
    if let Err(error) = session.cycle_id().await {
        tracing::error!(%error, "the session cannot be started anew");
        return Redirect::to(app::paths::LOGIN).into_response();
    }
    Redirect::to(&app::paths::done(app::paths::ACCOUNT, "password_changed")).into_response()
}

fn refused(form: &PasswordForm, error: &engine::Error) -> Response {
    match error {
        engine::Error::Invalid(fields) if fields.iter().any(|field| field.field == "present") => {
            back(&[("error", "present")])
        }
        engine::Error::Invalid(_) if form.new == form.present => back(&[("error", "same")]),
        engine::Error::Invalid(_) => back(&[("error", "length")]),
        engine::Error::TooMany { retry_after_seconds } => {
            back(&[("error", "wait"), ("seconds", &retry_after_seconds.to_string())])
        }
        engine::Error::Unauthenticated => Redirect::to(app::paths::LOGIN).into_response(),
        error => {
            tracing::error!(%error, "a password could not be changed");
            back(&[("error", "away")])
        }
    }
}

fn back(query: &[(&str, &str)]) -> Response {
    Redirect::to(&app::paths::with_query(app::paths::ACCOUNT, query)).into_response()
}
