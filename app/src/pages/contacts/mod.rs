//! Contacts: the list, a new one, one person.

mod api;
mod detail;
mod list;

use detail::ContactPage;
use domain::role::Permission;
use leptos::prelude::*;
use list::ContactsPage;

use self::api::CreateContact;
use crate::{components::*, error::AppError, paths};

/// The pages of this feature.
#[derive(Clone, Copy)]
pub enum Page {
    List,
    New,
    One,
}

/// Shows a page.
pub fn open(page: Page) -> AnyView {
    match page {
        Page::List => ContactsPage().into_any(),
        Page::New => NewContactPage().into_any(),
        Page::One => ContactPage().into_any(),
    }
}

/// One person by hand; many come by import.
#[component]
fn NewContactPage() -> impl IntoView {
    if !may(Permission::Write) {
        return view! { <ErrorPage error=AppError::Forbidden/> }.into_any();
    }
    let create = FormAction::<CreateContact>::new();
    let consents = vec![
        Choice::new("", "Not known").hint("May get utility messages, no marketing."),
        Choice::new("opted_in", "Opted in").hint("The person has agreed to marketing. You can prove it."),
        Choice::new("opted_out", "Opted out").hint("Nothing is sent to this person."),
    ];
    view! {
        <PageHeader title="New contact" crumbs=vec![crumb("Contacts", paths::CONTACTS)]>
            <a class="btn" href=paths::NEW_IMPORT>{icon(Glyph::Upload)} "Import a file instead"</a>
        </PageHeader>
        <Card>
            <FormFor action=create class="form form--narrow">
                <TextField
                    name="phone"
                    label="Phone number"
                    kind="tel"
                    required=true
                    autofocus=true
                    placeholder="+94 77 123 4567"
                    hint="With the country code, in any usual writing."
                />
                <TextField name="name" label="Name" optional=true/>
                <TextField name="locale" label="Language" optional=true placeholder="en" hint="Chooses the template's language: en, de, pt-BR …"/>
                <TextField name="timezone" label="Time zone" optional=true placeholder="Asia/Colombo"/>
                <RadioCards name="consent" legend="Consent" choices=consents/>
                <FormActions>
                    <SubmitButton label="Create contact" busy="Creating…"/>
                    <a class="btn" href=paths::CONTACTS>"Cancel"</a>
                </FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}
