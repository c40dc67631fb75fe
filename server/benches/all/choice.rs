//! Which rows are measured.

use anyhow::{Result, bail};

/// Every row that can be chosen, by the name that it has in the table. Some are measured together.
const ROWS: [&str; 14] = [
    "size", "decide", "render", "send", "memory", "recover", "bytes", "webhooks", "import", "segment", "page",
    "rehearse", "schedule", "million",
];

/// The rows that are named, with commas between them; none are all but `million`.
///
/// # Errors
/// For a name that no row has: a misspelt one must not measure nothing and call it good.
pub fn rows(text: &str) -> Result<Vec<&str>> {
    let chosen: Vec<&str> = text.split(',').map(str::trim).filter(|row| !row.is_empty()).collect();
    for row in &chosen {
        if !ROWS.contains(row) {
            bail!("BENCH_ROWS: there is no row {row:?}; there are {}", ROWS.join(", "));
        }
    }
    Ok(chosen)
}
