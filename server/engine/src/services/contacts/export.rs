//! Everything that is stored about one person, for that person.

use domain::{
    contact::PersonExport, message::MessageFilter, page::PageRequest, phone::Phone, trigger_event::TriggerEventFilter,
};
use serde_json::json;

use super::{NO_CONTACT, audit, history};
use crate::{Actor, Engine, Result};

/// Read in pages of this size.
const AT_A_TIME: u32 = PageRequest::MAX_LIMIT;

/// All pages of a list about one person. (A macro: what awaits inside a closure of references is not `Send`.)
macro_rules! all {
    ($page:ident => $load:expr) => {{
        let mut items = Vec::new();
        let mut $page = PageRequest::first(AT_A_TIME);
        loop {
            let loaded = $load.await?;
            items.extend(loaded.items);
            match loaded.next_cursor {
                Some(cursor) => $page.cursor = Some(cursor),
                None => break items,
            }
        }
    }};
}

/// A person's data, and a line in the audit log that somebody has taken them out.
pub(super) async fn export(engine: &Engine, actor: &Actor, phone: &Phone) -> Result<PersonExport> {
    let everything = collect(engine, actor, phone).await?;
    let tx = engine.begin(actor).await?;
    let person = store::contacts::find(&tx, phone).await?.ok_or(NO_CONTACT)?;
    let PersonExport { exported_at, timeline, messages, inbound, events, .. } = &everything;
    let detail = json!({
        "messages": messages.len(), "inbound": inbound.len(), "timeline": timeline.len(), "events": events.len(),
    });
    audit(&tx, actor, *exported_at, "export", person.id, &detail).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(everything)
}

/// A person's data.
pub(crate) async fn collect(engine: &Engine, actor: &Actor, phone: &Phone) -> Result<PersonExport> {
    let exported_at = engine.now();
    let contact = engine.contacts().get(actor, phone).await?;
    let timeline = all!(page => history::timeline(engine, phone, &page));
    let filter = MessageFilter { phone: Some(phone.clone()), ..MessageFilter::default() };
    let messages = all!(page => engine.messages().list(actor, &filter, &page));
    let inbound = all!(page => engine.inbound().list(actor, Some(phone), None, &page));
    let about = TriggerEventFilter { phone: Some(phone.clone()), ..TriggerEventFilter::default() };
    let events = all!(page => engine.trigger_events().list(actor, &about, &page));
    let webhooks = match store::contacts::find(engine.db().reader(), phone).await? {
        Some(person) => engine.webhook_events().of_person(actor, person.id, phone).await?,
        None => Vec::new(),
    };
    Ok(PersonExport { exported_at, contact, timeline, messages, inbound, events, webhooks })
}
