//! Stored webhooks, read once more: do their raw forms still say what was made of them?

use domain::{event::WebhookKind, ids::WebhookEventId};
use store::replay::Normalised;

use super::{
    event::{Content, Event},
    sealing,
};
use crate::{Engine, Result};

/// Blocks that are opened at a time.
const BLOCKS: u32 = 50;

/// What a look at all stored webhooks found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Webhooks {
    /// Raw forms that were read.
    pub read: u64,
    /// In words, one for each webhook that differs.
    pub differences: Vec<String>,
}

/// Reads every raw form that is kept.
pub(crate) async fn webhooks(engine: &Engine) -> Result<Webhooks> {
    let db = engine.db().reader();
    let mut found = Webhooks::default();
    let mut after = WebhookEventId(i64::MIN);
    loop {
        let blocks = store::replay::blocks(db, after, BLOCKS).await?;
        let Some(last) = blocks.last() else { return Ok(found) };
        after = last.id;
        for block in &blocks {
            let Some(forms) = sealing::open_block(engine, block).await? else { continue };
            let ids = forms.iter().map(|(id, _)| *id);
            let (Some(first), Some(last)) = (ids.clone().min(), ids.max()) else { continue };
            let rows = store::replay::normalised(db, first, last).await?;
            for (id, form) in &forms {
                found.read += 1;
                let row = rows.iter().find(|row| row.event.id == *id);
                found.differences.extend(difference(*id, form, row));
            }
        }
    }
}

fn difference(id: WebhookEventId, form: &[u8], row: Option<&Normalised>) -> Option<String> {
    let Some(Normalised { event, kept }) = row else { return Some(format!("webhook {id}: its row is missing")) };
    // What was not a form when it came is not read as one now, and what nothing could be made of after all (an unknown
    // person without a key, say) reads well.
    if event.reason.as_deref().is_some_and(|reason| reason == "not_a_form") {
        return None;
    }
    let same = match (event.kind, Event::read_again(event.kind, form)) {
        (WebhookKind::Status, Content::Status(status)) => {
            event.provider_sid.as_ref() == Some(&status.sid)
                && event.status.as_ref() == Some(&status.status)
                && event.error_code == status.error_code
        }
        (WebhookKind::Inbound, Content::Inbound(inbound)) => event.provider_sid.as_ref() == Some(&inbound.sid),
        (_, Content::Nonsense { reason, .. }) => event.reason.as_deref() == Some(reason),
        _ => false,
    };
    if !same {
        return Some(format!("webhook {id}: its raw form says something else than what is stored of it"));
    }
    let what = if event.kind == WebhookKind::Status { "receipt" } else { "inbound message" };
    (!kept).then(|| format!("webhook {id}: there is no {what} of it"))
}
