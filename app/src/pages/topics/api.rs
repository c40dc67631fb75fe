//! Topics: adapters between the page's forms and the service.

use domain::topic::Topic;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{context::ctx, paths};

/// The topics, and what their questions can be asked with: ids and names of templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopicsView {
    pub topics: Vec<Topic>,
    pub templates: Vec<(String, String)>,
}

/// So many templates can be chosen from, the newest.
#[cfg(feature = "ssr")]
const TEMPLATES: u32 = 200;

#[server]
pub async fn load_topics() -> Result<TopicsView, AppError> {
    let ctx = ctx()?;
    let topics = ctx.engine.topics().list(&ctx.actor, None).await?;
    let page = domain::page::PageRequest::first(TEMPLATES);
    let templates = ctx.engine.templates().list(&ctx.actor, None, &page).await?.items;
    let templates = templates.into_iter().map(|template| (template.id.to_string(), template.name)).collect();
    Ok(TopicsView { topics, templates })
}

#[cfg(feature = "ssr")]
fn template(id: &str) -> Result<Option<domain::ids::TemplateId>, AppError> {
    let given = Some(id).filter(|id| !id.is_empty());
    given.map(|id| id.parse().map_err(|_| AppError::field("question", "Choose one of these."))).transpose()
}

/// The service calls the field by its whole name.
#[cfg(feature = "ssr")]
fn kept(error: engine::Error, typed: &[(&str, &str)]) -> AppError {
    let mut error = AppError::from(error);
    if let AppError::Invalid { fields, .. } = &mut error {
        for problem in fields.iter_mut().filter(|problem| problem.field == "question_template_id") {
            problem.field = "question".to_owned();
        }
    }
    error.keep(typed)
}

#[server]
pub async fn create_topic(
    name: String,
    key: String,
    description: String,
    #[server(default)] double_opt_in: bool,
) -> Result<(), AppError> {
    let ctx = ctx()?;
    let asks = if double_opt_in { "true" } else { "" };
    let new = domain::topic::NewTopic {
        key: key.clone(),
        name: name.clone(),
        description: description.clone(),
        double_opt_in,
        ..Default::default()
    };
    let topic = ctx.engine.topics().create(&ctx.actor, new).await.map_err(|error| {
        AppError::from(error).keep(&[
            ("name", &name),
            ("key", &key),
            ("description", &description),
            ("double_opt_in", asks),
        ])
    })?;
    leptos_axum::redirect(&paths::done(paths::TOPICS, "created"));
    let _ = topic;
    Ok(())
}

#[server]
pub async fn update_topic(
    key: String,
    name: String,
    description: String,
    #[server(default)] double_opt_in: bool,
    #[server(default)] question: String,
    version: i64,
) -> Result<(), AppError> {
    let ctx = ctx()?;
    let typed = [
        ("name", &*name),
        ("description", &*description),
        ("double_opt_in", if double_opt_in { "true" } else { "" }),
        ("question", &*question),
    ];
    let patch = domain::topic::TopicPatch {
        name: Some(name.clone()),
        description: Some(description.clone()),
        double_opt_in: Some(double_opt_in),
        question_template_id: Some(template(&question)?),
        version: Some(version),
    };
    ctx.engine.topics().update(&ctx.actor, &key, patch).await.map_err(|error| kept(error, &typed))?;
    leptos_axum::redirect(&paths::done(paths::TOPICS, "saved"));
    Ok(())
}

#[server]
pub async fn delete_topic(key: String) -> Result<(), AppError> {
    let ctx = ctx()?;
    ctx.engine.topics().delete(&ctx.actor, &key).await?;
    leptos_axum::redirect(&paths::done(paths::TOPICS, "deleted"));
    Ok(())
}
