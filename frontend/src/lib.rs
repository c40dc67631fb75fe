//! The browser's entry point: makes the pages that the server rendered live, and nothing else.

use leptos::prelude::{document, window};
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
pub fn hydrate() {
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        start_again();
    }));
    leptos::mount::hydrate_lazy(app::App);
}

/// After a panic nothing here works any more. The usual one is that the code of another group of pages cannot be fetched,
/// because the server was replaced since this page was loaded. Loaded again, the page is whole: but only a page that was
/// live is, or one that panics at its start would do so for ever.
fn start_again() {
    if document().document_element().is_some_and(|root| root.has_attribute("data-hydrated")) {
        let _ = window().location().reload();
    }
}
