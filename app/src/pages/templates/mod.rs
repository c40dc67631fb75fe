//! Templates: the list and the editor.

mod api;
mod approved;
mod draft;
mod editor;
mod live;
mod locales;
mod preview;
mod variants;

use domain::{content_template::Approval, role::Permission, template::Template};
use editor::TemplateEditorPage;
use leptos::prelude::*;

use self::api::{TemplateList, load_templates};
use crate::{components::*, paths, text};

/// The pages of this feature.
#[derive(Clone, Copy)]
pub enum Page {
    List,
    /// What WhatsApp has approved.
    Approved,
}

/// Shows a page.
pub fn open(page: Page) -> AnyView {
    match page {
        Page::List => TemplatesPage().into_any(),
        Page::Approved => approved::page(),
    }
}

/// Shows the editor, which is heavier than the lists by far.
pub fn edit() -> AnyView {
    TemplateEditorPage().into_any()
}

#[component]
fn TemplatesPage() -> impl IntoView {
    let here = use_here();
    let templates = fetch(move || (here.get("q"), here.get("cursor")), |(q, cursor)| load_templates(q, cursor));
    let q = untrack(move || here.get("q"));
    view! {
        <PageHeader title="Templates" lead=|| "What is said, in each language. A campaign keeps the version it was launched with.">
            <a class="btn" href=paths::APPROVED_TEMPLATES>"Approved by WhatsApp"</a>
            {may(Permission::Write).then(|| view! {
                <a class="btn btn--primary" href=paths::NEW_TEMPLATE>{icon(Glyph::Plus)} "New template"</a>
            })}
        </PageHeader>
        <Card flush=true>
            <FilterForm action=paths::TEMPLATES label="Search templates">
                <input class="input" type="search" name="q" value=q placeholder="Name" aria-label="Name"/>
                <button class="btn" type="submit">{icon(Glyph::Search)} "Search"</button>
            </FilterForm>
            <Loaded from=templates let:list>
                {if list.page.items.is_empty() {
                    empty(here)
                } else {
                    let shown = list.page.items.len();
                    view! { {table(&list)} <Pagination next=list.page.next_cursor shown=shown/> }.into_any()
                }}
            </Loaded>
        </Card>
    }
    .into_any()
}

fn empty(here: Here) -> AnyView {
    if untrack(move || !here.get("q").is_empty()) {
        return view! {
            <Empty glyph=Glyph::Search title="No template of this name" text="Try the beginning of another word.">
                <a class="btn" href=paths::TEMPLATES>"Show all"</a>
            </Empty>
        }
        .into_any();
    }
    view! {
        <Empty
            glyph=Glyph::Template
            title="No templates yet"
            text="Write a message once, with the places where each person's name, price or date goes, and see it on a phone while you write."
        >
            {may(Permission::Write).then(|| view! { <a class="btn btn--primary" href=paths::NEW_TEMPLATE>"New template"</a> })}
        </Empty>
    }
    .into_any()
}

fn table(list: &TemplateList) -> AnyView {
    let rows = list.page.items.iter().map(|template| row(template, list.review(template))).collect::<Vec<_>>();
    view! {
        <Table
            caption="Templates"
            columns=vec![
                Col::text("Template"),
                Col::text("Channel"),
                Col::text("Kind"),
                Col::text("Languages"),
                Col::number("Version"),
                Col::number("Changed"),
            ]
        >
            {rows}
        </Table>
    }
    .into_any()
}

fn row(template: &Template, review: Option<Approval>) -> AnyView {
    let languages = template.variants.keys().map(|locale| {
        view! { <span class="tag" title=locale.clone() dir="auto">{locales::name(locale)}</span> }.into_any()
    });
    let first = template.variants.get(&template.default_locale).or_else(|| template.variants.values().next());
    let words = first.map(|variant| variant.body.split_whitespace().take(14).collect::<Vec<_>>().join(" "));
    view! {
        <tr>
            <td class="main" data-label="Template">
                <span class="named">
                    <a class="link" href=paths::template(template.id) dir="auto">{template.name.clone()}</a>
                    <span class="sub named__words" dir="auto">{words}</span>
                </span>
            </td>
            <td data-label="Channel">
                <span>{text::channel(template.channel)} {review.map(|review| view! { " " {pill(text::approval(review))} })}</span>
            </td>
            <td data-label="Kind">{text::category(template.category)}</td>
            <td data-label="Languages"><span class="tags">{languages.collect::<Vec<_>>()}</span></td>
            <td class="num" data-label="Version">{format::num(template.version)}</td>
            <td class="num" data-label="Changed"><Time at=template.updated_at/></td>
        </tr>
    }
    .into_any()
}
