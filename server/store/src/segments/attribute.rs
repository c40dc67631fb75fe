//! Tests on an attribute: `jsonb` on PostgreSQL, JSON text on SQLite.

use domain::segment::{Number, Scalar, Search, Test};
use serde_json::Value as Json;

use super::compile::{Compiler, as_text, lower};
use crate::{Kind, Result};

/// A list of values this long is looked up value by value in PostgreSQL's index; a longer one is one scan.
const INDEXED_LIST: usize = 20;

/// An attribute's SQL: its value, its type, and the same of its shadow (`domain::text::shadow`).
pub(super) struct Attribute<'a> {
    path: &'a [String],
    value: Place,
    shadow: Place,
}

/// A place in a JSON column.
struct Place {
    /// The value: jsonb on PostgreSQL; text, number or JSON text on SQLite.
    value: String,
    /// The value as text, where it is one.
    text: String,
    /// The name of its type; null when there is nothing.
    of: String,
}

impl<'a> Attribute<'a> {
    pub fn new(compiler: &mut Compiler, path: &'a [String]) -> Self {
        match compiler.kind {
            Kind::Postgres => {
                // `->` with a text finds keys of objects only, never places in lists.
                let steps: Vec<String> =
                    path.iter().map(|step| format!("CAST({} AS text)", compiler.bind(step.as_str()))).collect();
                let (last, before) =
                    steps.split_last().map_or(("''", &[][..]), |(last, before)| (last.as_str(), before));
                let place = |column: &str| {
                    let parent = before.iter().fold(column.to_owned(), |at, step| format!("{at} -> {step}"));
                    Place {
                        value: format!("({parent} -> {last})"),
                        text: format!("({parent} ->> {last})"),
                        of: format!("jsonb_typeof({parent} -> {last})"),
                    }
                };
                Self { path, value: place("c.attributes"), shadow: place("c.folded") }
            }
            Kind::Sqlite => {
                let quoted: Vec<String> = path.iter().map(|step| format!("\"{step}\"")).collect();
                let at = compiler.bind(format!("$.{}", quoted.join(".")));
                let place = |column: &str| Place {
                    value: format!("json_extract({column}, {at})"),
                    text: format!("json_extract({column}, {at})"),
                    of: format!("json_type({column}, {at})"),
                };
                Self { path, value: place("c.attributes"), shadow: place("c.folded") }
            }
        }
    }

    pub fn test(&self, compiler: &mut Compiler, test: &Test) -> Result<String> {
        let Self { value, shadow, .. } = self;
        Ok(match test {
            Test::Present => format!("(COALESCE({}, 'null') <> 'null')", value.of),
            Test::OneOf(scalars) => match compiler.kind {
                Kind::Postgres => self.one_of_postgres(compiler, scalars),
                Kind::Sqlite => self.one_of_sqlite(compiler, scalars),
            },
            Test::Search(search, needle) => self.search(compiler, *search, needle),
            Test::Numbers(range) => {
                let (types, number) = match compiler.kind {
                    Kind::Postgres => ("'number'", format!("CAST({} AS numeric)", value.value)),
                    Kind::Sqlite => ("'integer', 'real'", value.value.clone()),
                };
                let sql = compiler.range(&number, range, bind_number);
                format!("CASE WHEN {} IN ({types}) THEN {sql} ELSE FALSE END", value.of)
            }
            // A text that is a date has its instant in the shadow.
            Test::Times(_) | Test::WithinLast(_) | Test::NotWithinLast(_) => {
                let (of, instant) = match compiler.kind {
                    Kind::Postgres => ("number", format!("CAST({} AS bigint)", shadow.value)),
                    Kind::Sqlite => ("integer", shadow.value.clone()),
                };
                let sql = compiler.instant(&instant, test)?;
                format!("CASE WHEN {} = '{of}' THEN {sql} ELSE FALSE END", shadow.of)
            }
        })
    }

    /// Containment, which the index over all attributes serves.
    fn one_of_postgres(&self, compiler: &mut Compiler, scalars: &[Scalar]) -> String {
        let Self { value, .. } = self;
        if scalars.len() > INDEXED_LIST {
            let list = compiler.bind(scalars.iter().map(json).collect::<Json>().to_string());
            return format!(
                "CASE WHEN {} IN ('string', 'number', 'boolean') THEN CAST({list} AS jsonb) @> {} ELSE FALSE END",
                value.of, value.value
            );
        }
        let each: Vec<String> = scalars
            .iter()
            .map(|scalar| {
                let document =
                    self.path.iter().rev().fold(json(scalar), |inner, step| {
                        Json::Object(std::iter::once((step.clone(), inner)).collect())
                    });
                format!("c.attributes @> CAST({} AS jsonb)", compiler.bind(document.to_string()))
            })
            .collect();
        format!("({})", each.join(" OR "))
    }

    fn one_of_sqlite(&self, compiler: &mut Compiler, scalars: &[Scalar]) -> String {
        let Self { value, .. } = self;
        let mut parts = Vec::new();
        let texts: Vec<&str> = scalars.iter().filter_map(as_text).collect();
        if !texts.is_empty() {
            let among = compiler.one_of(&value.value, &texts);
            parts.push(format!("WHEN 'text' THEN {among}"));
        }
        let numbers: Vec<Json> =
            scalars.iter().filter(|scalar| matches!(scalar, Scalar::Number(_))).map(json).collect();
        if !numbers.is_empty() {
            let list = compiler.bind(Json::Array(numbers).to_string());
            for of in ["integer", "real"] {
                parts.push(format!("WHEN '{of}' THEN {} IN (SELECT value FROM json_each({list}))", value.value));
            }
        }
        for yes in [true, false] {
            if scalars.contains(&Scalar::Bool(yes)) {
                parts.push(format!("WHEN '{yes}' THEN TRUE"));
            }
        }
        format!("CASE {} {} ELSE FALSE END", value.of, parts.join(" "))
    }

    fn search(&self, compiler: &mut Compiler, search: Search, needle: &str) -> String {
        let Self { value, shadow, .. } = self;
        let string = match compiler.kind {
            Kind::Postgres => "string",
            Kind::Sqlite => "text",
        };
        let folded = format!(
            "CASE WHEN {} = '{string}' THEN {} ELSE {} END",
            shadow.of,
            shadow.text,
            lower(compiler.kind, &value.text)
        );
        let found = compiler.search(search, &folded, needle);
        let entry = match (search, compiler.kind) {
            (Search::Contains, Kind::Postgres) => {
                let needle = compiler.bind(needle);
                format!(
                    "WHEN 'array' THEN COALESCE({}, {}) @> to_jsonb(CAST({needle} AS text)) ",
                    shadow.value, value.value
                )
            }
            (Search::Contains, Kind::Sqlite) => {
                let needle = compiler.bind(needle);
                format!(
                    "WHEN 'array' THEN EXISTS (SELECT 1 FROM json_each(COALESCE({}, {})) e \
                     WHERE e.type = 'text' AND e.value = {needle}) ",
                    shadow.value, value.value
                )
            }
            _ => String::new(),
        };
        format!("CASE {} WHEN '{string}' THEN {found} {entry}ELSE FALSE END", value.of)
    }
}

fn json(scalar: &Scalar) -> Json {
    match scalar {
        Scalar::Text(text) => Json::from(text.as_str()),
        Scalar::Number(Number::Integer(integer)) => Json::from(*integer),
        Scalar::Number(Number::Real(real)) => Json::from(*real),
        Scalar::Bool(yes) => Json::from(*yes),
        Scalar::Time(_) | Scalar::Id(_) | Scalar::State(_) => Json::Null,
    }
}

/// A real number goes to PostgreSQL as decimal text: as a binary one it would pull the whole comparison down to it.
fn bind_number(compiler: &mut Compiler, number: &Number) -> String {
    match (number, compiler.kind) {
        (Number::Integer(integer), _) => compiler.bind(*integer),
        (Number::Real(real), Kind::Postgres) => format!("CAST({} AS numeric)", compiler.bind(real.to_string())),
        (Number::Real(real), Kind::Sqlite) => compiler.bind(*real),
    }
}
