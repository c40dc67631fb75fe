//! Why not everyone, in plain words: skips by reason, failures by code, what was cancelled; each leads to its people.

use domain::{message::State, reason::Reason, run::Run};
use leptos::prelude::*;

use super::{super::people, *};
use crate::faults::Faults;

struct Row {
    words: String,
    code: Option<i32>,
    count: i64,
    href: String,
}

pub(super) fn card(run: &Run, latest: bool, faults: &Faults) -> AnyView {
    let skipped = run.skipped_by_reason.iter().map(|(reason, count)| {
        let people = people::recipients_of(run, latest, "reason", reason);
        Row {
            words: text::reason_code(reason).to_owned(),
            code: None,
            count: *count,
            href: paths::with_query(&people, &[("state", State::Skipped.as_str())]),
        }
    });
    let failed = run.failures_by_code.iter().map(|(key, count)| {
        let code = key.parse().ok();
        Row {
            words: code.map_or_else(|| text::reason_code(key).to_owned(), |code| faults.meaning(code).to_owned()),
            code,
            count: *count,
            href: people::recipients_of(run, latest, "code", key),
        }
    });
    let cancelled = Row {
        words: text::reason(Reason::RunCancelled).to_owned(),
        code: None,
        count: run.ledger.count(State::Cancelled),
        href: people::recipients_of(run, latest, "state", State::Cancelled.as_str()),
    };
    let mut rows: Vec<Row> = skipped.chain(failed).chain([cancelled]).filter(|row| row.count > 0).collect();
    rows.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.words.cmp(&b.words)));
    if rows.is_empty() {
        return view! {
            <Card title="Why not everyone"><p class="muted">"Nobody was left out, and nothing has failed."</p></Card>
        }
        .into_any();
    }
    let rows = rows.into_iter().map(|row| {
        let Row { words, code, count, href } = row;
        view! {
            <li>
                <span><a class="link" href=href>{words}</a> {code.map(|code| view! { " " <code class="muted">{code}</code> })}</span>
                <b>{format::num(count)}</b>
            </li>
        }
        .into_any()
    });
    view! { <Card title="Why not everyone" flush=true><ul class="counts">{rows.collect::<Vec<_>>()}</ul></Card> }
        .into_any()
}
