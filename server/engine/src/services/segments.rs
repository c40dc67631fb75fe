//! Segments: who is meant (the pages say "audience").

use domain::{
    ids::SegmentId,
    page::{Page, PageRequest},
    problem::FieldError,
    role::Permission,
    segment::{
        self, Condition, Field, Group, NewSegment, Segment, SegmentPatch, SegmentPreview, SegmentVocabulary, Test,
    },
};
use serde_json::{Value, json};
use store::{
    ConnectionTrait,
    contacts::Query,
    segments::{self, References},
};

use crate::{
    Actor, Engine, Error, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    require,
};

const NAME_MAX: usize = 100;

/// People shown of a segment.
const SAMPLE: u32 = 10;

const NO_SEGMENT: Error = Error::NotFound { what: "audience" };

/// See [`Engine::segments`].
pub struct Segments<'a>(&'a Engine);

impl Engine {
    /// Segments: who is meant (the pages say "audience").
    #[must_use]
    pub const fn segments(&self) -> Segments<'_> {
        Segments(self)
    }
}

impl Segments<'_> {
    /// A page of segments, newest first; with `q` those whose name contains it.
    ///
    /// # Errors
    /// `Invalid` for a bad cursor or limit.
    pub async fn list(&self, actor: &Actor, q: Option<&str>, page: &PageRequest) -> Result<Page<Segment>> {
        require(actor, Permission::Read)?;
        let before = Cursor::read(page, |parts| match parts {
            [id] => id.parse().ok(),
            _ => None,
        })?;
        let rows = segments::list(self.0.db().reader(), q, before, rows_to_ask_for(page)?).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.id])))
    }

    /// One segment.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, actor: &Actor, id: SegmentId) -> Result<Segment> {
        require(actor, Permission::Read)?;
        segments::find(self.0.db().reader(), id).await?.ok_or(NO_SEGMENT)
    }

    /// Stores a segment.
    ///
    /// # Errors
    /// `Invalid` with the rules to correct, `Conflict` when the name is taken.
    pub async fn create(&self, actor: &Actor, new: NewSegment) -> Result<Segment> {
        require(actor, Permission::Write)?;
        let now = self.0.now();
        let id = SegmentId(self.0.new_uuid());
        let tx = self.0.begin(actor).await?;
        let (name, definition) = checked(&tx, None, &new.name, &new.definition).await?;
        segments::insert(&tx, id, &name, &definition, now).await.map_err(|error| name_taken(error, &name))?;
        audit(&tx, actor, now, "create", id, &json!({ "name": name })).await?;
        let segment = segments::find(&tx, id).await?.ok_or(NO_SEGMENT)?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(segment)
    }

    /// Changes name or definition. Runs that began keep the definition they began with.
    ///
    /// # Errors
    /// `Invalid` with the rules to correct, `NotFound`, `Conflict` for a stale version or a name that is taken.
    pub async fn update(&self, actor: &Actor, id: SegmentId, patch: SegmentPatch) -> Result<Segment> {
        require(actor, Permission::Write)?;
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        let former = segments::find(&tx, id).await?.ok_or(NO_SEGMENT)?;
        if patch.version.is_some_and(|read| read != former.version) {
            return Err(store::Error::Stale.into());
        }
        let name = patch.name.as_deref().unwrap_or(&former.name);
        let (name, definition) = match &patch.definition {
            Some(definition) => checked(&tx, Some(id), name, definition).await?,
            None => (checked_name(name)?, former.definition),
        };
        segments::update(&tx, id, &name, &definition, former.version, now)
            .await
            .map_err(|error| name_taken(error, &name))?;
        let detail = json!({ "name": name, "former_name": former.name, "definition": patch.definition.is_some() });
        audit(&tx, actor, now, "update", id, &detail).await?;
        let segment = segments::find(&tx, id).await?.ok_or(NO_SEGMENT)?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(segment)
    }

    /// Removes a segment that nothing uses.
    ///
    /// # Errors
    /// `NotFound`, and `Conflict` naming the campaigns and segments that use it.
    pub async fn delete(&self, actor: &Actor, id: SegmentId) -> Result<()> {
        require(actor, Permission::Write)?;
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        let segment = segments::find(&tx, id).await?.ok_or(NO_SEGMENT)?;
        let used = segments::used_by(&tx, id).await?;
        if !used.is_empty() {
            let message = format!("The audience is used by {}. Change that first.", used.join(", "));
            return Err(Error::Conflict(message));
        }
        segments::delete(&tx, id).await?;
        audit(&tx, actor, now, "delete", id, &json!({ "name": segment.name })).await?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(())
    }

    /// How many people a definition means now, and ten of them.
    ///
    /// # Errors
    /// `Invalid` with the rules to correct.
    pub async fn preview(&self, actor: &Actor, definition: &Value) -> Result<SegmentPreview> {
        require(actor, Permission::Read)?;
        let db = self.0.db().reader();
        let definition = segment::parse(definition).map_err(Error::Invalid)?;
        let inlined = usable(db, None, &definition).await?;
        let query = Query { segment: Some((&inlined, self.0.now())), ..Query::default() };
        let count = store::contacts::count(db, &query).await?;
        let sample = store::contacts::list(db, &query, None, SAMPLE).await?;
        Ok(SegmentPreview { count, sample: sample.into_iter().map(|stored| stored.contact).collect() })
    }

    /// What rules can speak of: topics, imports, segments, campaigns, and the attributes of the people who came last.
    ///
    /// # Errors
    /// What the database says.
    pub async fn vocabulary(&self, actor: &Actor) -> Result<SegmentVocabulary> {
        require(actor, Permission::Read)?;
        Ok(segments::vocabulary(self.0.db().reader()).await?)
    }
}

async fn audit(
    tx: &store::Tx,
    actor: &Actor,
    now: domain::time::Timestamp,
    action: &str,
    id: SegmentId,
    detail: &Value,
) -> Result<()> {
    Ok(store::audit::append(tx, actor, now, action, ("segment", &id.to_string()), detail).await?)
}

/// Name and definition of the segment `own`, with everything that is wrong with them.
async fn checked(
    db: &impl ConnectionTrait,
    own: Option<SegmentId>,
    name: &str,
    definition: &Value,
) -> Result<(String, Group)> {
    match (checked_name(name), segment::parse(definition)) {
        (Ok(name), Ok(definition)) => {
            usable(db, own, &definition).await?;
            Ok((name, definition))
        }
        (Err(Error::Invalid(mut errors)), Err(more)) => {
            errors.extend(more);
            Err(Error::Invalid(errors))
        }
        (Err(error), _) => Err(error),
        (_, Err(errors)) => Err(Error::Invalid(errors)),
    }
}

fn checked_name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.contains('\0') {
        return Err(Error::invalid("name", format!("Use 1 to {NAME_MAX} characters.")));
    }
    Ok(name.to_owned())
}

/// The definition with its segments inlined, when everything it names exists.
async fn usable(db: &impl ConnectionTrait, own: Option<SegmentId>, definition: &Group) -> Result<Group> {
    let known = References::of(definition).existing(db).await?;
    let missing = segment::rules(definition).into_iter().filter_map(|(path, rule)| {
        let condition = Condition::of(rule).ok()?;
        let (part, what) = unknown(&condition, &known)?;
        Some(FieldError::new(format!("{path}.{part}"), format!("There is no {what}.")))
    });
    Error::unless_valid(missing.collect())?;
    segments::nest(db, definition, own).await?.map_err(|fault| {
        let rule = segment::rules(definition).into_iter().find(|(_, rule)| fault.lies_in(rule));
        Error::invalid(rule.map_or("definition".to_owned(), |(path, _)| format!("{path}.value")), fault.to_string())
    })
}

/// What a condition names that there is not, and in which part of the rule.
fn unknown(condition: &Condition, known: &References) -> Option<(&'static str, String)> {
    let mut named = References::default();
    named.add(condition);
    if let Field::CampaignState(id) = condition.field
        && !known.campaigns.contains(&id.0)
    {
        return Some(("field", format!("campaign {id}")));
    }
    if !matches!(condition.test, Test::OneOf(_)) {
        return None;
    }
    let topic = named.topics.difference(&known.topics).next().map(|key| format!("topic `{key}`"));
    let import = named.imports.difference(&known.imports).next().map(|id| format!("import {id}"));
    topic.or(import).map(|what| ("value", what))
}

fn name_taken(error: store::Error, name: &str) -> Error {
    match error {
        store::Error::Duplicate(_) => Error::Conflict(format!("There is an audience with the name “{name}” already.")),
        other => other.into(),
    }
}
