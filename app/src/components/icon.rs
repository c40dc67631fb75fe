//! Line icons, 16 × 16, drawn in the text's colour. Always beside a word or with a label on the control.

use leptos::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyph {
    Home,
    Campaign,
    Person,
    People,
    Upload,
    Target,
    Template,
    Topic,
    Phone,
    Search,
    More,
    Close,
    Check,
    Warning,
    Info,
    Plus,
    Trash,
    Right,
    Left,
    Down,
    External,
    Pause,
    Play,
    Stop,
    Send,
    Clock,
    Sun,
    Moon,
    Exit,
    File,
    Reply,
    Gear,
    Inbox,
    Events,
}

impl Glyph {
    const fn path(self) -> &'static str {
        match self {
            Self::Events => "M2.5 4h2M2.5 8h2M2.5 12h2M7 4h6.5M7 8h6.5M7 12h6.5",
            Self::Inbox => "M2.5 3h11v10h-11zM2.5 9h3.2l.8 1.6h3l.8-1.6h3.2",
            Self::Home => "M2.5 7 8 2.5 13.5 7v6.5h-4v-4h-3v4h-4z",
            Self::Campaign => "M2.5 6.5v3l7 3.5V3zM11.5 6c1.6.6 1.6 3.4 0 4M4.5 10.5l.8 3H7l-.7-2",
            Self::Person => "M10.5 5.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM3 13.5c.4-3 2.2-4.5 5-4.5s4.6 1.5 5 4.5",
            Self::People => {
                "M8.5 5.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM1.5 13.5c.4-3 2-4.5 4.5-4.5s4.1 1.5 4.5 4.5M10.5 3.2a2.5 2.5 0 0 1 0 4.6M12 9.6c1.5.6 2.3 1.9 2.5 3.9"
            }
            Self::Upload => "M8 10.5v-8M4.8 5.5 8 2.3l3.2 3.2M2.5 10v3.5h11V10",
            Self::Target => "M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0zM10 8a2 2 0 1 1-4 0 2 2 0 0 1 4 0z",
            Self::Template => "M2.5 3h11v8.5h-6L4.5 14v-2.5h-2zM5 6h6M5 8.5h4",
            Self::Topic => "M2.5 5.5h11M2.5 10.5h11M6 2.5l-1 11M11 2.5l-1 11",
            Self::Phone => "M4.5 1.8h7v12.4h-7zM7.2 12h1.6",
            Self::Search => "M11.2 7a4.2 4.2 0 1 1-8.4 0 4.2 4.2 0 0 1 8.4 0zM10.2 10.2l3.3 3.3",
            Self::More => {
                "M3.8 8a.6.6 0 1 1-1.2 0 .6.6 0 0 1 1.2 0zM8.6 8a.6.6 0 1 1-1.2 0 .6.6 0 0 1 1.2 0zM13.4 8a.6.6 0 1 1-1.2 0 .6.6 0 0 1 1.2 0z"
            }
            Self::Close => "m4 4 8 8M12 4l-8 8",
            Self::Check => "m3 8.5 3.3 3.3L13 4.5",
            Self::Warning => "M8 2.3 14.3 13.3H1.7zM8 6.5v3.2M8 11.5h.01",
            Self::Info => "M13.8 8a5.8 5.8 0 1 1-11.6 0 5.8 5.8 0 0 1 11.6 0zM8 7.3v3.5M8 5.2h.01",
            Self::Plus => "M8 3v10M3 8h10",
            Self::Trash => "M3 4.5h10M6.3 4.3V2.5h3.4v1.8M4.3 4.5l.6 9h6.2l.6-9M6.8 7v4M9.2 7v4",
            Self::Right => "m6 3.5 4.5 4.5L6 12.5",
            Self::Left => "M10 3.5 5.5 8l4.5 4.5",
            Self::Down => "m3.5 6 4.5 4.5L12.5 6",
            Self::External => "M6 3H3v10h10v-3M9 2.8h4.2V7M13 3 7.5 8.5",
            Self::Pause => "M5.5 3.5v9M10.5 3.5v9",
            Self::Play => "M4.5 3v10l8-5z",
            Self::Stop => "M3.5 3.5h9v9h-9z",
            Self::Send => "M2 7.5 14 2.5 9.5 14 7.3 9zM7.3 9 14 2.5",
            Self::Clock => "M13.8 8a5.8 5.8 0 1 1-11.6 0 5.8 5.8 0 0 1 11.6 0zM8 4.8V8l2.3 1.6",
            Self::Sun => {
                "M10.8 8a2.8 2.8 0 1 1-5.6 0 2.8 2.8 0 0 1 5.6 0zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9"
            }
            Self::Moon => "M13.3 9.6A5.8 5.8 0 0 1 6.4 2.7a5.6 5.6 0 1 0 6.9 6.9z",
            Self::Exit => "M6.5 2.8H3v10.4h3.5M6.5 8h7M10.8 5.2 13.6 8l-2.8 2.8",
            Self::File => "M3.5 1.8h5.8l3.2 3.2v9.2h-9zM9 2v3.3h3.3",
            Self::Gear => {
                "M10.2 8a2.2 2.2 0 1 1-4.4 0 2.2 2.2 0 0 1 4.4 0zM8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6 5 5M11 11l1.4 1.4M12.4 3.6 11 5M5 11l-1.4 1.4"
            }
            Self::Reply => "M6.5 4 2.5 7.5l4 3.5M2.8 7.5h6.7c2.5 0 4 1.6 4 4.5",
        }
    }
}

#[component]
pub fn Icon(glyph: Glyph) -> impl IntoView {
    icon(glyph)
}

/// The same as [`Icon`], for use inside expressions.
#[must_use]
pub fn icon(glyph: Glyph) -> AnyView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
            <path d=glyph.path()></path>
        </svg>
    }
    .into_any()
}
