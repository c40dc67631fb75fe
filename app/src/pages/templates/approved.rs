//! What WhatsApp has approved, refused or still reviews, as Twilio lists it.

use domain::role::Permission;
use leptos::prelude::*;

use super::{
    api::{ApprovedRow, ApprovedView, SyncTemplates, load_approved},
    locales,
};
use crate::{components::*, paths, text};

/// Shows the page.
pub fn page() -> AnyView {
    ApprovedPage().into_any()
}

#[component]
fn ApprovedPage() -> impl IntoView {
    let sync = FormAction::<SyncTemplates>::new();
    let approved = fetch(move || sync.version().get(), |_| load_approved());
    view! {
        <PageHeader
            title="Approved by WhatsApp"
            crumbs=vec![crumb("Templates", paths::TEMPLATES)]
            lead=|| "Content templates at Twilio. Only an approved one starts a conversation, or goes out a day after somebody wrote."
        >
            {may(Permission::Write).then(|| view! {
                <FormFor action=sync class="form form--inline">
                    <SubmitButton label="Ask Twilio now" busy="Asking…" class="btn"/>
                </FormFor>
            })}
        </PageHeader>
        <Loaded from=approved rows=6 let:view>{content(view)}</Loaded>
    }
    .into_any()
}

fn content(view: ApprovedView) -> AnyView {
    let ApprovedView { templates, synced_at, problems } = view;
    let problems = problems.into_iter().map(|problem| {
        view! {
            <Alert tone=Tone::Warn title="An account gave no list.">
                {problem} ". What is below is what was known before."
            </Alert>
        }
        .into_any()
    });
    let problems = problems.collect::<Vec<_>>();
    let asked = synced_at.map(
        |at| view! { <p class="muted small">"As of " <Time at=at moment=true/> ". Asked again every 15 minutes."</p> },
    );
    let list = if templates.is_empty() {
        view! {
            <Empty
                glyph=Glyph::Template
                title="Nothing is listed"
                text="Write a template in Twilio's Content Template Builder and submit it to WhatsApp: it appears here."
            />
        }
        .into_any()
    } else {
        let rows = templates.into_iter().map(row).collect::<Vec<_>>();
        view! {
            <Table
                caption="Content templates"
                columns=vec![Col::text("Content template"), Col::text("Review"), Col::text("Kind"), Col::text("Used by"), Col::text("")]
            >
                {rows}
            </Table>
        }
        .into_any()
    };
    view! { <div class="stack">{problems} <Card flush=true>{list}</Card> {asked}</div> }.into_any()
}

fn row(row: ApprovedRow) -> AnyView {
    let ApprovedRow { content, href, used_by } = row;
    let language = locales::read(&content.language).unwrap_or_else(|| content.language.clone());
    let reason = content.reason.map(|reason| view! { <span class="sub">{reason}</span> });
    // Without any the cell stays empty, and on a phone is not there.
    let users = (!used_by.is_empty()).then(|| {
        let all = used_by
            .into_iter()
            .map(|(id, name)| view! { <a class="link" href=paths::template(id) dir="auto">{name}</a> " " }.into_any());
        view! { <span>{all.collect::<Vec<_>>()}</span> }
    });
    let kind = content.category.map_or("–", text::category);
    let label = format!("Make a template of {} in {}", content.name, locales::name(&language));
    let make = (!href.is_empty() && !content.approval.is_refused() && may(Permission::Write))
        .then(|| view! { <a class="btn btn--small" href=href aria-label=label>"Use it"</a> });
    view! {
        <tr>
            <td class="main" data-label="Content template">
                <span class="named">
                    <span><b>{content.name}</b> " " <span class="tag" dir="auto">{locales::name(&language)}</span></span>
                    <span class="sub named__words" dir="auto">{content.body}</span>
                    <span class="sub mono">{content.sid}</span>
                </span>
            </td>
            <td data-label="Review">{pill(text::approval(content.approval))} {reason}</td>
            <td data-label="Kind">{kind}</td>
            <td data-label="Used by">{users}</td>
            <td class="num">{make}</td>
        </tr>
    }
    .into_any()
}
