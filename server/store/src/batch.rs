//! Many rows in one parameter: a JSON array that the statement reads as a table. The text is the same for every batch
//! size, so prepared statements stay few, and it works on both databases.

use crate::Kind;

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
    let declared: Vec<String> = columns
        .iter()
        .map(|(column, of)| {
            let of = match of {
                Type::Text | Type::Bytes => "text",
                Type::BigInt => "bigint",
                Type::Int => "integer",
                Type::SmallInt => "smallint",
                Type::Bool => "boolean",
                Type::Uuid => "uuid",
                Type::Json => "jsonb",
            };
            format!("{column} {of}")
        })
        .collect();
    format!(
        "(SELECT {} FROM json_to_recordset({parameter}::json) AS input({})) AS {name}",
        selected.join(", "),
        declared.join(", ")
    )
}

fn sqlite(name: &str, parameter: &str, columns: &[(&str, Type)]) -> String {
    let selected: Vec<String> = columns
        .iter()
        .map(|(column, of)| match of {
            // `->` keeps a document's text; `->>` gives the value itself.
            Type::Json => format!("value -> '{column}' AS {column}"),
            Type::Bytes => format!("unhex(value ->> '{column}') AS {column}"),
            Type::Uuid => format!("unhex(replace(value ->> '{column}', '-', '')) AS {column}"),
            _ => format!("value ->> '{column}' AS {column}"),
        })
        .collect();
    format!("(SELECT {} FROM json_each({parameter})) AS {name}", selected.join(", "))
}
