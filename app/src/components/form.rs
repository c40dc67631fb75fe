//! Forms that work without scripts and are better with them: they keep what was typed, say what is wrong beside its
//! field, and cannot be sent twice by a double click.

use super::live::{LiveAttr, live_attr, live_view};
use leptos::{prelude::*, server_fn::ServerFn};
use serde::de::DeserializeOwned;

use super::{
    feedback::alert,
    icon::{Glyph, icon},
    submit::FormAction,
};
use crate::{error::AppError, text::Tone};

/// What the enclosing form knows of its last try.
#[derive(Clone, Copy)]
pub struct FormState {
    pub problem: Signal<Option<AppError>>,
    pub pending: Signal<bool>,
}

impl Default for FormState {
    fn default() -> Self {
        Self { problem: Signal::stored(None), pending: Signal::stored(false) }
    }
}

/// The state of the form around this component; a quiet one outside of [`FormFor`].
#[must_use]
pub fn use_form() -> FormState {
    use_context().unwrap_or_default()
}

/// What a form's last try came to, also after a redirect without scripts.
pub fn form_state<S>(action: FormAction<S>) -> FormState
where
    S: ServerFn<Error = AppError>,
    S::Output: Send + Sync + 'static,
{
    action.state()
}

/// A form around a server function: shows its error on top, gives fields theirs, and locks its button while it is sent.
#[component]
pub fn FormFor<S>(
    action: FormAction<S>,
    /// `form` (stacked fields), `form form--narrow`, or `form--inline` for a button with hidden fields.
    #[prop(default = "form")]
    class: &'static str,
    /// The error is shown elsewhere, by an [`ActionError`].
    #[prop(optional)]
    quiet: bool,
    /// It stays where it is for the next one, and is empty again once it was taken.
    #[prop(optional)]
    fresh: bool,
    children: Children,
) -> impl IntoView
where
    S: ServerFn<Error = AppError> + 'static,
    S::Output: DeserializeOwned + Send + Sync + 'static,
{
    let state = action.state();
    action.form(class, fresh, scope(state, quiet, children))
}

fn scope(state: FormState, quiet: bool, children: Children) -> AnyView {
    view! {
        <leptos::context::Provider value=state>
            {(!quiet).then(|| view! { <Problem state/> })}
            {children()}
        </leptos::context::Provider>
    }
    .into_any()
}

/// The error of an action as an alert: what is wrong, and the fields as links. [`FormFor`] shows it by itself.
#[component]
pub fn ActionError<S>(action: FormAction<S>) -> impl IntoView
where
    S: ServerFn<Error = AppError> + 'static,
    S::Output: Send + Sync + 'static,
{
    let state = action.state();
    view! { <Problem state/> }.into_any()
}

#[component]
fn Problem(state: FormState) -> impl IntoView {
    let problem = state.problem;
    let place = NodeRef::<leptos::html::Div>::new();
    // Whoever cannot see the alert appear is taken to it.
    Effect::new(move |before: Option<bool>| {
        let there = problem.with(Option::is_some);
        if there
            && before == Some(false)
            && let Some(place) = place.get_untracked()
        {
            let _ = place.focus();
        }
        there
    });
    let body = live_view(move || problem.get().map(|error| problem_view(&error)));
    view! { <div class="form__problem" tabindex="-1" node_ref=place>{body}</div> }.into_any()
}

fn problem_view(error: &AppError) -> AnyView {
    match error {
        AppError::Invalid { fields, summary, .. } => {
            let items = fields.iter().map(|error| {
                let href = format!("#{}", field_id(&error.field));
                view! { <li><a href=href rel="external">{error.message.clone()}</a></li> }.into_any()
            });
            let list = view! { <ul class="alert__list">{items.collect::<Vec<_>>()}</ul> }.into_any();
            alert(Tone::Bad, summary.clone(), Some(list))
        }
        other => alert(Tone::Bad, format!("{}.", other.title()), Some(other.message().into_any())),
    }
}

/// The id of the control of a field: a path such as `rules[1].value` becomes `f-rules-1-value`.
#[must_use]
pub fn field_id(name: &str) -> String {
    let mut id = String::from("f");
    let mut gap = true;
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            if gap {
                id.push('-');
                gap = false;
            }
            id.push(c);
        } else {
            gap = true;
        }
    }
    id
}

/// What all fields share.
struct Field {
    id: String,
    label: String,
    hint: String,
    optional: bool,
    error: Signal<Option<String>>,
}

impl Field {
    fn new(name: &str, label: String, hint: String, optional: bool) -> Self {
        let problem = use_form().problem;
        let field = name.to_owned();
        let error = Signal::derive(move || {
            problem.with(|problem| problem.as_ref().and_then(|error| error.of_field(&field).map(str::to_owned)))
        });
        Self { id: field_id(name), label, hint, optional, error }
    }

    /// `aria-describedby`: the hint and, when there is one, the error.
    fn described_by(&self) -> LiveAttr<Option<String>> {
        let (id, error, hint) = (self.id.clone(), self.error, !self.hint.is_empty());
        live_attr(move || match (hint, error.with(Option::is_some)) {
            (true, true) => Some(format!("{id}-hint {id}-error")),
            (true, false) => Some(format!("{id}-hint")),
            (false, true) => Some(format!("{id}-error")),
            (false, false) => None,
        })
    }

    fn invalid(&self) -> LiveAttr<Option<&'static str>> {
        let error = self.error;
        live_attr(move || error.with(Option::is_some).then_some("true"))
    }

    fn hint(&self) -> Option<AnyView> {
        (!self.hint.is_empty())
            .then(|| view! { <p class="field__hint" id=format!("{}-hint", self.id)>{self.hint.clone()}</p> }.into_any())
    }

    fn error(&self) -> AnyView {
        let (id, error) = (format!("{}-error", self.id), self.error);
        live_view(move || {
            error.get().map(|text| {
                view! { <p class="field__error" id=id.clone()>{icon(Glyph::Warning)} <span>{text}</span></p> }
                    .into_any()
            })
        })
    }

    /// The control within its label, hint and error.
    fn around(self, control: AnyView) -> AnyView {
        let (hint, error) = (self.hint(), self.error());
        let optional = self.optional.then(|| view! { <span class="field__optional">"optional"</span> });
        view! {
            <div class="field">
                <label class="field__label" for=self.id.clone()>{self.label} {optional}</label>
                {control}
                {hint}
                {error}
            </div>
        }
        .into_any()
    }
}

/// What the field starts with: what was typed at the try that failed, else the given value.
fn starting_value(name: &str, value: String) -> String {
    use_form().problem.with_untracked(|problem| {
        problem.as_ref().and_then(|error| error.typed(name).map(str::to_owned)).unwrap_or(value)
    })
}

/// Ties the control to a signal: the signal starts with what was typed before, and follows every key.
fn tie(live: Option<RwSignal<String>>, start: &str) {
    if let Some(live) = live
        && live.with_untracked(|value| value != start)
    {
        live.set(start.to_owned());
    }
}

/// A line of text. `kind` may be `email`, `tel`, `url`, `search`, `password`, `date`, `datetime-local`, `time`.
#[component]
pub fn TextField(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] hint: String,
    #[prop(default = "text")] kind: &'static str,
    #[prop(optional)] required: bool,
    /// Says "optional" beside the label.
    #[prop(optional)]
    optional: bool,
    #[prop(optional, into)] placeholder: Option<String>,
    #[prop(optional)] autocomplete: Option<&'static str>,
    #[prop(optional)] autofocus: bool,
    #[prop(optional)] maxlength: Option<u32>,
    #[prop(optional)] readonly: bool,
    /// Suggestions offered while typing.
    #[prop(optional)]
    suggestions: Vec<String>,
    /// The id of a list of suggestions that several fields share.
    #[prop(optional)]
    list: Option<&'static str>,
    /// Follows every key; its value then wins over `value`, unless a failed try brought something back.
    #[prop(optional)]
    live: Option<RwSignal<String>>,
) -> impl IntoView {
    let start = starting_value(&name, live.map_or(value, |live| live.get_untracked()));
    tie(live, &start);
    let field = Field::new(&name, label, hint, optional);
    let own_list = (!suggestions.is_empty()).then(|| format!("{}-list", field.id));
    let list = own_list.clone().or_else(|| list.map(str::to_owned));
    let options = own_list.map(|id| {
        let options = suggestions.into_iter().map(|value| view! { <option value=value></option> }.into_any());
        view! { <datalist id=id>{options.collect::<Vec<_>>()}</datalist> }
    });
    let control = view! {
        <input
            class="input"
            type=kind
            id=field.id.clone()
            name=name
            value=start
            required=required
            readonly=readonly
            autofocus=autofocus
            placeholder=placeholder
            autocomplete=autocomplete
            maxlength=maxlength.map(|n| n.to_string())
            list=list
            aria-describedby=field.described_by()
            aria-invalid=field.invalid()
            on:input=move |event| if let Some(live) = live { live.set(event_target_value(&event)); }
        />
        {options}
    };
    field.around(control.into_any())
}

/// A whole number.
#[component]
pub fn NumberField(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(optional_no_strip, into)] value: Option<i64>,
    #[prop(optional, into)] hint: String,
    #[prop(optional)] required: bool,
    #[prop(optional)] optional: bool,
    #[prop(optional)] min: Option<i64>,
    #[prop(optional)] max: Option<i64>,
    /// The unit, after the field: "per second".
    #[prop(optional)]
    unit: &'static str,
) -> impl IntoView {
    let start = starting_value(&name, value.map(|n| n.to_string()).unwrap_or_default());
    let field = Field::new(&name, label, hint, optional);
    let unit = (!unit.is_empty()).then(|| view! { <span class="input-unit__unit">{unit}</span> });
    let control = view! {
        <div class="input-unit">
            <input
                class="input input--number"
                type="number"
                inputmode="numeric"
                step="1"
                id=field.id.clone()
                name=name
                value=start
                required=required
                min=min.map(|n| n.to_string())
                max=max.map(|n| n.to_string())
                aria-describedby=field.described_by()
                aria-invalid=field.invalid()
            />
            {unit}
        </div>
    };
    field.around(control.into_any())
}

/// Several lines of text; with `count_to` and `live` it counts what is left.
#[component]
pub fn TextAreaField(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] hint: String,
    #[prop(optional)] required: bool,
    #[prop(optional)] optional: bool,
    #[prop(default = 6)] rows: u32,
    #[prop(optional, into)] placeholder: Option<String>,
    /// Code: a fixed-width font, no spelling marks.
    #[prop(optional)]
    code: bool,
    #[prop(optional)] maxlength: Option<u32>,
    /// Writing direction by content, for languages written from the right.
    #[prop(default = "auto")]
    dir: &'static str,
    #[prop(optional)] live: Option<RwSignal<String>>,
) -> impl IntoView {
    let start = starting_value(&name, live.map_or(value, |live| live.get_untracked()));
    tie(live, &start);
    let field = Field::new(&name, label, hint, optional);
    let class = if code { "input input--area input--code" } else { "input input--area" };
    let control = view! {
        <textarea
            class=class
            id=field.id.clone()
            name=name
            rows=rows.to_string()
            required=required
            placeholder=placeholder
            maxlength=maxlength.map(|n| n.to_string())
            dir=dir
            spellcheck=code.then_some("false")
            aria-describedby=field.described_by()
            aria-invalid=field.invalid()
            on:input=move |event| if let Some(live) = live { live.set(event_target_value(&event)); }
        >
            {start}
        </textarea>
    };
    field.around(control.into_any())
}

/// One of several, for selects and radio cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub value: String,
    pub label: String,
    pub hint: String,
    pub disabled: bool,
}

impl Choice {
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into(), hint: String::new(), disabled: false }
    }

    /// A sentence below the label (radio cards).
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    #[must_use]
    pub const fn disabled(mut self, disabled: bool) -> Self {
        self.disabled = disabled;
        self
    }
}

#[component]
pub fn SelectField(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    choices: Vec<Choice>,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] hint: String,
    #[prop(optional)] required: bool,
    #[prop(optional)] optional: bool,
    /// The first choice, with an empty value: "No topic", "Choose a template".
    #[prop(optional, into)]
    blank: Option<String>,
    #[prop(optional)] live: Option<RwSignal<String>>,
) -> impl IntoView {
    let start = starting_value(&name, live.map_or(value, |live| live.get_untracked()));
    tie(live, &start);
    let field = Field::new(&name, label, hint, optional);
    let options = options(choices, blank, &start);
    let control = view! {
        <select
            class="input input--select"
            id=field.id.clone()
            name=name
            required=required
            aria-describedby=field.described_by()
            aria-invalid=field.invalid()
            on:change=move |event| if let Some(live) = live { live.set(event_target_value(&event)); }
        >
            {options}
        </select>
    };
    field.around(control.into_any())
}

/// The `<option>`s of a select, for selects outside of a field.
#[must_use]
pub fn options(choices: Vec<Choice>, blank: Option<String>, selected: &str) -> AnyView {
    let blank = blank.map(|label| Choice::new("", label));
    let views = blank.into_iter().chain(choices).map(|choice| {
        let chosen = choice.value == selected;
        view! { <option value=choice.value selected=chosen disabled=choice.disabled>{choice.label}</option> }.into_any()
    });
    views.collect::<Vec<_>>().into_any()
}

/// A box to tick. Sends `true` or nothing: the server function's argument is `#[server(default)] name: bool`.
#[component]
pub fn CheckboxField(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(optional)] checked: bool,
    #[prop(optional, into)] hint: String,
    /// Another value than `true`: for lists of boxes with one name (`topics[]`).
    #[prop(default = "true".to_owned(), into)]
    value: String,
    #[prop(optional)] required: bool,
    #[prop(optional)] live: Option<RwSignal<bool>>,
) -> impl IntoView {
    let id = if value == "true" { name.clone() } else { format!("{name}-{value}") };
    let field = Field::new(&id, label, hint, false);
    let checked = use_form().problem.with_untracked(|problem| match problem {
        Some(error) if error.keeps_input() && value == "true" => error.typed(&name) == Some("true"),
        _ => live.map_or(checked, |live| live.get_untracked()),
    });
    let (hint, error, described_by, invalid) = (field.hint(), field.error(), field.described_by(), field.invalid());
    view! {
        <div class="check">
            <input
                type="checkbox"
                id=field.id.clone()
                name=name
                value=value
                checked=checked
                required=required
                aria-describedby=described_by
                aria-invalid=invalid
                on:change=move |event| if let Some(live) = live { live.set(event_target_checked(&event)); }
            />
            <label for=field.id.clone()>{field.label.clone()}</label>
            {hint}
            {error}
        </div>
    }
    .into_any()
}

/// One of a few, each with a sentence of its own.
#[component]
pub fn RadioCards(
    #[prop(into)] name: String,
    #[prop(into)] legend: String,
    choices: Vec<Choice>,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] hint: String,
    #[prop(optional)] required: bool,
    #[prop(optional)] live: Option<RwSignal<String>>,
) -> impl IntoView {
    let start = starting_value(&name, live.map_or(value, |live| live.get_untracked()));
    tie(live, &start);
    let field = Field::new(&name, legend, hint, false);
    let (hint, error, described_by) = (field.hint(), field.error(), field.described_by());
    let cards = choices.into_iter().enumerate().map(|(index, choice)| {
        // The first one carries the field's own id, so that the list of errors leads to it.
        let id = if index == 0 { field.id.clone() } else { format!("{}-{index}", field.id) };
        let chosen = choice.value == start;
        view! {
            <label class="radio-card">
                <input
                    type="radio"
                    id=id
                    name=name.clone()
                    value=choice.value
                    checked=chosen
                    required=required
                    disabled=choice.disabled
                    on:change=move |event| if let Some(live) = live { live.set(event_target_value(&event)); }
                />
                <span class="radio-card__body">
                    <span class="radio-card__label">{choice.label}</span>
                    {(!choice.hint.is_empty()).then(|| view! { <span class="radio-card__hint">{choice.hint}</span> })}
                </span>
            </label>
        }
        .into_any()
    });
    let cards = cards.collect::<Vec<_>>();
    view! {
        <fieldset class="field field--group" aria-describedby=described_by>
            <legend class="field__label">{field.label.clone()}</legend>
            <div class="radio-cards">{cards}</div>
            {hint}
            {error}
        </fieldset>
    }
    .into_any()
}

/// Fields that belong together, under one heading.
#[component]
pub fn FieldGroup(
    #[prop(into)] legend: String,
    #[prop(optional, into)] hint: String,
    children: Children,
) -> impl IntoView {
    let hint = (!hint.is_empty()).then(|| view! { <p class="field__hint">{hint}</p> });
    view! {
        <fieldset class="fields">
            <legend class="fields__legend">{legend}</legend>
            {hint}
            {children()}
        </fieldset>
    }
    .into_any()
}

/// A file to upload. The form posts `multipart/form-data` to a plain route, never to a server function.
#[component]
pub fn FileField(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(optional, into)] hint: String,
    /// `.csv,.json,.jsonl,text/csv`.
    #[prop(optional)]
    accept: Option<&'static str>,
    #[prop(optional)] required: bool,
) -> impl IntoView {
    let field = Field::new(&name, label, hint, false);
    let chosen = RwSignal::new(None::<String>);
    let changed = move |event: leptos::ev::Event| {
        // `C:\fakepath\people.csv`: browsers hide the folder, but not always.
        let path = event_target_value(&event);
        let file = path.rsplit(['\\', '/']).next().unwrap_or_default().to_owned();
        chosen.set((!file.is_empty()).then_some(file));
    };
    let prompt = live_view(move || chosen.get().unwrap_or_else(|| "Choose a file, or drop it here".to_owned()));
    let control = view! {
        <div class="drop" data-chosen=live_attr(move || chosen.with(Option::is_some).then_some(""))>
            {icon(Glyph::Upload)}
            <span class="drop__prompt" aria-hidden="true">{prompt}</span>
            <input
                class="drop__input"
                type="file"
                id=field.id.clone()
                name=name
                accept=accept
                required=required
                aria-describedby=field.described_by()
                aria-invalid=field.invalid()
                on:change=changed
            />
        </div>
    };
    field.around(control.into_any())
}

/// A value that travels along.
#[component]
pub fn Hidden(#[prop(into)] name: String, #[prop(into)] value: Signal<String>) -> impl IntoView {
    view! { <input type="hidden" name=name value=value.get_untracked() prop:value=move || value.get()/> }.into_any()
}

/// The version that was read: a change of a stale one is refused.
#[component]
pub fn VersionField(version: i64) -> impl IntoView {
    view! { <input type="hidden" name="version" value=version.to_string()/> }.into_any()
}

/// Sends the form; while it is on its way the button says so and cannot be pressed again.
#[component]
pub fn SubmitButton(
    #[prop(into)] label: String,
    /// While it is sent: "Saving…".
    #[prop(default = "Working…")]
    busy: &'static str,
    #[prop(default = "btn btn--primary")] class: &'static str,
    /// Which of several buttons it was: sent as a field of the form.
    #[prop(optional)]
    name: Option<&'static str>,
    #[prop(optional, into)] value: Option<String>,
    #[prop(optional, into)] disabled: Signal<bool>,
) -> impl IntoView {
    let pending = use_form().pending;
    let text = live_view(move || if pending.get() { busy.to_owned() } else { label.clone() });
    view! {
        <button
            type="submit"
            class=class
            name=name
            value=value
            disabled=live_attr(move || pending.get() || disabled.get())
            aria-busy=live_attr(move || pending.get().then_some("true"))
        >
            {text}
        </button>
    }
    .into_any()
}

/// The end of a form: its buttons, the primary one first in reading order.
#[component]
pub fn FormActions(children: Children) -> impl IntoView {
    view! { <div class="form__actions">{children()}</div> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_fields() {
        assert_eq!(field_id("name"), "f-name");
        assert_eq!(field_id("rules[1].value"), "f-rules-1-value");
        assert_eq!(field_id("attributes.first_name"), "f-attributes-first_name");
    }
}
