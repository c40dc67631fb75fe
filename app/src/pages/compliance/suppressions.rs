//! Numbers that must not be messaged.

use domain::{consent::SuppressionReason, role::Permission, suppression::Suppression};
use leptos::prelude::*;

use super::api::{Lift, Suppress, Suppressed, load_suppressions};
use crate::{components::*, paths, text};

pub fn page() -> AnyView {
    SuppressionsPage().into_any()
}

#[component]
fn SuppressionsPage() -> impl IntoView {
    let here = use_here();
    let add = FormAction::<Suppress>::new();
    let lift = FormAction::<Lift>::new();
    let source =
        move || (here.get("q"), here.get("reason"), here.get("cursor"), add.version().get() + lift.version().get());
    let list = fetch(source, |(q, reason, cursor, _)| load_suppressions(q, reason, cursor));
    let form = may(Permission::Write).then(|| new_form(add));
    view! {
        <PageHeader
            title="Compliance"
            lead=|| "Nothing goes to these numbers, whoever imports them again. Erasing a person does not take the number off."
        />
        {super::tabs(paths::SUPPRESSIONS)}
        <ActionError action=lift/>
        <div class="grid grid--2-1">
            <Loaded from=list let:list>{content(&list, here, lift)}</Loaded>
            {form}
        </div>
    }
    .into_any()
}

fn content(list: &Suppressed, here: Here, lift: FormAction<Lift>) -> AnyView {
    let total: i64 = list.counts.iter().map(|(_, count)| count).sum();
    let mut tabs = vec![Tab::new("", "All").count(total)];
    tabs.extend(
        list.counts
            .iter()
            .map(|(reason, count)| Tab::new(reason.as_str(), text::suppression_reason(*reason)).count(*count)),
    );
    let q = here.once("q");
    let body = if list.page.items.is_empty() { nothing(list, total) } else { table(list, lift) };
    view! {
        <div class="stack">
            <Tabs param="reason" label="Filter by reason" tabs=tabs/>
            <Card flush=true>
                <FilterForm action=paths::SUPPRESSIONS label="Look for a number">
                    <input class="input" type="search" name="q" value=q placeholder="A whole number: +94 77 123 4567" aria-label="A whole number"/>
                    <button class="btn" type="submit">{icon(Glyph::Search)} "Search"</button>
                </FilterForm>
                {body}
            </Card>
            <Pagination next=list.page.next_cursor.clone() shown=list.page.items.len()/>
        </div>
    }
    .into_any()
}

fn nothing(list: &Suppressed, total: i64) -> AnyView {
    let (title, text) = if list.unreadable {
        (
            "That is no whole number",
            "Give it with its country code. The list keeps only hashes, so a part of a number cannot be found.",
        )
    } else if total == 0 {
        ("Nobody is suppressed", "Whoever opts out is put here by itself, and stays here when the person is erased.")
    } else {
        ("No such number", "It is not on the list.")
    };
    view! { <Empty glyph=Glyph::Check title=title text=text/> }.into_any()
}

fn table(list: &Suppressed, lift: FormAction<Lift>) -> AnyView {
    let rows = list.page.items.iter().map(|entry| row(entry, lift)).collect::<Vec<_>>();
    view! {
        <Table
            caption="Suppressed numbers"
            columns=vec![Col::text("Number"), Col::text("Why"), Col::number("Since"), Col::action("Actions")]
        >
            {rows}
        </Table>
    }
    .into_any()
}

fn row(entry: &Suppression, lift: FormAction<Lift>) -> AnyView {
    let number = match &entry.phone {
        Some(phone) if entry.contact => {
            view! { <a class="link" href=paths::contact(phone)>{format::phone(phone.as_str())}</a> }.into_any()
        }
        Some(phone) => view! { {format::phone(phone.as_str())} }.into_any(),
        None => view! { <span class="muted">"No contact has it: only its hash is kept"</span> }.into_any(),
    };
    let action =
        entry.phone.clone().filter(|_| entry.reason.removable() && may(Permission::ManageConsent)).map(|phone| {
            view! {
                <FormFor action=lift class="inline">
                    <Hidden name="phone" value=phone.to_string()/>
                    <SubmitButton label="Lift" busy="Lifting…" class="btn btn--small"/>
                </FormFor>
            }
            .into_any()
        });
    let (reason, at) = (entry.reason, entry.created_at);
    view! {
        <tr>
            <td class="main" data-label="Number">{number}</td>
            <td data-label="Why"><div>{text::suppression_reason(reason)} <span class="sub">{who_lifts(reason)}</span></div></td>
            <td class="num" data-label="Since"><Time at=at/></td>
            <td class="num" data-label="">{action}</td>
        </tr>
    }
    .into_any()
}

const fn who_lifts(reason: SuppressionReason) -> &'static str {
    if reason.removable() { "An admin may lift it" } else { "Only the person's START lifts it" }
}

fn new_form(add: FormAction<Suppress>) -> AnyView {
    view! {
        <Card title="Suppress a number">
            <FormFor action=add fresh=true>
                <TextField name="phone" label="Number" required=true maxlength=40 placeholder="+94 77 123 4567"/>
                <TextAreaField
                    name="note"
                    label="Why"
                    rows=3
                    optional=true
                    hint="How the person said so. Kept sealed with a contact's record."
                />
                <FormActions><SubmitButton label="Suppress" busy="Suppressing…"/></FormActions>
            </FormFor>
            <p class="muted">"A contact with this number is opted out with it. A lifted one is as if nothing were known: marketing needs a new yes."</p>
        </Card>
    }
    .into_any()
}
