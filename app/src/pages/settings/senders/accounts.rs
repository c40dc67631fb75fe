//! Twilio accounts: the card below the senders, the forms, the question before one is removed.

use leptos::prelude::*;

use super::api::{AccountRow, CreateAccount, RemoveAccount, UpdateAccount};
use crate::{components::*, paths};

/// All accounts, the environment's first.
pub fn card(accounts: Vec<AccountRow>) -> AnyView {
    let rows = accounts.into_iter().map(line).collect::<Vec<_>>();
    let add = || {
        let path = paths::with_query(paths::SENDERS, &[("account", "new")]);
        view! { <a class="link" href=path>"Add an account"</a> }
    };
    view! {
        <Card title="Twilio accounts" flush=true aside=add>
            <Table
                caption="Twilio accounts"
                columns=vec![Col::text("Account"), Col::text("Requests by"), Col::number("Senders"), Col::action("Actions")]
            >
                {rows}
            </Table>
        </Card>
    }
    .into_any()
}

fn line(row: AccountRow) -> AnyView {
    let actions = if row.from_environment {
        view! { <span class="muted">"Set by the environment"</span> }.into_any()
    } else {
        let path = |key| paths::with_query(paths::SENDERS, &[(key, &row.sid)]);
        view! {
            <div class="actions actions--end">
                <a class="btn btn--small" href=path("account")>"Change"</a>
                <a class="btn btn--small btn--danger" href=path("remove")>"Remove"</a>
            </div>
        }
        .into_any()
    };
    let base = (!row.base.is_empty()).then(|| view! { <div class="muted">{row.base}</div> });
    let key = if row.key.is_empty() { "Auth token".to_owned() } else { format!("API key {}", row.key) };
    view! {
        <tr>
            <td class="main" data-label="Account">
                <b dir="auto">{row.name}</b>
                <div class="muted">{row.sid}</div>
                {base}
            </td>
            <td data-label="Requests by">{key}</td>
            <td class="num" data-label="Senders">{row.senders}</td>
            <td class="num" data-label="">{actions}</td>
        </tr>
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

pub fn new_form(add: FormAction<CreateAccount>) -> AnyView {
    let form = view! {
        <FormFor action=add class="form form--narrow">
            <TextField
                name="account_sid"
                label="Account SID"
                required=true
                maxlength=34
                placeholder="AC…"
                hint="Of the account or subaccount, from the Twilio console."
            />
            {fields(AccountRow::default())}
            <FormActions>
                <SubmitButton label="Add the account" busy="Adding…"/>
                <a class="btn" href=paths::SENDERS>"Cancel"</a>
            </FormActions>
        </FormFor>
    };
    frame("Add a Twilio account".to_owned(), form.into_any())
}

pub fn edit_form(row: &AccountRow, save: FormAction<UpdateAccount>) -> AnyView {
    let row = row.clone();
    let (title, sid, version) = (format!("Change {}", row.name), row.sid.clone(), row.version);
    let form = view! {
        <FormFor action=save class="form form--narrow">
            <Hidden name="sid" value=sid/>
            <VersionField version/>
            {fields(row)}
            <FormActions>
                <SubmitButton label="Save" busy="Saving…"/>
                <a class="btn" href=paths::SENDERS>"Cancel"</a>
            </FormActions>
        </FormFor>
    };
    frame(title, form.into_any())
}

/// What both forms have; of an account that is there secrets may stay empty.
fn fields(row: AccountRow) -> AnyView {
    let new = row.sid.is_empty();
    let kept = if new { "" } else { " Empty: the present one stays." };
    view! {
        <TextField name="name" label="Name" value=row.name required=true maxlength=100/>
        <TextField
            name="auth_token"
            label="Auth token"
            kind="password"
            required=new
            autocomplete="off"
            hint=format!("Twilio signs the account's webhooks with it. It is sealed and never shown again.{kept}")
        />
        <TextField
            name="api_key_sid"
            label="API key"
            value=row.key
            optional=true
            placeholder="SK…"
            hint="Makes the requests instead of the auth token."
        />
        <TextField name="api_key_secret" label="Secret of the API key" kind="password" optional=true autocomplete="off" hint=kept.trim()/>
        <TextField
            name="api_base"
            label="Address of its API"
            kind="url"
            value=row.base
            optional=true
            placeholder="https://api.dublin.ie1.twilio.com"
            hint="For accounts of other regions."
        />
    }
    .into_any()
}

/// The question before an account is removed.
pub fn removal(row: &AccountRow) -> AnyView {
    // Made anew with every question: why one account could not be removed is no matter of the next one.
    let remove = FormAction::<RemoveAccount>::new();
    let (sid, senders) = (row.sid.clone(), row.senders.clone());
    let shown = sid.clone();
    view! {
        <ConfirmPage
            title=format!("Remove {}?", row.name)
            crumbs=vec![crumb("Senders", paths::SENDERS)]
            lead="Its credentials are forgotten, and its webhooks are refused from then on."
            back=("Keep the account".to_owned(), paths::SENDERS.to_owned())
        >
            <Facts>
                <Fact name="Account SID"><code>{shown}</code></Fact>
                <Fact name="Senders">{senders}</Fact>
            </Facts>
            <p class="muted">"An account that senders belong to cannot be removed."</p>
            <FormFor action=remove>
                <Hidden name="sid" value=sid/>
                <FormActions>
                    <SubmitButton label="Remove the account" busy="Removing…" class="btn btn--danger-solid"/>
                </FormActions>
            </FormFor>
        </ConfirmPage>
    }
    .into_any()
}
