//! The list of codes.

use leptos::prelude::*;

use super::api::{CodeRow, load_codes};
use crate::{components::*, paths};

/// What is shown of them (`?show=`), searched by `?q=`.
const SHOWN: [(&str, &str); 4] = [("", "All"), ("heard", "Met here"), ("unknown", "Not known"), ("changed", "Changed")];

#[component]
pub fn ErrorCodesPage() -> impl IntoView {
    let here = use_here();
    let codes = fetch(move || (here.get("q"), here.get("show")), |(q, show)| load_codes(q, show));
    let q = untrack(move || here.get("q"));
    let show = untrack(move || here.get("show"));
    let options = SHOWN.map(|(word, label)| {
        let selected = word == show;
        view! { <option value=word selected=selected>{label}</option> }.into_any()
    });
    view! {
        <PageHeader
            title="Error codes"
            lead=|| "What the provider says when a message fails, in plain words, and what happens then by itself."
        />
        {super::super::tabs(paths::ERROR_CODES)}
        <Card flush=true>
            <FilterForm action=paths::ERROR_CODES label="Search error codes">
                <input class="input" type="search" name="q" value=q placeholder="Code or words" aria-label="Code or words"/>
                <select class="input input--select" name="show" aria-label="Which codes">{Vec::from(options)}</select>
                <button class="btn" type="submit">{icon(Glyph::Search)} "Search"</button>
            </FilterForm>
            <Loaded from=codes let:rows>
                {if rows.is_empty() { empty() } else { table(rows) }}
            </Loaded>
        </Card>
    }
    .into_any()
}

fn empty() -> AnyView {
    view! {
        <Empty glyph=Glyph::Search title="No such code" text="Codes that the provider gives and that are not known yet appear here by themselves.">
            <a class="btn" href=paths::ERROR_CODES>"Show all"</a>
        </Empty>
    }
    .into_any()
}

fn table(rows: Vec<CodeRow>) -> AnyView {
    let rows = rows.into_iter().map(line).collect::<Vec<_>>();
    view! {
        <Table
            caption="Error codes"
            columns=vec![
                Col::number("Code"),
                Col::text("Meaning and remedy"),
                Col::text("What follows"),
                Col::number("Met"),
                Col::number("Last"),
            ]
        >
            {rows}
        </Table>
    }
    .into_any()
}

fn line(row: CodeRow) -> AnyView {
    let mark = match (row.unknown, row.changed) {
        (true, _) => Some(pill((Tone::Warn, "Not known"))),
        (_, true) => Some(view! { <span class="tag">"Changed"</span> }.into_any()),
        _ => None,
    };
    let said = (row.unknown && !row.said.is_empty())
        .then(|| view! { <div class="muted" dir="auto">"Twilio said: " {row.said}</div> });
    view! {
        <tr>
            <td class="main num" data-label="Code"><a class="link" href=paths::error_code(row.code)>{row.code}</a></td>
            <td class="wrap" data-label="Meaning and remedy">
                <span dir="auto">{row.meaning}</span> " " {mark}
                <div class="muted" dir="auto">{row.remedy}</div>
                {said}
            </td>
            <td data-label="What follows">{row.follows}</td>
            <td class="num" data-label="Met">{row.times}</td>
            <td class="num" data-label="Last"><MaybeTime at=row.last_at/></td>
        </tr>
    }
    .into_any()
}
