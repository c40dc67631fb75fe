//! The list with its search and its tabs; its state is the URL.

use domain::{
    campaign::{Campaign, CampaignStatus, UnreadableCampaign},
    role::Permission,
};
use leptos::prelude::*;

use super::{
    actions::ChangeCampaign,
    api::{CampaignsQuery, CampaignsView, load_campaigns},
    may, settled,
};
use crate::{components::*, paths};

#[component]
pub fn CampaignsPage() -> impl IntoView {
    let here = use_here();
    let under_way = RwSignal::new(false);
    let tick = poll(5_000, move || under_way.get());
    let query = move || CampaignsQuery { q: here.get("q"), status: here.get("status"), cursor: here.get("cursor") };
    let pause = FormAction::<ChangeCampaign>::new();
    let campaigns = fetch(move || (query(), tick.get(), pause.version().get()), |(query, ..)| load_campaigns(query));
    Effect::new(move |_| {
        if let Some(Ok(view)) = campaigns.get() {
            under_way.set(view.campaigns.items.iter().any(|campaign| campaign.status == CampaignStatus::Running));
        }
    });
    view! {
        <PageHeader title="Campaigns" lead=|| "What was sent, what is being sent, and what waits for you as a draft.">
            <a class="btn" href=paths::CALENDAR>"Calendar"</a>
            {may(Permission::Write).then(|| view! {
                <a class="btn btn--primary" href=paths::NEW_CAMPAIGN>{icon(Glyph::Plus)} "New campaign"</a>
            })}
        </PageHeader>
        <Loaded from=campaigns let:view>{page(view, here, pause)}</Loaded>
    }
    .into_any()
}

fn page(view: CampaignsView, here: Here, pause: FormAction<ChangeCampaign>) -> AnyView {
    let (q, status) = (here.once("q"), here.once("status"));
    let filtered = !q.is_empty() || !status.is_empty() || !here.once("cursor").is_empty();
    let statuses = [
        CampaignStatus::Draft,
        CampaignStatus::Scheduled,
        CampaignStatus::Running,
        CampaignStatus::Paused,
        CampaignStatus::Completed,
        CampaignStatus::Cancelled,
        CampaignStatus::Failed,
    ];
    let tabs = statuses.into_iter().map(|status| Tab::new(status.as_str(), Label::from(status).text));
    let tabs = std::iter::once(Tab::new("", "All")).chain(tabs).collect::<Vec<_>>();
    let cannot_be_read = unreadable_campaigns(&view.campaigns.unreadable);
    let stop = stop_unreadable(&view.campaigns.unreadable, pause);
    let nothing = view.campaigns.items.is_empty();
    if nothing && cannot_be_read.is_none() && !filtered {
        return none_yet();
    }
    let list = match (nothing, view.campaigns.unreadable.len()) {
        (false, _) => table(view),
        (true, 0) => no_match(),
        // The page begins with them; others may be on other pages.
        (true, named) => view! { <Pagination next=view.campaigns.next_cursor shown=named/> }.into_any(),
    };
    view! {
        <div class="toolbar">
            <FilterForm action=paths::CAMPAIGNS label="Search campaigns">
                {(!status.is_empty()).then(|| view! { <input type="hidden" name="status" value=status/> })}
                <input class="input" type="search" name="q" value=q placeholder="A part of the name" aria-label="A part of the name"/>
                <button class="btn" type="submit">{icon(Glyph::Search)} "Search"</button>
            </FilterForm>
            <Tabs param="status" label="Filter by status" tabs/>
        </div>
        {cannot_be_read}
        {stop}
        {list}
    }
    .into_any()
}

/// One that cannot be read has no page of its own: a run of it that is under way is stopped from here.
fn stop_unreadable(unreadable: &[UnreadableCampaign], pause: FormAction<ChangeCampaign>) -> Option<AnyView> {
    if unreadable.is_empty() || !may(Permission::Send) {
        return None;
    }
    let can_be_paused =
        unreadable.iter().filter(|one| matches!(one.status, Some(CampaignStatus::Running | CampaignStatus::Scheduled)));
    let buttons = can_be_paused.map(|one| {
        let (id, label) = (one.id.to_string(), format!("Pause \u{201c}{}\u{201d}", one.name));
        view! {
            <FormFor action=pause class="inline" quiet=true>
                <Hidden name="campaign" value=id/>
                <Hidden name="verb" value="pause"/>
                <SubmitButton label busy="Pausing…" class="btn btn--small"/>
            </FormFor>
        }
        .into_any()
    });
    let buttons = buttons.collect::<Vec<_>>();
    let toolbar = (!buttons.is_empty()).then(|| view! { <div class="toolbar">{buttons}</div> });
    Some(view! { <ActionError action=pause/> {toolbar} }.into_any())
}

fn none_yet() -> AnyView {
    view! {
        <Card>
            <Empty
                glyph=Glyph::Campaign
                title="No campaigns yet"
                text="A campaign brings an audience and a template together. You see the numbers, and can send yourself a test, before anything goes out."
            >
                {may(Permission::Write).then(|| view! { <a class="btn btn--primary" href=paths::NEW_CAMPAIGN>"New campaign"</a> })}
            </Empty>
        </Card>
    }
    .into_any()
}

fn no_match() -> AnyView {
    view! {
        <Card>
            <Empty glyph=Glyph::Search title="No campaign matches" text="Try fewer letters, or another status.">
                <a class="btn" href=paths::CAMPAIGNS>"Show all campaigns"</a>
            </Empty>
        </Card>
    }
    .into_any()
}

fn table(view: CampaignsView) -> AnyView {
    let CampaignsView { campaigns, audiences, templates } = view;
    let shown = campaigns.items.len();
    let rows = campaigns.items.iter().map(|campaign| {
        let audience = campaign.segment_id.map(|id| {
            let name = audiences.get(&id).cloned().unwrap_or_else(|| "Open".to_owned());
            view! { <a class="link" dir="auto" href=paths::audience(id)>{name}</a> }
        });
        let template = campaign.template_id.map(|id| {
            let name = templates.get(&id).cloned().unwrap_or_else(|| "Open".to_owned());
            view! { <a class="link" dir="auto" href=paths::template(id)>{name}</a> }
        });
        view! {
            <tr>
                <td class="main" data-label="Campaign">
                    <a class="link" href=paths::campaign(campaign.id) dir="auto">{campaign.name.clone()}</a>
                </td>
                <td data-label="Status">{pill(campaign.status)} {next(campaign)}</td>
                <td data-label="Audience">{audience}</td>
                <td data-label="Template">{template}</td>
                <td data-label="Progress">{progress(campaign)}</td>
                <td class="num" data-label="Changed"><Time at=campaign.updated_at/></td>
            </tr>
        }
        .into_any()
    });
    let rows = rows.collect::<Vec<_>>();
    view! {
        <Card flush=true>
            <Table
                caption="Campaigns"
                columns=vec![
                    Col::text("Campaign"),
                    Col::text("Status"),
                    Col::text("Audience"),
                    Col::text("Template"),
                    Col::text("Progress"),
                    Col::number("Changed"),
                ]
            >
                {rows}
            </Table>
            <Pagination next=campaigns.next_cursor shown=shown/>
        </Card>
    }
    .into_any()
}

fn next(campaign: &Campaign) -> Option<AnyView> {
    let at = campaign.next_run_at?;
    Some(view! { <span class="sub">"next " <Time at moment=true/></span> }.into_any())
}

fn progress(campaign: &Campaign) -> Option<AnyView> {
    let ledger = campaign.run.as_ref()?.ledger;
    let words = format!("{} of {} settled", format::num(settled(&ledger)), format::num(ledger.planned));
    Some(view! { <div class="bar-cell"><LedgerBar ledger=Signal::stored(ledger) small=true/> <span class="sub">{words}</span></div> }.into_any())
}
