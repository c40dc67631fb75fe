//! What happened with a person.

use domain::{
    contact::TimelineEntry,
    page::{Page, PageRequest},
    phone::Phone,
};
use store::contacts::TimelineRow;

use super::{NO_CONTACT, consent};
use crate::{
    Engine, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
};

pub(super) async fn timeline(engine: &Engine, phone: &Phone, page: &PageRequest) -> Result<Page<TimelineEntry>> {
    let limit = rows_to_ask_for(page)?;
    let before = Cursor::read(page, |parts| match parts {
        [at, source, id] => Some((at.parse().ok()?, source.parse().ok()?, id.parse().ok()?)),
        _ => None,
    })?;
    let db = engine.db().reader();
    let person = store::contacts::find(db, phone).await?.ok_or(NO_CONTACT)?;
    let rows = store::contacts::timeline(db, person.id, before, limit).await?;
    let wrapped = if rows.iter().any(|row| row.evidence.is_some()) {
        store::keys::of_contact(db, person.id).await?
    } else {
        None
    };
    let page = page_of(rows, page, |last| Cursor::new([last.key.0, last.key.1, last.key.2]));
    Ok(page.map(|TimelineRow { mut entry, evidence, .. }| {
        if let (Some(sealed), Some(wrapped)) = (evidence, &wrapped) {
            entry.text = consent::open(&engine.config().keys, person.id, wrapped, &sealed);
        }
        entry
    }))
}
