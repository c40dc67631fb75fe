//! A new sender, and one to change.

use domain::message::Channel;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::api::{CreateSender, SenderForm, UpdateSender, load_sender};
use crate::{components::*, paths, text};

#[component]
pub fn SenderPage() -> impl IntoView {
    let params = use_params_map();
    let create = FormAction::<CreateSender>::new();
    let update = FormAction::<UpdateSender>::new();
    let id = move || params.with(|params| params.get("id").unwrap_or_default());
    let sender = fetch(move || (id(), update.version().get()), |(id, _)| load_sender(id));
    view! {
        <Loaded from=sender let:form>
            {if form.id.is_empty() { new_form(form, create) } else { edit_form(form, update) }}
        </Loaded>
    }
    .into_any()
}

/// The frame of both forms.
fn frame(title: String, form: AnyView) -> AnyView {
    view! {
        <PageHeader title=title crumbs=vec![crumb("Senders", paths::SENDERS)]/>
        <Card>{form}</Card>
    }
    .into_any()
}

fn new_form(form: SenderForm, create: FormAction<CreateSender>) -> AnyView {
    let channels = Channel::ALL.iter().map(|channel| Choice::new(channel.as_str(), text::channel(*channel)));
    let channels = channels.collect::<Vec<_>>();
    let form = view! {
        <FormFor action=create class="form form--narrow">
            {name(String::new())}
            <RadioCards name="channel" legend="Channel" choices=channels value=Channel::Whatsapp.as_str() required=true/>
            <TextField
                name="address"
                label="Number or Messaging Service"
                required=true
                maxlength=34
                placeholder="+15005550006"
                hint="A number with its country code, or the SID of a Messaging Service: MG and 32 digits."
            />
            {account(form.accounts, String::new())}
            {rate(form.rate)}
            <CheckboxField
                name="default"
                label="Default of its channel"
                hint="Campaigns without a sender of their own, replies and single messages go out from it. The first sender of a channel always is."
            />
            <FormActions>
                <SubmitButton label="Add the sender" busy="Adding…"/>
                <a class="btn" href=paths::SENDERS>"Cancel"</a>
            </FormActions>
        </FormFor>
    };
    frame("Add a sender".to_owned(), form.into_any())
}

fn edit_form(form: SenderForm, update: FormAction<UpdateSender>) -> AnyView {
    let SenderForm { id, version, name: present, channel, address, account: sid, rate: at_most, enabled, accounts } =
        form;
    let title = present.clone();
    let form = view! {
        <Facts>
            <Fact name="Channel">{channel}</Fact>
            <Fact name="Address">{address}</Fact>
        </Facts>
        <FormFor action=update class="form form--narrow">
            <Hidden name="sender" value=id/>
            <VersionField version/>
            {name(present)}
            {account(accounts, sid)}
            {rate(at_most)}
            <CheckboxField
                name="enabled"
                label="Enabled"
                checked=enabled
                hint="A disabled sender takes no campaigns, and what waits for it stays where it is."
            />
            <FormActions>
                <SubmitButton label="Save" busy="Saving…"/>
                <a class="btn" href=paths::SENDERS>"Cancel"</a>
            </FormActions>
        </FormFor>
    };
    frame(title, form.into_any())
}

fn name(value: String) -> AnyView {
    view! { <TextField name="name" label="Name" value=value required=true maxlength=100 placeholder="Offers"/> }
        .into_any()
}

/// Only where there is something to choose.
fn account(accounts: Vec<(String, String)>, value: String) -> Option<AnyView> {
    if accounts.len() < 2 {
        return None;
    }
    let choices = accounts.into_iter().map(|(sid, label)| Choice::new(sid, label)).collect::<Vec<_>>();
    let hint = if value.is_empty() { "" } else { "Another one can be chosen while the sender is held or disabled." };
    let field =
        view! { <SelectField name="account_sid" label="Twilio account" choices=choices value=value hint=hint/> };
    Some(field.into_any())
}

fn rate(value: Option<i64>) -> AnyView {
    let hint = "What the number may do at Twilio: by WhatsApp messages, by SMS segments. A long text takes several.";
    view! {
        <NumberField
            name="rate_per_second"
            label="At most"
            value=value
            required=value.is_some()
            optional=value.is_none()
            min=1
            unit="a second"
            hint=hint
        />
    }
    .into_any()
}
