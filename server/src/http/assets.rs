//! The web assets inside the program: style sheet, script, wasm and public files, compressed beforehand.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use app::Assets;
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use rust_embed::{EmbeddedFile, RustEmbed};
use serde::de::DeserializeOwned;

/// What `.ci/site.sh` wrote; empty when the program was compiled without it.
#[derive(RustEmbed)]
#[folder = "$ESE_SITE_DIR"]
struct Files;

/// From a file's plain name to the one that carries its content's hash.
const MANIFEST: &str = "manifest.json";
/// From a group of pages to the wasm files it needs besides the main one, without their ending.
const GROUPS: &str = "groups.json";
const HASHED: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const REVALIDATED: HeaderValue = HeaderValue::from_static("no-cache");
/// By preference.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// The embedded site.
#[derive(Clone, Debug)]
pub struct Site {
    manifest: BTreeMap<String, String>,
    groups: BTreeMap<String, Vec<String>>,
}

impl Site {
    /// Reads what is embedded about the files.
    #[must_use]
    pub fn embedded() -> Self {
        let site = Self { manifest: read(MANIFEST), groups: read(GROUPS) };
        if site.manifest.is_empty() {
            tracing::warn!("compiled without web assets: pages have no style and no scripts (see docs/development.md)");
        }
        site
    }

    /// The paths that the pages' head names, when there are any.
    #[must_use]
    pub fn names(&self) -> Option<Assets> {
        let file = |plain: &str| self.manifest.get(plain).map(|path| format!("/{path}"));
        let path = |extension: &str| file(&format!("pkg/event-stream-engine.{extension}"));
        let of_group =
            |files: &Vec<String>| files.iter().filter_map(|name| file(&format!("pkg/{name}.wasm"))).collect();
        Some(Assets {
            css: path("css")?,
            js: path("js")?,
            wasm: path("wasm")?,
            loader: file("pkg/__wasm_split.js"),
            groups: Arc::new(self.groups.iter().map(|(group, files)| (group.clone(), of_group(files))).collect()),
        })
    }

    /// A route for each file.
    pub fn router(&self) -> Router {
        let hashed = self.manifest.iter().filter(|(plain, path)| plain != path).map(|(_, path)| path.clone()).collect();
        let mut router = Router::new().route("/pkg/{*file}", get(serve));
        for path in self.manifest.values().filter(|path| !path.starts_with("pkg/")) {
            router = router.route(&format!("/{path}"), get(serve));
        }
        router.with_state(Hashed(Arc::new(hashed)))
    }
}

fn read<T: DeserializeOwned + Default>(path: &str) -> T {
    Files::get(path).and_then(|file| serde_json::from_slice(&file.data).ok()).unwrap_or_default()
}

/// The files whose names change with their content.
#[derive(Clone)]
struct Hashed(Arc<BTreeSet<String>>);

async fn serve(State(hashed): State<Hashed>, uri: Uri, request: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let Some(plain) = Files::get(path) else { return StatusCode::NOT_FOUND.into_response() };
    let etag = etag(&plain);
    let cache = if hashed.0.contains(path) { HASHED } else { REVALIDATED };
    let common = [
        (header::CACHE_CONTROL, cache),
        (header::ETAG, etag.clone()),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    if request.get(header::IF_NONE_MATCH).is_some_and(|known| known == etag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let accepted = request.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let compressed = ENCODINGS
        .into_iter()
        .filter(|(name, _)| accepts(accepted, name))
        .find_map(|(name, suffix)| Some((name, Files::get(&format!("{path}{suffix}"))?)));
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)))];
    match compressed {
        Some((name, file)) => {
            (common, kind, [(header::CONTENT_ENCODING, HeaderValue::from_static(name))], file.data).into_response()
        }
        None => (common, kind, plain.data).into_response(),
    }
}

fn etag(file: &EmbeddedFile) -> HeaderValue {
    let hash = hex::encode(&file.metadata.sha256_hash()[..12]);
    HeaderValue::from_str(&format!("\"{hash}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether `Accept-Encoding` names it and does not refuse it.
fn accepts(header: &str, encoding: &str) -> bool {
    header.split(',').any(|part| {
        let mut words = part.split(';').map(str::trim);
        let named = words.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused = words.any(|word| matches!(word, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        named && !refused
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_used_only_when_it_is_wanted() {
        assert!(accepts("gzip, deflate, br", "br"));
        assert!(accepts("br;q=0.5", "br"));
        assert!(!accepts("br;q=0, gzip", "br"));
        assert!(!accepts("", "br"));
        assert!(!accepts("brotli", "br"));
    }
}
