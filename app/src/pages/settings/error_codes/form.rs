//! One code: what came of it so far, and what it means here.

use domain::role::Permission;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::api::{CodeForm, ResetCode, UpdateCode, load_code};
use crate::{components::*, paths};

const FINAL: &str = "Only a refusal at once proves that nobody got it. What fails on its way is not sent again.";

#[component]
pub fn ErrorCodePage() -> impl IntoView {
    let params = use_params_map();
    let update = FormAction::<UpdateCode>::new();
    let reset = FormAction::<ResetCode>::new();
    let code = move || params.with(|params| params.get("code").unwrap_or_default());
    let form = fetch(move || (code(), update.version().get()), |(code, _)| load_code(code));
    view! { <Loaded from=form let:form>{page(form, update, reset)}</Loaded> }.into_any()
}

fn page(form: CodeForm, update: FormAction<UpdateCode>, reset: FormAction<ResetCode>) -> AnyView {
    let title = format!("Error code {}", form.code);
    let twilio = format!("https://www.twilio.com/docs/api/errors/{}", form.code);
    let (heard, said) = (form.heard.clone(), form.said.clone());
    let said = (!said.is_empty()).then(|| view! { <Fact name="Twilio's words">{said}</Fact> });
    let content = if may(Permission::Administer) { edit_form(form, update, reset) } else { words(form) };
    view! {
        <PageHeader title=title crumbs=vec![crumb("Error codes", paths::ERROR_CODES)]>
            <a class="btn" href=twilio rel="external noreferrer" target="_blank">"Twilio's page"</a>
        </PageHeader>
        <Card>
            <Facts>
                <Fact name="Met here">{heard}</Fact>
                {said}
            </Facts>
            {content}
        </Card>
    }
    .into_any()
}

fn words(form: CodeForm) -> AnyView {
    let follows = form.classes.into_iter().find(|(word, _)| *word == form.class).map(|(_, label)| label);
    view! {
        <Facts>
            <Fact name="What it means">{form.meaning}</Fact>
            <Fact name="What to do">{form.remedy}</Fact>
            <Fact name="What follows">{follows.unwrap_or(form.fixed)}</Fact>
        </Facts>
    }
    .into_any()
}

fn edit_form(form: CodeForm, update: FormAction<UpdateCode>, reset: FormAction<ResetCode>) -> AnyView {
    let CodeForm { code, version, class, meaning, remedy, fixed, built_in, classes, .. } = form;
    let choices = classes.into_iter().map(|(word, label)| Choice::new(word, label)).collect::<Vec<_>>();
    let follows = if fixed.is_empty() {
        view! { <SelectField name="class" label="What follows" choices=choices value=class hint=FINAL/> }.into_any()
    } else {
        view! { <Facts><Fact name="What follows">{fixed}</Fact></Facts> }.into_any()
    };
    let back = built_in.map(|words| {
        view! {
            <FormFor action=reset class="form form--narrow">
                <Hidden name="code" value=code.to_string()/>
                <p class="muted">"Built in: " {words}</p>
                <FormActions><SubmitButton label="Back to what is built in" busy="Saving…"/></FormActions>
            </FormFor>
        }
    });
    view! {
        <FormFor action=update class="form form--narrow">
            <Hidden name="code" value=code.to_string()/>
            <VersionField version/>
            <TextAreaField
                name="meaning"
                label="What it means"
                value=meaning
                rows=2
                maxlength=500
                hint="What people read wherever a message failed with this code. Empty: as built in."
            />
            <TextAreaField name="remedy" label="What to do" value=remedy rows=2 maxlength=500 hint="Empty: as built in."/>
            {follows}
            <FormActions>
                <SubmitButton label="Save" busy="Saving…"/>
                <a class="btn" href=paths::ERROR_CODES>"Cancel"</a>
            </FormActions>
        </FormFor>
        {back}
    }
    .into_any()
}
