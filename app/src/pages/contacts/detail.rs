//! One person: what is known, what they agreed to, everything that happened.

use domain::{
    consent::{Consent, SuppressionReason},
    contact::{Contact, TimelineEntry, TimelineKind},
    role::Permission,
    topic::Topic,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::api::{ContactView, EraseContact, SetAttribute, SetConsent, SetSubscription, load_contact};
use crate::{components::*, frame::use_frame, paths, text};

/// The page's forms.
#[derive(Clone, Copy)]
struct Actions {
    attribute: FormAction<SetAttribute>,
    consent: FormAction<SetConsent>,
    subscription: FormAction<SetSubscription>,
    erase: FormAction<EraseContact>,
}

#[component]
pub fn ContactPage() -> impl IntoView {
    let params = use_params_map();
    let here = use_here();
    let actions = Actions {
        attribute: FormAction::new(),
        consent: FormAction::new(),
        subscription: FormAction::new(),
        erase: FormAction::new(),
    };
    let source = move || {
        let changes =
            (actions.attribute.version().get(), actions.consent.version().get(), actions.subscription.version().get());
        (params.with(|params| params.get("phone").unwrap_or_default()), here.get("cursor"), changes)
    };
    let contact = fetch(source, |(phone, cursor, _)| load_contact(phone, cursor));
    view! { <Loaded from=contact let:view>{page(view, actions)}</Loaded> }.into_any()
}

fn page(view: ContactView, actions: Actions) -> AnyView {
    let ContactView { contact, timeline, topics, erasure } = view;
    let phone = contact.phone.to_string();
    let title = contact.name.clone().unwrap_or_else(|| format::phone(&phone));
    let number = format::phone(&phone);
    let (export, proof) = (paths::export_contact(&phone), paths::consent_proof(&phone));
    let (messages, inbox) = (paths::simulator_phone(&phone), paths::conversation(&phone));
    let simulator = use_frame().with_untracked(|frame| frame.simulator);
    let left = left_themself(&timeline.items);
    let shown = timeline.items.len();
    view! {
        <PageHeader
            title=title
            crumbs=vec![crumb("Contacts", paths::CONTACTS)]
            state=Label::from(contact.consent)
            lead=move || number.clone()
        >
            {may(Permission::ManageConsent).then(|| view! {
                <a class="btn" href=proof rel="external">"Proof of consent"</a>
                <a class="btn" href=export rel="external" download="">{icon(Glyph::File)} "Export"</a>
            })}
            <a class="btn" href=inbox>{icon(Glyph::Inbox)} "Conversation"</a>
            {simulator.then(|| view! { <a class="btn" href=messages>{icon(Glyph::Phone)} "Open on the simulator"</a> })}
        </PageHeader>
        {contact.suppressed.then(|| view! {
            <Alert tone=Tone::Bad title="On the do-not-contact list.">
                "Nothing is sent to this number, whatever else is stored. An import cannot change that."
            </Alert>
        })}
        <div class="grid grid--2-1">
            <Card title="What happened">
                {if timeline.items.is_empty() {
                    view! { <p class="muted">"Nothing yet."</p> }.into_any()
                } else {
                    let moments = timeline.items.iter().map(moment).collect::<Vec<_>>();
                    view! { <Timeline>{moments}</Timeline> <Pagination next=timeline.next_cursor shown=shown/> }.into_any()
                }}
            </Card>
            <div class="stack">
                {consent_card(&contact, left, actions)}
                {topics_card(&contact, &topics, actions)}
                {attributes_card(&contact, actions)}
                {erasure.map(|erasure| erase_card(&contact, erasure, actions))}
            </div>
        </div>
    }
    .into_any()
}

fn moment(entry: &TimelineEntry) -> AnyView {
    let subject = entry.subject.clone().unwrap_or_default();
    let (title, tone) = match entry.kind {
        TimelineKind::Created => ("Contact created".to_owned(), Tone::Idle),
        TimelineKind::Imported => (format!("Was in the file {subject}"), Tone::Idle),
        TimelineKind::Changed => ("Details changed".to_owned(), Tone::Idle),
        TimelineKind::Inbound => ("Wrote to us".to_owned(), Tone::Info),
        TimelineKind::Suppression => ("Put on the do-not-contact list".to_owned(), Tone::Bad),
        TimelineKind::Subscription | TimelineKind::Consent => {
            let label = entry.consent.map(Label::from);
            let tone = label.as_ref().map_or(Tone::Idle, |label| label.tone);
            let words = match (entry.kind, entry.consent) {
                (TimelineKind::Subscription, Some(Consent::OptedIn)) => format!("Subscribed to {subject}"),
                (TimelineKind::Subscription, Some(Consent::Pending)) => format!("Asked about {subject}"),
                (TimelineKind::Subscription, _) => format!("Unsubscribed from {subject}"),
                (_, _) => label.map(|label| label.text.into_owned()).unwrap_or_default(),
            };
            let by = entry.source.map(|source| format!(", by {}", text::consent_source(source))).unwrap_or_default();
            (format!("{words}{by}"), tone)
        }
        TimelineKind::Message => {
            let label = entry.state.map(Label::from);
            let tone = label.as_ref().map_or(Tone::Idle, |label| label.tone);
            let state = label.map(|label| label.text).unwrap_or_default();
            let from = if subject.is_empty() { "Message".to_owned() } else { subject };
            (format!("{from}: {state}"), tone)
        }
    };
    let link = entry.message_id.map(|id| view! { <a class="link" href=paths::message(id)>"Why and when"</a> });
    let (at, text) = (entry.at, entry.text.clone());
    view! {
        <Moment at title=title tone=tone>
            {text.map(|text| view! { <p class="quote" dir="auto">{text}</p> })}
            {link}
        </Moment>
    }
    .into_any()
}

/// Whether the history in sight says that the person opted out in their own words, which nobody else can take back.
fn left_themself(timeline: &[TimelineEntry]) -> bool {
    let entries = timeline.iter().filter(|entry| entry.kind == TimelineKind::Suppression);
    let mut reasons = entries.filter_map(|entry| entry.subject.as_deref()?.parse::<SuppressionReason>().ok());
    reasons.any(|reason| !reason.removable())
}

fn consent_card(contact: &Contact, left: bool, actions: Actions) -> AnyView {
    let (consent, changed, wrote) = (contact.consent, contact.consent_changed_at, contact.last_inbound_at);
    let phone = contact.phone.to_string();
    let change = if consent == Consent::OptedOut || contact.suppressed {
        Some(opted_out(phone, left, actions))
    } else {
        may(Permission::Write).then(|| consent_form(phone, consent, actions))
    };
    view! {
        <Card title="Consent">
            <Facts>
                <Fact name="Marketing">{pill(consent)}</Fact>
                <Fact name="Since"><MaybeTime at=changed/></Fact>
                <Fact name="Last wrote"><MaybeTime at=wrote/></Fact>
            </Facts>
            {change}
        </Card>
    }
    .into_any()
}

/// Who can take the opt-out back, and for those who can the form.
fn opted_out(phone: String, left: bool, actions: Actions) -> AnyView {
    if left {
        return view! {
            <p class="muted">"They opted out themself, so only they can come back: by answering START."</p>
        }
        .into_any();
    }
    let form = may(Permission::ManageConsent).then(|| {
        view! {
            <FormFor action=actions.consent fresh=true>
                <Hidden name="number" value=phone/>
                <Hidden name="consent" value="opted_in"/>
                <TextAreaField name="evidence" label="Evidence that they opted in again" rows=2 required=true/>
                <FormActions><SubmitButton label="Record opt-in" busy="Recording…" class="btn"/></FormActions>
            </FormFor>
        }
    });
    view! {
        <p class="muted">
            "After STOP only the person can come back, by answering START. An opt-out that was recorded here or by an import can be lifted by an admin with evidence."
        </p>
        {form}
    }
    .into_any()
}

fn consent_form(phone: String, consent: Consent, actions: Actions) -> AnyView {
    let opt_in = (consent != Consent::OptedIn).then(|| {
        view! { <SubmitButton label="Record opt-in" busy="Recording…" name="consent" value="opted_in"/> }
    });
    view! {
        <FormFor action=actions.consent fresh=true>
            <Hidden name="number" value=phone/>
            <TextAreaField
                name="evidence"
                label="Evidence"
                rows=2
                optional=true
                hint="Where and when the person said so: kept sealed in the consent ledger."
            />
            <FormActions>
                {opt_in}
                <SubmitButton label="Record opt-out" busy="Recording…" class="btn btn--danger" name="consent" value="opted_out"/>
            </FormActions>
        </FormFor>
    }
    .into_any()
}

fn topics_card(contact: &Contact, topics: &[Topic], actions: Actions) -> AnyView {
    let writes = may(Permission::Write);
    if topics.is_empty() {
        let make = writes.then(|| view! { <a class="link" href=paths::TOPICS>"Make one"</a> });
        return view! { <Card title="Topics"><p class="muted">"There are no topics yet. " {make}</p></Card> }
            .into_any();
    }
    let number = contact.phone.to_string();
    let rows = topics.iter().map(|topic| {
        let on = contact.topics.contains(&topic.key);
        let change = writes.then(|| subscription_form(number.clone(), topic.key.clone(), on, actions));
        let state = if on { pill((Tone::Ok, "Subscribed")) } else { pill((Tone::Idle, "Not subscribed")) };
        view! {
            <li class="list__item list__item--wrap">
                <span class="list__main" dir="auto">{topic.name.clone()}</span>
                <span class="actions">{state} {change}</span>
            </li>
        }
        .into_any()
    });
    let rows = rows.collect::<Vec<_>>();
    view! { <Card title="Topics"><ul class="list">{rows}</ul></Card> }.into_any()
}

fn subscription_form(number: String, key: String, on: bool, actions: Actions) -> AnyView {
    let (label, word) = if on { ("Unsubscribe", "false") } else { ("Subscribe", "true") };
    view! {
        <FormFor action=actions.subscription class="form--inline">
            <Hidden name="number" value=number/>
            <Hidden name="topic" value=key/>
            <Hidden name="subscribed" value=word/>
            <SubmitButton label=label class="btn btn--small"/>
        </FormFor>
    }
    .into_any()
}

fn attributes_card(contact: &Contact, actions: Actions) -> AnyView {
    let facts = contact.attributes.iter().map(|(key, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        view! { <Fact name=key.clone()><span dir="auto">{value}</span></Fact> }.into_any()
    });
    let facts = facts.collect::<Vec<_>>();
    let change = may(Permission::Write).then(|| attribute_form(contact, actions));
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
    let (country, language, zone) = (or_dash(&contact.country), or_dash(&contact.locale), or_dash(&contact.timezone));
    view! {
        <Card title="Details">
            <Facts>
                <Fact name="Country">{country}</Fact>
                <Fact name="Language">{language}</Fact>
                <Fact name="Time zone">{zone}</Fact>
                {facts}
            </Facts>
            {change}
        </Card>
    }
    .into_any()
}

fn attribute_form(contact: &Contact, actions: Actions) -> AnyView {
    let keys = contact.attributes.keys().cloned().collect::<Vec<_>>();
    let (number, version) = (contact.phone.to_string(), contact.version);
    let problem = form_state(actions.attribute).problem;
    view! {
        <details class="disclosure" open=live_attr(move || problem.with(Option::is_some))>
            <summary>"Change or add a detail"</summary>
            <FormFor action=actions.attribute fresh=true>
                <Hidden name="number" value=number/>
                <VersionField version/>
                <TextField name="key" label="Detail" required=true placeholder="city" suggestions=keys/>
                <TextField name="value" label="Value" hint="Leave it empty to remove the detail."/>
                <FormActions><SubmitButton label="Save" busy="Saving…"/></FormActions>
            </FormFor>
        </details>
    }
    .into_any()
}

fn bullets(lines: Vec<String>) -> AnyView {
    let lines = lines.into_iter().map(|line| view! { <li>{line}</li> }).collect::<Vec<_>>();
    view! { <ul class="bullets">{lines}</ul> }.into_any()
}

fn erase_card(contact: &Contact, [goes, stays]: [Vec<String>; 2], actions: Actions) -> AnyView {
    let phone = contact.phone.to_string();
    let problem = form_state(actions.erase).problem;
    view! {
        <Card>
            <details class="disclosure" open=live_attr(move || problem.with(Option::is_some))>
                <summary>"Erase this person"</summary>
                <p>"This goes, for good:"</p>
                {bullets(goes)}
                <p>"This stays:"</p>
                {bullets(stays)}
                <FormFor action=actions.erase>
                    <Hidden name="number" value=phone.clone()/>
                    <TextField name="confirmed" label=format!("Write {phone} to confirm") required=true autocomplete="off"/>
                    <FormActions><SubmitButton label="Erase for good" busy="Erasing…" class="btn btn--danger"/></FormActions>
                </FormFor>
            </details>
        </Card>
    }
    .into_any()
}
