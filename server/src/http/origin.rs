//! Refuses what other sites make a browser send. Cookies go along with cross-site posts in more cases than one thinks, so
//! every request that may change something says where it comes from: `Sec-Fetch-Site`, else `Origin` against the host.
//! What has neither was not sent by a browser's page and carries nobody's cookies by accident.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use url::Url;

use super::client::TrustedProxies;
use crate::problem::Problem;

/// Which origins are ours.
#[derive(Clone, Debug)]
pub struct Allowed {
    public: String,
    proxies: TrustedProxies,
}

impl Allowed {
    #[must_use]
    pub fn new(public_url: &Url, proxies: TrustedProxies) -> Self {
        Self { public: public_url.origin().ascii_serialization(), proxies }
    }

    fn allows(&self, headers: &HeaderMap, proxied: bool) -> bool {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
        match (text("sec-fetch-site"), text("origin")) {
            (Some("cross-site"), _) => false,
            (Some("same-origin" | "none"), _) | (None, None) => true,
            (_, Some(origin)) if origin == self.public => true,
            (Some(_), _) => false,
            (None, Some(origin)) => {
                let forwarded = if proxied { text("x-forwarded-host") } else { None };
                let host = forwarded.or_else(|| text(header::HOST.as_str()));
                host.is_some_and(|host| has_host(origin, host))
            }
        }
    }
}

/// Whether the origin is on this host (and port, when it is not the scheme's own).
fn has_host(origin: &str, host: &str) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    let Ok(here) = Url::parse(&format!("{}://{host}", origin.scheme())) else { return false };
    origin.has_host() && origin.origin() == here.origin()
}

/// The middleware.
pub async fn check(State(allowed): State<Allowed>, request: Request, next: Next) -> Response {
    let proxied = allowed.proxies.is_proxied(request.extensions());
    if request.method().is_safe() || allowed.allows(request.headers(), proxied) {
        return next.run(request).await;
    }
    tracing::warn!("refused a request that another site caused");
    Problem::new(StatusCode::FORBIDDEN, "This request came from another site, so nothing was done.").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(headers: &[(&'static str, &'static str)]) -> bool {
        let public = Url::parse("https://engine.example.org").expect("a URL");
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect::<HeaderMap>();
        Allowed::new(&public, TrustedProxies::default()).allows(&headers, false)
    }

    #[test]
    fn only_our_own_pages_may_post() {
        assert!(allows(&[("sec-fetch-site", "same-origin")]));
        assert!(allows(&[("sec-fetch-site", "none")]));
        assert!(!allows(&[("sec-fetch-site", "cross-site")]));
        assert!(!allows(&[("sec-fetch-site", "cross-site"), ("origin", "https://engine.example.org")]));
        assert!(!allows(&[("sec-fetch-site", "same-site"), ("origin", "https://other.example.org")]));
        assert!(allows(&[("origin", "http://localhost:3000"), ("host", "localhost:3000")]));
        assert!(!allows(&[("origin", "http://localhost:3001"), ("host", "localhost:3000")]));
        assert!(!allows(&[("origin", "null"), ("host", "localhost:3000")]));
        assert!(allows(&[("origin", "https://engine.example.org"), ("host", "internal:3000")]), "behind a proxy");
        assert!(!allows(&[("origin", "https://evil.example"), ("host", "internal:3000")]));
        assert!(allows(&[("host", "localhost:3000")]), "no browser");
    }
}
