//! Everybody of a run, by state, reason or error code; the filters are the URL.

use domain::{message::State, run::Run};
use leptos::prelude::*;

use super::{
    api::{RecipientsQuery, RecipientsView, load_recipients},
    below, people, use_id,
};
use crate::{components::*, faults::Faults, paths, text};

#[component]
pub fn RecipientsPage() -> impl IntoView {
    let id = use_id();
    let here = use_here();
    let query = move || RecipientsQuery {
        id: id(),
        run: here.get("run"),
        state: here.get("state"),
        reason: here.get("reason"),
        code: here.get("code"),
        cursor: here.get("cursor"),
    };
    let recipients = fetch(query, load_recipients);
    view! { <Loaded from=recipients let:view>{page(view, here)}</Loaded> }.into_any()
}

fn page(view: RecipientsView, here: Here) -> AnyView {
    let RecipientsView { at, campaign, run, messages, faults } = view;
    let crumbs = below(campaign.id, &campaign.name);
    let Some(run) = run else {
        return view! {
            <PageHeader title="Recipients" crumbs=crumbs/>
            <Card>
                <Empty glyph=Glyph::People title="Nobody yet" text="The recipients are planned when the campaign is launched.">
                    <a class="btn" href=paths::campaign(campaign.id)>"Back to the campaign"</a>
                </Empty>
            </Card>
        }
        .into_any();
    };
    let file = format!("/runs/{}/export.csv", run.id);
    let name = if run.is_rehearsal() { "Rehearsal".to_owned() } else { format!("Run {}", run.number) };
    let lead = format!("{name} · {} in the plan", format::counted(run.ledger.planned, "person", "people"));
    let again = here.once("cursor").is_empty().then(|| untrack(move || here.url()));
    let state = here.once("state");
    let tabs = people::state_tabs(&run.ledger, &state);
    let shown = messages.items.len();
    let total = total(&run, here);
    let narrowed = narrowed(here, &faults);
    let list = if messages.items.is_empty() {
        view! {
            <Card>
                <Empty glyph=Glyph::Search title="Nobody is here" text="Nobody of this run matches. States change while a run is under way.">
                    <a class="btn" href=paths::recipients(campaign.id)>"Show everybody"</a>
                </Empty>
            </Card>
        }
        .into_any()
    } else {
        view! {
            <Card flush=true>
                {people::table(&messages.items, at, &faults)}
                <Pagination next=messages.next_cursor shown=shown total=total/>
            </Card>
        }
        .into_any()
    };
    view! {
        <PageHeader title="Recipients" crumbs=crumbs lead=move || lead.clone() state=Label::from(run.status)>
            {again.map(|url| view! { <a class="btn" href=url rel="external">"Refresh"</a> })}
            <a class="btn" href=file rel="external" download="">{icon(Glyph::File)} "Export CSV"</a>
        </PageHeader>
        <div class="toolbar"><Tabs param="state" label="Filter by state" tabs/></div>
        {narrowed}
        {list}
    }
    .into_any()
}

/// Says which reason or code the list is narrowed to, and how to widen it.
fn narrowed(here: Here, faults: &Faults) -> Option<AnyView> {
    let (reason, code) = (here.once("reason"), here.once("code"));
    let words = match (reason.is_empty(), code.parse()) {
        (_, Ok(code)) => format!("Only code {code}: {}.", faults.meaning(code)),
        (false, Err(_)) => format!("Only: {}.", text::reason_code(&reason)),
        (true, Err(_)) => return None,
    };
    let remedy = match code.parse() {
        Ok(code) => faults.remedy(code).map(str::to_owned),
        Err(_) => reason.parse().ok().and_then(text::reason_remedy).map(str::to_owned),
    };
    let everybody = untrack(move || here.with(&[("reason", ""), ("code", ""), ("cursor", "")]));
    Some(
        view! {
            <Alert title=words>
                {remedy.map(|remedy| format!("{remedy} "))}
                <a class="link" href=everybody>"Show everybody"</a>
            </Alert>
        }
        .into_any(),
    )
}

/// How many match, where the run's counts say so.
fn total(run: &Run, here: Here) -> Option<i64> {
    let (state, reason, code) = (here.once("state"), here.once("reason"), here.once("code"));
    match (state.as_str(), reason.as_str(), code.as_str()) {
        ("", "", "") => Some(run.ledger.planned),
        (state, "", "") => state.parse::<State>().ok().map(|state| run.ledger.count(state)),
        ("skipped", reason, "") => run.skipped_by_reason.get(reason).copied(),
        ("", "", code) => run.failures_by_code.get(code).copied(),
        _ => None,
    }
}
