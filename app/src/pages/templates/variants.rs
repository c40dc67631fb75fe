//! The languages of a template: their tabs, and the fields of each. All of them are in the form at all times, so that
//! nothing is lost by looking at another one; without scripts they stand below each other.

use domain::template::Preview;
use leptos::{prelude::*, wasm_bindgen::JsCast, web_sys::HtmlTextAreaElement};

use super::{
    api::Offered,
    live::{Editor, LivePair, LiveVariant},
    locales,
    preview::{LivePreview, counted},
};
use crate::{components::*, paths, text};

/// What can be chosen in every language.
#[derive(Clone, Copy)]
struct Lists {
    /// Details of people.
    attributes: StoredValue<Vec<String>>,
    /// Content templates.
    offered: StoredValue<Vec<Offered>>,
}

/// The content templates of all languages' fields.
const CONTENTS: &str = "content-templates";

/// The card with everything that is said.
pub fn languages(
    editor: Editor,
    live: LivePreview,
    (attributes, offered): (Vec<String>, Vec<Offered>),
    here: Here,
) -> AnyView {
    let choices = offered.iter().map(|one| {
        let label = format!("{} · {}", one.label, text::approval(one.approval).1);
        view! { <option value=one.sid.clone()>{label}</option> }.into_any()
    });
    let choices = choices.collect::<Vec<_>>();
    let lists = Lists { attributes: StoredValue::new(attributes), offered: StoredValue::new(offered) };
    view! {
        <section class="card" aria-label="What it says">
            <header class="card__head">
                {tabs(editor, here)}
                <div class="card__aside">{add_language(editor)}</div>
            </header>
            <div class="card__body">
                {removed(editor)}
                <For each=move || editor.variants.get() key=|variant| variant.locale() let:variant>
                    {panel(editor, live, variant, lists)}
                </For>
                <datalist id=CONTENTS>{choices}</datalist>
            </div>
        </section>
    }
    .into_any()
}

fn tabs(editor: Editor, here: Here) -> AnyView {
    let tab = move |variant: LiveVariant| {
        let locale = variant.locale();
        let (href, chosen) = (locale.clone(), locale.clone());
        let is_active = locale.clone();
        let current = live_attr(move || editor.active.with(|active| *active == is_active).then_some("true"));
        view! {
            <a
                href=live_attr(move || here.with(&[("locale", &href)]))
                data-noscroll=""
                aria-current=current
                title=locale.clone()
                lang=locale.clone()
                dir="auto"
                on:click=move |_| editor.show(chosen.clone())
            >
                {locales::name(&locale)}
            </a>
        }
        .into_any()
    };
    view! {
        <nav class="tabs languages" aria-label="Languages">
            <For each=move || editor.variants.get() key=|variant| variant.locale() let:variant>
                {tab(variant)}
            </For>
        </nav>
    }
    .into_any()
}

/// A language by its name or code; the same field and button work without scripts.
fn add_language(editor: Editor) -> AnyView {
    let typed = RwSignal::new(String::new());
    let wrong = RwSignal::new(false);
    let add = move || {
        let fits = editor.add(&typed.get_untracked());
        wrong.set(!fits);
        if fits {
            typed.set(String::new());
        }
    };
    let offered = locales::offered().map(|(code, name)| view! { <option value=code>{name}</option> }.into_any());
    let problem = use_form().problem;
    let refused = move || {
        wrong.get()
            || problem.with(|problem| problem.as_ref().is_some_and(|error| error.of_field("new_locale").is_some()))
    };
    view! {
        <span class="add-language">
            <input
                class="input"
                id=field_id("new_locale")
                name="new_locale"
                list="languages"
                autocomplete="off"
                placeholder="Sinhala, pt-BR"
                aria-label="Another language"
                aria-invalid=live_attr(move || refused().then_some("true"))
                aria-describedby=live_attr(move || refused().then_some("new-locale-error"))
                prop:value=move || typed.get()
                on:input=move |event| {
                    typed.set(event_target_value(&event));
                    wrong.set(false);
                }
                on:keydown=move |event| {
                    if event.key() == "Enter" {
                        event.prevent_default();
                        add();
                    }
                }
            />
            <datalist id="languages">{offered.collect::<Vec<_>>()}</datalist>
            <button
                class="btn"
                type="submit"
                name="op"
                value="add"
                formnovalidate
                on:click=move |event| {
                    event.prevent_default();
                    add();
                }
            >
                {icon(Glyph::Plus)}
                "Add language"
            </button>
        </span>
        {live_view(move || refused().then(|| view! {
            <span class="field__error" id="new-locale-error" role="alert">
                {icon(Glyph::Warning)} <span>"Write a language's name or its code, such as si or pt-BR."</span>
            </span>
        }))}
    }
    .into_any()
}

fn removed(editor: Editor) -> AnyView {
    let lines = live_view(move || {
        let all = editor.removed.get().into_iter().map(|variant| {
            let name = locales::name(&variant.locale());
            view! {
                <p class="row small">
                    <span class="muted">{format!("{name} is taken out when you save.")}</span>
                    <button type="button" class="link" on:click=move |_| editor.restore(variant)>"Put it back"</button>
                </p>
            }
            .into_any()
        });
        all.collect::<Vec<_>>()
    });
    lines.into_any()
}

fn panel(editor: Editor, live: LivePreview, variant: LiveVariant, lists: Lists) -> AnyView {
    let locale = variant.locale();
    let name = locales::name(&locale);
    let (of_tab, of_default) = (locale.clone(), locale.clone());
    let hidden = live_attr(move || editor.active.with(|active| *active != of_tab));
    let only = move || editor.variants.with(|variants| variants.len() < 2);
    let is_default = move || editor.default_locale.with(|default| *default == of_default);
    let standing = live_view(move || match (only(), is_default()) {
        (true, _) => "Everybody gets this text.",
        (false, true) => "For everybody whose language has no text of its own.",
        (false, false) => "For people with this language.",
    });
    let op = format!("remove-{locale}");
    view! {
        <fieldset class="variant" hidden=hidden>
            <legend class="variant__name" dir="auto">{name.clone()}</legend>
            <TextAreaField name=variant.field("body") label="Message" rows=9 code=true live=variant.body/>
            {status(editor, live, variant)}
            {insert(variant, lists.attributes)}
            {more(variant, lists.offered)}
            <div class="row row--between small">
                <span class="muted">{standing}</span>
                <button
                    class="btn btn--small btn--ghost"
                    type="submit"
                    name="op"
                    value=op
                    formnovalidate
                    hidden=only
                    on:click=move |event| {
                        event.prevent_default();
                        editor.remove(variant);
                    }
                >
                    {icon(Glyph::Trash)}
                    {format!("Remove {name}")}
                </button>
            </div>
        </fieldset>
    }
    .into_any()
}

/// Below the text: how long it gets, and what is wrong with it.
fn status(editor: Editor, live: LivePreview, variant: LiveVariant) -> AnyView {
    let shown = move || if editor.shown() == Some(variant) { live.preview() } else { None };
    let limit = move || variant.content_sid.with(|sid| !sid.trim().is_empty());
    let line =
        move || shown().map(|preview| counted(&preview, limit(), editor.channel.with(|channel| channel == "sms")));
    let problems = live_view(move || shown().map(|preview| problems(&preview)));
    view! {
        <div class="variant__status">
            <p class="variant__count" aria-live="polite">{line}</p>
            {problems}
        </div>
    }
    .into_any()
}

fn problems(preview: &Preview) -> AnyView {
    let lines = preview.errors.iter().map(|problem| {
        let text = format!("Line {}: {}", problem.line, problem.message);
        view! { <p class="field__error" role="alert">{icon(Glyph::Warning)} <span>{text}</span></p> }.into_any()
    });
    lines.collect::<Vec<_>>().into_any()
}

/// Buttons that write a variable where the cursor stands: only with scripts.
fn insert(variant: LiveVariant, attributes: StoredValue<Vec<String>>) -> AnyView {
    let keys = attributes.get_value();
    if keys.is_empty() {
        return view! {
            <p class="field__hint">
                "Write "<code>"{{ first_name }}"</code>" where a detail of the person goes. Details come with imported contacts."
            </p>
        }
        .into_any();
    }
    let id = field_id(&variant.field("body"));
    let buttons = keys.into_iter().map(|key| {
        let (id, label, text) = (id.clone(), format!("Insert {key}"), format!("{{{{ {key} }}}}"));
        view! {
            <button type="button" class="tag" aria-label=label on:click=move |_| write(&id, &text, variant.body)>{key}</button>
        }
        .into_any()
    });
    view! {
        <div class="insert live-only" role="group" aria-label="Insert a detail of the person">
            <span class="field__label" aria-hidden="true">"Insert"</span>
            <div class="tags insert__keys">{buttons.collect::<Vec<_>>()}</div>
        </div>
        <p class="field__hint">
            "For people without a value write a fallback: "<code>"{{ first_name | default(\"there\") }}"</code>
        </p>
    }
    .into_any()
}

/// Puts a text in the place of the selection and the cursor after it.
fn write(id: &str, text: &str, body: RwSignal<String>) {
    let Some(area) =
        document().get_element_by_id(id).and_then(|element| element.dyn_into::<HtmlTextAreaElement>().ok())
    else {
        return;
    };
    let start = area.selection_start().ok().flatten().unwrap_or_default();
    if area.set_range_text(text).is_err() {
        return;
    }
    // The browser counts UTF-16 units.
    let end = start.saturating_add(u32::try_from(text.encode_utf16().count()).unwrap_or_default());
    let _ = area.set_selection_range(end, end);
    let _ = area.focus();
    body.set(area.value());
}

/// What an approved template needs, media and buttons: closed until it is used.
fn more(variant: LiveVariant, offered: StoredValue<Vec<Offered>>) -> AnyView {
    let locale = variant.locale();
    let review = live_view(move || {
        let sid = variant.content_sid.get();
        let found = offered.with_value(|all| all.iter().find(|one| one.sid == sid.trim()).cloned());
        found.map(|one| review(&one))
    });
    view! {
        <details class="disclosure" open=variant.has_more>
            <summary>"Approved template, picture, buttons"</summary>
            <div class="fields">
                <TextField
                    name=variant.field("content_sid")
                    label="Content template at Twilio"
                    optional=true
                    placeholder="HX…"
                    maxlength=64
                    hint="WhatsApp lets an approved template start a conversation. Write its text above as it is at Twilio: {{1}} stands for its variable."
                    list=CONTENTS
                    live=variant.content_sid
                />
                {review}
                {rows(variant, Rows::variables(&locale), variant.vars)}
                <TextField
                    name=variant.field("media_url")
                    label="Picture or file"
                    kind="url"
                    optional=true
                    placeholder="https://"
                    hint="Twilio fetches it from there. An approved template brings its own."
                    live=variant.media_url
                />
                {rows(variant, Rows::buttons(&locale), variant.buttons)}
            </div>
        </details>
    }
    .into_any()
}

/// Where WhatsApp's review of the content template stands.
fn review(one: &Offered) -> AnyView {
    let reason = (!one.reason.is_empty()).then(|| view! { <span class="muted">{one.reason.clone()}</span> });
    view! {
        <p class="row small" role="status">
            {pill(text::approval(one.approval))} <span>{one.label.clone()}</span> {reason}
            <a class="link" href=paths::APPROVED_TEMPLATES>"All of them"</a>
        </p>
    }
    .into_any()
}

/// A list of pairs: what it is called, and what its button says.
struct Rows {
    part: &'static str,
    legend: &'static str,
    hint: &'static str,
    key: (&'static str, &'static str),
    value: (&'static str, &'static str),
    add: &'static str,
    op: String,
}

impl Rows {
    fn variables(locale: &str) -> Self {
        Self {
            part: "vars",
            legend: "Variables of the content template",
            hint: "Its number, and what to fill in for each person.",
            key: ("Variable", "1"),
            value: ("Filled with", "{{ first_name }}"),
            add: "Add a variable",
            op: format!("var-{locale}"),
        }
    }

    fn buttons(locale: &str) -> Self {
        Self {
            part: "buttons",
            legend: "Reply buttons",
            hint: "As the content template has them: shown in the preview.",
            key: ("Button", "Book now"),
            value: ("Sends back", "BOOK"),
            add: "Add a button",
            op: format!("button-{locale}"),
        }
    }
}

fn rows(variant: LiveVariant, about: Rows, list: RwSignal<Vec<LivePair>>) -> AnyView {
    let Rows { part, legend, hint, key, value, add, op } = about;
    let line = move |(index, pair): (usize, LivePair)| {
        let name = |side: &str| variant.field(&format!("{part}][{index}][{side}"));
        let number = index + 1;
        view! {
            <div class="pairs__row">
                {cell(name("key"), format!("{} {number}", key.0), key.1, pair.key)}
                {cell(name("value"), format!("{} {number}", value.0), value.1, pair.value)}
                <button
                    type="button"
                    class="btn btn--icon btn--ghost live-only"
                    aria-label=format!("Remove {} {number}", key.0.to_ascii_lowercase())
                    on:click=move |_| list.update(|rows| rows.retain(|other| *other != pair))
                >
                    {icon(Glyph::Close)}
                </button>
            </div>
        }
        .into_any()
    };
    let lines = live_view(move || list.get().into_iter().enumerate().map(line).collect::<Vec<_>>());
    view! {
        <fieldset class="pairs">
            <legend class="field__label">{legend}</legend>
            <p class="field__hint">{hint}</p>
            {lines}
            <button
                class="btn btn--small pairs__add"
                type="submit"
                name="op"
                value=op
                formnovalidate
                on:click=move |event| {
                    event.prevent_default();
                    LiveVariant::add_row(list);
                }
            >
                {icon(Glyph::Plus)}
                {add}
            </button>
        </fieldset>
    }
    .into_any()
}

fn cell(name: String, label: String, placeholder: &'static str, text: RwSignal<String>) -> AnyView {
    let problem = use_form().problem;
    let (of_error, id) = (name.clone(), field_id(&name));
    let error = Memo::new(move |_| {
        problem.with(|problem| problem.as_ref().and_then(|error| error.of_field(&of_error).map(str::to_owned)))
    });
    view! {
        <span class="pairs__cell">
            <input
                class="input"
                id=id
                name=name
                value=text.get_untracked()
                placeholder=placeholder
                aria-label=label
                aria-invalid=live_attr(move || error.with(Option::is_some).then_some("true"))
                dir="auto"
                on:input=move |event| text.set(event_target_value(&event))
            />
            {live_view(move || error.get().map(|text| view! { <span class="field__error">{text}</span> }))}
        </span>
    }
    .into_any()
}
