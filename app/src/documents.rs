//! Pages that are read and printed, and do nothing: rendered by the server alone, without scripts.

use domain::{
    consent::Consent,
    contact::{ConsentLine, ConsentProof},
};
use leptos::prelude::*;

use crate::{
    components::{Label, format},
    paths, text,
};

/// A whole document around its content.
fn document(title: &str, css: Option<String>, content: AnyView) -> String {
    let title = format!("{title} · {}", text::PRODUCT);
    let document = view! {
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="referrer" content="same-origin"/>
                <title>{title}</title>
                <link rel="icon" type="image/svg+xml" href="/favicon.svg"/>
                {css.map(|css| view! { <link rel="stylesheet" href=css/> })}
            </head>
            <body>
                <main class="document">{content}</main>
            </body>
        </html>
    };
    format!("<!DOCTYPE html>{}", document.to_html())
}

/// What a person agreed to and took back, to be shown to whoever asks.
#[must_use]
pub fn consent_proof(proof: &ConsentProof, css: Option<String>) -> String {
    let number = format::phone(proof.phone.as_str());
    let (state, made_at) = (Label::from(proof.consent).text, format::utc(proof.made_at));
    let suppressed = proof.suppressed.then_some(", on the do-not-contact list");
    let lines = proof.lines.iter().map(proof_line).collect::<Vec<_>>();
    let none =
        lines.is_empty().then(|| view! { <p>"This person has never said anything: there is nothing to prove."</p> });
    let (verdict, class) = if proof.holds {
        (
            "Each line below carries the hash of what it says and of the line before it, and all of them were found to be right.",
            "document__verdict",
        )
    } else {
        (
            "At least one line below was changed after it was written, or the line before it was. Do not rely on this record; run the program's command `audit verify`.",
            "document__verdict document__verdict--bad",
        )
    };
    let ledger = format!(
        "The ledger of all people had {} lines, and its last hash was {}.",
        format::num(proof.ledger_lines),
        if proof.ledger_hash.is_empty() { "none" } else { &proof.ledger_hash }
    );
    let content = view! {
        <p class="document__back"><a class="link" href=paths::contact(&proof.phone)>"Back to the contact"</a></p>
        <h1>"Record of consent"</h1>
        <dl class="document__facts">
            <dt>"Person"</dt>
            <dd>{proof.name.clone().map(|name| format!("{name}, "))} {number}</dd>
            <dt>"Consent now"</dt>
            <dd>{state} {suppressed}</dd>
            <dt>"Made"</dt>
            <dd>{made_at}</dd>
        </dl>
        <p class=class>{verdict}</p>
        {none}
        <ol class="document__lines">{lines}</ol>
        <p class="muted">{ledger} " Whoever keeps this page can compare: a later record of the same lines must show the same hashes."</p>
    };
    document("Record of consent", css, content.into_any())
}

fn proof_line(line: &ConsentLine) -> AnyView {
    let what = match (&line.topic, line.consent) {
        (None, consent) => Label::from(consent).text.into_owned(),
        (Some(topic), Consent::OptedIn) => format!("Subscribed to \u{201c}{topic}\u{201d}"),
        (Some(topic), Consent::Pending) => format!("Asked about \u{201c}{topic}\u{201d}"),
        (Some(topic), _) => format!("Unsubscribed from \u{201c}{topic}\u{201d}"),
    };
    let by = format!(
        "By {}; recorded by {} {}",
        text::consent_source(line.source),
        text::recorder(line.recorded_by),
        line.recorded_by_name
    );
    // The hash is of the id, so it stands here as well.
    let recorder = (line.recorded_by_name != line.recorded_by_id)
        .then(|| view! { <dt>"Recorded by"</dt> <dd>{line.recorded_by_id.clone()}</dd> });
    let reference = line.reference.clone().map(|reference| view! { <dt>"Reference"</dt> <dd>{reference}</dd> });
    let evidence =
        line.evidence.clone().map(|words| view! { <blockquote class="quote" dir="auto">{words}</blockquote> });
    let broken = (!line.holds)
        .then(|| view! { <p class="document__verdict document__verdict--bad">"This line does not hold."</p> });
    view! {
        <li>
            <h2>{what}</h2>
            <p>{format::utc(line.at)} " · " {by}</p>
            {evidence}
            {broken}
            <dl class="document__hashes">
                <dt>"Line"</dt>
                <dd>{format::num(line.number)}</dd>
                {reference}
                {recorder}
                <dt>"Hash before"</dt>
                <dd>{if line.previous_hash.is_empty() { "none: the first line".to_owned() } else { line.previous_hash.clone() }}</dd>
                <dt>"Hash"</dt>
                <dd>{line.hash.clone()}</dd>
            </dl>
        </li>
    }
    .into_any()
}
