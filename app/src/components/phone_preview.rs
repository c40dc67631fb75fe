//! A phone that shows messages as the person sees them.

use super::live::live_view;
use leptos::prelude::*;

use super::icon::{Glyph, icon};

/// The phone; its children are [`Bubble`]s.
#[component]
pub fn PhonePreview(
    /// Who writes: the business's name.
    #[prop(into)]
    name: String,
    /// A line below the name: "Business account", the number.
    #[prop(default = "Business account".to_owned(), into)]
    about: String,
    /// What is below the bubbles: a form to answer with.
    #[prop(optional, into)]
    foot: Option<ViewFn>,
    children: Children,
) -> impl IntoView {
    // The style sheet makes them large: std's tables of letters would be 6 kB of every page.
    let initials: String = name.split_whitespace().filter_map(|word| word.chars().next()).take(2).collect();
    view! {
        <div class="phone">
            <div class="phone__screen">
                <div class="phone__bar">
                    <span class="phone__avatar" aria-hidden="true">{initials}</span>
                    <span class="phone__name"><b dir="auto">{name}</b> <small>{about}</small></span>
                </div>
                // It scrolls: so the keyboard must get to it.
                <div class="phone__chat" tabindex="0" role="group" aria-label="Messages on the phone">{children()}</div>
                {foot.map(|foot| view! { <div class="phone__foot">{foot.run()}</div> })}
            </div>
        </div>
    }
    .into_any()
}

/// One message on the phone. WhatsApp's own marks (`*bold*`, `_italic_`, `~struck~`, ```` ```code``` ````) are shown as
/// WhatsApp shows them.
#[component]
pub fn Bubble(
    #[prop(into)] text: Signal<String>,
    /// Written by the person whose phone it is.
    #[prop(optional)]
    mine: bool,
    /// Time and state, at the end: `16:04`, `16:04 · read`.
    #[prop(optional, into)]
    meta: Option<ViewFn>,
    /// The titles of reply buttons below.
    #[prop(optional, into)]
    buttons: Signal<Vec<String>>,
) -> impl IntoView {
    let class = if mine { "bubble bubble--mine" } else { "bubble" };
    let who = if mine { "Written by the person: " } else { "Message: " };
    let replies = live_view(move || {
        let buttons = buttons.get();
        buttons
            .into_iter()
            .map(|title| {
                view! { <span class="bubble__button" dir="auto">{icon(Glyph::Reply)} {title}</span> }.into_any()
            })
            .collect::<Vec<_>>()
    });
    view! {
        <div class=class>
            <div class="bubble__text" dir="auto">
                <span class="visually-hidden">{who}</span>
                {live_view(move || text.with(|text| formatted(text)))}
            </div>
            {meta.map(|meta| view! { <span class="bubble__meta">{meta.run()}</span> })}
        </div>
        {replies}
    }
    .into_any()
}

/// A word between bubbles: a day, an event.
#[component]
pub fn ChatNote(#[prop(into)] text: String) -> impl IntoView {
    view! { <span class="phone__note">{text}</span> }.into_any()
}

/// A text with WhatsApp's own marks as WhatsApp shows them.
#[must_use]
pub fn formatted(text: &str) -> Vec<AnyView> {
    spans(text)
        .into_iter()
        .map(|(style, part)| match style {
            Style::Plain => view! { <span>{part}</span> }.into_any(),
            Style::Bold => view! { <b>{part}</b> }.into_any(),
            Style::Italic => view! { <i>{part}</i> }.into_any(),
            Style::Struck => view! { <s>{part}</s> }.into_any(),
            Style::Code => view! { <code>{part}</code> }.into_any(),
        })
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    Bold,
    Italic,
    Struck,
    Code,
}

/// WhatsApp's rule: a mark opens at the start of a word and closes at the end of one, within a line (code may span
/// lines). Marks are not nested here: a preview, not a parser.
fn spans(text: &str) -> Vec<(Style, String)> {
    const MARKS: [(&str, Style); 4] =
        [("```", Style::Code), ("*", Style::Bold), ("_", Style::Italic), ("~", Style::Struck)];
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    'next: while let Some(first) = rest.chars().next() {
        let at_word = plain.chars().next_back().is_none_or(|before| !before.is_alphanumeric());
        for (mark, style) in MARKS {
            if at_word
                && let Some(inner) = rest.strip_prefix(mark)
                && let Some(end) = closing(inner, mark)
            {
                if !plain.is_empty() {
                    parts.push((Style::Plain, std::mem::take(&mut plain)));
                }
                parts.push((style, inner.get(..end).unwrap_or_default().to_owned()));
                rest = inner.get(end + mark.len()..).unwrap_or_default();
                continue 'next;
            }
        }
        plain.push(first);
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    if !plain.is_empty() {
        parts.push((Style::Plain, plain));
    }
    parts
}

/// Where the mark closes again, if it does.
fn closing(inner: &str, mark: &str) -> Option<usize> {
    if inner.starts_with(char::is_whitespace) || inner.starts_with(mark) {
        return None;
    }
    let line = if mark.len() > 1 { inner } else { inner.lines().next().unwrap_or_default() };
    line.match_indices(mark).map(|(at, _)| at).find(|at| {
        let before = line.get(..*at).and_then(|text| text.chars().next_back());
        let after = line.get(at + mark.len()..).and_then(|text| text.chars().next());
        before.is_some_and(|c| !c.is_whitespace()) && after.is_none_or(|c| !c.is_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(Style, &'static str)> {
        spans(text).into_iter().map(|(style, part)| (style, &*part.leak())).collect()
    }

    #[test]
    fn marks_are_read_as_whatsapp_reads_them() {
        assert_eq!(of("Hi *you*, ok"), [(Style::Plain, "Hi "), (Style::Bold, "you"), (Style::Plain, ", ok")]);
        assert_eq!(of("2*3*4"), [(Style::Plain, "2*3*4")]);
        assert_eq!(of("* not bold*"), [(Style::Plain, "* not bold*")]);
        assert_eq!(of("first_name and last_name"), [(Style::Plain, "first_name and last_name")]);
        assert_eq!(of("~old~ _new_"), [(Style::Struck, "old"), (Style::Plain, " "), (Style::Italic, "new")]);
        assert_eq!(of("*one\ntwo*"), [(Style::Plain, "*one\ntwo*")]);
        assert_eq!(of("***"), [(Style::Plain, "***")]);
        assert_eq!(of("*සිංහල*"), [(Style::Bold, "සිංහල")]);
    }
}
