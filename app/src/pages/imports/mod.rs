//! Imports: the list, a new one, one with its progress and report.

mod api;
mod report;
mod upload;

use domain::{import::Import, role::Permission};
use leptos::prelude::*;
use report::ImportPage;
use upload::NewImportPage;

use self::api::load_imports;
use crate::{components::*, paths};

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
        Page::List => ImportsPage().into_any(),
        Page::New => NewImportPage().into_any(),
        Page::One => ImportPage().into_any(),
    }
}

#[component]
fn ImportsPage() -> impl IntoView {
    let here = use_here();
    let imports = fetch(move || here.get("cursor"), load_imports);
    view! {
        <PageHeader title="Imports" crumbs=vec![crumb("Contacts", paths::CONTACTS)]>
            {may(Permission::Write).then(|| view! {
                <a class="btn btn--primary" href=paths::NEW_IMPORT>{icon(Glyph::Upload)} "Import a file"</a>
            })}
        </PageHeader>
        <Loaded from=imports let:page>
            {if page.items.is_empty() {
                view! {
                    <Card>
                        <Empty glyph=Glyph::Upload title="No files yet" text="CSV, JSON or JSON lines; columns are recognised by their headings.">
                            {may(Permission::Write).then(|| view! { <a class="btn btn--primary" href=paths::NEW_IMPORT>"Import a file"</a> })}
                        </Empty>
                    </Card>
                }
                .into_any()
            } else {
                let shown = page.items.len();
                let rows = page.items.iter().map(row).collect::<Vec<_>>();
                view! {
                    <Card flush=true>
                        <Table
                            caption="Imports"
                            columns=vec![
                                Col::text("File"),
                                Col::text("State"),
                                Col::number("Rows"),
                                Col::number("New"),
                                Col::number("Changed"),
                                Col::number("Rejected"),
                                Col::number("When"),
                            ]
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

fn row(import: &Import) -> AnyView {
    view! {
        <tr>
            <td class="main" data-label="File"><a class="link" href=paths::import(import.id)>{name(import)}</a></td>
            <td data-label="State">{pill(Label::from(import.status))}</td>
            <td class="num" data-label="Rows">{format::num(import.rows)}</td>
            <td class="num" data-label="New">{format::num(import.created)}</td>
            <td class="num" data-label="Changed">{format::num(import.updated)}</td>
            <td class="num" data-label="Rejected">{format::num(import.rejected)}</td>
            <td class="num" data-label="When"><Time at=import.created_at/></td>
        </tr>
    }
    .into_any()
}

fn name(import: &Import) -> String {
    import.file_name.clone().unwrap_or_else(|| "Unnamed file".to_owned())
}
