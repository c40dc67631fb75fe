//! Batches of the statements that every message and every callback go through. On PostgreSQL each column is a parameter
//! of its own, an array, which it reads for a small part of what JSON costs it; on SQLite the batch is one JSON text,
//! as elsewhere (decision 4).

use std::fmt::Write as _;

use sea_orm::{Value, sea_query::ArrayType};

use super::Type;
use crate::{Error, Kind, Result};

/// A column of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    name: &'static str,
    of: Type,
    nullable: bool,
}

/// A column that is never null.
pub(crate) const fn column(name: &'static str, of: Type) -> Column {
    Column { name, of, nullable: false }
}

/// A column that may be null.
pub(crate) const fn nullable(name: &'static str, of: Type) -> Column {
    Column { name, of, nullable: true }
}

/// One value of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'a> {
    Null,
    BigInt(i64),
    Int(i32),
    SmallInt(i16),
    Bool(bool),
    Text(&'a str),
}

macro_rules! cell_from {
    ($($of:ty => $cell:ident),* $(,)?) => {
        $(impl From<$of> for Cell<'_> {
            fn from(value: $of) -> Self {
                Self::$cell(value)
            }
        })*
    };
}
cell_from!(i64 => BigInt, i32 => Int, i16 => SmallInt, bool => Bool);

impl<'a> From<&'a str> for Cell<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Rows of so many columns, as parameters of one statement whose text is the same for every number of rows.
#[derive(Debug)]
pub(crate) struct Columns<const N: usize> {
    kind: Kind,
    columns: [Column; N],
    rows: usize,
    data: Data,
    /// A column that was given what it cannot hold.
    broken: Option<&'static str>,
}

#[derive(Debug)]
enum Data {
    /// For each column its array.
    Arrays(Vec<Array>),
    /// A JSON array of rows, each an array; without its end.
    Json(String),
}

/// An array parameter. The values of a nullable column travel as PostgreSQL's own text of an array, because the binding
/// of arrays has no nulls.
#[derive(Debug)]
enum Array {
    Binary(Vec<Value>),
    Text(String),
}

impl<const N: usize> Columns<N> {
    pub fn new(kind: Kind, columns: [Column; N]) -> Self {
        let data = match kind {
            Kind::Postgres => Data::Arrays(columns.iter().map(Array::of).collect()),
            Kind::Sqlite => Data::Json("[".to_owned()),
        };
        Self { kind, columns, rows: 0, data, broken: None }
    }

    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub const fn len(&self) -> usize {
        self.rows
    }

    /// Adds a row: its values in the order of the columns.
    pub fn push(&mut self, row: [Cell<'_>; N]) {
        for (column, cell) in self.columns.iter().zip(&row) {
            if !column.holds(*cell) {
                self.broken = Some(column.name);
                return;
            }
        }
        match &mut self.data {
            Data::Arrays(arrays) => arrays.iter_mut().zip(row).for_each(|(array, cell)| array.push(cell)),
            Data::Json(text) => push_json(text, &row),
        }
        self.rows += 1;
    }

    /// The batch as a table named `name`, to stand in a FROM clause. Its parameters come behind those that are in
    /// `values` already.
    ///
    /// # Errors
    /// When a column was given what it cannot hold: a bug.
    pub fn table(self, name: &str, values: &mut Vec<Value>) -> Result<String> {
        if let Some(column) = self.broken {
            return Err(Error::Corrupt { column, problem: "a batch's column cannot hold this".to_owned() });
        }
        let first = values.len() + 1;
        match self.data {
            Data::Arrays(arrays) => {
                let types: Vec<ArrayType> = self.columns.iter().map(|column| array_type(column.of)).collect();
                values.extend(arrays.into_iter().zip(types).map(|(array, of)| array.into_value(of)));
            }
            Data::Json(mut text) => {
                text.push(']');
                values.push(text.into());
            }
        }
        Ok(match self.kind {
            Kind::Postgres => postgres(name, first, &self.columns),
            Kind::Sqlite => sqlite(name, first, &self.columns),
        })
    }
}

impl Column {
    const fn holds(&self, cell: Cell<'_>) -> bool {
        match (cell, self.of) {
            (Cell::Null, _) => self.nullable,
            (Cell::BigInt(_), Type::BigInt)
            | (Cell::Int(_), Type::Int)
            | (Cell::SmallInt(_), Type::SmallInt)
            | (Cell::Bool(_), Type::Bool)
            | (Cell::Text(_), Type::Text) => true,
            _ => false,
        }
    }
}

impl Array {
    const fn of(column: &Column) -> Self {
        if column.nullable { Self::Text(String::new()) } else { Self::Binary(Vec::new()) }
    }

    fn push(&mut self, cell: Cell<'_>) {
        match self {
            Self::Binary(values) => values.push(match cell {
                Cell::Null => return,
                Cell::BigInt(value) => value.into(),
                Cell::Int(value) => value.into(),
                Cell::SmallInt(value) => value.into(),
                Cell::Bool(value) => value.into(),
                Cell::Text(value) => without_nul(value).into(),
            }),
            Self::Text(text) => {
                text.push(if text.is_empty() { '{' } else { ',' });
                push_array_text(text, cell);
            }
        }
    }

    fn into_value(self, of: ArrayType) -> Value {
        match self {
            Self::Binary(values) => Value::Array(of, Some(Box::new(values))),
            Self::Text(text) if text.is_empty() => "{}".into(),
            Self::Text(text) => (text + "}").into(),
        }
    }
}

fn push_array_text(text: &mut String, cell: Cell<'_>) {
    // Writing into a String never fails.
    let _ = match cell {
        Cell::Null => text.write_str("NULL"),
        Cell::BigInt(value) => write!(text, "{value}"),
        Cell::Int(value) => write!(text, "{value}"),
        Cell::SmallInt(value) => write!(text, "{value}"),
        Cell::Bool(value) => write!(text, "{value}"),
        Cell::Text(value) => {
            text.push('"');
            for character in value.chars() {
                match character {
                    '"' | '\\' => text.extend(['\\', character]),
                    '\0' => text.push('\u{fffd}'),
                    _ => text.push(character),
                }
            }
            text.write_str("\"")
        }
    };
}

/// PostgreSQL's text cannot hold a NUL, and one value must not keep a whole batch from being written.
fn without_nul(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() }
}

fn push_json(text: &mut String, row: &[Cell<'_>]) {
    if text.len() > 1 {
        text.push(',');
    }
    for (index, cell) in row.iter().enumerate() {
        text.push(if index == 0 { '[' } else { ',' });
        let _ = match *cell {
            Cell::Null => text.write_str("null"),
            Cell::BigInt(value) => write!(text, "{value}"),
            Cell::Int(value) => write!(text, "{value}"),
            Cell::SmallInt(value) => write!(text, "{value}"),
            Cell::Bool(value) => write!(text, "{value}"),
            Cell::Text(value) => write!(text, "{}", serde_json::Value::from(without_nul(value))),
        };
    }
    text.push(']');
}

const fn array_type(of: Type) -> ArrayType {
    match of {
        Type::BigInt => ArrayType::BigInt,
        Type::Int => ArrayType::Int,
        Type::SmallInt => ArrayType::SmallInt,
        Type::Bool => ArrayType::Bool,
        Type::Text | Type::Bytes | Type::Uuid | Type::Json => ArrayType::String,
    }
}

fn postgres(name: &str, first: usize, columns: &[Column]) -> String {
    let arrays: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let through = if column.nullable { "text::" } else { "" };
            format!("${}::{through}{}[]", first + index, column.of.postgres())
        })
        .collect();
    format!("unnest({}) AS {name}({})", arrays.join(", "), names(columns))
}

fn sqlite(name: &str, parameter: usize, columns: &[Column]) -> String {
    let selected: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| format!("{} AS {}", column.of.sqlite(&index.to_string()), column.name))
        .collect();
    format!("(SELECT {} FROM json_each(${parameter})) AS {name}", selected.join(", "))
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] =
        [column("id", Type::BigInt), nullable("reason", Type::Text), nullable("code", Type::Int)];

    fn batch(kind: Kind) -> Columns<3> {
        let mut batch = Columns::new(kind, COLUMNS);
        batch.push([1_i64.into(), Some("say \"NULL\"\\\0").into(), None::<i32>.into()]);
        batch.push([2_i64.into(), None::<&str>.into(), 7_i32.into()]);
        batch
    }

    #[test]
    fn postgres_gets_an_array_for_each_column() {
        let mut values: Vec<Value> = vec![9_i64.into()];
        let table = batch(Kind::Postgres).table("b", &mut values).expect("it fits");
        assert_eq!(table, "unnest($2::bigint[], $3::text::text[], $4::text::integer[]) AS b(id, reason, code)");
        let ids = Value::Array(ArrayType::BigInt, Some(Box::new(vec![1_i64.into(), 2_i64.into()])));
        assert_eq!(values[1..], [ids, r#"{"say \"NULL\"\\�",NULL}"#.into(), "{NULL,7}".into()]);
    }

    #[test]
    fn sqlite_gets_one_text() {
        let mut values = Vec::new();
        let table = batch(Kind::Sqlite).table("b", &mut values).expect("it fits");
        assert!(table.contains("json_each($1)) AS b"), "{table}");
        assert_eq!(values, [r#"[[1,"say \"NULL\"\\�",null],[2,null,7]]"#.into()]);
    }

    #[test]
    fn nothing_is_a_batch_too() {
        for (kind, empty) in [(Kind::Postgres, "{}"), (Kind::Sqlite, "[]")] {
            let mut values = Vec::new();
            Columns::new(kind, COLUMNS).table("b", &mut values).expect("it fits");
            assert_eq!(values.last(), Some(&empty.into()));
        }
    }

    #[test]
    fn what_a_column_cannot_hold_is_an_error() {
        let mut batch = Columns::new(Kind::Postgres, COLUMNS);
        batch.push([None::<i64>.into(), None::<&str>.into(), None::<i32>.into()]);
        assert!(batch.table("b", &mut Vec::new()).is_err());
    }
}
