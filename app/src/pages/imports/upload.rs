//! Choosing a file and saying how it is to be read.

use domain::{role::Permission, topic::Topic};
use leptos::prelude::*;

use super::api::load_import_choices;
use crate::{components::*, error::AppError, paths};

#[component]
pub fn NewImportPage() -> impl IntoView {
    if !may(Permission::Write) {
        return view! { <ErrorPage error=AppError::Forbidden/> }.into_any();
    }
    let here = use_here();
    let topics = fetch(|| (), |()| load_import_choices());
    let error = untrack(move || here.get("error"));
    view! {
        <PageHeader
            title="Import contacts"
            crumbs=vec![crumb("Contacts", paths::CONTACTS), crumb("Imports", paths::IMPORTS)]
            lead=|| "People who are known already are updated, never doubled. An opt-out cannot be undone by a file."
        />
        {(!error.is_empty()).then(|| view! { <Alert tone=Tone::Bad title="The file was not taken.">{error}</Alert> })}
        <Loaded from=topics let:topics>{form(topics)}</Loaded>
    }
    .into_any()
}

fn form(topics: Vec<Topic>) -> AnyView {
    let boxes = topics
        .into_iter()
        .map(|topic| view! { <CheckboxField name="topic" label=topic.name value=topic.key/> }.into_any());
    let boxes = boxes.collect::<Vec<_>>();
    let none = boxes.is_empty();
    // The file is the last field: the server streams it and needs to know the others first.
    view! {
        <div class="grid grid--2-1">
            <Card>
                <form class="form" method="post" action=paths::IMPORTS enctype="multipart/form-data">
                    <TextField
                        name="country"
                        label="Country of numbers without a country code"
                        optional=true
                        placeholder="LK"
                        maxlength=2
                        hint="Two letters. Not needed when numbers start with + or 00, or when the file has a country column."
                    />
                    <FieldGroup legend="Subscribe everybody in the file to" hint="Who unsubscribed from a topic before stays unsubscribed.">
                        {if none { view! { <p class="muted">"There are no topics yet."</p> }.into_any() } else { boxes.into_any() }}
                    </FieldGroup>
                    <details class="disclosure">
                        <summary>"My headings are unusual"</summary>
                        <TextField
                            name="map"
                            label="Column with the phone number"
                            optional=true
                            placeholder="phone:Contact No."
                            hint="What it is, a colon, and the heading in your file. Also consent:, country:, timezone:, locale: or attributes.city:"
                        />
                        <TextField name="map" label="Another column" optional=true placeholder="attributes.city:Wohnort"/>
                    </details>
                    <FileField
                        name="file"
                        label="File"
                        accept=".csv,.tsv,.txt,.json,.jsonl,.ndjson,text/csv,application/json"
                        required=true
                        hint="CSV, JSON or JSON lines, up to 512 MB."
                    />
                    <FormActions>
                        <SubmitButton label="Import" busy="Uploading…"/>
                        <a class="btn" href=paths::CONTACTS>"Cancel"</a>
                    </FormActions>
                </form>
            </Card>
            <Card title="What is understood">
                <ul class="bullets">
                    <li>"One column with phone numbers, in any usual writing, under a heading such as Phone, Mobile, WhatsApp or Número."</li>
                    <li>"Consent: opted_in, yes, true, 1 or opted_out, STOP, no, false, 0. Empty means not known."</li>
                    <li>"Time zone, language and country columns by their headings."</li>
                    <li>"Every other column becomes a detail that templates and audiences can use."</li>
                    <li>"Empty cells never overwrite what is stored."</li>
                </ul>
            </Card>
        </div>
    }
    .into_any()
}
