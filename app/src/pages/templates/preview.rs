//! The phone beside the editor: the text as one person gets it, a quarter of a second behind the typing.

use domain::template::{MAX_BODY_CHARACTERS, MAX_CONTENT_CHARACTERS, Preview};
use leptos::prelude::*;

use super::{
    api::{EditorView, Person, find_people, preview_template},
    live::{Editor, LiveVariant},
};
use crate::{components::*, error::AppError, paths};

/// What the server is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Question {
    channel: String,
    body: String,
    phone: String,
}

/// The preview, following what is typed.
#[derive(Clone, Copy)]
pub struct LivePreview {
    answer: Memo<Option<Result<Preview, AppError>>>,
    sample: RwSignal<Option<Person>>,
    waiting: Signal<bool>,
}

impl LivePreview {
    /// Starts with what the server has previewed already.
    #[must_use]
    pub fn new(editor: Editor, view: &EditorView) -> Self {
        let sample = RwSignal::new(view.sample.clone());
        let question = move || Question {
            channel: editor.channel.get(),
            body: editor.shown().map(LiveVariant::text).unwrap_or_default(),
            phone: sample.with(|person| person.as_ref().map(|person| person.phone.clone()).unwrap_or_default()),
        };
        let settled = debounced(question, 250);
        let ask = Action::new(|question: &Question| {
            let question = question.clone();
            async move {
                let Question { channel, body, phone } = question.clone();
                (question, preview_template(channel, body, phone).await)
            }
        });
        Effect::new(move |before: Option<Question>| {
            let now = settled.get();
            let changed = before.is_some_and(|before| before != now);
            if changed && !now.body.trim().is_empty() {
                ask.dispatch(now.clone());
            }
            now
        });
        let first = (untrack(question), view.preview.clone());
        let value = ask.value();
        let answer = Memo::new(move |before: Option<&Option<Result<Preview, AppError>>>| {
            let now = settled.get();
            if now.body.trim().is_empty() {
                return None;
            }
            // Answers may overtake each other: only the one to the latest question counts.
            let fresh =
                value.with(|value| value.as_ref().filter(|(asked, _)| *asked == now).map(|(_, answer)| answer.clone()));
            fresh
                .or_else(|| (now == first.0).then(|| first.1.clone().map(Ok)).flatten())
                .or_else(|| before.cloned().flatten())
        });
        Self { answer, sample, waiting: ask.pending().into() }
    }

    /// The latest answer, if it is one.
    #[must_use]
    pub fn preview(self) -> Option<Preview> {
        self.answer.get().and_then(Result::ok)
    }
}

/// How long the text gets for this person.
#[must_use]
pub fn counted(preview: &Preview, approved: bool, sms: bool) -> String {
    let limit = if approved { MAX_CONTENT_CHARACTERS } else { MAX_BODY_CHARACTERS };
    let characters = format!("{} of {} characters", format::num(preview.characters), format::num(limit));
    if !sms {
        return characters;
    }
    let segments = format::counted(i64::from(preview.segments), "SMS segment", "SMS segments");
    let why = if preview.encoding == "UCS-2" { "UCS-2: a character outside GSM-7 halves the room" } else { "GSM-7" };
    format!("{characters} · {segments} ({why})")
}

/// The card with the phone.
pub fn preview_card(editor: Editor, live: LivePreview, unknown: String) -> AnyView {
    let busy = live_attr(move || live.waiting.get().to_string());
    view! {
        <section class="card sticky" aria-label="Preview">
            <header class="card__head">
                <h2>"Preview"</h2>
                <div class="card__aside">{live_view(move || person(live.sample.get()))}</div>
            </header>
            <div class="card__body" aria-busy=busy>
                {picker(live, unknown)}
                {phone(editor, live)}
                {notes(live)}
            </div>
        </section>
    }
    .into_any()
}

fn person(sample: Option<Person>) -> AnyView {
    match sample {
        None => view! { <span class="muted">"Nobody chosen"</span> }.into_any(),
        Some(Person { phone, name }) => {
            let number = format::phone(&phone);
            let href = paths::contact(&phone);
            let name = name.unwrap_or_else(|| number.clone());
            view! { "as " <a class="link" href=href title=number dir="auto">{name}</a> " gets it" }.into_any()
        }
    }
}

/// The phone shows the last text that could be made: while a `{{` is being typed it does not go blank.
fn phone(editor: Editor, live: LivePreview) -> AnyView {
    let text = Memo::new(move |before: Option<&String>| {
        let answer = live.answer.get();
        match answer {
            None => String::new(),
            Some(Ok(preview)) if preview.errors.is_empty() => preview.text,
            Some(_) => before.cloned().unwrap_or_default(),
        }
    });
    let buttons = Signal::derive(move || {
        let rows = editor.shown().map(|variant| variant.buttons.get()).unwrap_or_default();
        rows.into_iter().map(|row| row.key.get()).filter(|title| !title.trim().is_empty()).collect::<Vec<_>>()
    });
    let media = live_view(move || {
        let url = editor.shown().map(|variant| variant.media_url.get()).unwrap_or_default();
        let file = url.trim().rsplit('/').next().unwrap_or_default().to_owned();
        (!file.is_empty()).then(|| {
            view! { <span class="bubble bubble--file">{icon(Glyph::File)} <span dir="auto">{file}</span></span> }
                .into_any()
        })
    });
    let empty = Memo::new(move |_| text.with(String::is_empty));
    let bubble = live_view(move || {
        if empty.get() {
            view! { <ChatNote text="What you write appears here."/> }.into_any()
        } else {
            view! { <Bubble text=text buttons=buttons/> }.into_any()
        }
    });
    view! {
        <div class="preview">
            <PhonePreview name="Your business">{media} {bubble}</PhonePreview>
        </div>
    }
    .into_any()
}

/// What this person lacks, and what else stands in the way.
fn notes(live: LivePreview) -> AnyView {
    let content = live_view(move || {
        live.answer.get().map(|answer| match answer {
            Ok(preview) if preview.missing.is_empty() => ().into_any(),
            Ok(preview) => missing(&preview.missing),
            Err(AppError::NotFound) => {
                view! { <p class="muted small">"This person is not among the contacts any more: choose another one."</p> }
                    .into_any()
            }
            Err(AppError::Invalid { fields, .. }) => {
                let words = fields.into_iter().map(|error| error.message).collect::<Vec<_>>().join(" ");
                view! { <p class="field__error">{icon(Glyph::Warning)} <span>{words}</span></p> }.into_any()
            }
            Err(error) => view! { <p class="muted small">{error.message()}</p> }.into_any(),
        })
    });
    view! { <div class="preview__notes" aria-live="polite">{content}</div> }.into_any()
}

fn missing(keys: &[String]) -> AnyView {
    let items = keys.iter().map(|key| {
        let fallback = format!("{{{{ {key} | default(\"…\") }}}}");
        view! { <li><b>{key.clone()}</b> " – write " <code>{fallback}</code></li> }.into_any()
    });
    let items = items.collect::<Vec<_>>();
    view! {
        <Alert tone=Tone::Warn title="This person has no value for:">
            <ul class="alert__list">{items}</ul>
        </Alert>
    }
    .into_any()
}

/// Whom the preview is for: searched while typing, or with a button where scripts do not run.
fn picker(live: LivePreview, unknown: String) -> AnyView {
    let words = RwSignal::new(String::new());
    let settled = debounced(move || words.with(|words| words.trim().to_owned()), 250);
    let find = Action::new(|q: &String| {
        let q = q.clone();
        async move { (q.clone(), find_people(q).await) }
    });
    Effect::new(move |_| {
        let q = settled.get();
        if !q.is_empty() {
            find.dispatch(q);
        }
    });
    let found = Memo::new(move |_| {
        let q = settled.get();
        let searching = !q.is_empty() && words.with(|words| !words.trim().is_empty());
        let value = find.value();
        let answer =
            move || value.with(|value| value.as_ref().filter(|(asked, _)| *asked == q).map(|(_, found)| found.clone()));
        searching.then(answer).flatten()
    });
    let choose = move |person: Person| {
        live.sample.set(Some(person));
        words.set(String::new());
    };
    let first = move || found.get_untracked().and_then(Result::ok).and_then(|people| people.into_iter().next());
    let sample = Signal::derive(move || {
        live.sample.with(|person| person.as_ref().map(|person| person.phone.clone()).unwrap_or_default())
    });
    let list = live_view(move || found.get().map(|found| suggestions(found, choose)));
    let nobody = (!unknown.is_empty()).then(|| format!("Nobody found for “{unknown}”."));
    view! {
        <div class="picker">
            <label class="field__label" for="f-who">"Preview for another contact"</label>
            <Hidden name="sample" value=sample/>
            <div class="picker__search">
                <input
                    class="input"
                    type="search"
                    id="f-who"
                    name="who"
                    autocomplete="off"
                    placeholder="Number or name"
                    prop:value=move || words.get()
                    on:input=move |event| words.set(event_target_value(&event))
                    on:keydown=move |event| {
                        if event.key() == "Enter" {
                            event.prevent_default();
                            if let Some(person) = first() {
                                choose(person);
                            }
                        }
                    }
                />
                <button class="btn static-only" type="submit" name="op" value="preview" formnovalidate>"Preview"</button>
            </div>
            {nobody.map(|text| view! { <p class="field__error" role="alert">{icon(Glyph::Warning)} <span>{text}</span></p> })}
            <div aria-live="polite">{list}</div>
        </div>
    }
    .into_any()
}

fn suggestions(
    found: Result<Vec<Person>, AppError>,
    choose: impl Fn(Person) + Copy + Send + Sync + 'static,
) -> AnyView {
    let people = match found {
        Ok(people) => people,
        Err(error) => return view! { <p class="muted small">{error.message()}</p> }.into_any(),
    };
    if people.is_empty() {
        return view! { <p class="muted small">"Nobody has a number or a name that begins so."</p> }.into_any();
    }
    let buttons = people.into_iter().map(|person| {
        let number = format::phone(&person.phone);
        let name = person.name.clone().unwrap_or_default();
        view! {
            <li>
                <button type="button" class="picker__person" on:click=move |_| choose(person.clone())>
                    <b dir="auto">{name}</b>
                    <span dir="ltr">{number}</span>
                </button>
            </li>
        }
        .into_any()
    });
    view! { <ul class="picker__found" aria-label="People found">{buttons.collect::<Vec<_>>()}</ul> }.into_any()
}
