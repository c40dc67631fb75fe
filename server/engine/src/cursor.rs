//! Where a page of a list ends, as an opaque text.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::page::{Page, PageRequest};

use crate::{Error, Result};

/// The key of the last row of a page, as its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor(Vec<String>);

impl Cursor {
    pub(crate) fn new(parts: impl IntoIterator<Item = impl ToString>) -> Self {
        Self(parts.into_iter().map(|part| part.to_string()).collect())
    }

    pub(crate) fn encode(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0.join(" "))
    }

    /// Reads the cursor of a request; `read` turns its parts into the key.
    ///
    /// # Errors
    /// `Invalid` when it is none of ours.
    pub(crate) fn read<T>(page: &PageRequest, read: impl Fn(&[&str]) -> Option<T>) -> Result<Option<T>> {
        let Some(cursor) = &page.cursor else { return Ok(None) };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let key = text.and_then(|text| read(&text.split(' ').collect::<Vec<_>>()));
        key.map(Some).ok_or_else(|| {
            Error::invalid("cursor", "This is not a cursor of this list. Take next_cursor of the page before.")
        })
    }
}

/// How many rows to ask for: one more than the page holds, to see whether there are more.
///
/// # Errors
/// `Invalid` when the limit is out of range.
pub(crate) fn rows_to_ask_for(page: &PageRequest) -> Result<u32> {
    if (1..=PageRequest::MAX_LIMIT).contains(&page.limit) {
        return Ok(page.limit + 1);
    }
    Err(Error::invalid("limit", format!("Give a number from 1 to {}.", PageRequest::MAX_LIMIT)))
}

/// Makes the page of rows that were asked for with [`rows_to_ask_for`].
pub(crate) fn page_of<T>(mut rows: Vec<T>, page: &PageRequest, cursor: impl Fn(&T) -> Cursor) -> Page<T> {
    let limit = page.limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|last| cursor(last).encode());
    Page { items: rows, next_cursor }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(cursor: Option<String>) -> PageRequest {
        PageRequest { limit: 2, cursor }
    }

    fn number(parts: &[&str]) -> Option<i64> {
        let [number] = parts else { return None };
        number.parse().ok()
    }

    #[test]
    fn a_page_knows_whether_there_is_another() {
        let page = page_of(vec![9, 8, 7], &request(None), |last| Cursor::new([last]));
        assert_eq!(page.items, [9, 8]);
        assert_eq!(Cursor::read(&request(page.next_cursor), number).unwrap(), Some(8));
        assert_eq!(page_of(vec![9, 8], &request(None), |last| Cursor::new([last])).next_cursor, None);
    }

    #[test]
    fn a_foreign_cursor_and_a_limit_out_of_range_are_refused() {
        for cursor in ["", "x", "8", "IA", "bm90IG91cnM"] {
            let read = Cursor::read(&request(Some(cursor.to_owned())), number);
            assert!(matches!(read, Err(Error::Invalid(errors)) if errors[0].field == "cursor"), "{cursor}");
        }
        assert!(rows_to_ask_for(&PageRequest::first(0)).is_err());
        assert!(rows_to_ask_for(&PageRequest::first(1_001)).is_err());
        assert_eq!(rows_to_ask_for(&PageRequest::first(1_000)).unwrap(), 1_001);
    }
}
