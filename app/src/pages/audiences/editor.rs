//! The builder's page: name and rules on one side, how many people that is and ten of them on the other.

use domain::{role::Permission, segment::SegmentPreview};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    api::{DeleteAudience, EditorView, SaveAudience, load_editor, preview_audience},
    builder::{Builder, builder},
    draft::Draft,
};
use crate::{components::*, error::AppError, paths};

#[component]
pub fn AudienceEditorPage() -> impl IntoView {
    let params = use_params_map();
    let here = use_here();
    let save = FormAction::<SaveAudience>::new();
    let delete = FormAction::<DeleteAudience>::new();
    let source = move || {
        // A fixed address (`/audiences/new`) has no parameter.
        let id = params.with(|params| params.get("id").unwrap_or_else(|| "new".to_owned()));
        (id, here.get("draft"), here.get("import"))
    };
    let audience = fetch(source, |(id, draft, import)| load_editor(id, draft, import));
    view! { <Loaded from=audience let:view>{page(view, save, delete)}</Loaded> }.into_any()
}

fn page(view: EditorView, save: FormAction<SaveAudience>, delete: FormAction<DeleteAudience>) -> AnyView {
    let EditorView { id, version, mut draft, json, vocabulary, preview } = view;
    // After a try that failed without scripts the rows are those that were tried.
    let failed = form_state(save).problem;
    if let Some(kept) =
        failed.with_untracked(|problem| problem.as_ref().and_then(|error| error.typed("draft").map(str::to_owned)))
        && let Ok(kept) = serde_json::from_str::<Draft>(&kept)
    {
        draft = kept;
    }
    let fresh = id.is_empty();
    let writes = may(Permission::Write);
    if fresh && !writes {
        return view! { <ErrorPage error=AppError::Forbidden/> }.into_any();
    }
    let removal = (!fresh && writes).then(|| removal(id.clone(), delete));
    let title = RwSignal::new(if fresh { "New audience".to_owned() } else { draft.name.clone() });
    let version = RwSignal::new(version);
    let people = paths::with_query(paths::CONTACTS, &[("segment", &id)]);
    let builder_of = Builder::new(draft, vocabulary);
    let advanced = json.is_some();
    let text = RwSignal::new(json.unwrap_or_default());
    let definition = move || if advanced { text.get() } else { builder_of.draft().definition().to_string() };
    let count = LiveCount::new(definition, preview);
    // A save makes a new version, which the next one has to name; what is being edited stays where it is. So does a try
    // after somebody else's save: what is stored now has been shown.
    let saved = save.value();
    Effect::new(move |_| match saved.get() {
        Some(Ok(number)) if !fresh => {
            version.set(number);
            title.set(builder_of.name.get_untracked());
        }
        Some(Err(error)) => {
            if let Some(number) = error.typed("version").and_then(|number| number.parse().ok()) {
                version.set(number);
            }
        }
        _ => {}
    });
    let header = live_view(move || {
        let people = people.clone();
        view! {
            <PageHeader title=title.get() crumbs=vec![crumb("Audiences", paths::AUDIENCES)]>
                {(!fresh).then(|| view! { <a class="btn" href=people>{icon(Glyph::People)} "See these people"</a> })}
                {(!writes).then(|| pill((Tone::Idle, "Read only for your role")))}
            </PageHeader>
        }
        .into_any()
    });
    view! {
        {header}
        <div class="grid grid--3-2">
            <Card>
                <FormFor action=save class="form form--wide">
                    // Enter presses the first button of a form, which must not be one that removes a rule.
                    {writes.then(|| view! {
                        <button type="submit" name="op" value="save" class="visually-hidden" tabindex="-1" aria-hidden="true"></button>
                    })}
                    <Hidden name="id" value=id.clone()/>
                    <Hidden name="version" value=Signal::derive(move || version.get().to_string())/>
                    <TextField name="name" label="Name" required=true maxlength=200 live=builder_of.name/>
                    {if advanced { definition_field(builder_of, text) } else { builder(builder_of) }}
                    <FormActions>
                        {writes.then(|| view! { <SubmitButton label="Save audience" busy="Saving…" name="op" value="save"/> })}
                        <span class="static-only">
                            <SubmitButton label="Update and count" class="btn" name="op" value="count"/>
                        </span>
                        <a class="btn" href=paths::AUDIENCES>{if writes { "Cancel" } else { "Back" }}</a>
                    </FormActions>
                </FormFor>
            </Card>
            <div class="stack sticky">
                {count.view()}
                {removal}
            </div>
        </div>
    }
    .into_any()
}

/// Behind one more click.
fn removal(id: String, delete: FormAction<DeleteAudience>) -> AnyView {
    let problem = form_state(delete).problem;
    view! {
        <Card>
            <details class="disclosure" open=live_attr(move || problem.with(Option::is_some))>
                <summary>"Delete this audience"</summary>
                <FormFor action=delete>
                    <p class="muted">"It cannot be taken back. The people stay; only the rules go. One that a campaign or another audience uses cannot be deleted."</p>
                    <Hidden name="id" value=id/>
                    <FormActions>
                        <SubmitButton label="Delete audience" busy="Deleting…" class="btn btn--danger"/>
                    </FormActions>
                </FormFor>
            </details>
        </Card>
    }
    .into_any()
}

/// For definitions that rows cannot show: the JSON itself.
fn definition_field(builder: Builder, text: RwSignal<String>) -> AnyView {
    view! {
        <Alert title="Made by a program.">
            "These rules are nested further than the builder shows, so they are edited as JSON here."
        </Alert>
        <input type="hidden" name="combinator" value=live_attr(move || builder.combinator.get())/>
        <TextAreaField name="json" label="Definition" rows=18 code=true required=true live=text/>
    }
    .into_any()
}

/// The number of people and a sample, following the rules as they are edited.
#[derive(Clone, Copy)]
struct LiveCount {
    latest: Signal<Option<Result<SegmentPreview, AppError>>>,
    counting: Signal<bool>,
}

impl LiveCount {
    fn new(definition: impl Fn() -> String + Copy + Send + Sync + 'static, first: Option<SegmentPreview>) -> Self {
        let settled = debounced(definition, 350);
        let preview = Action::new(|definition: &String| preview_audience(definition.clone()));
        Effect::new(move |before: Option<()>| {
            let definition = settled.get();
            // The server has counted what the page started with.
            if before.is_some() {
                preview.dispatch(definition);
            }
        });
        let first = StoredValue::new(first.map(Ok));
        let value = preview.value();
        Self {
            latest: Signal::derive(move || value.try_get().flatten().or_else(|| first.try_get_value().flatten())),
            counting: preview.pending().into(),
        }
    }

    fn view(self) -> AnyView {
        let body = live_view(move || match self.latest.get() {
            Some(Ok(preview)) => counted(&preview),
            Some(Err(AppError::Invalid { fields, .. })) => {
                let first = fields.into_iter().next().map(|error| error.message).unwrap_or_default();
                view! { <p class="muted">"Not complete yet: " {first}</p> }.into_any()
            }
            Some(Err(error)) => view! { <p class="muted">{error.message()}</p> }.into_any(),
            None => view! { <p class="muted">"Finish the rules to see who is meant."</p> }.into_any(),
        });
        view! {
            <Card title="Who that is">
                <div aria-live="polite" aria-busy=live_attr(move || self.counting.get().to_string())>{body}</div>
            </Card>
        }
        .into_any()
    }
}

fn counted(preview: &SegmentPreview) -> AnyView {
    let rows = preview.sample.iter().map(|contact| {
        view! {
            <li class="list__item">
                <span class="list__main"><Who name=contact.name.clone() phone=Some(contact.phone.to_string())/></span>
                <span class="list__aside">{pill(contact.consent)}</span>
            </li>
        }
        .into_any()
    });
    let note = match preview.count {
        0 => "Nobody: are the rules too narrow?",
        _ => "Of them, a campaign reaches those who agreed to its topic and are not opted out.",
    };
    view! {
        <p class="figure"><b>{format::num(preview.count)}</b> " people"</p>
        <p class="muted small">{note}</p>
        <ul class="list">{rows.collect::<Vec<_>>()}</ul>
    }
    .into_any()
}
