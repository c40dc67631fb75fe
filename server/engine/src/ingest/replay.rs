//! Stored webhooks, read once more: do their raw forms still say what was made of them, and was every opt-out heard?

use domain::{
    event::{WebhookKind, WebhookOutcome},
    ids::WebhookEventId,
    inbound::Keyword,
    keywords::Keywords,
    time::Timestamp,
};
use store::replay::{Missing, Normalised, OptOutSaid};

use super::{
    event::{Content, Event, InboundIn},
    inbound,
    keywords::{Meaning, Wish},
    sealing,
};
use crate::{Engine, Result, services::settings};

/// Blocks that are opened at a time.
const BLOCKS: u32 = 50;

/// Blocks that are gone and told of one by one.
const MISSING: u32 = 1_000;

/// What a look at all stored webhooks found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Webhooks {
    /// Raw forms that were read.
    pub read: u64,
    /// Raw forms that should be there.
    pub missing: u64,
    /// In words, one for each webhook that differs.
    pub differences: Vec<String>,
}

/// Reads every raw form that is kept.
pub(crate) async fn webhooks(engine: &Engine) -> Result<Webhooks> {
    let mut found = Webhooks::default();
    let without_key = kept(engine, &mut found).await?;
    gone(engine, &without_key, &mut found).await?;
    Ok(found)
}

/// Returns the blocks whose key is gone, with their days.
async fn kept(engine: &Engine, found: &mut Webhooks) -> Result<Vec<(WebhookEventId, i32)>> {
    let db = engine.db().reader();
    let added = &settings::current(engine).await?.keywords;
    let mut without_key = Vec::new();
    let mut after = WebhookEventId(i64::MIN);
    loop {
        let blocks = store::replay::blocks(db, after, BLOCKS).await?;
        let Some(last) = blocks.last() else { return Ok(without_key) };
        after = last.id;
        let mut said = Vec::new();
        for block in &blocks {
            let Some(forms) = sealing::open_block(engine, block).await? else {
                without_key.push((block.id, block.body.period));
                continue;
            };
            let ids = forms.iter().map(|(id, _)| *id);
            let (Some(first), Some(last)) = (ids.clone().min(), ids.max()) else { continue };
            let rows = store::replay::normalised(db, first, last).await?;
            for (id, form) in &forms {
                found.read += 1;
                let row = rows.iter().find(|row| row.event.id == *id);
                let Some(row) = row else {
                    found.differences.push(format!("webhook {id}: its row is missing"));
                    continue;
                };
                let content = Event::read_again(row.event.kind, form);
                found.differences.extend(difference(row, &content));
                said.extend(opt_out(row, &content));
                match kept_raw(engine, row, &content, added).await? {
                    Some(Raw::Of(opt_out)) => said.push(opt_out),
                    Some(Raw::OfNobody) => found.differences.push(not_heard(*id)),
                    None => {}
                }
            }
        }
        let unheard = store::replay::unheard(db, &said).await?;
        found.differences.extend(unheard.into_iter().map(not_heard));
    }
}

fn not_heard(id: WebhookEventId) -> String {
    format!("webhook {id}: an opt-out, and the consent ledger has no line of it")
}

/// Raw forms that no retention has taken, and their keys, are there.
async fn gone(engine: &Engine, without_key: &[(WebhookEventId, i32)], found: &mut Webhooks) -> Result<()> {
    let (since, missing) = missing(engine).await?;
    for Missing { first, last, count } in missing {
        found.missing += u64::try_from(count).unwrap_or(0);
        found
            .differences
            .push(format!("webhooks {first} to {last}: {count} raw forms are gone, and no retention took them"));
    }
    let too_early = without_key.iter().filter(|(_, period)| *period >= since);
    found.differences.extend(too_early.map(|(block, period)| {
        format!("webhooks stored with {block}: the key of their day ({period}) is gone, and no retention destroyed it")
    }));
    Ok(())
}

/// The first day whose raw forms are to be there, and those that are not.
async fn missing(engine: &Engine) -> Result<(i32, Vec<Missing>)> {
    let db = engine.db().reader();
    loop {
        let since = store::replay::kept_since(db).await?.unwrap_or(0);
        let begins = sealing::start_of(since).unwrap_or(Timestamp::from_seconds(0));
        let missing = store::replay::missing_forms(db, begins, MISSING).await?;
        // The retention job may have begun meanwhile.
        if store::replay::kept_since(db).await?.unwrap_or(0) == since {
            return Ok((since, missing));
        }
    }
}

fn difference(row: &Normalised, content: &Content) -> Option<String> {
    let Normalised { event, kept, .. } = row;
    let id = event.id;
    // What was not a form when it came is not read as one now, and what nothing could be made of after all (an unknown
    // person without a key, say) reads well.
    if event.reason.as_deref() == Some("not_a_form") {
        return None;
    }
    let same = match (event.kind, content) {
        // It could not be stored as what it is: nothing but its SID is told of it.
        (WebhookKind::Status, Content::Status(status)) if event.reason.as_deref() == Some("failed") => {
            event.provider_sid.as_ref() == Some(&status.sid)
        }
        (WebhookKind::Status, Content::Status(status)) => {
            event.provider_sid.as_ref() == Some(&status.sid)
                && event.status.as_ref() == Some(&status.status)
                && event.error_code == status.error_code
        }
        (WebhookKind::Inbound, Content::Inbound(inbound)) => event.provider_sid.as_ref() == Some(&inbound.sid),
        (_, Content::Nonsense { reason, .. }) => event.reason.as_deref() == Some(*reason),
        _ => false,
    };
    if !same {
        return Some(format!("webhook {id}: its raw form says something else than what is stored of it"));
    }
    let what = if event.kind == WebhookKind::Status { "receipt" } else { "inbound message" };
    (!kept).then(|| format!("webhook {id}: there is no {what} of it"))
}

/// The opt-out that a message says, read as when it came; of words that were added then, what they were taken for is told by
/// the message's row. Repeats say nothing new.
fn opt_out(row: &Normalised, content: &Content) -> Option<OptOutSaid> {
    let Content::Inbound(message) = content else { return None };
    let (contact, taken_for) = row.inbound.filter(|_| row.event.outcome == WebhookOutcome::Applied)?;
    let everything = match taken_for {
        Some(Keyword::Stop) => true,
        Some(Keyword::Unsubscribe) => false,
        Some(_) => return None,
        None => leaves_everything(message, &Keywords::default())?,
    };
    Some(OptOutSaid { event: row.event.id, contact, at: row.event.received_at, everything })
}

/// Whose opt-out was only kept raw.
enum Raw {
    Of(OptOutSaid),
    /// Somebody who is not stored, and whose number is not on the suppression list.
    OfNobody,
}

/// The opt-out in a message that could not be stored as what it is, unless it was fetched and stored since. With the words
/// that are added now: nobody has noted what it was taken for.
async fn kept_raw(engine: &Engine, row: &Normalised, content: &Content, added: &Keywords) -> Result<Option<Raw>> {
    let Content::Inbound(message) = content else { return Ok(None) };
    let is_raw = row.event.reason.as_deref() == Some("failed") && row.inbound.is_none();
    let Some(everything) = leaves_everything(message, added).filter(|_| is_raw) else { return Ok(None) };
    let db = engine.db().reader();
    if let Some(person) = store::contacts::find(db, &message.phone).await? {
        let said = OptOutSaid { event: row.event.id, contact: person.id, at: row.event.received_at, everything };
        return Ok(Some(Raw::Of(said)));
    }
    let hashes = engine.config().keys.suppression_hashes(message.phone.as_str());
    Ok(store::suppressions::find(db, &hashes).await?.is_empty().then_some(Raw::OfNobody))
}

/// Whether a message is an opt-out of everything, or else of a topic; none when it is neither.
fn leaves_everything(message: &InboundIn, added: &Keywords) -> Option<bool> {
    match inbound::read(message, added) {
        Meaning::Wish(Wish::Stop) => Some(true),
        Meaning::Wish(Wish::Unsubscribe(_)) => Some(false),
        Meaning::Wish(_) | Meaning::Hint | Meaning::Nothing => None,
    }
}
