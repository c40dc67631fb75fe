//! Audiences: adapters between the builder and the service. The pages say audience, everything else says segment.

use domain::{
    page::Page,
    segment::{Segment, SegmentPreview, SegmentVocabulary},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::draft::{Draft, Row};
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{context::ctx, paths};

/// What the editor starts with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EditorView {
    /// Empty for a new one.
    pub id: String,
    pub version: i64,
    pub draft: Draft,
    /// The definition as JSON, when rows cannot show it.
    pub json: Option<String>,
    pub vocabulary: SegmentVocabulary,
    pub preview: Option<SegmentPreview>,
}

#[server]
pub async fn load_audiences(q: String, cursor: String) -> Result<Page<Segment>, AppError> {
    use domain::page::PageRequest;
    let ctx = ctx()?;
    let page = PageRequest { cursor: Some(cursor).filter(|cursor| !cursor.is_empty()), ..PageRequest::default() };
    let q = Some(q.trim()).filter(|q| !q.is_empty());
    Ok(ctx.engine.segments().list(&ctx.actor, q, &page).await?)
}

/// `id` is `new` for a new one; `draft` is what was being edited without scripts; `import` starts with a file's people.
#[server]
pub async fn load_editor(id: String, draft: String, import: String) -> Result<EditorView, AppError> {
    let ctx = ctx()?;
    let segments = ctx.engine.segments();
    let vocabulary = segments.vocabulary(&ctx.actor).await?;
    let mut view = if id == "new" {
        let name =
            vocabulary.imports.iter().find(|(known, _)| *known == import).map(|(_, name)| format!("People in {name}"));
        let rows = if import.is_empty() {
            vec![Row { field: "consent".to_owned(), operator: "=".to_owned(), value: "opted_in".to_owned(), group: 0 }]
        } else {
            vec![Row { field: "import".to_owned(), operator: "=".to_owned(), value: import, group: 0 }]
        };
        let draft = Draft { name: name.unwrap_or_default(), combinator: "and".to_owned(), rows };
        EditorView { id: String::new(), version: 0, draft, json: None, vocabulary, preview: None }
    } else {
        let segment = segments.get(&ctx.actor, id.parse().map_err(|_| AppError::NotFound)?).await?;
        let read = Draft::read(&segment.name, &segment.definition);
        let json = read.is_none().then(|| serde_json::to_string_pretty(&segment.definition).unwrap_or_default());
        let draft = read.unwrap_or_else(|| Draft { name: segment.name.clone(), ..Draft::default() });
        EditorView { id, version: segment.version, draft, json, vocabulary, preview: None }
    };
    if let Ok(kept) = serde_json::from_str(&draft) {
        view.draft = kept;
    }
    let definition = match &view.json {
        Some(json) => serde_json::from_str(json).unwrap_or_default(),
        None => view.draft.clone().finished().definition(),
    };
    // A rule that is not finished has no count yet; its error is shown when it is saved or counted.
    view.preview = segments.preview(&ctx.actor, &definition).await.ok();
    Ok(view)
}

#[server]
pub async fn preview_audience(definition: String) -> Result<SegmentPreview, AppError> {
    let ctx = ctx()?;
    let definition = serde_json::from_str(&definition)
        .map_err(|error| AppError::field("definition", format!("This is not JSON: {error}")))?;
    Ok(ctx.engine.segments().preview(&ctx.actor, &definition).await?)
}

/// Saves, or without scripts changes the rows and shows the editor again: `op` is `save`, `count`, `add`, `group`,
/// `add-<group>` or `remove-<row>`. Answers the version that the next change has to name.
#[server]
pub async fn save_audience(
    id: String,
    version: i64,
    name: String,
    combinator: String,
    #[server(default)] rows: Vec<Row>,
    #[server(default)] json: String,
    #[server(default)] op: String,
) -> Result<i64, AppError> {
    let ctx = ctx()?;
    let mut draft = Draft { name: name.clone(), combinator, rows };
    if !matches!(op.as_str(), "" | "save") {
        change(&mut draft, &op);
        let path = paths::audience(if id.is_empty() { "new" } else { &id });
        let kept = serde_json::to_string(&draft).unwrap_or_default();
        leptos_axum::redirect(&paths::with_query(&path, &[("draft", &kept)]));
        return Ok(version);
    }
    let definition = if json.trim().is_empty() {
        draft.definition()
    } else {
        serde_json::from_str(&json).map_err(|error| {
            let version = version.to_string();
            let typed = [("version", &*version), ("name", &*name), ("json", &*json)];
            AppError::field("json", format!("This is not JSON: {error}")).keep(&typed)
        })?
    };
    let kept = serde_json::to_string(&draft).unwrap_or_default();
    let segments = ctx.engine.segments();
    let saved = if id.is_empty() {
        let new = domain::segment::NewSegment { name: name.clone(), definition };
        segments.create(&ctx.actor, new).await
    } else {
        let patch = domain::segment::SegmentPatch {
            name: Some(name.clone()),
            definition: Some(definition),
            version: Some(version),
        };
        let id = id.parse().map_err(|_| AppError::NotFound)?;
        segments.update(&ctx.actor, id, patch).await
    };
    let saved = match saved {
        Ok(saved) => saved,
        Err(error) => {
            // Whoever has seen what is stored now may save over it.
            let stored = match (&error, id.parse::<domain::ids::SegmentId>()) {
                (engine::Error::Stale(_), Ok(id)) => segments.get(&ctx.actor, id).await?.version,
                _ => version,
            };
            let stored = stored.to_string();
            let typed = [("version", &*stored), ("name", &*name), ("draft", &*kept), ("json", &*json)];
            return Err(AppError::from(error).keep(&typed));
        }
    };
    leptos_axum::redirect(&paths::done(&paths::audience(saved.id), "saved"));
    Ok(saved.version)
}

#[cfg(feature = "ssr")]
fn change(draft: &mut Draft, op: &str) {
    let fresh = |group| Row { group, field: "attributes.".to_owned(), operator: "=".to_owned(), value: String::new() };
    if op == "add" {
        draft.rows.push(fresh(0));
    } else if op == "group" {
        let group = draft.next_group();
        draft.rows.push(fresh(group));
    } else if let Some(group) = op.strip_prefix("add-").and_then(|group| group.parse().ok()) {
        draft.rows.push(fresh(group));
    } else if let Some(index) = op.strip_prefix("remove-").and_then(|index| index.parse::<usize>().ok())
        && index < draft.rows.len()
    {
        draft.rows.remove(index);
    }
}

#[server]
pub async fn delete_audience(id: String) -> Result<(), AppError> {
    let ctx = ctx()?;
    ctx.engine.segments().delete(&ctx.actor, id.parse().map_err(|_| AppError::NotFound)?).await?;
    leptos_axum::redirect(&paths::done(paths::AUDIENCES, "deleted"));
    Ok(())
}
