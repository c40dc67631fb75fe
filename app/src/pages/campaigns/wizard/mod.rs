//! The way to a campaign: a step at a time, each saved as part of the draft. It works without scripts; with them counts
//! and previews follow what is chosen.

mod forms;
mod preview;
mod step;
pub(super) mod when;
pub(super) mod words;

use domain::{campaign::CampaignStatus, role::Permission};
use leptos::prelude::*;
pub use step::Step;

use super::{
    actions::{ChooseAudience, ChooseTemplate, CreateCampaign, SaveBasics, SaveLaunched, SaveSending, SaveWhen},
    api::{WizardView, load_topics, load_wizard},
    below, may, use_id,
};
use crate::{components::*, error::AppError, paths};

/// The forms of the steps.
#[derive(Clone, Copy)]
struct Actions {
    basics: FormAction<SaveBasics>,
    audience: FormAction<ChooseAudience>,
    template: FormAction<ChooseTemplate>,
    sending: FormAction<SaveSending>,
    when: FormAction<SaveWhen>,
    launched: FormAction<SaveLaunched>,
}

/// The first step of a campaign that is not there yet. `?audience=` and `?template=` bring a choice along.
#[component]
pub fn NewCampaignPage() -> impl IntoView {
    if !may(Permission::Write) {
        return view! { <ErrorPage error=AppError::Forbidden/> }.into_any();
    }
    let here = use_here();
    let create = FormAction::<CreateCampaign>::new();
    let topics = fetch(|| (), |()| load_topics());
    let (audience, template) = (here.once("audience"), here.once("template"));
    let all = Step::ALL.into_iter().map(|step| (step.label().to_owned(), String::new()));
    let steps = all.chain([("Review".to_owned(), String::new())]).collect();
    view! {
        <PageHeader
            title="New campaign"
            crumbs=vec![crumb("Campaigns", paths::CAMPAIGNS)]
            lead=|| "Nothing is sent before you have seen the numbers and confirmed them."
        />
        <Steps steps current=0/>
        <Loaded from=topics let:topics>
            {
                let (audience, template) = (audience.clone(), template.clone());
                view! {
                    <div class="grid grid--3-2">
                        <Card>
                            <FormFor action=create>
                                <Hidden name="audience" value=audience/>
                                <Hidden name="template" value=template/>
                                {forms::name_field(String::new())}
                                {forms::topic_field(topics, String::new())}
                                <FormActions>
                                    <SubmitButton label="Save and continue" busy="Saving…"/>
                                    <a class="btn" href=paths::CAMPAIGNS>"Cancel"</a>
                                </FormActions>
                            </FormFor>
                        </Card>
                        {forms::about_topics()}
                    </div>
                }
                .into_any()
            }
        </Loaded>
    }
    .into_any()
}

#[component]
pub fn EditCampaignPage() -> impl IntoView {
    let id = use_id();
    let here = use_here();
    let actions = Actions {
        basics: FormAction::new(),
        audience: FormAction::new(),
        template: FormAction::new(),
        sending: FormAction::new(),
        when: FormAction::new(),
        launched: FormAction::new(),
    };
    let source = move || {
        // After a try that failed because somebody else was quicker, the page shows what they saved.
        let tries = (
            actions.basics.version().get(),
            actions.audience.version().get(),
            actions.template.version().get(),
            actions.sending.version().get(),
            actions.when.version().get(),
            actions.launched.version().get(),
        );
        (id(), Step::named(&here.get("step")), tries)
    };
    let view = fetch(source, |(id, step, _)| load_wizard(id, step));
    view! { <Loaded from=view let:view>{page(view, actions)}</Loaded> }.into_any()
}

fn page(view: WizardView, actions: Actions) -> AnyView {
    if !may(Permission::Write) {
        return view! { <ErrorPage error=AppError::Forbidden/> }.into_any();
    }
    let WizardView { campaign, step, .. } = &view;
    let draft = matches!(campaign.status, CampaignStatus::Draft | CampaignStatus::Scheduled)
        || (campaign.status == CampaignStatus::Paused && campaign.run.as_ref().is_none_or(|run| run.status.is_over()));
    let id = campaign.id;
    let steps = Step::ALL.into_iter().map(|step| (step.label().to_owned(), step.path(id)));
    let steps = steps.chain([("Review".to_owned(), paths::campaign(id))]).collect::<Vec<_>>();
    let current = step.place();
    view! {
        <PageHeader
            title=if draft { step.label().to_owned() } else { format!("Edit {}", campaign.name) }
            crumbs=below(id, &campaign.name)
            state=Label::from(campaign.status)
        />
        {draft.then(|| view! { <Steps steps current=current/> })}
        {if draft {
            match step {
                Step::Basics => forms::basics(view, actions.basics),
                Step::Audience => forms::audience(view, actions.audience),
                Step::Message => forms::message(view, actions.template),
                Step::Sending => forms::sending(view, actions.sending),
                Step::When => when::form(view, actions.when),
            }
        } else {
            forms::launched(&view.campaign, actions.launched)
        }}
    }
    .into_any()
}
