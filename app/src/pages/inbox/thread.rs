//! What was said, oldest first, day by day.

use domain::{
    conversation::Said,
    ids::InboundId,
    inbound::{Inbound, Media, MediaKind},
    message::{Kind, Message},
    time::Timestamp,
};
use leptos::prelude::*;

use super::api::ConversationView;
use crate::{components::*, faults::Faults, paths, text};

/// The messages of both; a style keeps the newest in view.
pub(super) fn messages(view: Memo<ConversationView>, newest: bool) -> AnyView {
    let runs = use_clock().map(Clock::runs);
    let here = use_here();
    let content = live_view(move || {
        let runs = runs.is_some_and(|runs| runs.get());
        view.with(|view| bubbles(view, runs))
    });
    let older = live_view(move || {
        let next = view.with(|view| view.detail.next_cursor.clone());
        next.map(|cursor| {
            view! { <a class="btn btn--small" href=here.with(&[("cursor", &cursor)])>"Earlier messages"</a> }
        })
    });
    let newer = (!newest).then(|| {
        view! { <a class="btn btn--small" href=live_attr(move || here.with(&[("cursor", "")]))>"Newest messages"</a> }
    });
    view! {
        <div class="thread__scroll" tabindex="0" role="log" aria-label="Messages">
            <div class="thread__all">
                <p class="thread__older">{older}</p>
                {content}
                <p class="thread__older">{newer}</p>
            </div>
        </div>
    }
    .into_any()
}

fn at(said: &Said) -> Timestamp {
    match said {
        Said::In(heard) => heard.received_at,
        Said::Out(sent) => sent.not_before,
    }
}

fn bubbles(view: &ConversationView, clock_runs: bool) -> AnyView {
    if view.detail.items.is_empty() {
        return view! { <p class="thread__note">"Nothing has been said yet."</p> }.into_any();
    }
    let mut today = String::new();
    let mut parts = Vec::new();
    for said in view.detail.items.iter().rev() {
        let this_day = day(at(said), clock_runs);
        if this_day != today {
            today.clone_from(&this_day);
            parts.push(view! { <p class="thread__note">{this_day}</p> }.into_any());
        }
        parts.push(match said {
            Said::In(heard) => from_person(heard),
            Said::Out(sent) => from_us(sent, view),
        });
    }
    parts.into_any()
}

fn from_person(heard: &Inbound) -> AnyView {
    let words = match heard.body.as_deref() {
        None => view! { <i class="muted">"The text is not kept any more"</i> }.into_any(),
        Some("") => ().into_any(),
        Some(body) => formatted(body).into_any(),
    };
    let files = heard.media.iter().enumerate().map(|(number, media)| file(heard.id, number, media));
    let files = files.collect::<Vec<_>>();
    let keyword = heard.keyword.map(|keyword| format!(" · understood as {}", keyword.as_str().to_uppercase()));
    let (received_at, channel) = (heard.received_at, text::channel(heard.channel));
    view! {
        <div class="bubble">
            <div class="bubble__text" dir="auto"><span class="visually-hidden">"The person: "</span>{words}</div>
            {files}
            <span class="bubble__meta"><Time at=received_at moment=true/> " · " {channel} {keyword}</span>
        </div>
    }
    .into_any()
}

/// A file is read through this server: the person does not learn who looks, and what could hold a script is only saved.
fn file(message: InboundId, number: usize, media: &Media) -> AnyView {
    let href = paths::media(message, number);
    let src = href.clone();
    match MediaKind::of(&media.content_type) {
        MediaKind::Picture => view! {
            <a class="thread__picture" href=href target="_blank" rel="noopener external">
                <img src=src alt="A picture that the person sent" loading="lazy" decoding="async"/>
            </a>
        }
        .into_any(),
        MediaKind::Sound => view! {
            <audio class="thread__sound" controls=true preload="none" src=src aria-label="A recording that the person sent"></audio>
        }
        .into_any(),
        MediaKind::Video => view! {
            <video class="thread__picture" controls=true preload="none" src=src aria-label="A video that the person sent"></video>
        }
        .into_any(),
        MediaKind::Other => {
            let content_type = media.content_type.clone();
            view! {
                <a class="thread__file" href=href download="" rel="external">
                    {icon(Glyph::File)} <span>"File" <span class="sub">{content_type}</span></span>
                </a>
            }
            .into_any()
        }
    }
}

fn from_us(sent: &Message, view: &ConversationView) -> AnyView {
    let source = match sent.kind {
        Kind::Campaign => {
            let known = view.campaigns.iter().find(|one| Some(one.campaign_id) == sent.campaign_id);
            Some(known.map_or_else(|| "Campaign".to_owned(), |one| one.name.clone()))
        }
        Kind::Test => Some("Test".to_owned()),
        Kind::Confirmation | Kind::AutoReply => Some("Answered by itself".to_owned()),
        Kind::Question => Some("Asked by itself".to_owned()),
        Kind::Single => None,
    };
    let source = source.map(|source| view! { <span class="thread__source" dir="auto">{source}</span> });
    let words = match sent.body.as_deref() {
        Some(body) => formatted(body).into_any(),
        None => view! { <i class="muted">{pending(sent)}</i> }.into_any(),
    };
    view! {
        <div class="bubble bubble--mine">
            {source}
            <div class="bubble__text" dir="auto"><span class="visually-hidden">"You: "</span>{words}</div>
            {meta(sent, &view.faults)}
        </div>
    }
    .into_any()
}

fn pending(sent: &Message) -> &'static str {
    if sent.state.is_open() { "A template, filled when its turn comes" } else { "There is no text" }
}

fn meta(sent: &Message, faults: &Faults) -> AnyView {
    let label = Label::from(sent.state);
    let failed = matches!(label.tone, Tone::Bad);
    let why = match (sent.error_code, sent.reason) {
        (Some(code), _) if failed => Some(faults.meaning(code).to_owned()),
        (_, Some(reason)) => Some(text::reason(reason).to_owned()),
        _ => None,
    };
    let why = why.map(|why| format!(": {why}"));
    let class = if failed || sent.reason.is_some() { "thread__state thread__state--bad" } else { "thread__state" };
    let (sent_at, channel) = (sent.not_before, text::channel(sent.channel));
    view! {
        <span class="bubble__meta">
            <Time at=sent_at moment=true/>
            " · "
            {channel}
            " · "
            <a class=class href=paths::message(sent.id) title="Why and when">{label.text} {why}</a>
        </span>
    }
    .into_any()
}
