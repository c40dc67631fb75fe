//! The list with its search and filters; its state is the URL.

use domain::{contact::Contact, role::Permission};
use leptos::prelude::*;

use super::api::{ContactsQuery, ContactsView, load_contacts};
use crate::{components::*, paths};

#[component]
pub fn ContactsPage() -> impl IntoView {
    let here = use_here();
    let query = move || ContactsQuery {
        q: here.get("q"),
        consent: here.get("consent"),
        topic: here.get("topic"),
        segment: here.get("segment"),
        import: here.get("import"),
        cursor: here.get("cursor"),
    };
    let contacts = fetch(query, load_contacts);
    view! {
        <PageHeader title="Contacts">
            {may(Permission::Write).then(|| view! {
                <a class="btn" href=paths::NEW_CONTACT>{icon(Glyph::Plus)} "New contact"</a>
                <a class="btn btn--primary" href=paths::NEW_IMPORT>{icon(Glyph::Upload)} "Import"</a>
            })}
        </PageHeader>
        <Loaded from=contacts let:view>{page(view, here)}</Loaded>
    }
    .into_any()
}

fn page(view: ContactsView, here: Here) -> AnyView {
    let ContactsView { contacts, total, topics, segment } = view;
    let choices = topics.into_iter().map(|topic| Choice::new(topic.key, topic.name)).collect::<Vec<_>>();
    let (q, topic) = untrack(move || (here.get("q"), here.get("topic")));
    let kept = ["consent", "segment", "import"].map(|name| {
        let value = untrack(move || here.get(name));
        (!value.is_empty()).then(|| view! { <input type="hidden" name=name value=value/> }.into_any())
    });
    let consents = vec![
        Tab::new("", "All"),
        Tab::new("opted_in", "Opted in"),
        Tab::new("unknown", "Not known"),
        Tab::new("opted_out", "Opted out"),
    ];
    let filtered =
        untrack(move || ["q", "consent", "topic", "segment", "import"].iter().any(|name| !here.get(name).is_empty()));
    view! {
        <div class="toolbar">
            <FilterForm action=paths::CONTACTS label="Search contacts">
                {kept.into_iter().flatten().collect::<Vec<_>>()}
                <input class="input" type="search" name="q" value=q placeholder="Number or name" aria-label="Number or name"/>
                <select class="input" name="topic" aria-label="Topic">
                    {options(choices, Some("Any topic".to_owned()), &topic)}
                </select>
                <button class="btn" type="submit">{icon(Glyph::Search)} "Search"</button>
            </FilterForm>
            <Tabs param="consent" label="Filter by consent" tabs=consents/>
        </div>
        {narrowed(segment, here)}
        {if contacts.items.is_empty() {
            nobody(filtered)
        } else {
            let shown = contacts.items.len();
            view! {
                <Card flush=true>{table(&contacts.items)}</Card>
                <Pagination next=contacts.next_cursor shown=shown total=total/>
            }
            .into_any()
        }}
    }
    .into_any()
}

/// Says when the list shows one audience or one file only.
fn narrowed(segment: Option<(String, String)>, here: Here) -> Option<AnyView> {
    let import = untrack(move || here.get("import"));
    let (words, href, parameter) = match (segment, import.is_empty()) {
        (Some((id, name)), _) => (format!("Only people of the audience “{name}”."), paths::audience(id), "segment"),
        (None, false) => ("Only people of one imported file.".to_owned(), paths::import(import), "import"),
        (None, true) => return None,
    };
    let everybody = untrack(move || here.with(&[(parameter, ""), ("cursor", "")]));
    Some(
        view! {
            <Alert title=words>
                <a class="link" href=href>"Open it"</a>
                " · "
                <a class="link" href=everybody>"Show everybody"</a>
            </Alert>
        }
        .into_any(),
    )
}

fn nobody(filtered: bool) -> AnyView {
    if filtered {
        return view! {
            <Card>
                <Empty glyph=Glyph::Search title="Nobody matches" text="Try fewer letters, or another filter.">
                    <a class="btn" href=paths::CONTACTS>"Show everybody"</a>
                </Empty>
            </Card>
        }
        .into_any();
    }
    view! {
        <Card>
            <Empty glyph=Glyph::People title="No contacts yet" text="Bring your people in with a CSV file, or add one by hand to try things out.">
                {may(Permission::Write).then(|| view! {
                    <a class="btn btn--primary" href=paths::NEW_IMPORT>"Import a file"</a>
                    <a class="btn" href=paths::NEW_CONTACT>"New contact"</a>
                })}
            </Empty>
        </Card>
    }
    .into_any()
}

/// People as a table: also of use for samples of an audience.
fn table(contacts: &[Contact]) -> AnyView {
    let rows = contacts.iter().map(row).collect::<Vec<_>>();
    view! {
        <Table
            caption="Contacts"
            columns=vec![
                Col::text("Contact"),
                Col::text("Consent"),
                Col::text("Topics"),
                Col::text("Country"),
                Col::text("Language"),
                Col::number("Last wrote"),
                Col::number("Since"),
            ]
        >
            {rows}
        </Table>
    }
    .into_any()
}

fn or_dash(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| "–".to_owned())
}

fn row(contact: &Contact) -> AnyView {
    let topics = if contact.topics.is_empty() { "–".to_owned() } else { contact.topics.join(", ") };
    let suppressed = contact.suppressed.then(|| pill((Tone::Bad, "Do not contact")));
    view! {
        <tr>
            <td class="main" data-label="Contact"><Who name=contact.name.clone() phone=Some(contact.phone.to_string())/></td>
            <td data-label="Consent">{pill(contact.consent)} " " {suppressed}</td>
            <td data-label="Topics">{topics}</td>
            // On a phone they are on the person's own page.
            <td class="wide" data-label="Country">{or_dash(contact.country.as_ref())}</td>
            <td class="wide" data-label="Language">{or_dash(contact.locale.as_ref())}</td>
            <td class="num wide" data-label="Last wrote"><MaybeTime at=contact.last_inbound_at/></td>
            <td class="num" data-label="Since"><Time at=contact.created_at/></td>
        </tr>
    }
    .into_any()
}
