//! The recipient's own page: `/p/{token}`. No session, no scripts; a GET changes nothing, because programs follow the links in
//! messages. Who may see and change what is the link's own secret, so it goes into no log, no cache and no referrer.

use std::sync::Arc;

use app::recipient::{self as view, Done};
use axum::{
    Form, Json, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use domain::recipient::{Change, OwnData, OwnPage};
use engine::{Engine, Error};
use serde::Deserialize;
use tower_http::limit::RequestBodyLimitLayer;

use super::{assets::Site, client::TrustedProxies, turns::Turns};

/// Of a form here.
const BODY_LIMIT: usize = 4 * 1024;
/// Many people share an address with their network's other customers.
const ADDRESS_AT_ONCE: i64 = 600;
const ADDRESS_PAUSE: i64 = 1;
/// Links that are not ours, from one address.
const WRONG_AT_ONCE: i64 = 20;
const WRONG_PAUSE: i64 = 15;
/// One link.
const LINK_AT_ONCE: i64 = 60;
const LINK_PAUSE: i64 = 2;

#[derive(Clone)]
struct Recipients(Arc<Parts>);

struct Parts {
    engine: Engine,
    proxies: TrustedProxies,
    css: String,
    addresses: Turns,
    wrong: Turns,
    links: Turns,
}

/// The address of the style sheet.
pub fn css(site: &Site) -> String {
    site.names().map_or_else(|| "/pkg/event-stream-engine.css".to_owned(), |names| names.css)
}

/// `GET /p/{token}`, also with a slash behind it, its two forms, and the person's data as a file.
pub fn router(engine: Engine, site: &Site, proxies: TrustedProxies) -> Router {
    let recipients = Recipients(Arc::new(Parts {
        engine,
        proxies,
        css: css(site),
        addresses: Turns::new(ADDRESS_AT_ONCE, ADDRESS_PAUSE),
        wrong: Turns::new(WRONG_AT_ONCE, WRONG_PAUSE),
        links: Turns::new(LINK_AT_ONCE, LINK_PAUSE),
    }));
    Router::new()
        .route("/p/{token}", get(show))
        .route("/p/{token}/", get(show))
        .route("/p/{token}/stop", post(stop))
        .route("/p/{token}/topics", post(set_topic))
        .route("/p/{token}/data.json", get(data))
        .layer(middleware::from_fn_with_state(recipients.clone(), turn))
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .with_state(recipients)
}

/// Whoever asks too often waits; what is answered is for nobody else.
async fn turn(State(recipients): State<Recipients>, request: Request, next: Next) -> Response {
    let parts = &recipients.0;
    let now = parts.engine.now();
    let from = parts.proxies.client(request.extensions(), request.headers());
    let from = from.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    let token = request.uri().path().split('/').nth(2).unwrap_or_default().to_owned();
    // A link that is not ours has no turns: whoever makes them up would fill the memory.
    let is_ours = engine::own_page::read(&parts.engine.config().keys, &token).is_some();
    let turn = parts
        .addresses
        .take(&from, now)
        .and_then(|()| if is_ours { parts.links.take(&token, now) } else { parts.wrong.take(&from, now) });
    private(match turn {
        Ok(()) => next.run(request).await,
        Err(seconds) => {
            metrics::counter!("own_page_throttled_total").increment(1);
            let page = Html(view::wait(&parts.css, seconds));
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, HeaderValue::from(seconds))], page).into_response()
        }
    })
}

/// The page for what is not there.
pub fn nothing(css: &str) -> Response {
    private((StatusCode::NOT_FOUND, Html(view::nothing(css))).into_response())
}

/// The answer for nobody but whoever asked.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow"));
    response
}

/// What a form did, for the page that is shown after it.
#[derive(Default, Deserialize)]
struct Told {
    #[serde(default)]
    done: String,
    #[serde(default)]
    topic: String,
}

async fn show(State(recipients): State<Recipients>, Path(token): Path<String>, Query(told): Query<Told>) -> Response {
    let Parts { engine, css, .. } = &*recipients.0;
    let done = match told.done.as_str() {
        "stopped" => Some(Done::Stopped),
        "on" => Some(Done::TopicOn(&told.topic)),
        "off" => Some(Done::TopicOff(&told.topic)),
        "asked" => Some(Done::Asked),
        "start" => Some(Done::NeedsStart),
        "gone" => Some(Done::NoTopic),
        _ => None,
    };
    match engine.recipient().page(&token).await {
        Ok(OwnPage::Known(person)) => Html(view::page(css, &token, &person, done)).into_response(),
        Ok(OwnPage::Erased) => Html(view::erased(css)).into_response(),
        Err(error) => recipients.refused(&error),
    }
}

async fn stop(State(recipients): State<Recipients>, Path(token): Path<String>) -> Response {
    let done = recipients.0.engine.recipient().stop(&token).await;
    recipients.then(&token, done, "")
}

#[derive(Deserialize)]
struct TopicForm {
    topic: String,
    on: bool,
}

async fn set_topic(
    State(recipients): State<Recipients>,
    Path(token): Path<String>,
    Form(form): Form<TopicForm>,
) -> Response {
    let done = recipients.0.engine.recipient().set_topic(&token, &form.topic, form.on).await;
    recipients.then(&token, done, &form.topic)
}

async fn data(State(recipients): State<Recipients>, Path(token): Path<String>) -> Response {
    match recipients.0.engine.recipient().data(&token).await {
        Ok(OwnData::Known(everything)) => {
            let name = HeaderValue::from_static("attachment; filename=\"my-data.json\"");
            ([(header::CONTENT_DISPOSITION, name)], Json(everything)).into_response()
        }
        Ok(OwnData::Erased) => Html(view::erased(&recipients.0.css)).into_response(),
        Err(error) => recipients.refused(&error),
    }
}

impl Recipients {
    /// Back to the page, which says what was done: loading it again does nothing again.
    fn then(&self, token: &str, change: engine::Result<Change>, topic: &str) -> Response {
        let done = match change {
            Ok(Change::Stopped) => "stopped",
            Ok(Change::Subscribed) => "on",
            Ok(Change::Unsubscribed) => "off",
            Ok(Change::Asked) => "asked",
            Ok(Change::NeedsStart) => "start",
            Ok(Change::NoTopic) => "gone",
            Ok(Change::Erased) => "",
            Err(error) => return self.refused(&error),
        };
        let query = serde_urlencoded::to_string([("done", done), ("topic", topic)]).unwrap_or_default();
        Redirect::to(&format!("/p/{token}?{query}")).into_response()
    }

    fn refused(&self, error: &Error) -> Response {
        let css = &self.0.css;
        if matches!(error, Error::NotFound { .. }) {
            return nothing(css);
        }
        tracing::error!(%error, "a recipient's own page failed");
        (StatusCode::SERVICE_UNAVAILABLE, Html(view::away(css))).into_response()
    }
}
