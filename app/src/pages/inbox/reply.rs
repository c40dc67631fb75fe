//! The box to answer in: free text while WhatsApp allows it, a template at any time.

use domain::{
    consent::Consent,
    conversation::{ConversationDetail, ReplySender},
    message::Channel,
    template::MAX_BODY_CHARACTERS,
    time::Timestamp,
};
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
    // Made anew only when what may be written changes; what is being typed stays also then.
    let ways = Memo::new(move |_| view.with(|view| Ways::of(&view.detail)));
    let written = RwSignal::new(String::new());
    let value = actions.reply.value();
    Effect::new(move |_| {
        if value.with(|value| matches!(value, Some(Ok(())))) {
            written.set(String::new());
        }
    });
    let none = Memo::new(move |_| senders.with(Vec::is_empty));
    let (phone, preview) = view.with_untracked(|view| (view.contact.phone.to_string(), view.preview.clone()));
    let templates = view.with_untracked(|view| view.templates.clone());
    let (number, same_number) = (phone.clone(), phone.clone());
    let content = live_view(move || {
        if out.get() {
            let words = "Nothing goes to this person any more. They can come back by answering START; what a file or an admin \
                         noted, an admin can lift with a proof of their consent.";
            return cannot("They opted out.", words, written, actions);
        }
        if none.get() {
            let words = "An admin adds one, or enables one, under Settings → Senders.";
            return cannot("There is no sender.", words, written, actions);
        }
        ways.with(|ways| match ways {
            Ways::Same { choices, plain } => {
                free_text(number.clone(), choices, if *plain { Told::Not } else { Told::Yes }, written, actions)
            }
            Ways::Other { wrote_by, served, .. } => closed(*wrote_by, *served),
            Ways::Closed => cannot("Only a template can go out now.", WINDOW, written, actions),
        })
    });
    let by_template = live_view(move || {
        (!out.get() && !none.get()).then(|| by_template(&phone, &templates, preview.clone(), senders, ways, actions))
    });
    let by_other = live_view(move || {
        let writes = !out.get() && !none.get();
        ways.with(|ways| match ways {
            Ways::Other { channel, choices, .. } if writes => {
                Some(instead(same_number.clone(), *channel, choices, written, actions))
            }
            _ => None,
        })
    });
    view! { <div class="thread__foot">{windows(senders)} {content} {by_template} {by_other}</div> }.into_any()
}

const WINDOW: &str =
    "WhatsApp takes free text only within 24 hours after the person's last message to the same number.";

/// What any words may go out from now, as ids and names of senders.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ways {
    /// By the channel that the person wrote by; its senders come first. `plain`: there is but the one that they wrote to.
    Same {
        choices: Vec<(String, String)>,
        plain: bool,
    },
    /// Only by another channel: never by itself.
    Other {
        wrote_by: Channel,
        /// Whether any sender of it is enabled.
        served: bool,
        channel: Channel,
        choices: Vec<(String, String)>,
    },
    Closed,
}

impl Ways {
    fn of(detail: &ConversationDetail) -> Self {
        let Some(wrote_by) = detail.channel() else { return Self::Closed };
        let free = detail.senders.iter().filter(|sender| sender.free_text);
        let (same, other): (Vec<_>, Vec<_>) = free.partition(|sender| sender.channel == wrote_by);
        if let Some(first) = same.first().copied() {
            let only = same.len() + other.len() == 1;
            let plain = only && detail.senders.first() == Some(first);
            return Self::Same { choices: same.into_iter().chain(other).map(choice).collect(), plain };
        }
        let Some(channel) = other.first().map(|sender| sender.channel) else { return Self::Closed };
        let served = detail.senders.iter().any(|sender| sender.channel == wrote_by);
        Self::Other { wrote_by, served, channel, choices: other.into_iter().map(choice).collect() }
    }
}

/// Why nothing but a template goes out by the channel that the person wrote by.
fn closed(wrote_by: Channel, served: bool) -> AnyView {
    match wrote_by {
        Channel::Whatsapp if served => why_not("Only a template can go out by WhatsApp now.", WINDOW),
        Channel::Whatsapp => why_not("They wrote by WhatsApp, and none of its senders is enabled.", ENABLE),
        Channel::Sms => why_not("They wrote by SMS, and none of its senders is enabled.", ENABLE),
    }
}

const ENABLE: &str = "An admin enables one under Settings → Senders.";

fn choice(sender: &ReplySender) -> (String, String) {
    (sender.id.to_string(), format!("{} · {}", sender.name, text::channel(sender.channel)))
}

fn why_not(title: &'static str, words: &'static str) -> AnyView {
    view! { <Alert tone=Tone::Info title=title>{words}</Alert> }.into_any()
}

/// Why no words go out, and those that did not: the box that they were typed into is gone.
fn cannot(title: &'static str, words: &'static str, written: RwSignal<String>, actions: Actions) -> AnyView {
    let failed = actions.reply.value().with_untracked(|value| match value {
        Some(Err(error)) => error.typed("text").map(str::to_owned),
        Some(Ok(())) | None => None,
    });
    let text = Some(written.get_untracked()).filter(|text| !text.is_empty()).or(failed);
    let unsent = text.map(|text| {
        view! {
            <div class="field">
                <label class="field__label" for="f-unsent">"What you wrote was not sent"</label>
                <textarea class="input input--area" id="f-unsent" rows="3" dir="auto" readonly=true>{text}</textarea>
            </div>
        }
        .into_any()
    });
    view! { <div class="stack stack--tight">{why_not(title, words)} {unsent}</div> }.into_any()
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

/// Any words by another channel than the person's: only on demand, and it says which.
fn instead(
    number: String,
    channel: Channel,
    choices: &[(String, String)],
    written: RwSignal<String>,
    actions: Actions,
) -> AnyView {
    let name = text::channel(channel);
    // After a try that failed it shows why.
    let open = actions.reply.value().with_untracked(|value| matches!(value, Some(Err(_))));
    let label = format!("Answer by {name} instead");
    let words = format!("The person did not write by {name} last: this starts there, with the same number.");
    view! {
        <details class="disclosure" open=open>
            <summary class="btn">{label}</summary>
            <div class="stack stack--tight">
                <p class="muted small">{words}</p>
                {free_text(number, choices, Told::Other(channel), written, actions)}
            </div>
        </details>
    }
    .into_any()
}

/// How the sender is told.
#[derive(Clone, Copy)]
enum Told {
    /// Nothing is to be told.
    Not,
    Yes,
    /// Of a channel that the person did not write by: the button names it, too.
    Other(Channel),
}

fn free_text(
    number: String,
    choices: &[(String, String)],
    told: Told,
    written: RwSignal<String>,
    actions: Actions,
) -> AnyView {
    let first = choices.first().map(|(id, _)| id.clone()).unwrap_or_default();
    let sender = if matches!(told, Told::Not) {
        view! { <Hidden name="sender" value=first/> }.into_any()
    } else {
        let choices = choices.iter().map(|(id, name)| Choice::new(id.clone(), name.clone())).collect::<Vec<_>>();
        view! { <SelectField name="sender" label="From" choices=choices value=first/> }.into_any()
    };
    let label = match told {
        Told::Not | Told::Yes => "Send".to_owned(),
        Told::Other(channel) => format!("Send by {}", text::channel(channel)),
    };
    view! {
        <FormFor action=actions.reply class="form thread__form">
            <Hidden name="number" value=number/>
            {reply_field(written)}
            <div class="thread__send">
                {sender}
                <SubmitButton label=label busy="Sending…"/>
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
    // What was typed since then is newer.
    if !kept.is_empty() && written.with_untracked(String::is_empty) {
        written.set(kept.clone());
    }
    let wrong =
        move || problem.with(|problem| problem.as_ref().and_then(|error| error.of_field("text").map(str::to_owned)));
    let error = live_view(move || {
        wrong().map(|words| {
            view! { <p class="field__error" id="f-text-error">{icon(Glyph::Warning)} <span>{words}</span></p> }
        })
    });
    let count = live_view(move || written.with(|text| length(text.trim())));
    view! {
        <div class="field">
            <label class="visually-hidden" for="f-text">"Your answer"</label>
            <textarea
                class="input input--area"
                id="f-text"
                name="text"
                rows="3"
                required
                dir="auto"
                placeholder="Write an answer"
                aria-invalid=live_attr(move || wrong().is_some().then_some("true"))
                aria-describedby=live_attr(move || {
                    if wrong().is_some() { "f-text-count f-text-error" } else { "f-text-count" }
                })
                prop:value=live_attr(move || written.get())
                on:input=move |event| written.set(event_target_value(&event))
            >
                {kept}
            </textarea>
            <p class="field__hint" id="f-text-count">{count}</p>
            {error}
        </div>
    }
    .into_any()
}

/// How long a text may be, and how long it is. One that is too long is not cut here, but refused by the server.
fn length(text: &str) -> AnyView {
    let (words, too_long) = count_words(text.chars().count());
    if too_long { view! { <strong class="field__over">{words}</strong> }.into_any() } else { words.into_any() }
}

fn count_words(characters: usize) -> (String, bool) {
    let most = format::num(MAX_BODY_CHARACTERS);
    if characters == 0 {
        return (format!("At most {most} characters"), false);
    }
    let over = characters.saturating_sub(MAX_BODY_CHARACTERS);
    let count = format!("{} of {most} characters", format::num(characters));
    if over == 0 { (count, false) } else { (format!("{count}: {} too many", format::num(over)), true) }
}

/// Choosing a template, reading it as this person gets it, sending it.
fn by_template(
    phone: &str,
    templates: &[(String, String)],
    preview: Option<TemplatePreview>,
    senders: Memo<Vec<ReplySender>>,
    ways: Memo<Ways>,
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
    // Where it is the way that is left, it looks like one.
    let class = live_attr(move || if ways.with(|ways| matches!(ways, Ways::Same { .. })) { "" } else { "btn" });
    view! {
        <details class="disclosure" open=open>
            <summary class=class>"Answer with a template"</summary>
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
                    <SelectField name="from" label="From" choices=choices value=first/>
                    <SubmitButton label="Send this template" busy="Sending…"/>
                </div>
            </FormFor>
        })}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sender(channel: Channel, number: u8, free_text: bool) -> ReplySender {
        ReplySender {
            id: format!("00000000-0000-0000-0000-{number:012}").parse().unwrap(),
            name: number.to_string(),
            channel,
            address: format!("+1415555010{number}"),
            window_until: None,
            free_text,
        }
    }

    /// With what the person wrote last by this channel.
    fn ways(wrote_by: Option<Channel>, senders: Vec<ReplySender>) -> Ways {
        let phone = "+14155550123";
        let heard = wrote_by.map(|channel| {
            json!({
                "direction": "in", "id": "1", "phone": phone, "to": "+14155550100", "channel": channel, "body": "Hello",
                "media_count": 0, "media": [], "keyword": null, "provider_sid": "SM1", "received_at": "2026-01-01T00:00:00Z"
            })
        });
        let conversation = json!({
            "phone": phone, "name": null, "last_at": null, "last_direction": null, "last_text": null,
            "last_inbound_at": null, "unread": 0, "assignee": null, "archived": false, "version": 0
        });
        let detail = ConversationDetail {
            conversation: serde_json::from_value(conversation).unwrap(),
            senders,
            items: heard.into_iter().map(|heard| serde_json::from_value(heard).unwrap()).collect(),
            next_cursor: None,
        };
        Ways::of(&detail)
    }

    #[test]
    fn what_is_too_long_is_told() {
        let told = count_words;
        assert_eq!(told(0), ("At most 1,600 characters".to_owned(), false));
        assert_eq!(told(1_600), ("1,600 of 1,600 characters".to_owned(), false));
        assert_eq!(told(1_602), ("1,602 of 1,600 characters: 2 too many".to_owned(), true));
    }

    #[test]
    fn any_words_change_the_channel_only_when_somebody_says_so() {
        let (whatsapp, sms) = (Some(Channel::Whatsapp), Some(Channel::Sms));
        let by = |whatsapp_open: bool| vec![sender(Channel::Whatsapp, 1, whatsapp_open), sender(Channel::Sms, 2, true)];
        // Both may: it is chosen, and the person's own channel stands first.
        let Ways::Same { choices, plain: false } = ways(whatsapp, by(true)) else { panic!("a choice") };
        assert_eq!(choices.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["1 · WhatsApp", "2 · SMS"]);
        // After the 24 hours the other one is none that goes by itself.
        for wrote_by in [whatsapp, None] {
            let found = ways(wrote_by, by(false));
            assert!(matches!(found, Ways::Other { served: true, channel: Channel::Sms, .. }), "{found:?}");
        }
        let found = ways(whatsapp, vec![sender(Channel::Sms, 2, true)]);
        assert!(matches!(found, Ways::Other { served: false, .. }), "{found:?}");
        let Ways::Same { choices, .. } = ways(sms, by(true)) else { panic!("SMS always may") };
        assert_eq!(choices[0].1, "2 · SMS");
        // Nothing to say of the only one, unless the person wrote to another number.
        let one = || sender(Channel::Whatsapp, 1, true);
        assert!(matches!(ways(whatsapp, vec![one()]), Ways::Same { plain: true, .. }));
        let closed = sender(Channel::Whatsapp, 3, false);
        assert!(matches!(ways(whatsapp, vec![closed.clone(), one()]), Ways::Same { plain: false, .. }));
        assert_eq!(ways(whatsapp, vec![closed]), Ways::Closed);
    }
}
