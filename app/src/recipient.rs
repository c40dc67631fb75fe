//! The recipient's own page: plain HTML for people without an account, rendered on the server alone. No scripts, nothing from
//! elsewhere; every change is a form.

mod words;

use domain::{
    consent::Subscription,
    recipient::{OwnTopic, Preferences},
};
use leptos::prelude::*;

use crate::{
    components::{Glyph, icon, logo, pill},
    paths::OWN_PAGE,
    text::{self, Tone},
};

/// What a form did. The page says so only where it is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done<'a> {
    Stopped,
    TopicOn(&'a str),
    TopicOff(&'a str),
    Asked,
    NeedsStart,
    NoTopic,
}

/// The page of a person that we know.
#[must_use]
pub fn page(css: &str, token: &str, shown: &Preferences, done: Option<Done<'_>>) -> String {
    let notice = done.and_then(|done| notice(shown, done));
    let body = view! {
        <header class="own__head">
            <h1>"Your messages from us"</h1>
            <p class="muted">"For the number " <span class="own__phone" dir="ltr">{shown.masked_phone.clone()}</span></p>
        </header>
        {notice}
        {state(token, shown)}
        {why(shown)}
        {topics(token, shown)}
        {data(token, shown)}
    };
    document(css, "Your messages", body.into_any())
}

/// The page of somebody who was erased.
#[must_use]
pub fn erased(css: &str) -> String {
    let text = "Your data was erased, and this link leads to nothing else. If you had said no to our messages, we keep a code \
                that your number can be recognised by, and cannot be read from, so that you get none.";
    plain(css, "We hold nothing about you any more", text)
}

/// For links that are not ours, and everything else that is not there.
#[must_use]
pub fn nothing(css: &str) -> String {
    plain(css, "There is nothing here", "Please open the link exactly as it stands in the message.")
}

/// Somebody asks too often.
#[must_use]
pub fn wait(css: &str, seconds: u32) -> String {
    let text = format!(
        "Too many requests. Please try again in {seconds} seconds. A reply of STOP to any of our messages works at once."
    );
    plain(css, "One moment", &text)
}

/// The database is away, or something is wrong on our side.
#[must_use]
pub fn away(css: &str) -> String {
    let text = "This page cannot be shown right now, and nothing was changed. Please try again in a moment. A reply of STOP to \
                any of our messages works, too.";
    plain(css, "Please try again", text)
}

fn plain(css: &str, title: &str, text: &str) -> String {
    let body = view! {
        <header class="own__head">
            <h1>{title.to_owned()}</h1>
        </header>
        <p class="own__plain">{text.to_owned()}</p>
    };
    document(css, title, body.into_any())
}

fn document(css: &str, title: &str, body: AnyView) -> String {
    let title = format!("{title} · {}", text::PRODUCT);
    let (css, brand) = (css.to_owned(), text::PRODUCT);
    // Nothing on the page reacts to anything: the owner is for what components may ask of one.
    let html = Owner::new().with(|| {
        view! {
            <html lang="en">
                <head>
                    <meta charset="utf-8"/>
                    <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover"/>
                    <meta name="color-scheme" content="light dark"/>
                    <meta name="robots" content="noindex, nofollow"/>
                    <meta name="referrer" content="no-referrer"/>
                    <title>{title}</title>
                    <link rel="icon" type="image/svg+xml" href="/favicon.svg"/>
                    <link rel="stylesheet" href=css/>
                </head>
                <body>
                    <main class="own">{body}</main>
                    <footer class="own__foot">{logo()} <span>{brand}</span></footer>
                </body>
            </html>
        }
        .to_html()
    });
    format!("<!DOCTYPE html>{html}")
}

/// What a form did, where it is so.
fn notice(shown: &Preferences, done: Done<'_>) -> Option<AnyView> {
    let name = |key: &str, state| {
        let topic = shown.topics.iter().find(|topic| topic.key == key && topic.state == Some(state))?;
        Some(topic.name.clone())
    };
    let (tone, words) = match done {
        Done::Stopped if shown.stopped => (Tone::Ok, "Done. You will get no more messages from us.".to_owned()),
        Done::TopicOn(key) => (Tone::Ok, format!("Done. {} is on.", name(key, Subscription::Subscribed)?)),
        Done::TopicOff(key) => (Tone::Ok, format!("Done. {} is off.", name(key, Subscription::Unsubscribed)?)),
        Done::Asked => (Tone::Info, "We have sent you a message: answer it with YES, and the topic is on.".to_owned()),
        Done::NeedsStart => (Tone::Warn, format!("Nothing was changed. {}", words::start(shown))),
        Done::NoTopic => (Tone::Warn, "Nothing was changed: there is no such topic any more.".to_owned()),
        Done::Stopped => return None,
    };
    let (glyph, role) = match tone {
        Tone::Ok => (Glyph::Check, "status"),
        Tone::Info => (Glyph::Info, "status"),
        _ => (Glyph::Warning, "alert"),
    };
    Some(
        view! {
            <div class=format!("alert alert--{}", tone.class()) role=role>{icon(glyph)} <div class="alert__body">{words}</div></div>
        }
        .into_any(),
    )
}

/// Whether anything comes at all, and the one button that matters most.
fn state(token: &str, shown: &Preferences) -> AnyView {
    let action = format!("{OWN_PAGE}/{token}/stop");
    let button = view! {
        <form method="post" action=action>
            <button class="btn btn--danger-solid own__stop" type="submit">{icon(Glyph::Stop)} "Stop all messages"</button>
        </form>
    };
    if shown.stopped {
        // Somebody else's note may be lifted by somebody else: the person's own word may not.
        let button = (!shown.stopped_by_themself).then_some(button);
        return view! {
            <section class="card own__card" aria-labelledby="state">
                <h2 id="state">"You get no messages"</h2>
                <p>{words::start(shown)}</p>
                {button}
            </section>
        }
        .into_any();
    }
    view! {
        <section class="card own__card" aria-labelledby="state">
            <h2 id="state">"Stop all messages"</h2>
            <p>"You will get nothing more from us, about any topic. It works at once."</p>
            {button}
        </section>
    }
    .into_any()
}

fn why(shown: &Preferences) -> AnyView {
    let lines: Vec<_> = words::why(shown).into_iter().map(|line| view! { <p>{line}</p> }.into_any()).collect();
    view! {
        <section class="card own__card" aria-labelledby="why">
            <h2 id="why">"Why did I get this?"</h2>
            {lines}
        </section>
    }
    .into_any()
}

fn topics(token: &str, shown: &Preferences) -> Option<AnyView> {
    if shown.topics.is_empty() {
        return None;
    }
    let note = if shown.stopped {
        "They are kept for the time after you have started messages again."
    } else {
        "Each can be turned off by itself."
    };
    let items: Vec<_> = shown.topics.iter().map(|one| topic(token, shown, one)).collect();
    Some(
        view! {
            <section class="card own__card" aria-labelledby="topics">
                <h2 id="topics">"Topics"</h2>
                <p class="muted">{note}</p>
                <ul class="own__topics">{items}</ul>
            </section>
        }
        .into_any(),
    )
}

fn topic(token: &str, shown: &Preferences, topic: &OwnTopic) -> AnyView {
    let on = topic.state == Some(Subscription::Subscribed);
    let (mark, verb) = if on { ((Tone::Ok, "On"), "Turn off") } else { ((Tone::Idle, "Off"), "Turn on") };
    // What cannot be done is not offered; the words above say what can.
    let form = (on || !shown.stopped).then(|| {
        let label = format!("{verb} {}", topic.name);
        view! {
            <form method="post" action=format!("{OWN_PAGE}/{token}/topics")>
                <input type="hidden" name="topic" value=topic.key.clone()/>
                <button class="btn" type="submit" name="on" value=if on { "false" } else { "true" } aria-label=label>{verb}</button>
            </form>
        }
    });
    let description = (!topic.description.is_empty())
        .then(|| view! { <span class="own__description">{topic.description.clone()}</span> });
    view! {
        <li class="own__topic">
            <div class="own__topic-name"><b dir="auto">{topic.name.clone()}</b> {pill(mark)} {description}</div>
            {form}
        </li>
    }
    .into_any()
}

fn data(token: &str, shown: &Preferences) -> AnyView {
    let rows: Vec<_> = words::data(shown)
        .into_iter()
        .map(|(name, value)| {
            view! { <div class="facts__row"><dt dir="auto">{name}</dt><dd dir="auto">{value}</dd></div> }.into_any()
        })
        .collect();
    view! {
        <section class="card own__card" aria-labelledby="data">
            <h2 id="data">"What we hold about you"</h2>
            <dl class="facts">{rows}</dl>
            <p class="muted">"The file has everything: these details, each yes and no with its evidence, and all messages of both directions."</p>
            <p>
                <a class="btn" href=format!("{OWN_PAGE}/{token}/data.json") download="my-data.json" rel="nofollow">
                    {icon(Glyph::File)}
                    "Download my data"
                </a>
            </p>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests;
