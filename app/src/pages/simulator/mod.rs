//! The phones of the simulator: what arrived, and answering as the person. Only while messages go to one.

mod api;

use domain::{
    message::Channel,
    role::Permission,
    simulator::{self, Conversation, SimulatorPhone},
};
use leptos::prelude::*;

use self::api::{AnswerAs, SimulatorView, load_simulator};
use crate::{components::*, error::AppError, frame::use_frame, paths, text};

/// Shows the page.
pub fn open() -> AnyView {
    SimulatorPage().into_any()
}

/// Words that every phone understands.
const QUICK: [&str; 3] = ["STOP", "START", "HELP"];

#[component]
fn SimulatorPage() -> impl IntoView {
    if !use_frame().with_untracked(|frame| frame.simulator) {
        return real_account();
    }
    let here = use_here();
    let phone = move || here.get("phone");
    let answer = FormAction::<AnswerAs>::new();
    let phones = fetch(phone, load_simulator);
    // The page is made once for each phone and then only filled anew, so that what is being typed stays.
    let outdated = use_outdated();
    let refresh = Action::new(move |phone: &String| {
        let phone = phone.clone();
        async move {
            let view = load_simulator(phone.clone()).await;
            if matches!(view, Err(AppError::Outdated)) {
                outdated.mark();
            }
            (phone, view)
        }
    });
    every(
        1_500,
        || true,
        move || {
            if !refresh.pending().get_untracked() {
                refresh.dispatch(phone());
            }
        },
    );
    let answered = answer.version();
    Effect::new(move |before: Option<usize>| {
        let now = answered.get();
        if before.is_some_and(|before| before != now) {
            refresh.dispatch(untrack(phone));
        }
        now
    });
    let news = refresh.value();
    let latest = move || {
        let phone = phone();
        news.with(|news| news.as_ref().filter(|(of, _)| *of == phone).and_then(|(_, view)| view.clone().ok()))
    };
    view! {
        <PageHeader
            title="Simulator"
            lead=|| "Messages arrive on these phones instead of real ones, and you can answer as the person."
        />
        <Loaded from=phones let:view>{page(view, answer, latest)}</Loaded>
    }
    .into_any()
}

/// With an account messages go to people, so nobody may play them.
fn real_account() -> AnyView {
    view! {
        <PageHeader title="Simulator"/>
        <Card>
            <Empty
                glyph=Glyph::Phone
                title="A Twilio account is connected"
                text="Messages go to real phones now. The simulator is there only while TWILIO_ACCOUNT_SID is not set, or TWILIO_API_BASE names one; to try something out, send a test from the campaign's page to a phone of your own."
            >
                <a class="btn btn--primary" href=paths::CAMPAIGNS>"Go to the campaigns"</a>
            </Empty>
        </Card>
    }
    .into_any()
}

fn page(
    first: SimulatorView,
    answer: FormAction<AnswerAs>,
    latest: impl Fn() -> Option<SimulatorView> + Copy + Send + Sync + 'static,
) -> AnyView {
    let unreadable = first.unreadable.clone();
    let open = first.open.clone();
    let first = StoredValue::new(first);
    let phones =
        Memo::new(move |_| latest().map_or_else(|| first.with_value(|view| view.phones.clone()), |view| view.phones));
    let bubbles = Memo::new(move |_| {
        let open = latest().map_or_else(|| first.with_value(|view| view.open.clone()), |view| view.open);
        open.map(|open| open.bubbles).unwrap_or_default()
    });
    let chosen = open.as_ref().map(|open| open.phone.to_string()).unwrap_or_default();
    let nobody = open.is_none();
    view! {
        <div class="simulator">
            {open.map(|open| phone(&open, bubbles, phones, answer))}
            {nobody.then(|| nothing_yet(!unreadable.is_empty()))}
            <div class="stack">
                {list(phones, chosen)}
                {another(unreadable)}
            </div>
        </div>
    }
    .into_any()
}

fn nothing_yet(unreadable: bool) -> AnyView {
    let (title, text) = if unreadable {
        ("This is not a number", "Give it with the country code, such as +94 77 123 4567.")
    } else {
        (
            "Nothing has arrived yet",
            "Launch a campaign or send a test, and it shows up here. Or write first, as anybody.",
        )
    };
    view! {
        <Card>
            <Empty glyph=Glyph::Phone title=title text=text>
                <a class="btn btn--primary" href=paths::CAMPAIGNS>"Go to the campaigns"</a>
            </Empty>
        </Card>
    }
    .into_any()
}

/// Who has got or written something, latest first.
fn list(phones: Memo<Vec<SimulatorPhone>>, chosen: String) -> AnyView {
    let rows = move || {
        phones.with(|phones| {
            phones.iter().map(|phone| list_item(phone, phone.phone.as_str() == chosen)).collect::<Vec<_>>()
        })
    };
    let some = Memo::new(move |_| phones.with(|phones| !phones.is_empty()));
    let rows = StoredValue::new(rows);
    view! {
        <Show when=move || some.get()>
            <Card title="Phones" flush=true>
                <ul class="list simulator__phones">{live_view(move || rows.with_value(|rows| rows()))}</ul>
            </Card>
        </Show>
    }
    .into_any()
}

fn list_item(phone: &SimulatorPhone, chosen: bool) -> AnyView {
    let number = format::phone(phone.phone.as_str());
    let name = phone.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| number.clone());
    view! {
        <li>
            <a
                class="list__item"
                href=paths::simulator_phone(&phone.phone)
                title=number
                data-noscroll=""
                aria-current=chosen.then_some("true")
            >
                <span class="list__main">
                    <b dir="auto">{name}</b>
                    <span dir="auto">{phone.last_text.clone()}</span>
                </span>
                <span class="list__aside"><Time at=phone.last_at/></span>
            </a>
        </li>
    }
    .into_any()
}

/// Any other number: also somebody who is not known yet.
fn another(unreadable: String) -> AnyView {
    let error = (!unreadable.is_empty()).then(|| {
        view! {
            <p class="field__error" id="f-phone-error">
                {icon(Glyph::Warning)} <span>"Write the number with its country code: +94 77 123 4567."</span>
            </p>
        }
    });
    let invalid = error.is_some().then_some("true");
    let described = error.is_some().then_some("f-phone-error");
    view! {
        <Card title="Another phone">
            <form class="form" method="get" action=paths::SIMULATOR>
                <div class="field">
                    <label class="field__label" for="f-phone">"Number"</label>
                    <input
                        class="input"
                        type="tel"
                        id="f-phone"
                        name="phone"
                        value=unreadable
                        required
                        placeholder="+94 77 123 4567"
                        autocomplete="off"
                        aria-invalid=invalid
                        aria-describedby=described
                    />
                    <p class="field__hint">"A number that nobody knows yet becomes a contact when you write as that person."</p>
                    {error}
                </div>
                <div class="form__actions"><button class="btn" type="submit">"Open this phone"</button></div>
            </form>
        </Card>
    }
    .into_any()
}

fn phone(
    open: &Conversation,
    bubbles: Memo<Vec<simulator::Bubble>>,
    phones: Memo<Vec<SimulatorPhone>>,
    answer: FormAction<AnswerAs>,
) -> AnyView {
    let number = open.phone.to_string();
    let shown = format::phone(&number);
    let name = phones.with_untracked(|phones| {
        phones.iter().find(|other| other.phone == open.phone).and_then(|other| other.name.clone())
    });
    let title = name.filter(|name| !name.is_empty()).map_or_else(|| shown.clone(), |name| format!("{name}, {shown}"));
    let about = match open.channel {
        Channel::Whatsapp => "WhatsApp, business account",
        Channel::Sms => "SMS",
    };
    let writes = may(Permission::Send);
    let contact = paths::contact(&number);
    view! {
        <section class="card" aria-label="The phone">
            <header class="card__head">
                <h2 dir="auto">{title}</h2>
                <div class="card__aside"><a class="link" href=contact>"Open the contact"</a></div>
            </header>
            <div class="card__body">
                {if writes {
                    let foot = move || reply(number.clone(), answer);
                    view! { <PhonePreview name="Your business" about=about foot=foot>{chat(bubbles)}</PhonePreview> }.into_any()
                } else {
                    view! { <PhonePreview name="Your business" about=about>{chat(bubbles)}</PhonePreview> }.into_any()
                }}
                <p class="muted small center">{text::channel(open.channel)} " · " "STOP, START and HELP are answered as on a real phone."</p>
            </div>
        </section>
    }
    .into_any()
}

/// The bubbles in the order in which they came; a style keeps the newest in view.
fn chat(bubbles: Memo<Vec<simulator::Bubble>>) -> AnyView {
    let content = live_view(move || {
        bubbles.with(|bubbles| {
            if bubbles.is_empty() {
                return view! { <ChatNote text="Nothing has been said yet."/> }.into_any();
            }
            bubbles.iter().map(bubble).collect::<Vec<_>>().into_any()
        })
    });
    view! { <div class="chat" role="log" aria-label="Conversation">{content}</div> }.into_any()
}

fn bubble(bubble: &simulator::Bubble) -> AnyView {
    let (at, words) = (bubble.at, status_words(&bubble.status));
    let failed = matches!(bubble.status.as_str(), "failed" | "undelivered");
    let meta = move || {
        let class = if failed { "chat__failed" } else { "" };
        view! { <Time at moment=true/> " · " <span class=class>{words.clone()}</span> }
    };
    view! { <Bubble text=bubble.text.clone() mine=bubble.from_person meta=meta/> }.into_any()
}

/// Twilio's word for where a message stands, for people; a word that is not known is shown as it is.
fn status_words(status: &str) -> String {
    match status {
        "queued" | "accepted" | "scheduled" => "waiting",
        "sending" => "being sent",
        "received" => "arrived here",
        "undelivered" => "not delivered",
        known => known,
    }
    .to_owned()
}

/// At the phone's foot: a line to write, and three words as buttons. In this order: Enter presses the first button.
fn reply(number: String, answer: FormAction<AnswerAs>) -> AnyView {
    let state = form_state(answer);
    let kept = state.problem.with_untracked(|problem| {
        problem.as_ref().and_then(|error| error.typed("text").map(str::to_owned)).unwrap_or_default()
    });
    let written = RwSignal::new(kept.clone());
    let value = answer.value();
    Effect::new(move |_| {
        if value.with(|value| matches!(value, Some(Ok(_)))) {
            written.set(String::new());
        }
    });
    let problem = live_view(move || state.problem.get().map(|error| reply_problem(&error)));
    let pending = move || state.pending.get();
    let quick = QUICK.map(|word| {
        view! {
            <button class="btn btn--small" type="submit" name="quick" value=word formnovalidate disabled=pending>{word}</button>
        }
        .into_any()
    });
    view! {
        <FormFor action=answer class="reply" quiet=true>
            <input type="hidden" name="phone" value=number/>
            <div class="reply__line">
                <input
                    class="input"
                    id="f-text"
                    name="text"
                    value=kept
                    required
                    maxlength="1600"
                    autocomplete="off"
                    placeholder="Answer as this person"
                    aria-label="Answer as this person"
                    dir="auto"
                    prop:value=move || written.get()
                    on:input=move |event| written.set(event_target_value(&event))
                />
                <button class="btn btn--primary btn--icon" type="submit" aria-label="Send the answer" disabled=pending>
                    {icon(Glyph::Send)}
                </button>
            </div>
            <div class="reply__quick" role="group" aria-label="Answer with one word">{quick.into_iter().collect::<Vec<_>>()}</div>
            {problem}
        </FormFor>
    }
    .into_any()
}

fn reply_problem(error: &AppError) -> AnyView {
    let words = match error {
        AppError::Invalid { fields, .. } => {
            fields.iter().map(|error| error.message.clone()).collect::<Vec<_>>().join(" ")
        }
        other => other.message(),
    };
    view! { <p class="field__error" role="alert">{icon(Glyph::Warning)} <span>{words}</span></p> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_words() {
        assert_eq!(status_words("undelivered"), "not delivered");
        assert_eq!(status_words("read"), "read");
        assert_eq!(status_words("something_new"), "something_new");
    }
}
