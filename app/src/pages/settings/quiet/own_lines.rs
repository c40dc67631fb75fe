//! The lines that the workspace adds to the law table: a list, and a form for a new one or the one that is being edited
//! (`?line=2`).

use domain::quiet::OwnLawLine;
use leptos::prelude::*;

use super::api::{RemoveLawLine, SaveLawLine};
use crate::{components::*, paths};

#[derive(Clone, Copy)]
pub struct Actions {
    pub save: FormAction<SaveLawLine>,
    pub remove: FormAction<RemoveLawLine>,
}

const DAYS: [(&str, &str); 7] = [
    ("Mon", "Monday"),
    ("Tue", "Tuesday"),
    ("Wed", "Wednesday"),
    ("Thu", "Thursday"),
    ("Fri", "Friday"),
    ("Sat", "Saturday"),
    ("Sun", "Sunday"),
];

/// The lines, and beside them the form.
pub fn cards(lines: &[OwnLawLine], version: i64, actions: Actions, here: Here) -> AnyView {
    let edited = here.get("line").parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let edited = edited.and_then(|index| Some((index, lines.get(index)?)));
    view! {
        <div class="grid grid--2-1">
            {list(lines, version, actions.remove)}
            {form(edited, version, actions.save)}
        </div>
    }
    .into_any()
}

fn list(lines: &[OwnLawLine], version: i64, remove: FormAction<RemoveLawLine>) -> AnyView {
    if lines.is_empty() {
        return view! {
            <Card title="Your own lines">
                <p class="muted">
                    "None yet. A line for a place that the law table lacks, or is too generous for, binds marketing beside it: the stricter one wins."
                </p>
            </Card>
        }
        .into_any();
    }
    let rows = lines.iter().enumerate().map(|(index, line)| row(index, line, version, remove)).collect::<Vec<_>>();
    view! {
        <Card title="Your own lines" flush=true>
            <ActionError action=remove/>
            <Table
                caption="Your own lines of the law table"
                columns=vec![Col::text("Place"), Col::text("Allowed"), Col::text("Source"), Col::action("Actions")]
            >
                {rows}
            </Table>
            <p class="card__note muted">
                "They only narrow what the law table allows. Lines of one place add up: a day that none of them names is closed there."
            </p>
        </Card>
    }
    .into_any()
}

fn row(index: usize, line: &OwnLawLine, version: i64, remove: FormAction<RemoveLawLine>) -> AnyView {
    let number = (index + 1).to_string();
    let edit = paths::with_query(paths::QUIET_HOURS, &[("line", &number)]);
    let place = super::place(&line.country, &line.subdivision);
    let allowed = super::hours(&line.days, (&line.from, &line.to), line.holidays);
    let dates = super::dates(line.valid_from.as_deref(), line.valid_to.as_deref());
    view! {
        <tr>
            <td class="main" data-label="Place">{place}</td>
            <td data-label="Allowed">
                <div>{allowed} {(!dates.is_empty()).then(|| view! { <div class="muted small">{dates}</div> })}</div>
            </td>
            <td class="wrap" data-label="Source">
                <span class="muted">{line.source.clone()}</span> <div class="muted small">{super::read_on(&line.read_on)}</div>
            </td>
            <td class="num" data-label="">
                <div class="actions actions--end">
                    <a class="btn btn--small" href=edit>"Edit"</a>
                    <FormFor action=remove class="inline" quiet=true>
                        <VersionField version/>
                        <Hidden name="line" value=number/>
                        <SubmitButton label="Remove" busy="Removing…" class="btn btn--small btn--danger"/>
                    </FormFor>
                </div>
            </td>
        </tr>
    }
    .into_any()
}

fn form(edited: Option<(usize, &OwnLawLine)>, version: i64, save: FormAction<SaveLawLine>) -> AnyView {
    let number = edited.map(|(index, _)| (index + 1).to_string()).unwrap_or_default();
    let line = edited.map(|(_, line)| line.clone());
    let is_new = line.is_none();
    let line = line.unwrap_or_else(|| OwnLawLine {
        country: String::new(),
        subdivision: "*".to_owned(),
        days: "Mon-Sun".to_owned(),
        from: "09:00".to_owned(),
        to: "20:00".to_owned(),
        holidays: false,
        valid_from: None,
        valid_to: None,
        source: String::new(),
        read_on: String::new(),
    });
    let (first, last) = line.days.split_once('-').unwrap_or((&line.days, &line.days));
    let (first, last) = (first.to_owned(), last.to_owned());
    let days = || DAYS.map(|(value, label)| Choice::new(value, label)).to_vec();
    let (title, label) = if is_new { ("New line", "Add the line") } else { ("Change a line", "Save the line") };
    let leave = (!is_new).then(|| view! { <a class="btn" href=paths::QUIET_HOURS>"Leave it as it is"</a> });
    view! {
        <Card title=title>
            <FormFor action=save>
                <VersionField version/>
                <Hidden name="line" value=number/>
                <TextField
                    name="country"
                    label="Country"
                    value=line.country
                    required=true
                    maxlength=2
                    placeholder="LK"
                    hint="Two letters; ** stands for all that the table has no line for."
                />
                <TextField
                    name="subdivision"
                    label="State or province"
                    value=line.subdivision
                    optional=true
                    placeholder="*"
                    hint="* is the whole country. In the US and Canada also FL,GA, or ? where the state is not known."
                />
                <div class="pair">
                    <SelectField name="first_day" label="First day" choices=days() value=first/>
                    <SelectField name="last_day" label="Last day" choices=days() value=last/>
                </div>
                <div class="pair">
                    <TextField name="from" label="Allowed from" value=line.from required=true placeholder="09:00"/>
                    <TextField name="to" label="Allowed until" value=line.to required=true placeholder="20:00"/>
                </div>
                <CheckboxField name="not_on_holidays" label="Not on the holidays above" checked=line.holidays/>
                <TextField
                    name="valid_from"
                    kind="date"
                    label="In force from"
                    value=line.valid_from.unwrap_or_default()
                    optional=true
                    hint="Of a law that is to come."
                />
                <TextField
                    name="valid_to"
                    kind="date"
                    label="In force until"
                    value=line.valid_to.unwrap_or_default()
                    optional=true
                />
                <TextField
                    name="source"
                    label="Where it is written"
                    value=line.source
                    required=true
                    maxlength=300
                    hint="The law, or an address. Decisions name it."
                />
                <TextField name="read_on" kind="date" label="Looked up on" value=line.read_on required=true/>
                <FormActions><SubmitButton label=label busy="Saving…"/> {leave}</FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}
