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
}

impl Glyph {
    const fn path(self) -> &'static str {
        match self {
            Self::Home => "M2.5 7 8 2.5 13.5 7v6.5h-4v-4h-3v4h-4z",
            Self::Campaign => "M2.5 6.5v3l7 3.5V3zM11.5 6c1.6.6 1.6 3.4 0 4M4.5 10.5l.8 3H7l-.7-2",
            Self::Person => "M10.5 5.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM3 13.5c.4-3 2.2-4.5 5-4.5s4.6 1.5 5 4.5",
            Self::People => {
                "M8.5 5.500a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM1.5 13.500c.4-3 2-4.5 4.5-4.500s4.1 1.5 4.5 4.500M10.5 3.200a2.5 2.5 0 0 1 0 4.600M12 9.600c1.5.6 2.3 1.9 2.5 3.9"
            }
            Self::Upload => "M8 10.500v-8M4.8 5.5 8 2.300l3.2 3.200M2.5 10v3.500h11V10",
            Self::Target => "M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0zM10 8a2 2 0 1 1-4 0 2 2 0 0 1 4 0z",
            Self::Template => "M2.5 3h11v8.500h-6L4.5 14v-2.500h-2zM5 6h6M5 8.500h4",
            Self::Topic => "M2.5 5.500h11M2.5 10.500h11M6 2.500l-1 11M11 2.500l-1 11",
            Self::Phone => "M4.5 1.800h7v12.400h-7zM7.2 12h1.6",
            Self::Search => "M11.2 7a4.2 4.2 0 1 1-8.4 0 4.2 4.2 0 0 1 8.4 0zM10.2 10.200l3.3 3.3",
            Self::More => "M3 8h.01M8 8h.01M13 8h.01",
            Self::Close => "m4 4 8 8M12 4l-8 8",
            Self::Check => "m3 8.5 3.3 3.300L13 4.5",
            Self::Warning => "M8 2.3 14.3 13.300H1.700zM8 6.500v3.200M8 11.500h.01",
            Self::Info => "M13.8 8a5.8 5.8 0 1 1-11.6 0 5.8 5.8 0 0 1 11.6 0zM8 7.300v3.500M8 5.200h.01",
            Self::Plus => "M8 3v10M3 8h10",
            Self::Trash => "M3 4.500h10M6.3 4.300V2.500h3.400v1.800M4.3 4.500l.6 9h6.200l.6-9M6.8 7v4M9.2 7v4",
            Self::Right => "m6 3.5 4.5 4.500L6 12.5",
            Self::Left => "M10 3.5 5.5 8l4.5 4.5",
            Self::Down => "m3.5 6 4.5 4.500L12.5 6",
            Self::External => "M6 3H3v10h10v-3M9 2.800h4.200V7M13 3 7.5 8.5",
            Self::Pause => "M5.5 3.500v9M10.5 3.500v9",
            Self::Play => "M4.5 3v10l8-5z",
            Self::Stop => "M3.5 3.500h9v9h-9z",
            Self::Send => "M2 7.5 14 2.5 9.5 14 7.3 9zM7.3 9 14 2.5",
            Self::Clock => "M13.8 8a5.8 5.8 0 1 1-11.6 0 5.8 5.8 0 0 1 11.6 0zM8 4.800V8l2.3 1.6",
            Self::Sun => {
                "M10.8 8a2.8 2.8 0 1 1-5.6 0 2.8 2.8 0 0 1 5.6 0zM8 1.500v1.300M8 13.200v1.300M1.5 8h1.300M13.2 8h1.300M3.4 3.400l.9.9M11.7 11.700l.9.9M3.4 12.600l.9-.9M11.7 4.300l.9-.9"
            }
            Self::Moon => "M13.3 9.600A5.8 5.8 0 0 1 6.4 2.700a5.6 5.6 0 1 0 6.9 6.900z",
            Self::Exit => "M6.5 2.800H3v10.400h3.500M6.5 8h7M10.8 5.2 13.6 8l-2.8 2.8",
            Self::File => "M3.5 1.800h5.800l3.2 3.200v9.200h-9zM9 2v3.300h3.3",
            Self::Reply => "M6.5 4 2.5 7.500l4 3.500M2.8 7.500h6.700c2.5 0 4 1.6 4 4.5",
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
