//! Whom a template has no text for, told where it is chosen: the count of the launch check, before there is a launch.

use domain::ids::{SegmentId, TemplateId};

use super::launch::without_variant;
use crate::{Engine, Error, Result, services::settings};

pub(super) async fn told(
    engine: &Engine,
    template: TemplateId,
    audience: SegmentId,
    topic: Option<&str>,
) -> Result<Option<String>> {
    let db = engine.db().reader();
    let template = store::templates::find(db, template).await?.ok_or(Error::NotFound { what: "template" })?;
    let audience = store::segments::find(db, audience).await?.ok_or(Error::NotFound { what: "audience" })?;
    // Of one that cannot be filled in everything else is told first.
    let Ok(compiled) = engine.inner().templates.version(engine.db(), template.id, template.version).await else {
        return Ok(None);
    };
    let definition = store::segments::inline(db, &audience.definition).await?;
    let topic = match topic {
        Some(key) => store::topics::id_of(db, key).await?,
        None => None,
    };
    let (kind, now) = ((template.channel, template.category), engine.now());
    let since = settings::current(engine).await?.unreachable_since(now);
    let locales = store::runs::locales(db, &definition, topic, kind, now, since).await?;
    if locales.iter().all(|(locale, _)| compiled.has_variant(locale)) {
        return Ok(None);
    }
    let (tally, _) = store::runs::preview(db, &definition, topic, kind, now, since).await?;
    Ok(without_variant(&compiled, &locales, &format!("of {} people who would get it", tally.queued)))
}
