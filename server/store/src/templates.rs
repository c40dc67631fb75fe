//! Templates and their versions. A version's row never changes: every change of what is said makes a new one.

use std::collections::BTreeMap;

use domain::{
    consent::Category,
    ids::TemplateId,
    message::Channel,
    template::{Template, Variant},
    text::fold,
    time::Timestamp,
};
use serde::Serialize;
use uuid::Uuid;

use crate::{ConnectionTrait, Error, Kind, Result, Row, Tx, all, exec, one, segments};

const SELECT: &str = "SELECT t.id, t.name, t.channel, t.version, t.created_at, t.updated_at, v.category, \
                      v.default_locale, v.variants, v.variables FROM templates t JOIN template_versions v \
                      ON v.template_id = t.id AND v.version = t.version";

/// What a run executes.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    pub channel: Channel,
    pub category: Category,
    pub default_locale: String,
    pub variants: BTreeMap<String, Variant>,
}

/// Stores a new template with its first version.
///
/// # Errors
/// `Duplicate` when the name is taken.
pub async fn insert(tx: &Tx, template: &Template) -> Result<()> {
    let text = "INSERT INTO templates (id, name, name_folded, channel, version, created_at, updated_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $6)";
    let values = vec![
        template.id.0.into(),
        template.name.as_str().into(),
        fold(&template.name).into_owned().into(),
        template.channel.as_str().into(),
        template.version.into(),
        template.created_at.as_micros().into(),
    ];
    exec(tx, text, values).await?;
    insert_version(tx, template).await
}

/// Changes a template whose latest version is the one before `template.version`.
///
/// # Errors
/// `Stale` when it is not, or the template is gone; `Duplicate` when the name is taken.
pub async fn update(tx: &Tx, template: &Template) -> Result<()> {
    let text = "UPDATE templates SET name = $3, name_folded = $4, updated_at = $5, version = version + 1 \
                WHERE id = $1 AND version = $2";
    let values = vec![
        template.id.0.into(),
        (template.version - 1).into(),
        template.name.as_str().into(),
        fold(&template.name).into_owned().into(),
        template.updated_at.as_micros().into(),
    ];
    if exec(tx, text, values).await? != 1 {
        return Err(Error::Stale);
    }
    insert_version(tx, template).await
}

async fn insert_version(tx: &Tx, template: &Template) -> Result<()> {
    let text = "INSERT INTO template_versions (template_id, version, category, default_locale, variants, variables, \
                created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = vec![
        template.id.0.into(),
        template.version.into(),
        template.category.as_str().into(),
        template.default_locale.as_str().into(),
        json(&template.variants)?.into(),
        json(&template.variables)?.into(),
        template.updated_at.as_micros().into(),
    ];
    exec(tx, text, values).await?;
    Ok(())
}

/// Removes a template that nothing uses any more (see [`used_by`]), with its versions.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn delete(tx: &Tx, id: TemplateId) -> Result<()> {
    let gone = exec(tx, "DELETE FROM templates WHERE id = $1", vec![id.0.into()]).await?;
    if gone != 1 {
        return Err(Error::NotFound);
    }
    exec(tx, "DELETE FROM template_versions WHERE template_id = $1", vec![id.0.into()]).await?;
    Ok(())
}

/// The template with its latest version.
///
/// # Errors
/// What the database says.
pub async fn find(db: &impl ConnectionTrait, id: TemplateId) -> Result<Option<Template>> {
    one(db, format!("{SELECT} WHERE t.id = $1"), vec![id.0.into()]).await?.as_ref().map(template).transpose()
}

/// One version of a template; none when there is none.
///
/// # Errors
/// What the database says.
pub async fn find_version(db: &impl ConnectionTrait, id: TemplateId, version: i64) -> Result<Option<Version>> {
    let query = "SELECT v.category, v.default_locale, v.variants, t.channel FROM template_versions v \
                 JOIN templates t ON t.id = v.template_id WHERE v.template_id = $1 AND v.version = $2";
    let row = one(db, query, vec![id.0.into(), version.into()]).await?;
    row.as_ref()
        .map(|row| {
            Ok(Version {
                channel: row.word("channel")?,
                category: row.word("category")?,
                default_locale: row.get("default_locale")?,
                variants: row.json("variants")?,
            })
        })
        .transpose()
}

/// A page of templates whose name contains `q`, newest first, those made before `before`.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &impl ConnectionTrait,
    q: Option<&str>,
    before: Option<TemplateId>,
    limit: u32,
) -> Result<Vec<Template>> {
    let found = segments::contains(Kind::of(db), "t.name_folded", "$1");
    // Ids rise with time.
    let query = format!("{SELECT} WHERE {found} AND t.id < $2 ORDER BY t.id DESC LIMIT $3");
    let values = vec![
        fold(q.unwrap_or_default()).into_owned().into(),
        before.map_or(Uuid::max(), |id| id.0).into(),
        i64::from(limit).into(),
    ];
    all(db, query, values).await?.iter().map(template).collect()
}

/// What uses a template, in words: campaigns, runs that are not over, single messages that wait.
///
/// # Errors
/// What the database says.
pub async fn used_by(db: &impl ConnectionTrait, id: TemplateId) -> Result<Vec<String>> {
    let query = "SELECT name FROM campaigns WHERE template_id = $1 ORDER BY id LIMIT 10";
    let rows = all(db, query, vec![id.0.into()]).await?;
    let mut used: Vec<String> =
        rows.iter().map(|row| Ok(format!("campaign “{}”", row.get::<String>("name")?))).collect::<Result<_>>()?;
    let topics =
        all(db, "SELECT name FROM topics WHERE question_template_id = $1 ORDER BY id LIMIT 10", vec![id.0.into()])
            .await?;
    for row in &topics {
        used.push(format!("the question of topic “{}”", row.get::<String>("name")?));
    }
    let run = "SELECT 1 AS found FROM runs WHERE template_id = $1 \
               AND status IN ('planning', 'rehearsed', 'running', 'paused') LIMIT 1";
    if one(db, run, vec![id.0.into()]).await?.is_some() {
        used.push("a run that is not over".to_owned());
    }
    // 0 to 2: queued, sending, unknown.
    let message =
        "SELECT 1 AS found FROM messages WHERE run_id IS NULL AND template_id = $1 AND state IN (0, 1, 2) LIMIT 1";
    if one(db, message, vec![id.0.into()]).await?.is_some() {
        used.push("a message that is not sent yet".to_owned());
    }
    Ok(used)
}

fn template(row: &Row) -> Result<Template> {
    Ok(Template {
        id: TemplateId(row.get("id")?),
        name: row.get("name")?,
        channel: row.word("channel")?,
        category: row.word("category")?,
        default_locale: row.get("default_locale")?,
        variants: row.json("variants")?,
        variables: row.json("variables")?,
        version: row.get("version")?,
        created_at: Timestamp::from_micros(row.get("created_at")?),
        updated_at: Timestamp::from_micros(row.get("updated_at")?),
    })
}

pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Corrupt { column: "templates", problem: error.to_string() })
}
