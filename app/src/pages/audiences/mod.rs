//! Audiences: the list and the builder.

mod api;
mod builder;
mod draft;
mod editor;
#[cfg(feature = "ssr")]
mod read;

use domain::{role::Permission, segment::Segment};
use editor::AudienceEditorPage;
use leptos::prelude::*;

use self::api::load_audiences;
use crate::{components::*, paths};

/// The pages of this feature.
#[derive(Clone, Copy)]
pub enum Page {
    List,
    One,
}

/// Shows a page.
pub fn open(page: Page) -> AnyView {
    match page {
        Page::List => AudiencesPage().into_any(),
        Page::One => AudienceEditorPage().into_any(),
    }
}

#[component]
fn AudiencesPage() -> impl IntoView {
    let here = use_here();
    let audiences = fetch(move || (here.get("q"), here.get("cursor")), |(q, cursor)| load_audiences(q, cursor));
    let q = untrack(move || here.get("q"));
    view! {
        <PageHeader title="Audiences" lead=|| "Rules that say who is meant. They are asked anew each time a campaign is launched.">
            {may(Permission::Write).then(|| view! {
                <a class="btn btn--primary" href=paths::NEW_AUDIENCE>{icon(Glyph::Plus)} "New audience"</a>
            })}
        </PageHeader>
        <FilterForm action=paths::AUDIENCES label="Search audiences">
            <input class="input" type="search" name="q" value=q placeholder="Name" aria-label="Name"/>
            <button class="btn" type="submit">{icon(Glyph::Search)} "Search"</button>
        </FilterForm>
        <Loaded from=audiences let:page>
            {if page.items.is_empty() {
                empty(here)
            } else {
                let shown = page.items.len();
                let rows = page.items.iter().map(row).collect::<Vec<_>>();
                view! {
                    <Card flush=true>
                        <Table
                            caption="Audiences"
                            columns=vec![Col::text("Audience"), Col::number("Rules"), Col::number("Changed"), Col::action("Actions")]
                        >
                            {rows}
                        </Table>
                    </Card>
                    <Pagination next=page.next_cursor shown=shown/>
                }
                .into_any()
            }}
        </Loaded>
    }
    .into_any()
}

fn empty(here: Here) -> AnyView {
    let searched = untrack(move || !here.get("q").is_empty());
    if searched {
        return view! {
            <Card>
                <Empty glyph=Glyph::Search title="No audience of this name">
                    <a class="btn" href=paths::AUDIENCES>"Show all"</a>
                </Empty>
            </Card>
        }
        .into_any();
    }
    view! {
        <Card>
            <Empty
                glyph=Glyph::Target
                title="No audiences yet"
                text="Everybody in Colombo who wrote in the last month, the people of one file, or simply everybody who opted in."
            >
                {may(Permission::Write).then(|| view! { <a class="btn btn--primary" href=paths::NEW_AUDIENCE>"New audience"</a> })}
            </Empty>
        </Card>
    }
    .into_any()
}

fn row(audience: &Segment) -> AnyView {
    let rules = i64::try_from(domain::segment::rules(&audience.definition).len()).unwrap_or(0);
    let people = paths::with_query(paths::CONTACTS, &[("segment", &audience.id.to_string())]);
    view! {
        <tr>
            <td class="main" data-label="Audience">
                <a class="link" href=paths::audience(audience.id) dir="auto">{audience.name.clone()}</a>
            </td>
            <td class="num" data-label="Rules">{format::num(rules)}</td>
            <td class="num" data-label="Changed"><Time at=audience.updated_at/></td>
            <td class="num" data-label=""><a class="link" href=people>"See them"</a></td>
        </tr>
    }
    .into_any()
}
