//! The rows of the builder. The same fields are posted with and without scripts; scripts only add and remove rows and
//! adapt operators and values without a round trip.

use domain::{
    message::State,
    segment::{Combinator, FIELDS, FieldKind, Operator, SegmentVocabulary},
};
use leptos::{either::Either, prelude::*};

use super::draft::{Draft, Row, kind};
use crate::{components::*, error::AppError};

const NO_VALUE: &str = "Choose or type a value, or remove this rule.";

/// One row while it is edited.
#[derive(Clone, Copy)]
struct LiveRow {
    group: u32,
    field: RwSignal<String>,
    operator: RwSignal<String>,
    value: RwSignal<String>,
}

impl LiveRow {
    fn new(row: Row) -> Self {
        Self {
            group: row.group,
            field: RwSignal::new(row.field),
            operator: RwSignal::new(row.operator),
            value: RwSignal::new(row.value),
        }
    }

    fn row(self) -> Row {
        Row { group: self.group, field: self.field.get(), operator: self.operator.get(), value: self.value.get() }
    }
}

/// The audience while it is edited.
#[derive(Clone, Copy)]
pub struct Builder {
    pub name: RwSignal<String>,
    pub combinator: RwSignal<String>,
    rows: RwSignal<Vec<LiveRow>>,
    vocabulary: StoredValue<SegmentVocabulary>,
}

impl Builder {
    pub fn new(draft: Draft, vocabulary: SegmentVocabulary) -> Self {
        Self {
            combinator: RwSignal::new(draft.outer().as_str().to_owned()),
            name: RwSignal::new(draft.name),
            rows: RwSignal::new(draft.rows.into_iter().map(LiveRow::new).collect()),
            vocabulary: StoredValue::new(vocabulary),
        }
    }

    /// What is counted while it is edited: the rules that are finished. Follows every change.
    pub fn draft(self) -> Draft {
        self.whole().finished()
    }

    /// What is being edited, with the rules that have no value yet; follows every change.
    fn whole(self) -> Draft {
        Draft {
            name: self.name.get(),
            combinator: self.combinator.get(),
            rows: self.rows.get().into_iter().map(LiveRow::row).collect(),
        }
    }

    fn add(self, group: u32) {
        let field = self.vocabulary.with_value(|words| words.attributes.first().map(|key| format!("attributes.{key}")));
        let field = field.unwrap_or_else(|| "consent".to_owned());
        let row = Row { group, field, operator: Operator::Equal.as_str().to_owned(), value: String::new() };
        self.rows.update(|rows| rows.push(LiveRow::new(row)));
    }

    fn remove(self, index: usize) {
        self.rows.update(|rows| {
            if index < rows.len() {
                rows.remove(index);
            }
        });
    }
}

/// The rules with their groups.
pub fn builder(builder: Builder) -> AnyView {
    let rules = live_view(move || rules(builder, &builder.rows.get()));
    let choice = move |value: &'static str, label: &'static str| {
        view! { <option value=value selected=live_attr(move || builder.combinator.get() == value)>{label}</option> }
    };
    let group = move || untrack(move || builder.whole().next_group());
    view! {
        <fieldset class="builder">
            <legend class="visually-hidden">"Rules"</legend>
            <div class="builder__head">
                <label for="f-combinator">"People for whom"</label>
                <select
                    class="input input--select"
                    id="f-combinator"
                    name="combinator"
                    on:change=move |event| builder.combinator.set(event_target_value(&event))
                >
                    {choice("and", "all of these hold")}
                    {choice("or", "at least one of these holds")}
                </select>
            </div>
            {rules}
            <div class="builder__foot">
                {op_button("Add a rule", "add".to_owned(), move || builder.add(0))}
                {op_button("Add a group", "group".to_owned(), move || builder.add(group()))}
            </div>
        </fieldset>
    }
    .into_any()
}

/// A button that scripts answer at once, and the server without them.
fn op_button(label: &'static str, op: String, act: impl Fn() + 'static) -> AnyView {
    view! {
        <button
            class="btn btn--small"
            type="submit"
            name="op"
            value=op
            formnovalidate
            on:click=move |event| {
                event.prevent_default();
                act();
            }
        >
            {icon(Glyph::Plus)}
            {label}
        </button>
    }
    .into_any()
}

fn rules(builder: Builder, rows: &[LiveRow]) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="muted">"No rules: everybody is meant. What a campaign may send is decided by consent all the same."</p> }
            .into_any();
    }
    let mut groups: Vec<u32> = Vec::new();
    let mut views: Vec<AnyView> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        if row.group == 0 {
            views.push(rule(builder, index, *row));
        } else if !groups.contains(&row.group) {
            groups.push(row.group);
            views.push(group(builder, row.group, rows));
        }
    }
    views.into_any()
}

fn group(builder: Builder, number: u32, rows: &[LiveRow]) -> AnyView {
    let words = live_view(move || match builder.combinator.with(|word| word.parse()) {
        Ok(Combinator::Or) => "All of these",
        _ => "At least one of these",
    });
    let rules =
        rows.iter().enumerate().filter(|(_, row)| row.group == number).map(|(index, row)| rule(builder, index, *row));
    view! {
        <fieldset class="builder">
            <legend class="visually-hidden">"Group"</legend>
            <div class="builder__head">{words}</div>
            {rules.collect::<Vec<_>>()}
            <div class="builder__foot">
                {op_button("Add a rule to this group", format!("add-{number}"), move || builder.add(number))}
            </div>
        </fieldset>
    }
    .into_any()
}

fn rule(builder: Builder, index: usize, row: LiveRow) -> AnyView {
    let name = move |part: &str| format!("rows[{index}][{part}]");
    let number = index + 1;
    let problem = use_form().problem;
    let error = live_view(move || {
        let path = builder.whole().paths().get(index).cloned().unwrap_or_default();
        let found = problem.with(|problem| problem.as_ref().and_then(|problem| fault(problem, &path, index, row)));
        found.map(|text| view! { <p class="field__error">{icon(Glyph::Warning)} <span>{text}</span></p> }.into_any())
    });
    let fields = builder.vocabulary.with_value(|words| field_choices(words, &row.field.get_untracked()));
    let picked = row.field.get_untracked();
    let operators = live_view(move || {
        let field = row.field.get();
        let chosen = row.operator.get_untracked();
        options(operator_choices(&field, &chosen), None, &chosen)
    });
    view! {
        <div class="builder__rule">
            <input type="hidden" name=name("group") value=row.group.to_string()/>
            <select
                class="input input--select"
                name=name("field")
                aria-label=format!("Rule {number}: what")
                on:change=move |event| {
                    let field = event_target_value(&event);
                    let fits = operator_choices(&field, "").iter().any(|choice| choice.value == row.operator.get_untracked());
                    if !fits {
                        let first = operator_choices(&field, "").into_iter().next().map(|choice| choice.value);
                        row.operator.set(first.unwrap_or_default());
                    }
                    row.value.set(String::new());
                    row.field.set(field);
                }
            >
                {options(fields, None, &picked)}
            </select>
            <select
                class="input input--select"
                name=name("operator")
                aria-label=format!("Rule {number}: comparison")
                on:change=move |event| row.operator.set(event_target_value(&event))
            >
                {operators}
            </select>
            <div>{live_view(move || value_input(builder, row, name("value"), number))}</div>
            <button
                class="btn btn--icon btn--ghost"
                type="submit"
                name="op"
                value=format!("remove-{index}")
                formnovalidate
                aria-label=format!("Remove rule {number}")
                on:click=move |event| {
                    event.prevent_default();
                    builder.remove(index);
                }
            >
                {icon(Glyph::Close)}
            </button>
            {error}
        </div>
    }
    .into_any()
}

/// What is wrong with a rule. That its value was only forgotten is seen in what was tried: the row may have one by now.
fn fault(problem: &AppError, path: &str, index: usize, row: LiveRow) -> Option<String> {
    let AppError::Invalid { fields, .. } = problem else { return None };
    let error = fields.iter().find(|error| error.field.starts_with(&format!("{path}.")))?;
    let tried = problem.typed("draft").and_then(|draft| serde_json::from_str::<Draft>(draft).ok());
    let tried = tried.and_then(|draft| draft.rows.into_iter().nth(index)).unwrap_or_else(|| row.row());
    let forgotten = error.field.ends_with(".value") && tried.unfinished();
    Some(if forgotten { NO_VALUE.to_owned() } else { error.message.clone() })
}

fn value_input(builder: Builder, row: LiveRow, name: String, number: usize) -> AnyView {
    let (field, operator) = (row.field.get(), row.operator.get());
    let operator = operator.parse().unwrap_or(Operator::Equal);
    let label = format!("Rule {number}: value");
    if matches!(operator, Operator::Null | Operator::NotNull) {
        return view! { <input type="hidden" name=name value=""/> }.into_any();
    }
    let single = matches!(operator, Operator::Equal | Operator::NotEqual);
    let choices = if single { builder.vocabulary.with_value(|words| value_choices(words, &field)) } else { Vec::new() };
    let value = row.value.get_untracked();
    let view = if choices.is_empty() {
        let (hint, kind) = placeholder(kind(&field), operator);
        Either::Left(view! {
            <input
                class="input"
                type=kind
                name=name
                value=value
                placeholder=hint
                aria-label=label
                on:input=move |event| row.value.set(event_target_value(&event))
            />
        })
    } else {
        Either::Right(view! {
            <select
                class="input input--select"
                name=name
                aria-label=label
                on:change=move |event| row.value.set(event_target_value(&event))
            >
                {options(choices, Some("Choose…".to_owned()), &value)}
            </select>
        })
    };
    view.into_any()
}

/// Fields in the order people need them: what everybody has, then the details of these contacts, then campaigns.
fn field_choices(words: &SegmentVocabulary, present: &str) -> Vec<Choice> {
    let mut choices: Vec<Choice> = FIELDS.iter().map(|(name, _)| Choice::new(*name, field_label(name))).collect();
    choices.extend(words.attributes.iter().map(|key| Choice::new(format!("attributes.{key}"), key.replace('_', " "))));
    choices.extend(
        words
            .campaigns
            .iter()
            .map(|(id, name)| Choice::new(format!("campaign.{id}.state"), format!("Campaign {name}"))),
    );
    if !choices.iter().any(|choice| choice.value == present) {
        choices.push(Choice::new(present, present.trim_start_matches("attributes.").replace('_', " ")));
    }
    choices
}

fn field_label(name: &str) -> &'static str {
    match name {
        "topic" => "Topic",
        "consent" => "Consent",
        "country" => "Country of the number",
        "locale" => "Language",
        "timezone" => "Time zone",
        "phone" => "Phone number",
        "created_at" => "Known since",
        "updated_at" => "Last changed",
        "last_inbound_at" => "Last wrote",
        "last_read_at" => "Last read a message",
        "import" => "In the file",
        "segment" => "In the audience",
        _ => "Detail",
    }
}

fn operator_choices(field: &str, present: &str) -> Vec<Choice> {
    let kind = kind(field);
    let offered = kind.operators().iter().filter(|operator| {
        // Several of a list are said with a group of rules; a definition that has them keeps them.
        let several = matches!(operator, Operator::In | Operator::NotIn);
        operator.as_str() == present
            || !(several && matches!(kind, FieldKind::Membership | FieldKind::Choice(_) | FieldKind::State))
    });
    offered.map(|operator| Choice::new(operator.as_str(), operator_words(kind, *operator))).collect()
}

const fn operator_words(kind: FieldKind, operator: Operator) -> &'static str {
    match (kind, operator) {
        (FieldKind::Time, Operator::Less) => "is before",
        (FieldKind::Time, Operator::LessOrEqual) => "is on or before",
        (FieldKind::Time, Operator::Greater) => "is after",
        (FieldKind::Time, Operator::GreaterOrEqual) => "is on or after",
        (_, Operator::Equal) => "is",
        (_, Operator::NotEqual) => "is not",
        (_, Operator::Less) => "is less than",
        (_, Operator::LessOrEqual) => "is at most",
        (_, Operator::Greater) => "is more than",
        (_, Operator::GreaterOrEqual) => "is at least",
        (_, Operator::Contains) => "contains",
        (_, Operator::BeginsWith) => "begins with",
        (_, Operator::EndsWith) => "ends with",
        (_, Operator::In) => "is one of",
        (_, Operator::NotIn) => "is none of",
        (_, Operator::Between) => "is between",
        (_, Operator::Null) => "is not known",
        (_, Operator::NotNull) => "is known",
        (_, Operator::WithinLast) => "is within the last",
        (_, Operator::NotWithinLast) => "is not within the last",
    }
}

/// What a value can be chosen from; nothing where it is typed.
fn value_choices(words: &SegmentVocabulary, field: &str) -> Vec<Choice> {
    let named = |pairs: &[(String, String)]| pairs.iter().map(|(id, name)| Choice::new(id, name)).collect();
    match (field, kind(field)) {
        ("topic", _) => words.topics.iter().map(|key| Choice::new(key, key)).collect(),
        ("import", _) => named(&words.imports),
        ("segment", _) => named(&words.segments),
        ("consent", FieldKind::Choice(all)) => all.iter().map(|word| Choice::new(*word, consent_words(word))).collect(),
        (_, FieldKind::Choice(all)) => all.iter().map(|word| Choice::new(*word, *word)).collect(),
        (_, FieldKind::State) => {
            State::ALL.iter().map(|state| Choice::new(state.as_str(), Label::from(*state).text.into_owned())).collect()
        }
        _ => Vec::new(),
    }
}

fn consent_words(word: &str) -> String {
    word.parse::<domain::consent::Consent>()
        .map_or_else(|_| word.to_owned(), |consent| Label::from(consent).text.into_owned())
}

/// What the input says while it is empty, and its type.
const fn placeholder(kind: FieldKind, operator: Operator) -> (&'static str, &'static str) {
    match (kind, operator) {
        (_, Operator::WithinLast | Operator::NotWithinLast) => ("30 days", "text"),
        (_, Operator::In | Operator::NotIn) => ("one, two, three", "text"),
        (FieldKind::Time, Operator::Between) => ("2026-01-01, 2026-03-31", "text"),
        (_, Operator::Between) => ("10, 20", "text"),
        (FieldKind::Time, _) => ("2026-01-31", "date"),
        _ => ("", "text"),
    }
}
