//! Many rows in one parameter: a JSON array that the statement reads as a table. The text is the same for every batch
//! size, so prepared statements stay few, and it works on both databases.

mod columns;

pub(crate) use columns::{Columns, column, nullable};
use serde::Serialize;

use crate::{Error, Kind, Result};

/// Rows as the text of the parameter. A NUL becomes U+FFFD, because PostgreSQL's text cannot hold one, and one value must
/// not keep a whole batch from being written.
pub(crate) fn to_json(rows: &impl Serialize) -> Result<String> {
    let text =
        serde_json::to_string(rows).map_err(|error| Error::Corrupt { column: "batch", problem: error.to_string() })?;
    Ok(if text.contains(NUL) { without_nul(&text) } else { text })
}

/// How JSON writes a NUL.
const NUL: &str = "\\u0000";

fn without_nul(text: &str) -> String {
    let mut rest = text;
    let mut clean = String::with_capacity(text.len());
    while let Some(at) = rest.find(NUL) {
        let (before, found) = rest.split_at(at);
        clean.push_str(before);
        // After an odd number of backslashes this one is escaped itself, and the text is `u0000`.
        let escaped = clean.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
        clean.push_str(if escaped { NUL } else { "\\ufffd" });
        rest = &found[NUL.len()..];
    }
    clean.push_str(rest);
    clean
}

/// The type of a column of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Text,
    BigInt,
    Int,
    SmallInt,
    Bool,
    Uuid,
    /// A JSON document (an object inside the batch's row).
    Json,
    /// Bytes, given as lower-case hexadecimal text.
    Bytes,
}

impl Type {
    /// As PostgreSQL reads it out of a batch.
    const fn postgres(self) -> &'static str {
        match self {
            Self::Text | Self::Bytes => "text",
            Self::BigInt => "bigint",
            Self::Int => "integer",
            Self::SmallInt => "smallint",
            Self::Bool => "boolean",
            Self::Uuid => "uuid",
            Self::Json => "jsonb",
        }
    }

    /// A value of a row as SQLite reads it, by its name or place there.
    fn sqlite(self, key: &str) -> String {
        match self {
            // `->` keeps a document's text; `->>` gives the value itself.
            Self::Json => format!("value -> {key}"),
            Self::Bytes => format!("unhex(value ->> {key})"),
            Self::Uuid => format!("unhex(replace(value ->> {key}, '-', ''))"),
            _ => format!("value ->> {key}"),
        }
    }
}

/// The batch in parameter `parameter` (such as `$1`) as a table named `name`, to stand in a FROM clause.
///
/// Rows are JSON objects whose keys are the columns' names; a missing key is null.
#[must_use]
pub fn table(kind: Kind, name: &str, parameter: &str, columns: &[(&str, Type)]) -> String {
    match kind {
        Kind::Postgres => postgres(name, parameter, columns),
        Kind::Sqlite => sqlite(name, parameter, columns),
    }
}

fn postgres(name: &str, parameter: &str, columns: &[(&str, Type)]) -> String {
    // Bytes have no JSON form that PostgreSQL reads by itself.
    let selected: Vec<String> = columns
        .iter()
        .map(|(column, of)| match of {
            Type::Bytes => format!("decode({column}, 'hex') AS {column}"),
            _ => (*column).to_owned(),
        })
        .collect();
    let declared: Vec<String> = columns.iter().map(|(column, of)| format!("{column} {}", of.postgres())).collect();
    format!(
        "(SELECT {} FROM json_to_recordset({parameter}::json) AS input({})) AS {name}",
        selected.join(", "),
        declared.join(", ")
    )
}

fn sqlite(name: &str, parameter: &str, columns: &[(&str, Type)]) -> String {
    let selected: Vec<String> =
        columns.iter().map(|(column, of)| format!("{} AS {column}", of.sqlite(&format!("'{column}'")))).collect();
    format!("(SELECT {} FROM json_each({parameter})) AS {name}", selected.join(", "))
}

#[cfg(test)]
mod tests {
    use super::to_json;

    #[test]
    fn a_nul_is_replaced_and_what_only_looks_like_one_is_not() {
        assert_eq!(to_json(&["a\0b", "\0\0"]).expect("JSON"), r#"["a\ufffdb","\ufffd\ufffd"]"#);
        let looks = ["\\u0000", "\\\\u0000"];
        assert_eq!(to_json(&looks).expect("JSON"), serde_json::to_string(&looks).expect("JSON"));
        assert_eq!(to_json(&["\\\0"]).expect("JSON"), r#"["\\\ufffd"]"#);
    }
}
