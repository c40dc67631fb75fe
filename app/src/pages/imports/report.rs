//! One import: its progress while it runs, and what became of every row.

use domain::{
    import::{Import, ImportReject, ImportStatus},
    role::Permission,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    api::{ImportView, load_import},
    name,
};
use crate::{components::*, paths, text};

#[component]
pub fn ImportPage() -> impl IntoView {
    let params = use_params_map();
    let under_way = RwSignal::new(false);
    let tick = poll(1_000, move || under_way.get());
    let source = move || (params.with(|params| params.get("id").unwrap_or_default()), tick.get());
    let import = fetch(source, |(id, _)| load_import(id));
    Effect::new(move |_| {
        if let Some(Ok(view)) = import.get() {
            under_way.set(matches!(view.import.status, ImportStatus::Queued | ImportStatus::Running));
        }
    });
    view! { <Loaded from=import let:view>{page(view)}</Loaded> }.into_any()
}

fn page(view: ImportView) -> AnyView {
    let ImportView { import, rejects } = view;
    let done = import.status == ImportStatus::Done;
    let people = paths::with_query(paths::CONTACTS, &[("import", &import.id.to_string())]);
    let audience = paths::with_query(paths::NEW_AUDIENCE, &[("import", &import.id.to_string())]);
    view! {
        <PageHeader
            title=name(&import)
            crumbs=vec![crumb("Contacts", paths::CONTACTS), crumb("Imports", paths::IMPORTS)]
            state=Label::from(import.status)
        >
            {done.then(|| view! {
                <a class="btn" href=people>{icon(Glyph::People)} "See these people"</a>
            })}
            {(done && may(Permission::Write)).then(|| view! {
                <a class="btn btn--primary" href=audience>{icon(Glyph::Target)} "Make an audience of them"</a>
            })}
        </PageHeader>
        {progress(&import)}
        {import.error.clone().map(|error| view! { <Alert tone=Tone::Bad title="The import stopped.">{error}</Alert> })}
        <div class="stats">
            <Stat label="Rows" value=format::num(import.rows)/>
            <Stat label="New people" value=format::num(import.created)/>
            <Stat label="Changed" value=format::num(import.updated)/>
            <Stat label="Known already" value=format::num(import.unchanged)/>
            <Stat label="Twice in the file" value=format::num(import.duplicates)/>
            <Stat label="Rejected" value=format::num(import.rejected)/>
        </div>
        <div class="grid grid--2-1">
            {rejected(&import, &rejects)}
            <div class="stack">{quality(&import)} {columns(&import)}</div>
        </div>
    }
    .into_any()
}

fn progress(import: &Import) -> Option<AnyView> {
    let running = matches!(import.status, ImportStatus::Queued | ImportStatus::Running);
    let (done, all) = (import.bytes_done, import.bytes_total);
    running.then(|| {
        view! {
            <Card>
                <Progress value=Signal::stored(done) max=Signal::stored(all) label="Import"/>
                <p class="muted">
                    {format::percent(done, all)} " of " {format::bytes(all)} " read. "
                    <noscript><a class="link" href="">"Refresh"</a></noscript>
                </p>
            </Card>
        }
        .into_any()
    })
}

fn rejected(import: &Import, rejects: &[ImportReject]) -> AnyView {
    if rejects.is_empty() {
        return view! {
            <Card title="Rejected rows"><p class="muted">"None: every row was taken."</p></Card>
        }
        .into_any();
    }
    let more = import.rejected > i64::try_from(rejects.len()).unwrap_or(i64::MAX);
    let rows = rejects.iter().map(|reject| {
        view! {
            <tr>
                <td class="num" data-label="Line">{format::num(reject.line)}</td>
                <td data-label="Reason">{text::reject_reason(reject.reason)}</td>
                <td class="main" data-label="Cell"><code>{reject.value.clone()}</code></td>
                <td data-label="Row"><span class="muted clip" dir="auto">{reject.raw.clone()}</span></td>
            </tr>
        }
        .into_any()
    });
    let rows = rows.collect::<Vec<_>>();
    let file = format!("{}/rejects.csv", paths::import(import.id));
    let all = format!("Download all {}", format::num(import.rejected));
    view! {
        <Card
            title="Rejected rows"
            flush=true
            aside=move || view! { <a class="link" href=file.clone() rel="external" download="">{all.clone()}</a> }
        >
            <Table
                caption="Rejected rows"
                columns=vec![Col::number("Line"), Col::text("Reason"), Col::text("Cell"), Col::text("Row")]
            >
                {rows}
            </Table>
            {more.then(|| view! { <p class="card__note muted">"The first ones; the download has all."</p> })}
        </Card>
    }
    .into_any()
}

fn quality(import: &Import) -> AnyView {
    let mut rows: Vec<(String, i64, Option<String>)> = import
        .by_reason
        .iter()
        .map(|(code, count)| (format!("Rejected: {}", text::reject_code(code)), *count, None))
        .chain(import.warnings.iter().map(|(code, count)| (warning(code), *count, None)))
        .collect();
    if import.suppressed > 0 {
        rows.push(("On the do-not-contact list: stored, never sent to".to_owned(), import.suppressed, None));
    }
    rows.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
    if rows.is_empty() {
        return view! { <Card title="Data quality"><p class="muted">"Nothing stood out."</p></Card> }.into_any();
    }
    view! { <Card title="Data quality"><Counts rows/></Card> }.into_any()
}

fn warning(code: &str) -> String {
    match code {
        "unknown_consent" => "Consent word not understood: stored as not known".to_owned(),
        "unknown_timezone" => "Time zone not understood: left out".to_owned(),
        "unknown_language" => "Language not understood: left out".to_owned(),
        "text_cut" => "Text too long: cut at 4,096 bytes".to_owned(),
        "nul_dropped" => "Characters that no text has: left out".to_owned(),
        "opt_out_kept" => "Had opted out before: stays opted out".to_owned(),
        "unsubscribed_kept" => "Had unsubscribed from a topic of the import: stays unsubscribed".to_owned(),
        other => other.replace('_', " "),
    }
}

fn columns(import: &Import) -> AnyView {
    let rows = import
        .columns
        .iter()
        .cloned()
        .map(|(header, target)| view! { <Fact name=header><code>{target}</code></Fact> }.into_any());
    let rows = rows.collect::<Vec<_>>();
    view! { <Card title="How the columns were read"><Facts>{rows}</Facts></Card> }.into_any()
}
