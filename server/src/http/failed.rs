//! A form that failed without scripts: the page that comes back shows what was typed. Leptos puts all of that into the
//! address, where it stays in histories and in the logs of proxies. Here the address has an id alone, and what it names is
//! kept a while beside the sessions, sealed: not in the session itself, which two tabs would write over each other.

use anyhow::anyhow;
use app::{
    error::AppError,
    frame::{FAILED, Failed, Frame},
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use domain::{account::Account, ids::AccountId, time::Timestamp};
use engine::secrets::KeyRing;
use leptos::server_fn::error::ServerFnUrlError;
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded};

use super::session::{BESIDE_KEY, Beside, Sessions};
use crate::problem::Problem;

/// Long enough to load the page again, or to come back to it.
const KEPT_FOR: i64 = 15 * Timestamp::MINUTE;

/// Leptos's name for the server function, beside [`FAILED`] for its error.
const FUNCTION: &str = "__path";

/// The middleware: keeps what failed, and gives it to the page whose address names it.
pub async fn keep(State(sessions): State<Sessions>, mut request: Request, next: Next) -> Response {
    let account = request.extensions().get::<Account>().map(|account| account.id);
    let Some(account) = account else { return next.run(request).await };
    let tries = Tries { sessions: &sessions, account };
    if request.method() == Method::GET {
        let id = request.uri().query().and_then(named);
        if let Some(id) = id
            && let Some(failed) = tries.find(&id).await
            && let Some(frame) = request.extensions_mut().get_mut::<Frame>()
        {
            frame.failed = Some(failed);
        }
        return next.run(request).await;
    }
    let function = request.uri().path().to_owned();
    let before = before(request.headers());
    let response = next.run(request).await;
    let (went_on, failure) = (response.status().as_u16() < 400, Failure::of(&response));
    let response = match failure {
        Some(failure) => tries.led_back(failure, response).await,
        None => response,
    };
    if went_on && let Some(id) = before {
        tries.forget(&id, &function).await;
    }
    response
}

/// The id in an address's query.
fn named(query: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == FAILED).map(|(_, id)| id.into_owned())
}

/// The id in the address of the page that a form was sent from.
fn before(headers: &HeaderMap) -> Option<String> {
    let page = Url::parse(headers.get(header::REFERER)?.to_str().ok()?).ok()?;
    page.query().and_then(named)
}

/// What Leptos has put into the address that it leads back to.
struct Failure {
    function: String,
    error: AppError,
    /// The address without it.
    page: Url,
}

impl Failure {
    fn of(response: &Response) -> Option<Self> {
        let mut page = Url::parse(response.headers().get(header::LOCATION)?.to_str().ok()?).ok()?;
        let pairs: Vec<(String, String)> = page.query_pairs().into_owned().collect();
        // The last one: the page may show an earlier try itself.
        let value = |name: &str| pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let (function, error) = (value(FUNCTION)?, value(FAILED)?);
        let left = pairs.iter().filter(|(key, _)| key != FUNCTION && key != FAILED);
        page.query_pairs_mut().clear().extend_pairs(left);
        Some(Self { function, error: ServerFnUrlError::<AppError>::decode_err(&error), page })
    }

    /// The address of the page that shows it.
    fn address(&self, id: &str) -> Option<HeaderValue> {
        let mut page = self.page.clone();
        page.query_pairs_mut().append_pair(FAILED, id);
        HeaderValue::from_str(page.as_str()).ok()
    }
}

/// The tries of one account that failed.
struct Tries<'a> {
    sessions: &'a Sessions,
    account: AccountId,
}

impl Tries<'_> {
    /// The answer with an id in its address. Where nothing can be kept, the browser still has what was typed, one step back.
    async fn led_back(&self, failure: Failure, mut response: Response) -> Response {
        let id = BASE64_URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 16]>());
        let address = failure.address(&id);
        let failed = Failed { id, function: failure.function, error: failure.error };
        if let Err(error) = self.write(&failed).await {
            tracing::error!(%error, "what was typed into a form that failed cannot be kept");
            let words = "The database is away. Go back in your browser: what you typed is still there.";
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, words).into_response();
        }
        if let Some(address) = address {
            response.headers_mut().insert(header::LOCATION, address);
        }
        response
    }

    async fn find(&self, id: &str) -> Option<Failed> {
        match self.read(id).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "what was typed into a form that failed cannot be shown");
                None
            }
        }
    }

    /// The form was sent again: what it held before has served.
    async fn forget(&self, id: &str, function: &str) {
        if self.find(id).await.is_none_or(|failed| failed.function != function) {
            return;
        }
        if let Err(error) = self.sessions.forget(&key(id)).await {
            tracing::warn!(%error, "what was typed into a form that failed stays until it expires");
        }
    }

    async fn write(&self, failed: &Failed) -> anyhow::Result<()> {
        let engine = self.sessions.engine();
        let (key, expires_at) = (key(&failed.id), engine.now().plus(KEPT_FOR));
        let data = sealed(&engine.config().keys, failed)?;
        self.sessions.keep(Beside { key, account: self.account, data, expires_at }).await
    }

    async fn read(&self, id: &str) -> anyhow::Result<Option<Failed>> {
        let engine = self.sessions.engine();
        let key = key(id);
        let Some(data) = self.sessions.kept(&key, self.account).await? else { return Ok(None) };
        let plain = engine.config().keys.open(&key, &BASE64_STANDARD.decode(data)?)?;
        // What is wrong with it may quote what was typed, which is not for the log.
        serde_json::from_slice(&plain).map(Some).map_err(|_| anyhow!("another version has written it"))
    }
}

/// What is stored of it.
fn sealed(keys: &KeyRing, failed: &Failed) -> anyhow::Result<String> {
    Ok(BASE64_STANDARD.encode(keys.seal(&key(&failed.id), &serde_json::to_vec(failed)?)))
}

/// Where it is stored: under a hash, as sessions are, and never where one of those is.
fn key(id: &str) -> String {
    format!("{BESIDE_KEY}{}", hex::encode(Sha256::digest(id.as_bytes())))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn redirect(to: &str) -> Response {
        Response::builder().status(302).header(header::LOCATION, to).body(Body::empty()).unwrap()
    }

    #[test]
    fn what_was_typed_leaves_the_address() {
        let error = AppError::field("text", "Too long.").keep(&[("text", "My secret")]);
        for (from, to) in [
            ("http://a.example/inbox/+1415", "http://a.example/inbox/+1415?__err=id"),
            ("http://a.example/inbox/+1415?__err=old", "http://a.example/inbox/+1415?__err=id"),
            ("http://a.example/inbox/+1415?view=all&__err=old", "http://a.example/inbox/+1415?view=all&__err=id"),
        ] {
            let led = ServerFnUrlError::new("/_fn/reply", error.clone()).to_url(from).unwrap();
            let failure = Failure::of(&redirect(led.as_str())).unwrap();
            assert_eq!(failure.address("id").unwrap(), to);
            assert_eq!((failure.function, failure.error), ("/_fn/reply".to_owned(), error.clone()));
        }
    }

    #[test]
    fn what_was_typed_is_stored_sealed() {
        let words = "Between you and me";
        let error = AppError::field("text", "Too long.").keep(&[("text", words)]);
        let failed = Failed { id: "id".to_owned(), function: "/_fn/reply".to_owned(), error };
        let keys = KeyRing::parse(&KeyRing::generate()).unwrap();
        let stored = BASE64_STANDARD.decode(sealed(&keys, &failed).unwrap()).unwrap();
        assert!(!stored.windows(words.len()).any(|part| part == words.as_bytes()));
        let opened = keys.open(&key("id"), &stored).unwrap();
        assert_eq!(serde_json::from_slice::<Failed>(&opened).unwrap().error, failed.error);
    }

    #[test]
    fn other_redirects_stay_as_they_are() {
        for to in ["/login", "http://a.example/contacts?done=saved", "http://a.example/?__err=id"] {
            assert!(Failure::of(&redirect(to)).is_none(), "{to}");
        }
    }

    #[test]
    fn the_page_before_names_what_failed() {
        let from =
            |page: &'static str| before(&HeaderMap::from_iter([(header::REFERER, HeaderValue::from_static(page))]));
        assert_eq!(from("http://a.example/topics?view=all&__err=id").as_deref(), Some("id"));
        assert_eq!((from("http://a.example/topics"), before(&HeaderMap::new())), (None, None));
    }
}
