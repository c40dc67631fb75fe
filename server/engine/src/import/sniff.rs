//! What an uploaded file is: refused at once when nobody can be found in it.

use std::{fs::File, io, path::Path};

use domain::import::{ImportFormat, ImportOptions};

use super::{
    COLUMNS_MAX, Plan, Target, csv_record,
    encoding::{self, Verdict},
    header,
    records::{Form, Place, Records, inside_array},
};
use crate::{Error, Result};

/// A file that can be imported.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub format: ImportFormat,
    pub plan: Plan,
    /// Heading and target of each column.
    pub columns: Vec<(String, String)>,
    /// Where the first record begins: bytes before it, and its line.
    pub start: (u64, i64),
    pub bytes: u64,
}

/// Objects looked at to learn the keys of a JSON file.
const OBJECTS_LOOKED_AT: usize = 200;

/// Looks at the file at `path`, and brings it to UTF-8 if it is not.
///
/// # Errors
/// `Invalid` when it cannot be imported.
pub(crate) fn sniff(path: &Path, options: &ImportOptions) -> Result<Found> {
    let from = to_utf8(path)?;
    let start = Place { byte: from, line: 1 };
    let first = first_character(path, start)?;
    let format = format(options, first);
    let mut found = match format {
        ImportFormat::Csv => csv(path, options, start)?,
        ImportFormat::Json | ImportFormat::Jsonl => objects(path, options, start)?,
    };
    found.bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    Ok(found)
}

/// The form of a stored file.
pub(super) fn form(format: ImportFormat, plan: &Plan) -> Form {
    match format {
        ImportFormat::Csv => Form::Csv { delimiter: plan.delimiter.and_then(|c| u8::try_from(c).ok()).unwrap_or(b',') },
        ImportFormat::Json => Form::Json,
        ImportFormat::Jsonl => Form::Jsonl,
    }
}

fn unreadable(error: io::Error) -> Error {
    Error::internal(error)
}

fn invalid(text: impl Into<String>) -> Error {
    Error::invalid("file", text)
}

/// Makes the file UTF-8; returns where its text begins.
fn to_utf8(path: &Path) -> Result<u64> {
    match encoding::examine(path).map_err(unreadable)? {
        Verdict::Utf8 { from } => Ok(from),
        Verdict::Empty => Err(invalid("The file is empty.")),
        Verdict::Binary(what) => {
            let what = what.map_or_else(|| "no text".to_owned(), str::to_owned);
            Err(invalid(format!("This is {what}. Save the table as CSV (UTF-8) and upload that.")))
        }
        Verdict::Other { encoding, old_line_ends } => {
            let rewritten = path.with_extension("utf8");
            encoding::rewrite(path, &rewritten, encoding, old_line_ends)
                .and_then(|()| std::fs::rename(&rewritten, path))
                .map_err(unreadable)?;
            Ok(0)
        }
    }
}

/// The first character that is not blank.
fn first_character(path: &Path, start: Place) -> Result<Option<char>> {
    let mut records = Records::new(File::open(path).map_err(unreadable)?, Form::Jsonl, start).map_err(unreadable)?;
    let first = records.next().map_err(unreadable)?;
    Ok(first.and_then(|record| record.text.trim_start().chars().next()))
}

/// What was asked for, else the file's name, else its first character. An array and objects in lines are told apart by
/// themselves.
fn format(options: &ImportOptions, first: Option<char>) -> ImportFormat {
    let name = options.file_name.as_deref().unwrap_or_default().to_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let asked = options.format.or(match extension {
        "csv" | "tsv" => Some(ImportFormat::Csv),
        "json" => Some(ImportFormat::Json),
        "jsonl" | "ndjson" => Some(ImportFormat::Jsonl),
        _ => None,
    });
    match (asked, first) {
        (Some(ImportFormat::Csv), _) => ImportFormat::Csv,
        (_, Some('[')) => ImportFormat::Json,
        (_, Some('{')) => ImportFormat::Jsonl,
        (Some(asked), _) => asked,
        (None, _) => ImportFormat::Csv,
    }
}

fn csv(path: &Path, options: &ImportOptions, start: Place) -> Result<Found> {
    let open = |delimiter, place| Records::new(File::open(path)?, Form::Csv { delimiter }, place);
    let mut records = open(b',', start).map_err(unreadable)?;
    let mut heading = records.next().map_err(unreadable)?.ok_or_else(|| invalid("The file is empty."))?;
    // Spreadsheets may say in a line of its own what stands between the cells.
    let mut said = None;
    let mut place = start;
    if let Some(rest) = heading.text.trim().to_lowercase().strip_prefix("sep=") {
        said = rest.bytes().next();
        place = records.place();
        heading = records.next().map_err(unreadable)?.ok_or_else(|| invalid("The file is empty."))?;
    }
    let delimiter = said.unwrap_or_else(|| delimiter_of(&heading.text));
    let mut records = open(delimiter, place).map_err(unreadable)?;
    let heading = records.next().map_err(unreadable)?.ok_or_else(|| invalid("The file is empty."))?;
    let mut headings = Vec::new();
    csv_record::split(&heading.text, delimiter, &mut headings);
    if heading.broken || headings.len() > COLUMNS_MAX {
        return Err(invalid(format!("The first line must be a heading of at most {COLUMNS_MAX} columns.")));
    }
    let columns = columns(&headings, options)?;
    let start = records.place();
    if records.next().map_err(unreadable)?.is_none() {
        return Err(invalid("The file has a heading and no rows."));
    }
    let plan = Plan { options: options.clone(), delimiter: Some(char::from(delimiter)) };
    Ok(Found { format: ImportFormat::Csv, plan, columns, start: (start.byte, start.line), bytes: 0 })
}

/// The sign that stands most often in the heading, outside quotes.
fn delimiter_of(heading: &str) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for byte in heading.bytes() {
        if byte == b'"' {
            quoted = !quoted;
        } else if !quoted && let Some((_, count)) = counts.iter_mut().find(|(sign, _)| *sign == byte) {
            *count += 1;
        }
    }
    // Of equals the first: max_by_key would take the last.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(sign, _)| *sign)
}

fn objects(path: &Path, options: &ImportOptions, start: Place) -> Result<Found> {
    let open = || File::open(path).map_err(unreadable);
    let inside = inside_array(open()?, start).map_err(unreadable)?;
    let (format, form, start) = match inside {
        Some(inside) => (ImportFormat::Json, Form::Json, inside),
        None => (ImportFormat::Jsonl, Form::Jsonl, start),
    };
    let mut records = Records::new(open()?, form, start).map_err(unreadable)?;
    let mut headings: Vec<String> = Vec::new();
    let mut objects = 0;
    for _ in 0..OBJECTS_LOOKED_AT {
        let Some(record) = records.next().map_err(unreadable)? else { break };
        let Ok(object) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&record.text) else {
            continue;
        };
        objects += 1;
        for key in object.into_iter().map(|(key, _)| key) {
            if headings.len() < COLUMNS_MAX && !headings.contains(&key) {
                headings.push(key);
            }
        }
    }
    if objects == 0 {
        return Err(invalid("No objects were found: write a JSON array of objects, or one object a line."));
    }
    let columns = columns(&headings, options)?;
    let plan = Plan { options: options.clone(), delimiter: None };
    Ok(Found { format, plan, columns, start: (start.byte, start.line), bytes: 0 })
}

/// Each column's heading and target.
fn columns(headings: &[String], options: &ImportOptions) -> Result<Vec<(String, String)>> {
    let shown =
        || headings.iter().take(20).map(|heading| format!("“{}”", heading.trim())).collect::<Vec<_>>().join(", ");
    let missing = header::missing(headings, &options.map);
    if !missing.is_empty() {
        let text = format!("The file has no column “{}”. It has: {}.", missing.join("”, “"), shown());
        return Err(Error::invalid("map", text));
    }
    let targets = header::targets(headings, &options.map);
    if !targets.contains(&Target::Phone) {
        return Err(invalid(format!(
            "No column with phone numbers was found among {}. Name one “phone”, or say which one it is: map=phone:<heading>.",
            shown()
        )));
    }
    let named = headings.iter().map(|heading| heading.trim().chars().filter(|c| *c != '\0').collect());
    Ok(named.zip(targets.iter().map(ToString::to_string)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniffed(bytes: &[u8], options: &ImportOptions) -> Result<Found> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        sniff(&path, options)
    }

    fn problem(bytes: &[u8]) -> String {
        let Err(Error::Invalid(errors)) = sniffed(bytes, &ImportOptions::default()) else { panic!("taken") };
        assert_eq!(errors[0].field, "file");
        errors[0].message.clone()
    }

    #[test]
    fn the_delimiter_is_found() {
        for (heading, expected) in [
            ("phone,name", ','),
            ("phone;name,first", ';'),
            ("phone\tname", '\t'),
            ("phone|name", '|'),
            ("phone", ','),
            ("\"a;b;c\",phone", ','),
        ] {
            let heading = heading.replace(",first", "");
            let found = sniffed(format!("{heading}\n1,2\n").as_bytes(), &ImportOptions::default()).unwrap();
            assert_eq!(found.plan.delimiter, Some(expected), "{heading}");
        }
        let found = sniffed(b"sep=;\r\nphone;name\r\n1;2\r\n", &ImportOptions::default()).unwrap();
        assert_eq!((found.plan.delimiter, found.start), (Some(';'), (19, 3)));
    }

    #[test]
    fn the_format_is_found() {
        let options =
            |format, name: &str| ImportOptions { format, file_name: Some(name.to_owned()), ..ImportOptions::default() };
        for (bytes, given, expected) in [
            (&b"phone\n1\n"[..], options(None, "people.txt"), ImportFormat::Csv),
            (b"[{\"phone\":1}]", options(None, "people"), ImportFormat::Json),
            (b"\xef\xbb\xbf [{\"phone\":1}]", options(None, "people"), ImportFormat::Json),
            (b"{\"phone\":1}\n", options(None, "people"), ImportFormat::Jsonl),
            (b"{\"phone\":1}\n", options(Some(ImportFormat::Json), "x"), ImportFormat::Jsonl),
            (b"[{\"phone\":1}]", options(Some(ImportFormat::Jsonl), "x"), ImportFormat::Json),
            (b"[phone]\n1\n", options(Some(ImportFormat::Csv), "x"), ImportFormat::Csv),
        ] {
            assert_eq!(sniffed(bytes, &given).unwrap().format, expected, "{given:?}");
        }
    }

    #[test]
    fn a_bad_file_is_refused_with_what_to_do() {
        assert!(problem(b"").contains("empty"));
        assert!(problem(b" \n\n").contains("empty"));
        assert!(problem(b"PK\x03\x04\x14\x00").contains("Excel"));
        assert!(problem(&[0, 159, 146, 150]).contains("no text"));
        assert!(problem(b"name,city\nAnn,Galle\n").contains("“name”, “city”"));
        assert!(problem(b"phone,name\n").contains("no rows"));
        assert!(problem(b"[]").contains("No objects"));
        assert!(problem(b"[1, 2]").contains("No objects"));
        let mapped =
            ImportOptions { map: vec![("phone".to_owned(), "Kontakt".to_owned())], ..ImportOptions::default() };
        assert!(matches!(sniffed(b"phone\n1\n", &mapped), Err(Error::Invalid(errors)) if errors[0].field == "map"));
    }
}
