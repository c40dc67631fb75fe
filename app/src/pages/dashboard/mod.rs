//! The first page: how things stand, and what to do next.

mod api;

use domain::{
    campaign::Campaign,
    dashboard::{Dashboard, Today},
    role::Permission,
    settings::SendingState,
};
use leptos::prelude::*;

use self::api::{HoldSending, ReleaseSending, load_dashboard};
use crate::{components::*, paths};

/// Shows the page.
pub fn open() -> AnyView {
    DashboardPage().into_any()
}

#[component]
fn DashboardPage() -> impl IntoView {
    let hold = FormAction::<HoldSending>::new();
    let release = FormAction::<ReleaseSending>::new();
    let running = RwSignal::new(false);
    let tick = poll(3_000, move || running.get());
    let dashboard = fetch(move || (tick.get(), hold.version().get(), release.version().get()), |_| load_dashboard());
    Effect::new(move |_| {
        if let Some(Ok(view)) = dashboard.get() {
            running.set(
                view.campaigns.iter().any(|campaign| campaign.status == domain::campaign::CampaignStatus::Running),
            );
        }
    });
    view! {
        <PageHeader title="Dashboard">
            {may(Permission::Write).then(|| view! {
                <a class="btn" href=paths::NEW_IMPORT>{icon(Glyph::Upload)} "Import contacts"</a>
                <a class="btn btn--primary" href=paths::NEW_CAMPAIGN>{icon(Glyph::Plus)} "New campaign"</a>
            })}
        </PageHeader>
        <Loaded from=dashboard let:view>{page(view, hold, release)}</Loaded>
    }
    .into_any()
}

fn page(view: Dashboard, hold: FormAction<HoldSending>, release: FormAction<ReleaseSending>) -> AnyView {
    let figures = figures(view.today).into_iter().map(|(label, value, note)| {
        view! { <Stat label=label value=value note=Signal::stored(note.to_owned())/> }.into_any()
    });
    let figures = figures.collect::<Vec<_>>();
    let people = |consent| Some(paths::with_query(paths::CONTACTS, &[("consent", consent)]));
    let first_steps = view.campaigns.is_empty() && view.unreadable.is_empty();
    view! {
        {unreadable_campaigns(&view.unreadable)}
        <div class="stats">{figures}</div>
        <div class="grid grid--2-1">
            {if first_steps { steps(&view) } else { campaigns(&view.campaigns) }}
            <div class="stack">
                <Card title="People">
                    <Counts rows=vec![
                        ("Contacts".to_owned(), view.contacts, Some(paths::CONTACTS.to_owned())),
                        ("Opted in".to_owned(), view.opted_in, people("opted_in")),
                        ("Opted out".to_owned(), view.opted_out, people("opted_out")),
                    ]/>
                </Card>
                {imports(&view)}
                {may(Permission::Administer).then(|| switch(&view, hold, release))}
            </div>
        </div>
    }
    .into_any()
}

/// Name, value, and what it counts: messages belong to the time of their campaign, answers and opt-outs to their own.
fn figures(today: Today) -> [(&'static str, String, &'static str); 6] {
    const OF_THESE: &str = "of these";
    const LATELY: &str = "in the last 24 hours";
    let share = |part| format::percent(part, today.handed_over);
    [
        ("Handed over", format::num(today.handed_over), "by campaigns active in the last 24 hours"),
        ("Delivered", share(today.delivered), OF_THESE),
        ("Read", share(today.read), OF_THESE),
        ("Failed", format::num(today.failed), OF_THESE),
        ("Answers", format::num(today.inbound), LATELY),
        ("Opt-outs", format::num(today.opt_outs), LATELY),
    ]
}

fn campaigns(campaigns: &[Campaign]) -> AnyView {
    let rows = campaigns.iter().map(|campaign| {
        let bar = campaign.run.as_ref().map(|run| {
            let settled = run.ledger.planned - run.ledger.open();
            view! {
                <LedgerBar ledger=Signal::stored(run.ledger) small=true/>
                <span class="muted">{format::num(settled)} " of " {format::num(run.ledger.planned)}</span>
            }
        });
        view! {
            <tr>
                <td class="main" data-label="Campaign"><a class="link" href=paths::campaign(campaign.id) dir="auto">{campaign.name.clone()}</a></td>
                <td data-label="State">{pill(Label::from(campaign.status))}</td>
                <td data-label="Progress">{bar}</td>
                <td class="num" data-label="Changed"><Time at=campaign.updated_at/></td>
            </tr>
        }
        .into_any()
    });
    let rows = rows.collect::<Vec<_>>();
    let list = if rows.is_empty() {
        // Then there are only some that cannot be read: the page begins with them.
        view! { <p class="card__text muted">"None of the latest can be shown."</p> }.into_any()
    } else {
        view! {
            <Table
                caption="Campaigns"
                columns=vec![Col::text("Campaign"), Col::text("State"), Col::text("Progress"), Col::number("Changed")]
            >
                {rows}
            </Table>
        }
        .into_any()
    };
    view! {
        <Card title="Campaigns" flush=true aside=|| view! { <a class="link" href=paths::CAMPAIGNS>"All campaigns"</a> }>
            {list}
        </Card>
    }
    .into_any()
}

/// The way to a first campaign, with what is done already ticked off.
fn steps(view: &Dashboard) -> AnyView {
    let writes = may(Permission::Write);
    let step = move |done: bool, title: &'static str, text: &'static str, href: &'static str| {
        let mark = if done { icon(Glyph::Check) } else { icon(Glyph::Right) };
        let title = if writes { view! { <a class="link" href=href>{title}</a> }.into_any() } else { title.into_any() };
        view! {
            <li class="list__item" class:list__item--done=done>
                <span class="list__aside">{mark}</span>
                <span class="list__main">{title} <span class="muted">{text}</span></span>
            </li>
        }
        .into_any()
    };
    let (contacts, segments, templates) = (view.contacts > 0, view.has_segments, view.has_templates);
    view! {
        <Card title="Your first campaign">
            <ul class="list">
                {step(contacts, "Import your contacts", "A CSV file is enough.", paths::NEW_IMPORT)}
                {step(segments, "Say who is meant", "An audience is a set of rules, or one imported file.", paths::NEW_AUDIENCE)}
                {step(templates, "Write the message", "With a live preview for any of your contacts.", paths::NEW_TEMPLATE)}
                {step(false, "Launch", "You see the numbers before anything is sent.", paths::NEW_CAMPAIGN)}
            </ul>
        </Card>
    }
    .into_any()
}

fn imports(view: &Dashboard) -> Option<AnyView> {
    if view.imports.is_empty() {
        return None;
    }
    let rows = view.imports.iter().map(|import| {
        let name = import.file_name.clone().unwrap_or_else(|| "Unnamed file".to_owned());
        view! {
            <li class="list__item">
                <span class="list__main"><a class="link" href=paths::import(import.id) dir="auto">{name}</a></span>
                {pill(Label::from(import.status))}
                <span class="muted">{format::num(import.rows)} " rows"</span>
            </li>
        }
        .into_any()
    });
    let rows = rows.collect::<Vec<_>>();
    Some(
        view! {
            <Card title="Imports" aside=|| view! { <a class="link" href=paths::IMPORTS>"All imports"</a> }>
                <ul class="list">{rows}</ul>
            </Card>
        }
        .into_any(),
    )
}

/// Holding and releasing all sending.
fn switch(view: &Dashboard, hold: FormAction<HoldSending>, release: FormAction<ReleaseSending>) -> AnyView {
    if view.sending.state == SendingState::Held {
        let reason = view.sending.reason.clone();
        return view! {
            <Card title="Sending is held">
                <p dir="auto">{reason}</p>
                <FormFor action=release><SubmitButton label="Release sending" busy="Releasing…"/></FormFor>
            </Card>
        }
        .into_any();
    }
    view! {
        <Card title="Stop everything">
            <details class="disclosure">
                <summary>"Hold all sending"</summary>
                <FormFor action=hold>
                    <TextField name="reason" label="Reason" required=true hint="Everybody sees it on every page."/>
                    <FormActions><SubmitButton label="Hold all sending" busy="Holding…" class="btn btn--danger"/></FormActions>
                </FormFor>
            </details>
        </Card>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_what_was_handed_over() {
        let today = Today { handed_over: 10, delivered: 5, read: 3, failed: 4, inbound: 2, opt_outs: 1 };
        let values = figures(today).map(|(_, value, _)| value);
        let (half, third) = (format::percent(1, 2), format::percent(3, 10));
        assert_eq!(values, ["10", &half, &third, "4", "2", "1"], "what was read was delivered, too");
        assert_eq!(figures(Today::default())[1].1, "–");
    }
}
