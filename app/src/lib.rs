//! What people see. Compiled twice: into the server (`ssr`) and to wasm for the browser (`hydrate`).
//!
//! Pages live in `pages/<feature>/`; what several of them need is in `components/`. See README.md.

pub mod components;
#[cfg(feature = "ssr")]
pub mod context;
#[cfg(feature = "ssr")]
pub mod documents;
pub mod error;
mod faults;
pub mod frame;
mod groups;
mod pages;
pub mod paths;
#[cfg(feature = "ssr")]
pub mod recipient;
mod routes;
pub mod text;

use std::{collections::BTreeMap, sync::Arc};

use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::components::Router;

use crate::components::{Clock, Shell};

/// Where the browser finds the app's own files. The server puts it into the context of a page when their names carry a
/// hash; else they are found under their plain names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assets {
    pub css: String,
    pub js: String,
    pub wasm: String,
    /// The script that loads the code of the groups of pages, if it is known where it is; `js` imports it.
    pub loader: Option<String>,
    /// From a group of pages (see `groups.rs`) to the wasm files that its pages need besides the main one.
    pub groups: Arc<BTreeMap<String, Vec<String>>>,
}

impl Assets {
    fn plain(options: &LeptosOptions) -> Self {
        let (folder, name) = (&options.site_pkg_dir, &options.output_name);
        let file = |kind: &str| format!("/{folder}/{name}.{kind}");
        Self { css: file("css"), js: file("js"), wasm: file("wasm"), loader: None, groups: Arc::default() }
    }
}

/// The document around the app; only the server renders it.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let Assets { css, js, wasm, loader, .. } = use_context().unwrap_or_else(|| Assets::plain(&options));
    // A module is fetched with CORS rules, and so must be what is fetched ahead for it.
    let start = format!("import init,{{hydrate}} from {js:?};init({{module_or_path:{wasm:?}}}).then(hydrate)");
    let nonce = use_nonce();
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="theme-color" media="(prefers-color-scheme: light)" content="#f7f9fb"/>
                <meta name="theme-color" media="(prefers-color-scheme: dark)" content="#0b0f14"/>
                <meta name="referrer" content="same-origin"/>
                <link rel="icon" type="image/svg+xml" href="/favicon.svg"/>
                <link rel="stylesheet" href=css/>
                <link rel="modulepreload" href=js nonce=nonce.clone()/>
                {loader.map(|loader| view! { <link rel="modulepreload" href=loader nonce=nonce.clone()/> })}
                <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous" nonce=nonce.clone()/>
                <script type="module" nonce=nonce inner_html=start></script>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// The appearance that was chosen, from its cookie; nothing means the system's.
fn theme() -> Option<&'static str> {
    #[cfg(feature = "ssr")]
    {
        let parts = use_context::<http::request::Parts>()?;
        let cookies = parts.headers.get(http::header::COOKIE)?.to_str().ok()?;
        cookies.split(';').find_map(|cookie| match cookie.trim() {
            "theme=light" => Some("light"),
            "theme=dark" => Some("dark"),
            _ => None,
        })
    }
    #[cfg(not(feature = "ssr"))]
    None
}

/// The app: the frame and the pages. Runs on the server for every page (and once at its start, without a request, to
/// collect the routes), and in the browser.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_context(Clock::start());
    // Tests and style sheets can see that the page is live.
    Effect::new(move |_| {
        if let Some(root) = document().document_element() {
            let _ = root.set_attribute("data-hydrated", "");
        }
    });
    view! {
        <Title formatter=|title: String| {
            if title.is_empty() { text::PRODUCT.to_owned() } else { format!("{title} · {}", text::PRODUCT) }
        }/>
        <Router>
            <Shell>
                <routes::Pages/>
            </Shell>
        </Router>
    }
}
