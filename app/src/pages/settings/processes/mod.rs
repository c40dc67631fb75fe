//! Who is at work, and what waits for what.

mod api;
#[cfg(feature = "ssr")]
mod summary;

use leptos::prelude::*;

use self::api::{ProcessRow, ProcessesView, WaitingRow, load_processes};
use crate::{components::*, paths};

/// Shows the page.
pub fn page() -> AnyView {
    ProcessesPage().into_any()
}

#[component]
fn ProcessesPage() -> impl IntoView {
    let tick = poll(3_000, || true);
    let processes = fetch(move || tick.get(), |_| load_processes());
    view! {
        <PageHeader
            title="Processes"
            lead=|| "The programs that serve this database, and what waits for what."
        >
            <a class="btn static-only" href=paths::PROCESSES rel="external">"Refresh"</a>
        </PageHeader>
        {super::tabs(paths::PROCESSES)}
        <Loaded from=processes let:view>{body(view)}</Loaded>
    }
    .into_any()
}

fn body(view: ProcessesView) -> AnyView {
    let warnings = view
        .warnings
        .into_iter()
        .map(|(title, text)| view! { <Alert tone=Tone::Warn title=title>{text}</Alert> }.into_any());
    let warnings = warnings.collect::<Vec<_>>();
    view! {
        <div class="stack">
            {warnings} {processes(view.processes, view.others)} {waiting(view.waiting)}
        </div>
    }
    .into_any()
}

fn processes(processes: Vec<ProcessRow>, others: String) -> AnyView {
    let rows = processes.into_iter().map(process).collect::<Vec<_>>();
    view! {
        <Card title="At work" flush=true>
            <Table
                caption="Processes"
                columns=vec![
                    Col::text("Process"),
                    Col::text("Role"),
                    Col::text("Version"),
                    Col::number("Up since"),
                    Col::number("Last seen"),
                    Col::number("In hand"),
                    Col::number("In flight"),
                    Col::number("Granted/s"),
                    Col::number("Sent/s"),
                    Col::text("May send"),
                ]
            >
                {rows}
            </Table>
            {(!others.is_empty()).then(|| view! { <p class="card__note muted">{others}</p> })}
        </Card>
    }
    .into_any()
}

fn process(row: ProcessRow) -> AnyView {
    let gone = (!row.alive).then(|| pill((Tone::Bad, "Vanished")));
    view! {
        <tr>
            <td class="main" data-label="Process">{row.host} " " {gone}</td>
            <td data-label="Role">{row.role}</td>
            <td data-label="Version">{row.version}</td>
            <td class="num" data-label="Up since"><Time at=row.started_at moment=true/></td>
            <td class="num" data-label="Last seen"><Time at=row.seen_at/></td>
            <td class="num" data-label="In hand">{row.claimed}</td>
            <td class="num" data-label="In flight">{row.in_flight}</td>
            <td class="num" data-label="Granted/s">{row.granted}</td>
            <td class="num" data-label="Sent/s">{row.per_second}</td>
            <td data-label="May send">{row.may_send}</td>
        </tr>
    }
    .into_any()
}

fn waiting(waiting: Vec<WaitingRow>) -> AnyView {
    if waiting.is_empty() {
        return view! {
            <Card title="What waits"><p class="muted">"Nothing: every message has its final status."</p></Card>
        }
        .into_any();
    }
    let rows = waiting.into_iter().map(wait).collect::<Vec<_>>();
    view! {
        <Card title="What waits" flush=true>
            <Table
                caption="What waits"
                columns=vec![
                    Col::text("What"),
                    Col::number("How many"),
                    Col::number("Oldest since"),
                    Col::text("What moves it on"),
                    Col::number("Next"),
                ]
            >
                {rows}
            </Table>
        </Card>
    }
    .into_any()
}

fn wait(row: WaitingRow) -> AnyView {
    let what = if row.href.is_empty() {
        row.what.into_any()
    } else {
        view! { <a class="link" href=row.href>{row.what}</a> }.into_any()
    };
    view! {
        <tr>
            <td class="main" data-label="What">{what}</td>
            <td class="num" data-label="How many">{row.count}</td>
            <td class="num" data-label="Oldest since"><MaybeTime at=row.oldest_at/></td>
            <td data-label="What moves it on">{row.moves_on}</td>
            <td class="num" data-label="Next"><MaybeTime at=row.next_at/></td>
        </tr>
    }
    .into_any()
}
