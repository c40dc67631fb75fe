//! What a choice comes to: first as the server has rendered it, then following the choice.

use leptos::prelude::*;

use super::super::api::{IMPORTED, PeoplePreview, TextPreview, preview_people, preview_text};
use crate::{components::*, error::AppError, paths};

/// What is known of the present choice.
#[derive(Clone)]
enum Shown<T> {
    NothingChosen,
    Asking,
    Failed(AppError),
    Known(T),
}

/// Something that belongs to one choice.
trait Chosen: Clone + Send + Sync + 'static {
    fn id(&self) -> &str;
}

impl Chosen for PeoplePreview {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Chosen for TextPreview {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Asks the server whenever something else is chosen; an answer to an earlier choice is never shown for a later one.
fn follow<T: Chosen>(
    chosen: RwSignal<String>,
    first: Option<T>,
    ask: Action<String, Result<T, AppError>>,
) -> impl Fn() -> Shown<T> + Copy + Send + Sync + 'static {
    let first = StoredValue::new(first);
    let known = move |id: &str| first.get_value().filter(|first| first.id() == id);
    Effect::new(move |_| {
        let id = chosen.get();
        if !id.is_empty() && known(&id).is_none() {
            ask.dispatch(id);
        }
    });
    let answer = ask.value();
    move || {
        let id = chosen.get();
        if id.is_empty() {
            return Shown::NothingChosen;
        }
        if let Some(first) = known(&id) {
            return Shown::Known(first);
        }
        match answer.get() {
            Some(Ok(value)) if value.id() == id => Shown::Known(value),
            Some(Err(error)) if !ask.pending().get() => Shown::Failed(error),
            _ => Shown::Asking,
        }
    }
}

fn hint(words: impl Into<String>) -> AnyView {
    view! { <p class="muted">{words.into()}</p> }.into_any()
}

/// How many people the chosen audience is, and a few of them.
pub(super) fn people(chosen: RwSignal<String>, first: Option<PeoplePreview>) -> AnyView {
    let ask = Action::new(|audience: &String| preview_people(audience.clone()));
    let shown = follow(chosen, first, ask);
    let body = live_view(move || match shown() {
        Shown::NothingChosen => hint("Choose an audience to see how many people it is."),
        Shown::Asking => hint("Counting…"),
        Shown::Failed(error) => hint(error.message()),
        Shown::Known(people) => these_people(people),
    });
    view! { <Card title="Who that is"><div class="stack" aria-live="polite">{body}</div></Card> }.into_any()
}

fn these_people(people: PeoplePreview) -> AnyView {
    let PeoplePreview { id, count, sample } = people;
    let rest = count - i64::try_from(sample.len()).unwrap_or(0);
    let rows = sample
        .into_iter()
        .map(|(name, phone)| view! { <li class="list__item"><Who name=name phone=Some(phone)/></li> }.into_any());
    let rows = rows.collect::<Vec<_>>();
    let (kind, key, there, open) = match id.strip_prefix(IMPORTED) {
        Some(import) => ("import", import, paths::import(import), "Open the import"),
        None => ("segment", &*id, paths::audience(&id), "Open the audience"),
    };
    let all = paths::with_query(paths::CONTACTS, &[(kind, key)]);
    view! {
        <div>
            <p class="figure">{format::num(count)}</p>
            <p class="muted">{if count == 1 { "person" } else { "people" }} " right now; the audience is read again at the launch."</p>
        </div>
        {if count == 0 {
            view! {
                <Alert tone=Tone::Warn title="Nobody is in this audience.">
                    <a class="link" href=there>{open}</a>
                </Alert>
            }
            .into_any()
        } else {
            view! {
                <ul class="list list--plain">{rows}</ul>
                <p class="actions">
                    <a class="link" href=all>{if rest > 0 { format!("See them and {} more", format::num(rest)) } else { "See them".to_owned() }}</a>
                    <a class="link" href=there>{open}</a>
                </p>
            }
            .into_any()
        }}
    }
    .into_any()
}

/// The chosen template on a phone, as the first person of the audience gets it.
pub(super) fn text(
    chosen: RwSignal<String>,
    (audience, topic): (String, String),
    first: Option<TextPreview>,
) -> AnyView {
    let ask = Action::new(move |template: &String| preview_text(template.clone(), audience.clone(), topic.clone()));
    let shown = follow(chosen, first, ask);
    let body = live_view(move || match shown() {
        Shown::NothingChosen => {
            view! { <Card title="Preview">{hint("Choose a template to read it as a person gets it.")}</Card> }
                .into_any()
        }
        Shown::Asking => view! { <Card title="Preview">{hint("Filling in the text…")}</Card> }.into_any(),
        Shown::Failed(error) => view! { <Card title="Preview">{hint(error.message())}</Card> }.into_any(),
        Shown::Known(text) => on_the_phone(text),
    });
    view! { <div class="sticky" aria-live="polite">{body}</div> }.into_any()
}

fn on_the_phone(preview: TextPreview) -> AnyView {
    let TextPreview { id, name, locale, text, buttons, person, missing, problems, languages } = preview;
    let whom = match person {
        Some(person) => format!("As {person} gets it · {locale}"),
        None => format!("With sample values · {locale}"),
    };
    let problems = problems.into_iter().map(|problem| view! { <li>{problem}</li> }.into_any()).collect::<Vec<_>>();
    view! {
        <div class="stack">
            <PhonePreview name="Your business"><ChatNote text=whom/><Bubble text=text buttons=buttons/></PhonePreview>
            {languages.map(|text| view! {
                <Alert tone=Tone::Info title="Not everybody reads a language of this template.">{text}</Alert>
            })}
            {(!missing.is_empty()).then(|| view! {
                <Alert tone=Tone::Warn title="This person has no value for:">
                    {missing.join(", ")} ". People without it are left out, unless the template has a default."
                </Alert>
            })}
            {(!problems.is_empty()).then(|| view! {
                <Alert tone=Tone::Bad title="The template needs attention."><ul class="alert__list">{problems}</ul></Alert>
            })}
            <p class="center"><a class="link" href=paths::template(id)>{format!("Open {name}")}</a></p>
        </div>
    }
    .into_any()
}
