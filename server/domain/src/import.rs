//! Files of contacts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ids::ImportId, time::Timestamp, word_enum};

word_enum! {
    pub enum ImportFormat {
        Csv = "csv",
        /// An array of objects.
        Json = "json",
        /// One object a line.
        Jsonl = "jsonl",
    }
}

word_enum! {
    pub enum ImportStatus {
        Queued = "queued",
        Running = "running",
        Done = "done",
        Failed = "failed",
    }
}

word_enum! {
    /// Why a row was not taken.
    pub enum RejectReason {
        /// The phone column is empty.
        NoPhone = "no_phone",
        /// No phone number in any usual writing.
        InvalidPhone = "invalid_phone",
        /// A national number, and neither the row nor the import says which country.
        NoCountry = "no_country",
        /// The record cannot be read: broken quoting, not an object, over the size limit.
        Malformed = "malformed",
    }
}

/// How a file is to be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImportOptions {
    pub file_name: Option<String>,
    pub format: Option<ImportFormat>,
    /// Keys of topics that everybody in the file is subscribed to.
    pub topics: Vec<String>,
    /// Region of numbers without a country code.
    pub country: Option<String>,
    /// Which column is what: target (`phone`, `consent`, `opt_out`, `timezone`, `locale`, `country`, `attributes.<key>`
    /// or `ignore`) to header.
    pub map: Vec<(String, String)>,
}

/// An import and its data-quality report: `rows` = created + updated + unchanged + duplicates + rejected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Import {
    pub id: ImportId,
    pub file_name: Option<String>,
    pub format: ImportFormat,
    pub status: ImportStatus,
    pub rows: i64,
    pub created: i64,
    pub updated: i64,
    pub unchanged: i64,
    /// Numbers that stood earlier in the same file; their cells were merged.
    pub duplicates: i64,
    pub rejected: i64,
    /// Rejected rows by reason.
    pub by_reason: BTreeMap<String, i64>,
    /// People of the file who are on the suppression list: stored, never sent to.
    pub suppressed: i64,
    /// Things that were taken but may not be meant: an unknown consent word, an unknown time zone.
    pub warnings: BTreeMap<String, i64>,
    pub error: Option<String>,
    pub topics: Vec<String>,
    /// How each column was understood: header and target.
    pub columns: Vec<(String, String)>,
    pub bytes_total: i64,
    pub bytes_done: i64,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// A row that was not taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportReject {
    /// The physical line its record begins on, the first line being 1.
    pub line: i64,
    pub reason: RejectReason,
    /// The cell that was meant to be the phone number.
    pub value: String,
    /// The record as it stands in the file.
    pub raw: String,
}
