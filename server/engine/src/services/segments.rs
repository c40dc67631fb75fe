//! Segments: who is meant (the pages say "audience").

use domain::{
    ids::{CampaignId, ImportId, SegmentId},
    page::{Page, PageRequest},
    problem::FieldError,
    role::Permission,
    segment::{
        self, Combinator, Condition, Field, Group, NewSegment, Node, Operator, Rule, Segment, SegmentPatch,
        SegmentPreview, SegmentVocabulary, Test,
    },
};
use serde_json::{Value, json};
use store::{
    ConnectionTrait, Tx,
    contacts::Query,
    segments::{self, References},
};

use crate::{
    Actor, Engine, Error, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    require,
    services::stale::{stale, stored_now},
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

    /// The segment of exactly the people in an imported file: the one that is there, or a new one.
    ///
    /// # Errors
    /// `NotFound` when there is no such import.
    pub async fn of_import(&self, actor: &Actor, import: ImportId) -> Result<Segment> {
        require(actor, Permission::Write)?;
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        let file = store::imports::find(&tx, import).await?.ok_or(Error::NotFound { what: "import" })?;
        let rule = Rule { field: "import".to_owned(), operator: Operator::Equal, value: json!(import) };
        let definition = Group { combinator: Combinator::And, not: false, rules: vec![Node::Rule(rule)] };
        let mentioning = segments::mentioning(&tx, &import.to_string()).await?;
        if let Some(there) = mentioning.into_iter().find(|segment| segment.definition == definition) {
            return Ok(there);
        }
        let id = SegmentId(self.0.new_uuid());
        let file = shortened(file.import.file_name.as_deref().unwrap_or("an unnamed file"));
        let name = free_name(&tx, format!("People in {file}")).await?;
        segments::insert(&tx, id, &name, &definition, now).await.map_err(|error| name_taken(error, &name))?;
        audit(&tx, actor, now, "create", id, &json!({ "name": name, "import": import })).await?;
        let segment = segments::find(&tx, id).await?.ok_or(NO_SEGMENT)?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(segment)
    }

    /// Changes name or definition. Runs that began keep the definition they began with.
    ///
    /// # Errors
    /// `Invalid` with the rules to correct, `NotFound`, `Stale`, `Conflict` for a name that is taken.
    pub async fn update(&self, actor: &Actor, id: SegmentId, patch: SegmentPatch) -> Result<Segment> {
        require(actor, Permission::Write)?;
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        let former = segments::find(&tx, id).await?.ok_or(NO_SEGMENT)?;
        if patch.version.is_some_and(|read| read != former.version) {
            return Err(stale_segment(&patch, &former));
        }
        let name = patch.name.as_deref().unwrap_or(&former.name);
        let (name, definition) = match &patch.definition {
            Some(definition) => checked(&tx, Some(id), name, definition).await?,
            None => (checked_name(name)?, former.definition.clone()),
        };
        if (&name, &definition) == (&former.name, &former.definition) {
            return Ok(former);
        }
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
    tx: &Tx,
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

/// So much of a name that there is room for some words beside it.
fn shortened(name: &str) -> String {
    name.chars().filter(|c| *c != '\0').take(NAME_MAX - 20).collect()
}

/// The name, with a number where another segment has it: files may be called the same.
async fn free_name(db: &impl ConnectionTrait, name: String) -> Result<String> {
    let mut number = 1;
    let mut free = name.clone();
    while segments::is_name(db, &free).await? {
        number += 1;
        free = format!("{name} ({number})");
    }
    Ok(free)
}

fn checked_name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.contains('\0') {
        return Err(Error::invalid("name", format!("Use 1 to {NAME_MAX} characters.")));
    }
    Ok(name.to_owned())
}

/// The audience of a campaign without those whom a rule leaves out. Others may mean the audience as it is, so that a new one
/// is made of it; one that was made like this, and that nothing else uses, takes the rule, too.
///
/// # Errors
/// `Invalid` when it would be too many rules, or too deep.
pub(crate) async fn narrowed(
    engine: &Engine,
    tx: &Tx,
    actor: &Actor,
    (audience, campaign): (&Segment, CampaignId),
    rule: Rule,
) -> Result<SegmentId> {
    let rule = Node::Rule(rule);
    let is_narrowed = audience.name.contains(NARROWED) && is_narrowed(&audience.definition);
    let mut definition = if is_narrowed { audience.definition.clone() } else { only(audience.id) };
    if definition.rules.contains(&rule) {
        return Ok(audience.id);
    }
    definition.rules.push(rule);
    let definition = serde_json::to_value(definition).map_err(Error::internal)?;
    let now = engine.now();
    if is_narrowed && !segments::is_shared(tx, audience.id, campaign).await? {
        let (name, definition) = checked(tx, Some(audience.id), &audience.name, &definition).await?;
        segments::update(tx, audience.id, &name, &definition, audience.version, now).await?;
        let detail = json!({ "name": name, "former_name": name, "definition": true });
        audit(tx, actor, now, "update", audience.id, &detail).await?;
        return Ok(audience.id);
    }
    let id = SegmentId(engine.new_uuid());
    let name = shortened(&audience.name);
    let name = free_name(tx, if is_narrowed { name } else { format!("{name}{NARROWED}") }).await?;
    let (name, definition) = checked(tx, Some(id), &name, &definition).await?;
    segments::insert(tx, id, &name, &definition, now).await.map_err(|error| name_taken(error, &name))?;
    audit(tx, actor, now, "create", id, &json!({ "name": name, "narrowed": audience.id })).await?;
    Ok(id)
}

/// Exactly the people of a segment.
fn only(id: SegmentId) -> Group {
    let rule = Rule { field: "segment".to_owned(), operator: Operator::Equal, value: json!(id) };
    Group { combinator: Combinator::And, not: false, rules: vec![Node::Rule(rule)] }
}

/// What the names of audiences end with that [`narrowed`] makes, and nearly nobody else's.
const NARROWED: &str = ", narrowed";

/// Whether it is another segment without some people, as [`narrowed`] makes them.
fn is_narrowed(definition: &Group) -> bool {
    let leaves_out = |node: &Node| match node {
        Node::Rule(rule) => {
            matches!((&*rule.field, rule.operator), ("country", Operator::NotEqual) | ("locale", Operator::NotIn))
        }
        Node::Group(_) => false,
    };
    let Some((Node::Rule(whole), rest)) = definition.rules.split_first() else { return false };
    let of_one = whole.field == "segment" && whole.operator == Operator::Equal;
    let all = definition.combinator == Combinator::And && !definition.not;
    all && of_one && !rest.is_empty() && rest.iter().all(leaves_out)
}

/// The definition with its segments inlined, when everything it names exists.
///
/// # Errors
/// `Invalid` with the rules to correct.
pub(crate) async fn usable(db: &impl ConnectionTrait, own: Option<SegmentId>, definition: &Group) -> Result<Group> {
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

/// The refusal of an edit of an earlier version; rules are told as one reads them.
fn stale_segment(patch: &SegmentPatch, stored: &Segment) -> Error {
    let error = stale(&SegmentPatch { definition: None, ..patch.clone() }, stored);
    let differs = |asked: &Value| segment::parse(asked).ok().as_ref() != Some(&stored.definition);
    match error {
        Error::Stale(mut fields) if patch.definition.as_ref().is_some_and(differs) => {
            fields.push(FieldError::new("definition", stored_now(&in_words(&stored.definition))));
            Error::Stale(fields)
        }
        other => other,
    }
}

/// `consent = "opted_in" and (attributes.city = "Kandy" or attributes.city null)`.
fn in_words(group: &Group) -> String {
    if group.rules.is_empty() {
        return "everybody".to_owned();
    }
    let parts = group.rules.iter().map(|node| match node {
        Node::Group(inner) => format!("({})", in_words(inner)),
        Node::Rule(Rule { field, operator, value: Value::Null }) => format!("{field} {operator}"),
        Node::Rule(Rule { field, operator, value }) => format!("{field} {operator} {value}"),
    });
    let words = parts.collect::<Vec<_>>().join(&format!(" {} ", group.combinator));
    if group.not { format!("not ({words})") } else { words }
}

fn name_taken(error: store::Error, name: &str) -> Error {
    match error {
        store::Error::Duplicate(_) => Error::Conflict(format!("There is an audience with the name “{name}” already.")),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_told_as_one_reads_them() {
        let words = |definition: Value| in_words(&segment::parse(&definition).unwrap());
        assert_eq!(words(json!({"combinator": "and", "rules": []})), "everybody");
        let city = json!({"field": "attributes.city", "operator": "=", "value": "Kandy"});
        let unknown = json!({"field": "attributes.city", "operator": "null"});
        let inner = json!({"combinator": "or", "rules": [city, unknown]});
        let consent = json!({"field": "consent", "operator": "=", "value": "opted_in"});
        assert_eq!(
            words(json!({"combinator": "and", "not": true, "rules": [consent, inner]})),
            r#"not (consent = "opted_in" and (attributes.city = "Kandy" or attributes.city null))"#
        );
    }
}
