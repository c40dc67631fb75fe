//! Files of contacts.
//!
//! An upload is written to a spool file, brought to UTF-8 and looked at ([`sniff`]); a worker then reads it record by
//! record ([`records`], [`row`]) in chunks ([`chunk`]), and stores each chunk in one transaction together with the place
//! where the next one begins ([`apply`]). Whatever stops the worker, the next one goes on from that place.

mod apply;
mod chunk;
mod countries;
mod csv_record;
mod encoding;
mod header;
mod records;
mod row;
pub(crate) mod sniff;
pub(crate) mod spool;
#[cfg(test)]
mod tests;
mod values;
mod words;
pub mod worker;

use domain::import::ImportOptions;
use serde::{Deserialize, Serialize};

pub(crate) use chunk::ROWS as CHUNK_ROWS;
pub(crate) use header::{Target, check_map};

/// How a file is to be read: what was asked for, and what was found out. Stored with the import.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    #[serde(flatten)]
    pub options: ImportOptions,
    /// What stands between the cells of a CSV file.
    #[serde(default)]
    pub delimiter: Option<char>,
}

/// The longest record, in bytes. A quote that is never closed must not swallow the rest of the file.
const RECORD_MAX: usize = 65_536;

/// The most columns of a CSV file.
const COLUMNS_MAX: usize = 200;
