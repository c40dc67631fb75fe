//! The editor: what the template is, what it says in each language, and beside it the phone.

use domain::{role::Permission, template::Template};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    api::{DeleteTemplate, EditorView, SaveTemplate, load_editor, load_template},
    live::Editor,
    locales,
    preview::{LivePreview, preview_card},
    variants::languages,
};
use crate::{components::*, paths, text};

#[component]
pub fn TemplateEditorPage() -> impl IntoView {
    let params = use_params_map();
    let here = use_here();
    let save = FormAction::<SaveTemplate>::new();
    let delete = FormAction::<DeleteTemplate>::new();
    let id = move || params.with(|params| params.get("id").unwrap_or_else(|| "new".to_owned()));
    // What was typed at a try that failed without scripts; with scripts it is still in its fields.
    let typed = form_state(save)
        .problem
        .with_untracked(|problem| problem.as_ref().and_then(|error| error.typed("draft").map(str::to_owned)));
    let typed = StoredValue::new(typed.map(|draft| (untrack(id), draft)));
    let source = move || {
        let id = id();
        let kept = typed.with_value(|typed| typed.as_ref().filter(|(of, _)| *of == id).map(|(_, draft)| draft.clone()));
        (id, kept.unwrap_or_else(|| here.get("draft")), here.get("who"))
    };
    // The language is only looked at: another one needs nothing new from the server.
    let locale = move || untrack(move || here.get("locale"));
    let template = fetch(source, move |(id, draft, who)| load_editor(id, draft, who, locale()));
    view! { <Loaded from=template rows=9 let:view>{page(view, save, delete, here)}</Loaded> }.into_any()
}

fn page(view: EditorView, save: FormAction<SaveTemplate>, delete: FormAction<DeleteTemplate>, here: Here) -> AnyView {
    let writes = may(Permission::Write);
    let editor = Editor::new(view.draft.clone(), untrack(move || here.get("locale")));
    let live = LivePreview::new(editor, &view);
    let EditorView { id, draft, stored, attributes, offered, unknown, .. } = view;
    let versions = Versions::new(save, &id, draft.version, stored.as_ref());
    let fresh = id.is_empty();
    let removal = (!fresh && writes).then(|| removal(id.clone(), delete));
    view! {
        <FormFor action=save class="editor">
            <Hidden name="id" value=id/>
            <Hidden name="version" value=versions.text()/>
            <Hidden name="locale" value=editor.active/>
            {header(stored, versions, writes)}
            {versions.notice()}
            <div class="grid grid--3-2">
                <div class="stack">
                    {basics(editor, fresh)}
                    {languages(editor, live, (attributes, offered), here)}
                </div>
                {preview_card(editor, live, unknown)}
            </div>
        </FormFor>
        {removal}
    }
    .into_any()
}

/// Which version is edited, and what happens when somebody else has saved meanwhile.
#[derive(Clone, Copy)]
struct Versions {
    number: RwSignal<i64>,
    name: RwSignal<String>,
    /// What somebody else has saved since.
    theirs: RwSignal<Option<Template>>,
}

impl Versions {
    fn new(save: FormAction<SaveTemplate>, id: &str, read: i64, stored: Option<&Template>) -> Self {
        let theirs = stored.filter(|stored| stored.version != read).cloned();
        let this = Self {
            // Whoever has seen their text may save over it.
            number: RwSignal::new(theirs.as_ref().map_or(read, |theirs| theirs.version)),
            name: RwSignal::new(stored.map(|stored| stored.name.clone()).unwrap_or_default()),
            theirs: RwSignal::new(theirs),
        };
        let fetch = Action::new(|id: &String| load_template(id.clone()));
        let id = id.to_owned();
        let (saved, fetched) = (save.value(), fetch.value());
        Effect::new(move |before: Option<()>| {
            let stale = saved.with(|value| match value {
                Some(Ok(saved)) => {
                    this.number.set(saved.version);
                    this.name.set(saved.name.clone());
                    this.theirs.set(None);
                    false
                }
                Some(Err(error)) => error.of_field("version").is_some(),
                None => false,
            });
            // At the first run the page has just been made by the server, with theirs in it.
            if stale && before.is_some() {
                fetch.dispatch(id.clone());
            }
        });
        Effect::new(move |_| {
            if let Some(Ok(theirs)) = fetched.get() {
                this.number.set(theirs.version);
                this.theirs.set(Some(theirs));
            }
        });
        this
    }

    fn text(self) -> Signal<String> {
        Signal::derive(move || self.number.get().to_string())
    }

    fn notice(self) -> AnyView {
        let content = live_view(move || self.theirs.get().map(|theirs| changed_meanwhile(&theirs)));
        view! { <div id=field_id("version") tabindex="-1">{content}</div> }.into_any()
    }
}

/// Their text beside the form with ours: saving again replaces theirs, and says so.
fn changed_meanwhile(theirs: &Template) -> AnyView {
    let title = format!("Version {} was saved while you were editing.", theirs.version);
    let texts = theirs.variants.iter().map(|(locale, variant)| {
        view! {
            <p class="field__label" dir="auto">{locales::name(locale)}</p>
            <pre class="code" dir="auto">{variant.body.clone()}</pre>
        }
        .into_any()
    });
    let (texts, href) = (texts.collect::<Vec<_>>(), paths::template(theirs.id));
    view! {
        <Alert tone=Tone::Warn title=title>
            "Your text is below. Saving again puts it in the place of theirs. "
            <a class="link" href=href rel="external">"Drop mine and open theirs"</a>
        </Alert>
        <details class="disclosure">
            <summary>"Show what they saved"</summary>
            <div class="stack stack--tight">{texts}</div>
        </details>
    }
    .into_any()
}

fn header(stored: Option<Template>, versions: Versions, writes: bool) -> AnyView {
    let about = stored
        .map(|template| (text::channel(template.channel), text::category(template.category), template.updated_at));
    let view = live_view(move || {
        let title = if about.is_some() { versions.name.get() } else { "New template".to_owned() };
        let lead = move || match about {
            None => view! { "Written once, filled in for each person." }.into_any(),
            Some((channel, category, changed)) => {
                let version = move || format!("{channel} · {category} · version {} · ", versions.number.get());
                view! { {version} "changed " <Time at=changed/> }.into_any()
            }
        };
        let crumbs = vec![crumb("Templates", paths::TEMPLATES)];
        if writes {
            view! {
                <PageHeader title crumbs lead>
                    <a class="btn" href=paths::TEMPLATES>"Cancel"</a>
                    <SubmitButton label="Save template" busy="Saving…" name="op" value="save"/>
                </PageHeader>
            }
            .into_any()
        } else {
            view! { <PageHeader title crumbs lead>{pill((Tone::Idle, "Read only for your role"))}</PageHeader> }
                .into_any()
        }
    });
    view.into_any()
}

/// Name, channel, kind, and the language of those who have no other.
fn basics(editor: Editor, fresh: bool) -> AnyView {
    let channels = vec![Choice::new("whatsapp", "WhatsApp"), Choice::new("sms", "SMS")];
    let categories = vec![
        Choice::new("marketing", "Marketing: only with consent"),
        Choice::new("utility", "Utility: about something they ordered"),
        Choice::new("authentication", "Authentication: a code"),
    ];
    let channel = if fresh {
        view! { <SelectField name="channel" label="Channel" choices=channels required=true live=editor.channel/> }
            .into_any()
    } else {
        view! { <Hidden name="channel" value=editor.channel/> }.into_any()
    };
    view! {
        <section class="card" aria-label="About the template">
            <div class="card__body basics">
                <TextField name="name" label="Name" required=true maxlength=100 placeholder="weekend_offer" live=editor.name/>
                {channel}
                <SelectField name="category" label="Kind" choices=categories required=true live=editor.category/>
                {default_language(editor)}
            </div>
        </section>
    }
    .into_any()
}

/// Follows the languages that the template has.
fn default_language(editor: Editor) -> AnyView {
    let choices = live_view(move || {
        let chosen = editor.default_locale.get();
        let all = editor.variants.get().into_iter().map(|variant| {
            let locale = variant.locale();
            let label = locales::name(&locale);
            Choice::new(locale, label)
        });
        options(all.collect(), None, &chosen)
    });
    view! {
        <div class="field">
            <label class="field__label" for="f-default_locale">"Language for all others"</label>
            <select
                class="input input--select"
                id="f-default_locale"
                name="default_locale"
                on:change=move |event| editor.default_locale.set(event_target_value(&event))
            >
                {choices}
            </select>
        </div>
    }
    .into_any()
}

/// At the end of the page, behind one more click.
fn removal(id: String, delete: FormAction<DeleteTemplate>) -> AnyView {
    let problem = form_state(delete).problem;
    view! {
        <details class="disclosure editor__removal" open=live_attr(move || problem.with(Option::is_some))>
            <summary>"Delete this template"</summary>
            <FormFor action=delete class="form form--narrow">
                <p class="muted">"It cannot be taken back. Messages that were sent with it keep their text."</p>
                <Hidden name="id" value=id/>
                <FormActions>
                    <SubmitButton label="Delete template" busy="Deleting…" class="btn btn--danger"/>
                </FormActions>
            </FormFor>
        </details>
    }
    .into_any()
}
