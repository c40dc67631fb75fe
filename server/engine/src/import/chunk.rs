//! Some rows of a file, with the rows of one number merged: what is stored in one transaction.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io,
};

use domain::{contact::Attributes, import::ImportReject, phone::Phone};

use super::{
    records::{Place, Records},
    row::{Row, RowReader, Wish, stronger},
};
use crate::secrets::KeyRing;

/// Rows of a chunk: as many as one transaction may touch.
pub(crate) const ROWS: usize = 2_000;

/// What a chunk says of one person.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Person {
    pub phone: Phone,
    pub region: Option<String>,
    /// The number's keyed hashes, the current key's first.
    pub hashes: Vec<Vec<u8>>,
    pub attributes: Attributes,
    pub timezone: Option<String>,
    pub locale: Option<String>,
    pub wish: Option<Wish>,
    /// The line that says so: of several, the last one that counts.
    pub wish_line: i64,
    pub rows: i64,
    /// Rows that say "in".
    pub rows_in: i64,
}

impl Person {
    fn new(row: Row, keys: &KeyRing) -> Self {
        Self {
            hashes: keys.suppression_hashes(row.phone.as_str()),
            phone: row.phone,
            region: row.region,
            attributes: row.attributes,
            timezone: row.timezone,
            locale: row.locale,
            wish: row.wish,
            wish_line: row.line,
            rows: 1,
            rows_in: i64::from(row.wish == Some(Wish::In)),
        }
    }

    /// A later row of the same number: its cells win where they are not empty, and any "out" wins.
    fn merge(&mut self, row: Row) {
        self.attributes.extend(row.attributes);
        self.timezone = row.timezone.or(self.timezone.take());
        self.locale = row.locale.or(self.locale.take());
        let wish = stronger(self.wish, row.wish);
        if row.wish.is_some() && wish == row.wish {
            self.wish_line = row.line;
        }
        self.rows_in += i64::from(row.wish == Some(Wish::In));
        self.wish = wish;
        self.rows += 1;
    }
}

/// Some rows of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chunk {
    pub from: Place,
    pub to: Place,
    pub rows: i64,
    pub people: Vec<Person>,
    pub rejects: Vec<ImportReject>,
    pub warnings: BTreeMap<&'static str, i64>,
}

/// Reads a file chunk by chunk.
pub(super) struct Chunks {
    records: Records<File>,
    reader: RowReader,
    keys: KeyRing,
    rows: usize,
}

impl Chunks {
    pub(super) const fn new(records: Records<File>, reader: RowReader, keys: KeyRing, rows: usize) -> Self {
        Self { records, reader, keys, rows }
    }

    /// The next chunk; `None` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Chunk>> {
        let from = self.records.place();
        let mut chunk =
            Chunk { from, to: from, rows: 0, people: Vec::new(), rejects: Vec::new(), warnings: BTreeMap::new() };
        let mut places = HashMap::<Phone, usize>::new();
        for _ in 0..self.rows {
            let Some(record) = self.records.next()? else { break };
            chunk.rows += 1;
            match self.reader.read(record) {
                Err(reject) => chunk.rejects.push(reject),
                Ok(row) => match places.get(&row.phone) {
                    Some(place) => chunk.people[*place].merge(row),
                    None => {
                        places.insert(row.phone.clone(), chunk.people.len());
                        chunk.people.push(Person::new(row, &self.keys));
                    }
                },
            }
        }
        chunk.to = self.records.place();
        chunk.warnings = std::mem::take(&mut self.reader.warnings);
        Ok((chunk.rows > 0).then_some(chunk))
    }
}
