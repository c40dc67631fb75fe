//! Topics: adapters between the page's forms and the service.

use domain::topic::Topic;
use leptos::prelude::*;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{context::ctx, paths};

#[server]
pub async fn load_topics() -> Result<Vec<Topic>, AppError> {
    let ctx = ctx()?;
    Ok(ctx.engine.topics().list(&ctx.actor, None).await?)
}

#[server]
pub async fn create_topic(name: String, key: String, description: String) -> Result<(), AppError> {
    let ctx = ctx()?;
    let new = domain::topic::NewTopic { key: key.clone(), name: name.clone(), description: description.clone() };
    let topic = ctx.engine.topics().create(&ctx.actor, new).await.map_err(|error| {
        AppError::from(error).keep(&[("name", &name), ("key", &key), ("description", &description)])
    })?;
    leptos_axum::redirect(&paths::done(paths::TOPICS, "created"));
    let _ = topic;
    Ok(())
}

#[server]
pub async fn update_topic(key: String, name: String, description: String, version: i64) -> Result<(), AppError> {
    let ctx = ctx()?;
    let patch = domain::topic::TopicPatch {
        name: Some(name.clone()),
        description: Some(description.clone()),
        version: Some(version),
    };
    ctx.engine
        .topics()
        .update(&ctx.actor, &key, patch)
        .await
        .map_err(|error| AppError::from(error).keep(&[("name", &name), ("description", &description)]))?;
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
