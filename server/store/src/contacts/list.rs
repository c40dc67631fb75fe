use domain::{
    consent::{Consent, Subscription},
    ids::{ContactId, ImportId, TopicId},
    segment::Group,
    text::fold,
    time::Timestamp,
};
use sea_orm::Value;

use super::{COLUMNS, Stored, ids_json, load_topics, stored};
use crate::{
    ConnectionTrait, Kind, Result, all,
    batch::{self, Type},
    one, segments,
};

/// Up to so many matches of a search are gathered from its indexes and then sorted. More of them lie so dense that a
/// walk through the newest people finds a page of them soon.
const FEW: usize = 2_000;

/// Which people are wanted; everything given must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<'a> {
    /// The beginning of the phone's digits, of the name, or of its last word.
    pub q: Option<&'a str>,
    pub consent: Option<Consent>,
    pub topic: Option<TopicId>,
    pub import: Option<ImportId>,
    /// A segment's definition, and the instant that its relative times count from.
    pub segment: Option<(&'a Group, Timestamp)>,
}

impl Query<'_> {
    /// Whether the maintained counts answer how many there are.
    const fn is_counted(&self) -> bool {
        self.q.is_none() && self.topic.is_none() && self.import.is_none() && self.segment.is_none()
    }
}

/// A page of people with their topics, newest first, those before `before`.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &impl ConnectionTrait,
    query: &Query<'_>,
    before: Option<ContactId>,
    limit: u32,
) -> Result<Vec<Stored>> {
    let kind = Kind::of(db);
    let search = query.q.map(Search::new);
    let mut statement = Statement::default();
    if let Some(search) = &search {
        match search.few(db).await? {
            Some(matches) => statement.only(kind, &matches)?,
            None => statement.filter_text(kind, search, Use::Walk),
        }
    }
    statement.filter(kind, query)?;
    let order = statement.order();
    if let Some(before) = before {
        let parameter = statement.bind(before.0.into());
        statement.filters.push(format!("{order} < {parameter}"));
    }
    let limit = statement.bind(i64::from(limit).into());
    let text = format!("SELECT {COLUMNS} FROM {} ORDER BY {order} DESC LIMIT {limit}", statement.tables_and_filters());
    let mut people = all(db, text, statement.values).await?.iter().map(stored).collect::<Result<Vec<_>>>()?;
    load_topics(db, &mut people).await?;
    Ok(people)
}

/// Whom a search finds.
pub(crate) enum Matches {
    Few(Vec<ContactId>),
    /// They lie dense: a condition for a walk through people who are called `c`.
    Many(String),
}

/// Whom a search finds; the condition's values are added to those of the statement.
pub(crate) async fn matches(db: &impl ConnectionTrait, q: &str, values: &mut Vec<Value>) -> Result<Matches> {
    let search = Search::new(q);
    if let Some(few) = search.few(db).await? {
        return Ok(Matches::Few(few));
    }
    let mut statement = Statement { values: std::mem::take(values), ..Statement::default() };
    statement.filter_text(Kind::of(db), &search, Use::Walk);
    *values = statement.values;
    Ok(Matches::Many(statement.filters.join(" AND ")))
}

/// How many people there are like this.
///
/// # Errors
/// What the database says.
pub async fn count(db: &impl ConnectionTrait, query: &Query<'_>) -> Result<i64> {
    if query.is_counted() {
        let counts = count_by_consent(db).await?;
        let wanted = counts.iter().filter(|(consent, _)| query.consent.is_none_or(|wanted| wanted == *consent));
        return Ok(wanted.map(|(_, count)| count).sum());
    }
    let kind = Kind::of(db);
    let mut statement = Statement::default();
    if let Some(q) = query.q {
        statement.filter_text(kind, &Search::new(q), Use::Index);
    }
    statement.filter(kind, query)?;
    one(db, statement.count(), statement.values).await?.map_or(Ok(0), |row| row.get("n"))
}

/// The maintained counts.
///
/// # Errors
/// What the database says.
pub async fn count_by_consent(db: &impl ConnectionTrait) -> Result<Vec<(Consent, i64)>> {
    let rows = all(db, "SELECT consent, count FROM contact_counts", Vec::new()).await?;
    rows.iter().map(|row| Ok((row.word("consent")?, row.get("count")?))).collect()
}

/// A statement being put together.
#[derive(Default)]
struct Statement {
    driver: Option<Driver>,
    /// What must hold of the people.
    filters: Vec<String>,
    values: Vec<Value>,
}

/// A table whose index gives the ids in their order: it is walked, and the people are looked up.
struct Driver {
    table: String,
    alias: &'static str,
    /// What must hold of its rows.
    filter: Option<String>,
}

impl Statement {
    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// Only these people.
    fn only(&mut self, kind: Kind, ids: &[ContactId]) -> Result<()> {
        let parameter = self.bind(ids_json(ids)?.into());
        let table = batch::table(kind, "b", &parameter, &[("contact_id", Type::BigInt)]);
        self.driver = Some(Driver { table, alias: "b", filter: None });
        Ok(())
    }

    /// Only people with such a row in `table`.
    fn with_row(&mut self, table: &str, alias: &'static str, filter: String) {
        let table = format!("{table} {alias}");
        if self.driver.is_none() {
            self.driver = Some(Driver { table, alias, filter: Some(filter) });
        } else {
            self.filters
                .push(format!("EXISTS (SELECT 1 FROM {table} WHERE {filter} AND {alias}.contact_id = c.contact_id)"));
        }
    }

    fn filter_text(&mut self, kind: Kind, search: &Search, by: Use) {
        let mut alternatives = Vec::new();
        for range in search.ranges() {
            let from = self.bind(range.from.into());
            let to = self.bind(range.to.into());
            alternatives.push(range.column.between(kind, by, &from, &to));
        }
        self.filters.push(match alternatives.len() {
            0 => "1 = 0".to_owned(),
            _ => format!("({})", alternatives.join(" OR ")),
        });
    }

    fn filter(&mut self, kind: Kind, query: &Query<'_>) -> Result<()> {
        if let Some(import) = query.import {
            let import = self.bind(import.0.into());
            self.with_row("import_contacts", "i", format!("i.import_id = {import}"));
        }
        if let Some(topic) = query.topic {
            let topic = self.bind(topic.0.into());
            let state = self.bind(Subscription::Subscribed.as_str().into());
            self.with_row("subscriptions", "s", format!("s.topic_id = {topic} AND s.state = {state}"));
        }
        if let Some(consent) = query.consent {
            let consent = self.bind(consent.as_str().into());
            self.filters.push(format!("c.consent = {consent}"));
        }
        if let Some((definition, now)) = query.segment {
            let (condition, values) = segments::compile(kind, definition, now, self.values.len() + 1)?;
            self.values.extend(values);
            self.filters.push(format!("({condition})"));
        }
        Ok(())
    }

    /// The column that lists go by.
    fn order(&self) -> String {
        format!("{}.contact_id", self.driver.as_ref().map_or("c", |driver| driver.alias))
    }

    /// FROM and WHERE. CROSS JOIN with the condition in WHERE is an inner join for PostgreSQL, and tells SQLite in which
    /// order to join.
    fn tables_and_filters(&self) -> String {
        let mut text = "contacts c".to_owned();
        let mut filters = Vec::new();
        if let Some(driver) = &self.driver {
            text = format!("{} CROSS JOIN contacts c", driver.table);
            filters.push(format!("c.contact_id = {}.contact_id", driver.alias));
            filters.extend(driver.filter.clone());
        }
        filters.extend(self.filters.iter().cloned());
        if !filters.is_empty() {
            text.push_str(" WHERE ");
            text.push_str(&filters.join(" AND "));
        }
        text
    }

    /// Subscriptions and memberships are counted without looking at the people, where nothing else is asked for.
    fn count(&self) -> String {
        let tables_and_filters = match &self.driver {
            Some(Driver { table, filter: Some(filter), .. }) if self.filters.is_empty() => {
                format!("{table} WHERE {filter}")
            }
            _ => self.tables_and_filters(),
        };
        format!("SELECT CAST(count(*) AS bigint) AS n FROM {tables_and_filters}")
    }
}

/// What is searched for.
struct Search {
    /// `+` and the digits, where the text consists of such.
    phone: Option<String>,
    name: String,
}

#[derive(Clone, Copy)]
enum Column {
    Phone,
    Name,
    LastName,
}

/// How a range is to be found.
#[derive(Clone, Copy)]
enum Use {
    /// By the column's index.
    Index,
    /// By walking through the newest people: the column is made an expression that no index serves, because both
    /// databases would rather sort all matches.
    Walk,
}

/// All values of a column that begin alike.
struct Range {
    column: Column,
    from: String,
    to: String,
}

impl Column {
    const fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Name => "name_folded",
            Self::LastName => "name_last_folded",
        }
    }

    /// The condition, in bytewise operators: those that the column's index serves.
    fn between(self, kind: Kind, by: Use, from: &str, to: &str) -> String {
        let column = format!("c.{}", self.name());
        let (at_least, below) = match kind {
            Kind::Postgres => ("~>=~", "~<~"),
            Kind::Sqlite => (">=", "<"),
        };
        match (by, self) {
            (Use::Walk, _) => format!("(({column} || '') {at_least} {from} AND ({column} || '') {below} {to})"),
            (Use::Index, Self::Phone) => format!("({column} {at_least} {from} AND {column} {below} {to})"),
            // As the partial indexes have it.
            (Use::Index, Self::Name | Self::LastName) => {
                format!("({column} {at_least} {from} AND {column} {below} {to} AND {column} <> '')")
            }
        }
    }
}

impl Search {
    fn new(text: &str) -> Self {
        let text = text.trim();
        let is_phone = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')' | '.'));
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let digits = digits.strip_prefix("00").unwrap_or(&digits);
        Self { phone: (is_phone && !digits.is_empty()).then(|| format!("+{digits}")), name: fold(text).into_owned() }
    }

    fn ranges(&self) -> Vec<Range> {
        let range = |column, prefix: &str| Range {
            column,
            from: prefix.to_owned(),
            // Bytewise, nothing that begins with the prefix comes after this.
            to: format!("{prefix}{}", char::MAX),
        };
        let mut ranges: Vec<Range> = self.phone.iter().map(|phone| range(Column::Phone, phone)).collect();
        if self.phone.is_none() && !self.name.is_empty() {
            ranges.extend([range(Column::Name, &self.name), range(Column::LastName, &self.name)]);
        }
        ranges
    }

    /// The matches, if they are few.
    async fn few(&self, db: &impl ConnectionTrait) -> Result<Option<Vec<ContactId>>> {
        let kind = Kind::of(db);
        let mut values: Vec<Value> = Vec::new();
        let mut arms = Vec::new();
        for Range { column, from, to } in self.ranges() {
            values.extend([from.into(), to.into()]);
            let (from, to) = (format!("${}", values.len() - 1), format!("${}", values.len()));
            arms.push(format!(
                "SELECT c.contact_id FROM contacts c WHERE {}",
                column.between(kind, Use::Index, &from, &to)
            ));
        }
        if arms.is_empty() {
            return Ok(Some(Vec::new()));
        }
        values.push(i64::try_from(FEW + 1).unwrap_or(i64::MAX).into());
        let text = format!("SELECT contact_id FROM ({}) AS matches LIMIT ${}", arms.join(" UNION ALL "), values.len());
        let rows = all(db, text, values).await?;
        if rows.len() > FEW {
            return Ok(None);
        }
        let mut ids = rows.iter().map(|row| Ok(ContactId(row.get("contact_id")?))).collect::<Result<Vec<_>>>()?;
        ids.sort_unstable();
        ids.dedup();
        Ok(Some(ids))
    }
}

#[cfg(test)]
mod tests {
    use super::Search;

    #[test]
    fn digits_are_looked_for_in_numbers_and_words_in_names() {
        assert_eq!(Search::new(" +94 77-12").phone.as_deref(), Some("+947712"));
        assert_eq!(Search::new("009477").phone.as_deref(), Some("+9477"));
        assert_eq!(Search::new("Ann LEE ").name, "ann lee");
        assert_eq!(Search::new("Ann").phone, None);
        assert!(Search::new("+").ranges().len() == 2, "a lone plus sign is no number");
    }
}
