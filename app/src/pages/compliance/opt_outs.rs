//! Who said no, when, and how it came to us.

use domain::{page::Page, review::OptOut};
use leptos::prelude::*;

use super::api::load_opt_outs;
use crate::{components::*, paths, text};

pub fn page() -> AnyView {
    OptOutsPage().into_any()
}

#[component]
fn OptOutsPage() -> impl IntoView {
    let here = use_here();
    let list = fetch(move || here.get("cursor"), load_opt_outs);
    view! {
        <PageHeader
            title="Compliance"
            lead=|| "Every opt-out as it was recorded, the newest first. A line stays also when its person is erased, without the number."
        />
        {super::tabs(paths::OPT_OUTS)}
        <Loaded from=list let:list>{content(&list)}</Loaded>
    }
    .into_any()
}

fn content(list: &Page<OptOut>) -> AnyView {
    let body = if list.items.is_empty() {
        view! {
            <Empty
                glyph=Glyph::Check
                title="Nobody has opted out"
                text="Whoever writes STOP, leaves a topic or is taken off by one of you appears here at once."
            />
        }
        .into_any()
    } else {
        let rows = list.items.iter().map(row).collect::<Vec<_>>();
        view! {
            <Table
                caption="Opt-outs"
                columns=vec![Col::text("Person"), Col::text("Of what"), Col::text("How"), Col::number("When")]
            >
                {rows}
            </Table>
        }
        .into_any()
    };
    view! {
        <div class="stack">
            <Card flush=true>{body}</Card>
            <Pagination next=list.next_cursor.clone() shown=list.items.len()/>
        </div>
    }
    .into_any()
}

fn row(one: &OptOut) -> AnyView {
    let person = match &one.phone {
        Some(phone) => {
            view! { <a class="link" href=paths::contact(phone)>{format::phone(phone.as_str())}</a> }.into_any()
        }
        None => view! { <span class="muted">"Erased"</span> }.into_any(),
    };
    let of_what = match one.topic.as_deref() {
        None => "Everything".to_owned(),
        Some("") => "A topic that was deleted".to_owned(),
        Some(topic) => topic.to_owned(),
    };
    let reference = one.reference.clone().map(|reference| view! { <span class="sub">{reference}</span> });
    view! {
        <tr>
            <td class="main" data-label="Person">{person}</td>
            <td data-label="Of what">{of_what}</td>
            <td data-label="How"><div>"By " {text::consent_source(one.source)} " " {reference}</div></td>
            <td class="num" data-label="When"><Time at=one.at/></td>
        </tr>
    }
    .into_any()
}
