//! A record becomes what is known of a person, or a reason why it does not.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use domain::{
    contact::Attributes,
    import::{ImportReject, RejectReason},
    phone::Phone,
    text::exact,
};
use serde_json::{Map, Value};

use super::{
    Plan, Target, countries, csv_record, header,
    records::Record,
    values::{clean, holds_nul, plain_value, without_nul},
};
use crate::{
    phone::{self, NotAPhone},
    services::contacts::fields,
};

/// What a row says about wanting messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    In,
    Out,
}

/// What a row says of a person.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub line: i64,
    pub phone: Phone,
    pub region: Option<String>,
    pub attributes: Attributes,
    pub timezone: Option<String>,
    pub locale: Option<String>,
    pub wish: Option<Wish>,
}

/// The longest text of a rejected row that is kept, in characters.
const RAW_KEPT: usize = 1_000;

/// Things that were taken but may not be meant: see [`domain::import::Import::warnings`].
pub(super) mod warning {
    pub const UNKNOWN_CONSENT: &str = "unknown_consent";
    pub const UNKNOWN_TIMEZONE: &str = "unknown_timezone";
    pub const UNKNOWN_LANGUAGE: &str = "unknown_language";
    /// A cell was longer than an attribute may be, and was cut.
    pub const TEXT_CUT: &str = "text_cut";
    /// A cell had NUL characters, which the databases do not store; it was taken without them.
    pub const NUL_DROPPED: &str = "nul_dropped";
    /// A row says "in" of somebody who had opted out before: they stay opted out.
    pub const OPT_OUT_KEPT: &str = "opt_out_kept";
    /// Somebody who unsubscribed from a topic of the import: they stay unsubscribed.
    pub const UNSUBSCRIBED_KEPT: &str = "unsubscribed_kept";
}

/// Reads the records of one file.
pub(super) struct RowReader {
    layout: Layout,
    country: Option<String>,
    cells: Vec<String>,
    zones: HashMap<String, Option<String>>,
    languages: HashMap<String, Option<String>>,
    regions: HashMap<String, Option<String>>,
    pub warnings: BTreeMap<&'static str, i64>,
}

enum Layout {
    Csv {
        delimiter: u8,
        targets: Arc<[Target]>,
    },
    /// Keys that the file's beginning did not have are understood when they come.
    Objects {
        targets: HashMap<String, Target>,
    },
}

impl RowReader {
    /// A reader for a file whose columns (heading and target) were found to be these.
    pub(super) fn new(plan: &Plan, columns: &[(String, String)]) -> Self {
        let target = |word: &String| word.parse().unwrap_or(Target::Ignore);
        let layout = match plan.delimiter.and_then(|delimiter| u8::try_from(delimiter).ok()) {
            Some(delimiter) => {
                Layout::Csv { delimiter, targets: columns.iter().map(|(_, word)| target(word)).collect() }
            }
            None => Layout::Objects {
                targets: columns.iter().map(|(heading, word)| (heading.clone(), target(word))).collect(),
            },
        };
        Self {
            layout,
            country: plan.options.country.clone(),
            cells: Vec::new(),
            zones: HashMap::new(),
            languages: HashMap::new(),
            regions: HashMap::new(),
            warnings: BTreeMap::new(),
        }
    }

    /// Reads one record.
    ///
    /// # Errors
    /// The rejected row, when nobody can be found in it.
    pub(super) fn read(&mut self, record: Record) -> Result<Row, ImportReject> {
        let read = if record.broken { Err((RejectReason::Malformed, String::new())) } else { self.read_text(&record) };
        read.map_err(|(reason, value)| ImportReject {
            line: record.line,
            reason,
            value: kept(&value),
            raw: kept(&record.text),
        })
    }

    fn read_text(&mut self, record: &Record) -> Result<Row, (RejectReason, String)> {
        match &self.layout {
            Layout::Csv { delimiter, targets } => {
                let targets = targets.clone();
                let mut cells = std::mem::take(&mut self.cells);
                csv_record::split(&record.text, *delimiter, &mut cells);
                let row = self.row(record.line, targets.iter().zip(cells.iter().map(Cell::Text)));
                self.cells = cells;
                row
            }
            Layout::Objects { .. } => {
                // What a number would not keep, such as an account of 20 digits, is a name.
                let object: Map<String, Value> =
                    serde_json::from_str(&exact(&record.text)).map_err(|_| (RejectReason::Malformed, String::new()))?;
                let targets: Vec<Target> = object.keys().map(|key| self.target_of(key)).collect();
                self.row(record.line, targets.iter().zip(object.values().map(Cell::Value)))
            }
        }
    }

    fn target_of(&mut self, key: &str) -> Target {
        let Layout::Objects { targets } = &mut self.layout else { return Target::Ignore };
        if let Some(target) = targets.get(key) {
            return target.clone();
        }
        let target = header::by_sense(key);
        // A file could have endlessly many keys.
        if targets.len() < 10_000 {
            targets.insert(key.to_owned(), target.clone());
        }
        target
    }

    fn row<'a>(
        &mut self,
        line: i64,
        cells: impl Iterator<Item = (&'a Target, Cell<'a>)> + Clone,
    ) -> Result<Row, (RejectReason, String)> {
        let mut number = String::new();
        let mut region = None;
        for (target, cell) in cells.clone() {
            match target {
                Target::Phone if number.is_empty() => number = cell.text(),
                Target::Country => region = region.or_else(|| self.region(&cell.text())),
                _ => {}
            }
        }
        let region = region.or_else(|| self.country.clone());
        let (phone, region) = phone::read(&number, region.as_deref()).map_err(|error| {
            let reason = match error {
                NotAPhone::Empty => RejectReason::NoPhone,
                NotAPhone::Invalid => RejectReason::InvalidPhone,
                NotAPhone::NoCountry => RejectReason::NoCountry,
            };
            (reason, number)
        })?;
        let mut row =
            Row { line, phone, region, attributes: Attributes::new(), timezone: None, locale: None, wish: None };
        for (target, cell) in cells {
            if *target != Target::Ignore && cell.holds_nul() {
                self.warn(warning::NUL_DROPPED);
            }
            self.fill(&mut row, target, &cell);
        }
        Ok(row)
    }

    fn fill(&mut self, row: &mut Row, target: &Target, cell: &Cell<'_>) {
        match target {
            Target::Phone | Target::Ignore => {}
            Target::Consent => row.wish = stronger(row.wish, self.wish(&clean(&cell.text()))),
            Target::OptOut => {
                if self.wish(&clean(&cell.text())) == Some(Wish::In) {
                    row.wish = Some(Wish::Out);
                }
            }
            Target::Timezone => {
                row.timezone = self.zone(&clean(&cell.text())).or(row.timezone.take());
            }
            Target::Locale => {
                row.locale = self.language(&clean(&cell.text())).or(row.locale.take());
            }
            Target::Country => self.attribute(row, "country", cell),
            Target::Attribute(key) => match cell {
                // A contact in the form of our own API.
                Cell::Value(Value::Object(parts)) if key == "attributes" => {
                    for (key, value) in parts {
                        self.attribute(row, &header::key(key), &Cell::Value(value));
                    }
                }
                _ => self.attribute(row, key, cell),
            },
        }
    }

    fn attribute(&mut self, row: &mut Row, key: &str, cell: &Cell<'_>) {
        let value = match cell {
            Cell::Text(text) => plain_value(text),
            Cell::Value(Value::String(text)) => Some(Value::String(clean(text))).filter(|_| !text.trim().is_empty()),
            Cell::Value(Value::Null) => None,
            Cell::Value(value) => Some(without_nul((*value).clone())),
        };
        let Some(mut value) = value.filter(|_| !key.is_empty()) else { return };
        if let Value::String(text) = &mut value
            && text.len() > fields::TEXT_MAX
        {
            text.truncate(text.floor_char_boundary(fields::TEXT_MAX));
            self.warn(warning::TEXT_CUT);
        }
        row.attributes.insert(key.to_owned(), value);
    }

    fn wish(&mut self, cell: &str) -> Option<Wish> {
        let word: String = cell
            .trim()
            .chars()
            .flat_map(char::to_lowercase)
            .map(|c| if matches!(c, '-' | ' ') { '_' } else { c })
            .collect();
        match word.as_str() {
            "opted_in" | "opt_in" | "optin" | "in" | "yes" | "y" | "true" | "1" | "subscribed" => Some(Wish::In),
            "opted_out" | "opt_out" | "optout" | "out" | "stop" | "no" | "n" | "false" | "0" | "unsubscribed" => {
                Some(Wish::Out)
            }
            "" | "unknown" => None,
            _ => {
                self.warn(warning::UNKNOWN_CONSENT);
                None
            }
        }
    }

    fn zone(&mut self, cell: &str) -> Option<String> {
        let cell = cell.trim();
        if cell.is_empty() {
            return None;
        }
        let zone = remembered(&mut self.zones, cell, fields::timezone);
        if zone.is_none() {
            self.warn(warning::UNKNOWN_TIMEZONE);
        }
        zone
    }

    fn language(&mut self, cell: &str) -> Option<String> {
        let cell = cell.trim();
        if cell.is_empty() {
            return None;
        }
        let language = remembered(&mut self.languages, cell, fields::locale);
        if language.is_none() {
            self.warn(warning::UNKNOWN_LANGUAGE);
        }
        language
    }

    fn region(&mut self, cell: &str) -> Option<String> {
        remembered(&mut self.regions, cell, countries::region_of)
    }

    fn warn(&mut self, what: &'static str) {
        *self.warnings.entry(what).or_insert(0) += 1;
    }
}

/// What two cells or rows say together: any "out" wins.
pub(super) const fn stronger(one: Option<Wish>, other: Option<Wish>) -> Option<Wish> {
    match (one, other) {
        (Some(Wish::Out), _) | (_, Some(Wish::Out)) => Some(Wish::Out),
        (Some(Wish::In), _) | (_, Some(Wish::In)) => Some(Wish::In),
        (None, None) => None,
    }
}

/// The few values of such a column are looked up once.
fn remembered(
    known: &mut HashMap<String, Option<String>>,
    cell: &str,
    look_up: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    if let Some(found) = known.get(cell) {
        return found.clone();
    }
    let found = look_up(cell);
    if known.len() < 10_000 {
        known.insert(cell.to_owned(), found.clone());
    }
    found
}

#[derive(Clone, Copy)]
enum Cell<'a> {
    Text(&'a String),
    Value(&'a Value),
}

impl Cell<'_> {
    fn holds_nul(&self) -> bool {
        match self {
            Self::Text(text) => text.contains('\0'),
            Self::Value(value) => holds_nul(value),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => (*text).clone(),
            Self::Value(Value::String(text)) => text.clone(),
            Self::Value(Value::Null) => String::new(),
            Self::Value(value) => value.to_string(),
        }
    }
}

fn kept(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(RAW_KEPT).collect()
}

#[cfg(test)]
mod tests {
    use domain::import::ImportOptions;
    use serde_json::json;

    use super::*;

    fn reader(columns: &[(&str, &str)], delimiter: Option<char>) -> RowReader {
        let columns: Vec<_> = columns.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        let options = ImportOptions { country: Some("LK".to_owned()), ..ImportOptions::default() };
        RowReader::new(&Plan { options, delimiter }, &columns)
    }

    fn record(text: &str) -> Record {
        Record { line: 7, text: text.to_owned(), broken: false }
    }

    #[test]
    fn cells_become_fields_and_attributes() {
        let mut reader = reader(
            &[
                ("Phone", "phone"),
                ("Country", "country"),
                ("Zone", "timezone"),
                ("Lang", "locale"),
                ("OK", "consent"),
                ("Spend", "attributes.spend"),
                ("Zip", "attributes.zip"),
                ("Note", "attributes.note"),
            ],
            Some(';'),
        );
        let row =
            reader.read(record("(415) 555-0100;USA;america/new_york;pt_br;Opt-In;-12.50;01234; two  words ")).unwrap();
        assert_eq!(row.phone.as_str(), "+14155550100");
        assert_eq!(row.region.as_deref(), Some("US"));
        assert_eq!((row.timezone.as_deref(), row.locale.as_deref()), (Some("America/New_York"), Some("pt-BR")));
        assert_eq!(row.wish, Some(Wish::In));
        assert_eq!(
            Value::Object(row.attributes),
            json!({"country": "USA", "spend": -12.5, "zip": "01234", "note": "two  words"})
        );
        assert!(reader.warnings.is_empty());
    }

    #[test]
    fn what_is_not_understood_is_a_warning_and_not_a_reject() {
        let mut reader = reader(
            &[("p", "phone"), ("z", "timezone"), ("l", "locale"), ("c", "consent"), ("n", "attributes.n")],
            Some(','),
        );
        let row = reader.read(record(&format!("0771234567,Mars,Klingon,perhaps,{}", "x".repeat(5_000)))).unwrap();
        assert_eq!((row.timezone, row.locale, row.wish), (None, None, None));
        assert_eq!(row.attributes["n"].as_str().map(str::len), Some(fields::TEXT_MAX));
        assert_eq!(
            reader.warnings,
            BTreeMap::from([("text_cut", 1), ("unknown_consent", 1), ("unknown_language", 1), ("unknown_timezone", 1)])
        );
    }

    #[test]
    fn a_reject_says_why_and_shows_the_row() {
        let mut reader = reader(&[("p", "phone"), ("c", "country")], Some(','));
        for (text, reason, value) in [
            (",US", RejectReason::NoPhone, ""),
            ("4.47E+11,GB", RejectReason::InvalidPhone, "4.47E+11"),
            ("12,", RejectReason::InvalidPhone, "12"),
        ] {
            let reject = reader.read(record(text)).unwrap_err();
            assert_eq!(
                (reject.line, reject.reason, reject.value.as_str(), reject.raw.as_str()),
                (7, reason, value, text)
            );
        }
        let mut nowhere = RowReader::new(
            &Plan { options: ImportOptions::default(), delimiter: Some(',') },
            &[("p".to_owned(), "phone".to_owned())],
        );
        assert_eq!(nowhere.read(record("0771234567")).unwrap_err().reason, RejectReason::NoCountry);
        let broken = Record { broken: true, ..record("\"x") };
        assert_eq!(nowhere.read(broken).unwrap_err().reason, RejectReason::Malformed);
    }

    #[test]
    fn objects_keep_their_types_and_may_look_like_our_own() {
        let mut reader = reader(&[("phone", "phone")], None);
        let text = r#"{"phone": "+94771234567", "Consent": true, "age": "30", "vip": true, "tags": ["a", "b\u0000"],
            "nothing": null, "blank": " ", "attributes": {"City": "Galle"}}"#;
        let row = reader.read(record(text)).unwrap();
        assert_eq!(row.wish, Some(Wish::In));
        assert_eq!(
            Value::Object(row.attributes),
            json!({"age": "30", "vip": true, "tags": ["a", "b"], "city": "Galle"})
        );
        assert_eq!(reader.warnings, BTreeMap::from([("nul_dropped", 1)]));
        for bad in ["[1]", "{", "\"x\"", ""] {
            assert_eq!(reader.read(record(bad)).unwrap_err().reason, RejectReason::Malformed, "{bad}");
        }
    }

    #[test]
    fn a_nul_costs_a_warning_and_in_the_number_its_row() {
        let mut reader = reader(&[("p", "phone"), ("n", "attributes.n"), ("c", "consent")], Some(','));
        let row = reader.read(record("0771234567,A\0nn,no\0")).unwrap();
        assert_eq!((&row.attributes["n"], row.wish), (&json!("Ann"), Some(Wish::Out)));
        assert_eq!(reader.warnings, BTreeMap::from([("nul_dropped", 2)]));
        let reject = reader.read(record("07712\u{0}34567,Ben,")).unwrap_err();
        assert_eq!((reject.reason, reject.raw.as_str()), (RejectReason::InvalidPhone, "0771234567,Ben,"));
    }

    #[test]
    fn numbers_of_objects_keep_their_digits() {
        let mut reader = reader(&[("phone", "phone")], None);
        let text = r#"{"phone": 94771234567, "age": 30, "card": 4111111111111111222, "loyalty": 12345678901234567890123,
            "rate": 0.25, "exact": 0.12345678901234567890, "list": [9007199254740993]}"#;
        let row = reader.read(record(text)).unwrap();
        assert_eq!(
            Value::Object(row.attributes),
            json!({"age": 30, "card": "4111111111111111222", "loyalty": "12345678901234567890123", "rate": 0.25,
                "exact": "0.12345678901234567890", "list": ["9007199254740993"]})
        );
    }

    #[test]
    fn consent_words() {
        let mut reader = reader(&[], Some(','));
        for word in ["opted_in", "OPT_IN", "yes", "TRUE", "1", "opt-in", "Opted In"] {
            assert_eq!(reader.wish(word), Some(Wish::In), "{word}");
        }
        for word in ["opted_out", "OPT_OUT", "STOP", "no", "false", "0", " Opt Out "] {
            assert_eq!(reader.wish(word), Some(Wish::Out), "{word}");
        }
        assert_eq!((reader.wish(""), reader.wish("unknown")), (None, None));
        assert!(reader.warnings.is_empty());
        assert_eq!(reader.wish("maybe"), None);
        assert_eq!(reader.warnings["unknown_consent"], 1);
    }
}
