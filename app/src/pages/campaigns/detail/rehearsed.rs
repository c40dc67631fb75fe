//! A run that was rehearsed: its plan, and who has been left out since although they were to get it.

use domain::run::{Run, RunStatus};
use leptos::prelude::*;

use super::*;

pub(super) fn card(run: &Run, latest: bool) -> Option<AnyView> {
    if let Some(before) = before(run) {
        return Some(before);
    }
    let plan = run.rehearsal.as_ref().filter(|plan| plan.launched)?;
    let reached = plan.reached();
    let mut since: Vec<(String, i64, Option<String>)> = left_out_since(run)
        .map(|(code, count)| {
            let people = people::recipients_of(run, latest, "reason", code);
            (text::reason_code(code).to_owned(), count, Some(people))
        })
        .collect();
    since.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
    let cancelled = run.ledger.cancelled;
    let told = format!(
        "{} to get it, {} left out.",
        format::counted(reached, "person was", "people were"),
        format::num(run.ledger.planned - reached)
    );
    let differs = if since.is_empty() && cancelled == 0 {
        view! { <p class="muted">"Nobody who was to get it has been left out since."</p> }.into_any()
    } else {
        if cancelled > 0 {
            since.push(("The run was cancelled before their turn".to_owned(), cancelled, None));
        }
        view! { <div class="inset"><h3>"Left out since, and why"</h3><Counts rows=since/></div> }.into_any()
    };
    let hash = plan.plan_hash.clone().map(|hash| {
        view! { <p class="muted small">"Plan " <code class="break">{hash}</code></p> }
    });
    let title = "Beside its rehearsal";
    Some(view! { <Card title=title><p>{told}</p> {differs} {hash}</Card> }.into_any())
}

/// A run that was planned anew after a rehearsal: what that had found, and what it is now.
fn before(run: &Run) -> Option<AnyView> {
    let before = run.rehearsed_before.as_ref().filter(|_| run.status != RunStatus::Planning)?;
    let told = format!(
        "Rehearsed before: {} would get it, {} left out. Now: {}, {} left out.",
        format::counted(before.reached, "person", "people"),
        format::num(before.left_out),
        format::num(run.ledger.planned - run.ledger.skipped),
        format::num(run.ledger.skipped),
    );
    let at = before.finished_at;
    let hash = before.plan_hash.clone().map(|hash| {
        view! { <p class="muted small">"Plan rehearsed " <Time at/> ": " <code class="break">{hash}</code></p> }
    });
    let why = "The run was planned anew, by the audience and the people of its own time.";
    Some(view! { <Card title="Beside its rehearsal"><p>{told}</p> <p class="muted">{why}</p> {hash}</Card> }.into_any())
}

/// By reason, those whom the rehearsal had not left out for it. What it left out stays left out.
fn left_out_since(run: &Run) -> impl Iterator<Item = (&str, i64)> {
    let before = |code: &str| run.rehearsal.as_ref().and_then(|plan| plan.reasons.get(code)).copied().unwrap_or(0);
    run.skipped_by_reason
        .iter()
        .map(move |(code, count)| (code.as_str(), count - before(code)))
        .filter(|(_, more)| *more > 0)
}
