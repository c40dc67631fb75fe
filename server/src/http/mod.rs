//! Everything that goes over HTTP: one router, the layers around it, and the pages.

pub mod account;
pub mod assets;
pub mod client;
pub mod desk;
pub mod downloads;
pub mod failed;
pub mod headers;
pub mod leave;
pub mod limits;
pub mod login;
pub mod nowhere;
pub mod observe;
pub mod origin;
pub mod pages;
pub mod password;
pub mod recipient;
pub mod session;
pub mod turns;
pub mod uploads;

use std::sync::Arc;

use axum::{Router, middleware};
use engine::Engine;
use ipnet::IpNet;
use tokio::runtime::Handle;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};
use url::Url;

use crate::{api, problem::Problem, webhooks};

/// What the router is made of.
pub struct Parts {
    pub engine: Engine,
    pub sessions: session::Sessions,
    /// `/healthz`, `/readyz`, `/metrics`.
    pub operators: Router,
    /// Who answers people and programs.
    pub desk: Handle,
    pub public_url: Url,
    pub trusted_proxies: Vec<IpNet>,
}

/// Who calls what: Twilio the webhooks, programs the API, operators the health routes, recipients their own pages, people
/// everything else. Only the last have sessions.
pub fn router(parts: Parts) -> Router {
    let site = assets::Site::embedded();
    let trusted = client::TrustedProxies::new(parts.trusted_proxies);
    let origin = origin::Allowed::new(&parts.public_url, trusted.clone());
    let recipients = recipient::router(parts.engine.clone(), &site, trusted.clone());
    let css: Arc<str> = recipient::css(&site).into();
    let headers = headers::Policy::new(&parts.public_url);
    let people = pages::router(&parts.engine, &site)
        .merge(downloads::router(parts.engine.clone(), &site))
        .merge(uploads::router(parts.engine.clone()))
        .merge(login::router(parts.engine.clone(), trusted))
        .merge(password::router(parts.engine.clone()))
        .layer(middleware::from_fn_with_state(parts.sessions.clone(), failed::keep))
        .layer(middleware::from_fn_with_state(parts.engine.clone(), account::identify))
        .layer(session::layer(parts.sessions, &parts.public_url))
        .layer(middleware::from_fn_with_state(origin, origin::check))
        .layer(middleware::from_fn_with_state(css, nowhere::say_so));
    let browsers_and_programs = Router::new()
        .merge(api::router(&parts.engine))
        .merge(parts.operators)
        .merge(site.router())
        .merge(recipients)
        .merge(people)
        .layer(middleware::from_fn_with_state(parts.desk, desk::answer));
    // Twilio has no use for a browser's headers or for compressed answers, and it comes by the thousand.
    guarded(browsers_and_programs)
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(headers, headers::add))
        .merge(guarded(webhooks::twilio::router(parts.engine)))
        .layer(middleware::from_fn(observe::observe))
}

/// What holds for everybody: a panic costs one answer, no request holds its connection for ever, refusals are heard.
fn guarded(router: Router) -> Router {
    router
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(limits::time))
        .layer(middleware::from_fn(limits::linger))
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("of an unknown kind"), "a request panicked");
    axum::response::IntoResponse::into_response(Problem::internal())
}
