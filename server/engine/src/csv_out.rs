//! The one writer of CSV: cells cannot run as formulas in a spreadsheet.

use std::borrow::Cow;

use domain::phone::Phone;

/// A file being put together in memory.
pub(crate) struct CsvOut(csv::Writer<Vec<u8>>);

impl CsvOut {
    /// A file with this heading.
    pub(crate) fn new<'a>(heading: impl IntoIterator<Item = &'a str>) -> Self {
        let mut file = Self::continued();
        file.row(heading);
        file
    }

    /// The next part of a file that is written in parts.
    pub(crate) fn continued() -> Self {
        Self(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new()))
    }

    /// Appends a row.
    pub(crate) fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        let cells: Vec<Cow<'a, str>> = cells.into_iter().map(safe).collect();
        // Writing to memory does not fail, and every row has the heading's length.
        let written = self.0.write_record(cells.iter().map(|cell| cell.as_bytes()));
        debug_assert!(written.is_ok(), "a row of another length than the heading");
    }

    /// The file.
    pub(crate) fn finish(self) -> String {
        let bytes = self.0.into_inner().unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }
}

/// Spreadsheets run what begins with these signs (OWASP, "CSV injection"): an apostrophe in front makes it text. A phone
/// number in international form is left alone: nothing in it can be run.
fn safe(cell: &str) -> Cow<'_, str> {
    let begins = cell.trim_start_matches(' ').chars().next();
    let may_run = matches!(begins, Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠'));
    if !may_run || cell.parse::<Phone>().is_ok() { Cow::Borrowed(cell) } else { Cow::Owned(format!("'{cell}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text_and_phones_stay() {
        for (cell, expected) in [
            ("=1+1", "'=1+1"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("  =1", "'  =1"),
            ("+94771234567", "+94771234567"),
            ("+94771234567-1", "'+94771234567-1"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(safe(cell), expected);
        }
    }

    #[test]
    fn commas_quotes_and_line_ends_are_quoted() {
        let mut file = CsvOut::new(["line", "raw"]);
        file.row(["2", "a,\"b\"\nc"]);
        assert_eq!(file.finish(), "line,raw\r\n2,\"a,\"\"b\"\"\nc\"\r\n");
    }
}
