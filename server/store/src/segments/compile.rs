//! A definition as SQL: one boolean expression over a row of `contacts` named `c`, the same people on both databases.
//!
//! Every value, attribute name and id is bound. Every expression is true or false, never null, so that `NOT` means what
//! it says.

use std::ops::Bound;

use domain::{
    segment::{Combinator, Condition, Field, Group, Node, Range, Rule, Scalar, Search, Test},
    time::Timestamp,
};
use sea_orm::Value;

use super::attribute::Attribute;
use crate::{Error, Kind, Result};

/// The SQL of a definition and its values; `first_parameter` is the number of its first `$n`. Relative times count back
/// from `now`. Other segments must be inlined before (see [`super::inline`]).
///
/// # Errors
/// When a rule is not valid: the definition was not read by `domain::segment::parse`.
pub fn compile(kind: Kind, definition: &Group, now: Timestamp, first_parameter: usize) -> Result<(String, Vec<Value>)> {
    let mut compiler = Compiler { kind, now, first_parameter, values: Vec::new() };
    let sql = compiler.group(definition)?;
    Ok((sql, compiler.values))
}

const LAST_READ_AT: &str = "(SELECT l.last_read_at FROM contact_reads l WHERE l.contact_id = c.contact_id)";

pub(super) struct Compiler {
    pub kind: Kind,
    now: Timestamp,
    first_parameter: usize,
    values: Vec<Value>,
}

impl Compiler {
    /// Binds a value and gives the `$n` that stands for it.
    pub fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.first_parameter + self.values.len() - 1)
    }

    fn group(&mut self, group: &Group) -> Result<String> {
        let nodes: Vec<String> = group.rules.iter().map(|node| self.node(node)).collect::<Result<_>>()?;
        let sql = match (nodes.len(), group.combinator) {
            (0, _) => "TRUE".to_owned(),
            (_, Combinator::And) => format!("({})", nodes.join(" AND ")),
            (_, Combinator::Or) => format!("({})", nodes.join(" OR ")),
        };
        Ok(if group.not { format!("NOT {sql}") } else { sql })
    }

    fn node(&mut self, node: &Node) -> Result<String> {
        match node {
            Node::Group(group) => self.group(group),
            Node::Rule(rule) => self.rule(rule),
        }
    }

    fn rule(&mut self, rule: &Rule) -> Result<String> {
        let condition = Condition::of(rule).map_err(|fault| invalid(fault.message))?;
        let sql = match &condition.field {
            Field::Phone => self.text("c.phone", &condition.test, false)?,
            Field::Consent => self.text("c.consent", &condition.test, false)?,
            Field::Country => self.text("c.country", &condition.test, true)?,
            Field::Timezone => self.text("c.timezone", &condition.test, true)?,
            Field::Locale => self.text("c.locale", &condition.test, true)?,
            Field::CreatedAt => self.time("c.created_at", &condition.test, false)?,
            Field::UpdatedAt => self.time("c.updated_at", &condition.test, false)?,
            Field::LastInboundAt => self.time("c.last_inbound_at", &condition.test, true)?,
            Field::LastReadAt => self.time(LAST_READ_AT, &condition.test, true)?,
            Field::Topic => self.topic(&condition.test)?,
            Field::Import => self.import(&condition.test)?,
            Field::CampaignState(campaign) => self.campaign(campaign.0, &condition.test)?,
            Field::Segment => return Err(invalid("a segment inside was not inlined")),
            Field::Attribute(path) => Attribute::new(self, path).test(self, &condition.test)?,
        };
        Ok(if condition.negated { format!("NOT {sql}") } else { sql })
    }

    fn text(&mut self, column: &str, test: &Test, nullable: bool) -> Result<String> {
        let sql = match test {
            Test::Present if nullable => return Ok(format!("({column} IS NOT NULL)")),
            Test::Present => return Ok("TRUE".to_owned()),
            Test::OneOf(scalars) => {
                let texts: Vec<&str> = scalars.iter().filter_map(as_text).collect();
                self.one_of(column, &texts)
            }
            Test::Search(search, needle) => {
                let folded = lower(self.kind, column);
                self.search(*search, &folded, needle)
            }
            _ => return Err(invalid("a text is not compared like this")),
        };
        Ok(guarded(column, sql, nullable))
    }

    fn time(&mut self, column: &str, test: &Test, nullable: bool) -> Result<String> {
        let sql = match test {
            Test::Present if nullable => return Ok(format!("({column} IS NOT NULL)")),
            Test::Present => return Ok("TRUE".to_owned()),
            Test::OneOf(scalars) => {
                let times = scalars.iter().filter_map(|scalar| match scalar {
                    Scalar::Time(time) => Some(self.bind(time.as_micros())),
                    _ => None,
                });
                format!("{column} IN ({})", times.collect::<Vec<_>>().join(", "))
            }
            test => self.instant(column, test)?,
        };
        Ok(guarded(column, sql, nullable))
    }

    /// A comparison of instants, where `column` gives microseconds.
    pub fn instant(&mut self, column: &str, test: &Test) -> Result<String> {
        Ok(match test {
            Test::Times(range) => self.range(column, range, |compiler, time| compiler.bind(time.as_micros())),
            Test::WithinLast(micros) => {
                let (from, to) = self.recent(*micros);
                format!("({column} >= {from} AND {column} <= {to})")
            }
            Test::NotWithinLast(micros) => {
                let (from, to) = self.recent(*micros);
                format!("({column} < {from} OR {column} > {to})")
            }
            _ => return Err(invalid("a time is not compared like this")),
        })
    }

    fn recent(&mut self, micros: i64) -> (String, String) {
        let from = self.now.plus(-micros).as_micros();
        (self.bind(from), self.bind(self.now.as_micros()))
    }

    /// `column` between the ends of a range, each bound by `bind`.
    pub fn range<T>(&mut self, column: &str, range: &Range<T>, bind: impl Fn(&mut Self, &T) -> String) -> String {
        let mut ends = Vec::new();
        match &range.0 {
            Bound::Included(low) => ends.push(format!("{column} >= {}", bind(self, low))),
            Bound::Excluded(low) => ends.push(format!("{column} > {}", bind(self, low))),
            Bound::Unbounded => {}
        }
        match &range.1 {
            Bound::Included(high) => ends.push(format!("{column} <= {}", bind(self, high))),
            Bound::Excluded(high) => ends.push(format!("{column} < {}", bind(self, high))),
            Bound::Unbounded => {}
        }
        format!("({})", ends.join(" AND "))
    }

    /// `text` (already folded) searched for a folded needle. No LIKE: it differs between the databases, and its
    /// wildcards would have to be escaped.
    pub fn search(&mut self, search: Search, text: &str, needle: &str) -> String {
        let length = i32::try_from(needle.chars().count()).unwrap_or(i32::MAX);
        let needle = self.bind(needle);
        match (search, self.kind) {
            (Search::Contains, Kind::Postgres) => format!("(strpos({text}, {needle}) > 0)"),
            (Search::Contains, Kind::Sqlite) => format!("(instr({text}, {needle}) > 0)"),
            (Search::BeginsWith, _) => format!("(substr({text}, 1, {length}) = {needle})"),
            (Search::EndsWith, Kind::Postgres) => format!("(right({text}, {length}) = {needle})"),
            (Search::EndsWith, Kind::Sqlite) => format!("(substr({text}, -{length}) = {needle})"),
        }
    }

    /// `column` equals one of the texts; many of them travel in one parameter.
    pub fn one_of(&mut self, column: &str, texts: &[&str]) -> String {
        if let [text] = texts {
            return format!("({column} = {})", self.bind(*text));
        }
        let list = self.bind(serde_json::Value::from(texts).to_string());
        match self.kind {
            Kind::Postgres => format!("({column} IN (SELECT jsonb_array_elements_text(CAST({list} AS jsonb))))"),
            Kind::Sqlite => format!("({column} IN (SELECT value FROM json_each({list})))"),
        }
    }

    fn topic(&mut self, test: &Test) -> Result<String> {
        let Test::OneOf(keys) = test else { return Err(invalid("a topic is not compared like this")) };
        let keys: Vec<&str> = keys.iter().filter_map(as_text).collect();
        let keys = self.one_of("t.key", &keys);
        Ok(format!(
            "EXISTS (SELECT 1 FROM subscriptions s WHERE s.contact_id = c.contact_id AND s.state = 'subscribed' \
             AND s.topic_id IN (SELECT t.id FROM topics t WHERE {keys}))"
        ))
    }

    fn import(&mut self, test: &Test) -> Result<String> {
        let Test::OneOf(ids) = test else { return Err(invalid("an import is not compared like this")) };
        let ids = ids.iter().filter_map(|scalar| match scalar {
            Scalar::Id(id) => Some(self.bind(*id)),
            _ => None,
        });
        let ids = ids.collect::<Vec<_>>().join(", ");
        Ok(format!(
            "EXISTS (SELECT 1 FROM import_contacts i WHERE i.contact_id = c.contact_id AND i.import_id IN ({ids}))"
        ))
    }

    /// The state of the person's message in the campaign's latest run that was not only a rehearsal.
    fn campaign(&mut self, campaign: uuid::Uuid, test: &Test) -> Result<String> {
        let campaign = self.bind(campaign);
        let states = match test {
            Test::Present => String::new(),
            Test::OneOf(states) => {
                let ranks: Vec<String> = states
                    .iter()
                    .filter_map(|scalar| match scalar {
                        Scalar::State(state) => Some(state.rank().to_string()),
                        _ => None,
                    })
                    .collect();
                format!(" AND m.state IN ({})", ranks.join(", "))
            }
            _ => return Err(invalid("a state is not compared like this")),
        };
        Ok(format!(
            "EXISTS (SELECT 1 FROM messages m WHERE m.contact_id = c.contact_id AND m.run_id = (SELECT r.id FROM runs r \
             WHERE r.campaign_id = {campaign} AND r.status <> 'rehearsed' AND NOT r.rehearsal \
             ORDER BY r.number DESC LIMIT 1){states})"
        ))
    }
}

/// Lower case of ASCII letters only: other letters were folded by the program.
pub(super) fn lower(kind: Kind, text: &str) -> String {
    match kind {
        Kind::Postgres => format!("lower(({text}) COLLATE \"C\")"),
        Kind::Sqlite => format!("lower({text})"),
    }
}

fn guarded(column: &str, sql: String, nullable: bool) -> String {
    if nullable { format!("({column} IS NOT NULL AND {sql})") } else { sql }
}

pub(super) fn as_text(scalar: &Scalar) -> Option<&str> {
    match scalar {
        Scalar::Text(text) => Some(text),
        _ => None,
    }
}

pub(super) fn invalid(problem: impl Into<String>) -> Error {
    Error::Corrupt { column: "definition", problem: problem.into() }
}
