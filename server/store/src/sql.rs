//! Running one statement text on both databases.

use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::{ConnectionTrait, ExecResult, QueryResult, Statement, TryGetable, Value};

use crate::{Error, Kind, Result, Tx};

/// Statements and transactions since the program started.
static STATEMENTS: AtomicU64 = AtomicU64::new(0);
static TRANSACTIONS: AtomicU64 = AtomicU64::new(0);

/// How many statements were sent to the database, and how many transactions were begun, since the program started.
#[must_use]
pub fn counts() -> (u64, u64) {
    (STATEMENTS.load(Ordering::Relaxed), TRANSACTIONS.load(Ordering::Relaxed))
}

pub(crate) fn count_transaction() {
    TRANSACTIONS.fetch_add(1, Ordering::Relaxed);
}

/// A statement with `$1`, `$2` … parameters, which both databases read. `RUST_LOG=store::sql=trace` shows their texts; what
/// the parameters are is about people.
pub fn sql(db: &impl ConnectionTrait, text: impl Into<String>, values: Vec<Value>) -> Statement {
    STATEMENTS.fetch_add(1, Ordering::Relaxed);
    let text: String = text.into();
    tracing::trace!(statement = text.as_str(), "asked of the database");
    Statement::from_sql_and_values(db.get_database_backend(), text, values)
}

/// Runs a statement and returns how many rows it changed.
///
/// # Errors
/// What the database says.
pub async fn exec(db: &impl ConnectionTrait, text: impl Into<String>, values: Vec<Value>) -> Result<u64> {
    Ok(db.execute_raw(sql(db, text, values)).await.map(|done: ExecResult| done.rows_affected())?)
}

/// A statement that is to be carried out, and its parameters.
#[derive(Debug)]
pub(crate) struct Ready {
    pub text: String,
    pub values: Vec<Value>,
}

/// What the first of several statements is called that are carried out as one.
pub(crate) const FIRST: &str = "s0";

/// Carries out statements that write, of which none reads or writes what another one writes: as one on PostgreSQL, where
/// each would be a way there and back. There the others may read what the first one returns, as [`FIRST`]; on SQLite, where they
/// follow each other, what it wrote.
///
/// # Errors
/// What the database says.
pub(crate) async fn exec_together(tx: &Tx, statements: impl IntoIterator<Item = Ready>) -> Result<()> {
    let mut statements: Vec<Ready> = statements.into_iter().collect();
    if Kind::of(tx) == Kind::Postgres && statements.len() > 1 {
        statements = joined(statements).into_iter().collect();
    }
    for Ready { text, values } in statements {
        exec(tx, text, values).await?;
    }
    Ok(())
}

/// One statement that does what they do: all but the last in a WITH clause, the parameters of each behind the former ones'.
fn joined(statements: Vec<Ready>) -> Option<Ready> {
    let last = statements.len().checked_sub(1)?;
    let (mut text, mut values) = (String::new(), Vec::new());
    for (index, statement) in statements.into_iter().enumerate() {
        let own = renumbered(&statement.text, values.len());
        text += &match index {
            _ if index == last => own,
            0 => format!("WITH {FIRST} AS ({own}) "),
            _ => format!(", s{index} AS ({own}) "),
        };
        values.extend(statement.values);
    }
    Some(Ready { text, values })
}

/// The text with `$1` as the parameter behind so many.
fn renumbered(text: &str, behind: usize) -> String {
    let mut parts = text.split('$');
    let mut renumbered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        let number = number.parse().map_or_else(|_| number.to_owned(), |number: usize| (number + behind).to_string());
        renumbered.extend(["$", &number, rest]);
    }
    renumbered
}

/// All rows of a query. Keep them few: pages and batches, never a whole table.
///
/// # Errors
/// What the database says.
pub async fn all(db: &impl ConnectionTrait, text: impl Into<String>, values: Vec<Value>) -> Result<Vec<Row>> {
    Ok(db.query_all_raw(sql(db, text, values)).await?.into_iter().map(Row).collect())
}

/// The first row of a query, if there is one.
///
/// # Errors
/// What the database says.
pub async fn one(db: &impl ConnectionTrait, text: impl Into<String>, values: Vec<Value>) -> Result<Option<Row>> {
    Ok(db.query_one_raw(sql(db, text, values)).await?.map(Row))
}

/// A row, read column by column.
pub struct Row(QueryResult);

impl Row {
    /// The value of a column; give the type `Option<T>` where it may be null.
    ///
    /// # Errors
    /// When there is no such column or it holds another type.
    pub fn get<T: TryGetable>(&self, column: &str) -> Result<T> {
        Ok(self.0.try_get("", column)?)
    }

    /// A word of the domain stored as text.
    ///
    /// # Errors
    /// When the stored word is not one of them.
    pub fn word<T>(&self, column: &'static str) -> Result<T>
    where
        T: std::str::FromStr<Err = domain::UnknownWord>,
    {
        parse_word(column, &self.get::<String>(column)?)
    }

    /// A word of the domain that may be null.
    ///
    /// # Errors
    /// When the stored word is not one of them.
    pub fn word_or_null<T>(&self, column: &'static str) -> Result<Option<T>>
    where
        T: std::str::FromStr<Err = domain::UnknownWord>,
    {
        self.get::<Option<String>>(column)?.map(|word| parse_word(column, &word)).transpose()
    }

    /// A document stored as JSON text, or null.
    ///
    /// # Errors
    /// When it does not have the expected shape.
    pub fn json_or_null<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>> {
        let text = self.get::<Option<String>>(column)?;
        let read = text.map(|text| serde_json::from_str(&text)).transpose();
        read.map_err(|error| Error::Corrupt { column, problem: error.to_string() })
    }

    /// A document stored as JSON text.
    ///
    /// # Errors
    /// When it does not have the expected shape.
    pub fn json<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Result<T> {
        serde_json::from_str(&self.get::<String>(column)?)
            .map_err(|error| Error::Corrupt { column, problem: error.to_string() })
    }
}

fn parse_word<T: std::str::FromStr<Err = domain::UnknownWord>>(column: &'static str, word: &str) -> Result<T> {
    word.parse().map_err(|error: domain::UnknownWord| Error::Corrupt { column, problem: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(text: &str, value: i64) -> Ready {
        Ready { text: text.to_owned(), values: vec![value.into(), "word".into()] }
    }

    #[test]
    fn parameters_of_statements_that_go_together_stand_behind_each_other() {
        let statements = vec![ready("INSERT a VALUES ($1, $2)", 1), ready("UPDATE b SET x = $2 WHERE y = $1", 2)];
        let one = joined(statements).expect("there are two");
        assert_eq!(one.text, "WITH s0 AS (INSERT a VALUES ($1, $2)) UPDATE b SET x = $4 WHERE y = $3");
        assert_eq!(one.values, [1_i64.into(), Value::from("word"), 2_i64.into(), "word".into()]);
        let three = joined(vec![ready("A $1", 1), ready("B $10", 2), ready("C", 3)]).expect("there are three");
        assert_eq!(three.text, "WITH s0 AS (A $1) , s1 AS (B $12) C");
        assert!(joined(Vec::new()).is_none());
    }
}
