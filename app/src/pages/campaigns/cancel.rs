//! The page before a run is ended early.

use domain::{
    campaign::{Campaign, CampaignStatus},
    message::State,
    role::Permission,
};
use leptos::prelude::*;

use super::{
    actions::ChangeCampaign,
    api::{CampaignQuery, load_campaign},
    below, may, use_id,
};
use crate::{components::*, paths};

#[component]
pub fn CancelCampaignPage() -> impl IntoView {
    let id = use_id();
    let cancel = FormAction::<ChangeCampaign>::new();
    let source = move || (CampaignQuery { id: id(), ..CampaignQuery::default() }, cancel.version().get());
    let campaign = fetch(source, |(query, _)| load_campaign(query));
    view! { <Loaded from=campaign let:view>{page(&view.campaign, cancel)}</Loaded> }.into_any()
}

fn page(campaign: &Campaign, cancel: FormAction<ChangeCampaign>) -> AnyView {
    let crumbs = below(campaign.id, &campaign.name);
    let back = paths::campaign(campaign.id);
    let under_way =
        matches!(campaign.status, CampaignStatus::Running | CampaignStatus::Paused | CampaignStatus::Scheduled);
    if !under_way || !may(Permission::Send) {
        return view! {
            <PageHeader title="Cancel" crumbs=crumbs state=Label::from(campaign.status)/>
            <Card>
                <Empty glyph=Glyph::Stop title="There is nothing to cancel" text="Only a campaign that is under way or paused can be cancelled.">
                    <a class="btn" href=back>"Open the campaign"</a>
                </Empty>
            </Card>
        }
        .into_any();
    }
    let (id, next) = (campaign.id, campaign.next_run_at);
    // Nothing of one that waits for its first time was planned.
    let ledger = campaign.run.as_ref().map(|run| run.ledger).unwrap_or_default();
    let waiting = ledger.count(State::Queued);
    let left_out = ledger.skipped;
    let out = ledger.planned - waiting - left_out - ledger.cancelled;
    view! {
        <ConfirmPage
            title=format!("Cancel {}?", campaign.name)
            crumbs=crumbs
            lead="The rest will not be sent. This cannot be undone; to hold it for a while, pause it instead."
            back=("Keep it going".to_owned(), back)
        >
            <Facts>
                <Fact name="Handed over already">{format::num(out)}</Fact>
                <Fact name="Will not be sent">{format::num(waiting)}</Fact>
                <Fact name="Left out anyway">{format::num(left_out)}</Fact>
                {next.map(|at| view! { <Fact name="Was due next"><Time at moment=true/></Fact> })}
            </Facts>
            <p class="muted">
                "What was handed over cannot be called back: delivery reports for it still come in. The numbers may move until you press the button."
            </p>
            <FormFor action=cancel>
                <Hidden name="campaign" value=id.to_string()/>
                <Hidden name="verb" value="cancel"/>
                <FormActions>
                    <SubmitButton label="Cancel the campaign" busy="Cancelling…" class="btn btn--danger-solid"/>
                </FormActions>
            </FormFor>
        </ConfirmPage>
    }
    .into_any()
}
