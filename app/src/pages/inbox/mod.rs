//! The inbox: who wrote, what was said, and answering.

mod api;
mod aside;
mod list;
mod reply;
mod talk;
mod thread;

use leptos::prelude::*;

/// The pages of this feature.
#[derive(Clone, Copy)]
pub enum Page {
    List,
    One,
}

/// Shows a page.
pub fn open(page: Page) -> AnyView {
    match page {
        Page::List => list::InboxPage().into_any(),
        Page::One => talk::ConversationPage().into_any(),
    }
}
