//! The box to answer in: free text while WhatsApp allows it, a template at any time.

use domain::{consent::Consent, conversation::ReplySender, message::Channel, time::Timestamp};
use leptos::prelude::*;

use super::{
    api::{ConversationView, TemplatePreview},
    talk::Actions,
};
use crate::{components::*, paths, text};

pub(super) fn box_for(view: Memo<ConversationView>, actions: Actions) -> AnyView {
    let senders = Memo::new(move |_| view.with(|view| view.detail.senders.clone()));
    let out =
        Memo::new(move |_| view.with(|view| view.contact.suppressed || view.contact.consent == Consent::OptedOut));
    // Made anew only when what may be written changes, so that what is being typed stays.
    let open = Memo::new(move |_| {
        senders.with(|senders| senders.iter().filter(|sender| sender.free_text).map(choice).collect::<Vec<_>>())
    });
    let none = Memo::new(move |_| senders.with(Vec::is_empty));
    let (phone, preview) = view.with_untracked(|view| (view.contact.phone.to_string(), view.preview.clone()));
    let templates = view.with_untracked(|view| view.templates.clone());
    let number = phone.clone();
    let content = live_view(move || {
        if out.get() {
            return why_not(
                "They opted out.",
                "Nothing goes to this person any more. They can come back by answering START; what a file or an admin noted, \
                 an admin can lift with a proof of their consent.",
            );
        }
        if none.get() {
            return why_not("There is no sender.", "An admin adds one, or enables one, under Settings → Senders.");
        }
        let choices = open.get();
        if choices.is_empty() {
            why_not(
                "Only a template can go out now.",
                "WhatsApp takes free text only within 24 hours after the person's last message to the same number.",
            )
        } else {
            free_text(number.clone(), choices, actions)
        }
    });
    let by_template = live_view(move || {
        (!out.get() && !none.get()).then(|| by_template(&phone, &templates, preview.clone(), senders, actions))
    });
    view! { <div class="thread__foot">{windows(senders)} {content} {by_template}</div> }.into_any()
}

fn choice(sender: &ReplySender) -> (String, String) {
    (sender.id.to_string(), format!("{} · {}", sender.name, text::channel(sender.channel)))
}

fn why_not(title: &'static str, words: &'static str) -> AnyView {
    view! { <Alert tone=Tone::Info title=title>{words}</Alert> }.into_any()
}

/// Until when free text may go out, for each number that the person wrote to.
fn windows(senders: Memo<Vec<ReplySender>>) -> AnyView {
    let clock = use_clock();
    live_view(move || {
        let now = clock.and_then(Clock::now);
        let lines = senders.with(|senders| {
            let by_whatsapp = senders.iter().filter(|sender| sender.channel == Channel::Whatsapp);
            let told =
                by_whatsapp.filter_map(|sender| Some((sender.name.clone(), sender.window_until?, sender.free_text)));
            told.map(|(name, until, free)| window(&name, until, free, now)).collect::<Vec<_>>()
        });
        (!lines.is_empty()).then(|| view! { <ul class="thread__windows">{lines}</ul> })
    })
}

fn window(name: &str, until: Timestamp, free: bool, now: Option<Timestamp>) -> AnyView {
    let words = match now {
        Some(now) if now < until => format!("{name}: 24 hours end in {}", format::duration(until.since(now))),
        None if free => format!("{name}: 24 hours end at {}", format::utc(until)),
        _ => format!("{name}: 24 hours ended at {}", format::utc(until)),
    };
    view! { <li>{icon(Glyph::Clock)} <span>{words}</span></li> }.into_any()
}

fn free_text(number: String, choices: Vec<(String, String)>, actions: Actions) -> AnyView {
    let written = RwSignal::new(String::new());
    let value = actions.reply.value();
    Effect::new(move |_| {
        if value.with(|value| matches!(value, Some(Ok(())))) {
            written.set(String::new());
        }
    });
    let first = choices.first().map(|(id, _)| id.clone()).unwrap_or_default();
    let sender = if choices.len() > 1 {
        let choices = choices.into_iter().map(|(id, name)| Choice::new(id, name)).collect::<Vec<_>>();
        view! { <SelectField name="sender" label="From" choices=choices value=first/> }.into_any()
    } else {
        view! { <Hidden name="sender" value=first/> }.into_any()
    };
    view! {
        <FormFor action=actions.reply class="form thread__form">
            <Hidden name="number" value=number/>
            {reply_field(written)}
            <div class="thread__send">
                {sender}
                <SubmitButton label="Send" busy="Sending…"/>
            </div>
        </FormFor>
    }
    .into_any()
}

/// A field whose text goes once it is sent.
fn reply_field(written: RwSignal<String>) -> AnyView {
    let problem = use_form().problem;
    let kept = problem.with_untracked(|problem| {
        problem.as_ref().and_then(|error| error.typed("text").map(str::to_owned)).unwrap_or_default()
    });
    if !kept.is_empty() {
        written.set(kept.clone());
    }
    let wrong =
        move || problem.with(|problem| problem.as_ref().and_then(|error| error.of_field("text").map(str::to_owned)));
    let error = live_view(move || {
        wrong().map(|words| {
            view! { <p class="field__error" id="f-text-error">{icon(Glyph::Warning)} <span>{words}</span></p> }
        })
    });
    view! {
        <div class="field">
            <label class="visually-hidden" for="f-text">"Your answer"</label>
            <textarea
                class="input input--area"
                id="f-text"
                name="text"
                rows="3"
                required
                maxlength="1600"
                dir="auto"
                placeholder="Write an answer"
                aria-invalid=live_attr(move || wrong().is_some().then_some("true"))
                aria-describedby=live_attr(move || wrong().is_some().then_some("f-text-error"))
                prop:value=live_attr(move || written.get())
                on:input=move |event| written.set(event_target_value(&event))
            >
                {kept}
            </textarea>
            {error}
        </div>
    }
    .into_any()
}

/// Choosing a template, reading it as this person gets it, sending it.
fn by_template(
    phone: &str,
    templates: &[(String, String)],
    preview: Option<TemplatePreview>,
    senders: Memo<Vec<ReplySender>>,
    actions: Actions,
) -> AnyView {
    if templates.is_empty() {
        return view! {
            <p class="muted small">"There are no templates yet. " <a class="link" href=paths::NEW_TEMPLATE>"Write one"</a></p>
        }
        .into_any();
    }
    let chosen = preview.as_ref().map(|preview| preview.id.clone()).unwrap_or_default();
    let choices = templates.iter().map(|(id, name)| Choice::new(id.clone(), name.clone())).collect::<Vec<_>>();
    let open = preview.is_some();
    let shown = preview.map(|preview| template_form(phone.to_owned(), preview, senders, actions));
    // A plain form of its own page: what was chosen is in the address.
    let here = paths::conversation(phone);
    view! {
        <details class="disclosure" open=open>
            <summary>"Answer with a template"</summary>
            <form class="thread__choose" method="get" action=here>
                <label class="visually-hidden" for="f-template">"Template"</label>
                <select class="input input--select" id="f-template" name="template" required>
                    {options(choices, Some("Choose a template".to_owned()), &chosen)}
                </select>
                <button class="btn" type="submit">"Preview"</button>
            </form>
            {shown}
        </details>
    }
    .into_any()
}

fn template_form(
    number: String,
    preview: TemplatePreview,
    senders: Memo<Vec<ReplySender>>,
    actions: Actions,
) -> AnyView {
    let choices = senders.with_untracked(|senders| {
        let able = senders.iter().filter(|sender| preview.senders.contains(&sender.id.to_string()));
        able.map(choice).map(|(id, name)| Choice::new(id, name)).collect::<Vec<_>>()
    });
    let first = choices.first().map(|choice| choice.value.clone()).unwrap_or_default();
    let missing = (!preview.missing.is_empty()).then(|| {
        let words = preview.missing.join(", ");
        view! { <Alert tone=Tone::Warn title="This person has no value for:">{words} ". It would be left out."</Alert> }
    });
    let problems = (!preview.problems.is_empty()).then(|| {
        let words = preview.problems.join(" ");
        view! { <Alert tone=Tone::Bad title="The template cannot be filled.">{words}</Alert> }
    });
    let sendable = preview.missing.is_empty() && preview.problems.is_empty() && !choices.is_empty();
    let none = choices.is_empty().then(|| {
        let title = if preview.only_in_window {
            "WhatsApp has not approved this template: it goes out only within 24 hours of what the person wrote."
        } else {
            "No sender of this template's channel is enabled."
        };
        view! { <Alert tone=Tone::Warn title=title/> }
    });
    let text = preview.text.clone();
    let buttons = preview.buttons.iter().map(|title| {
        view! { <span class="bubble__button" dir="auto">{icon(Glyph::Reply)} {title.clone()}</span> }.into_any()
    });
    let buttons = buttons.collect::<Vec<_>>();
    view! {
        <div class="thread__preview">
            <div class="bubble bubble--mine">
                <span class="thread__source" dir="auto">{preview.name.clone()}</span>
                <div class="bubble__text" dir="auto">{formatted(&text)}</div>
            </div>
            {buttons}
        </div>
        {missing} {problems} {none}
        {sendable.then(|| view! {
            <FormFor action=actions.template class="form thread__form">
                <Hidden name="number" value=number/>
                <Hidden name="template" value=preview.id/>
                <div class="thread__send">
                    <SelectField name="sender" label="From" choices=choices value=first/>
                    <SubmitButton label="Send this template" busy="Sending…"/>
                </div>
            </FormFor>
        })}
    }
    .into_any()
}
