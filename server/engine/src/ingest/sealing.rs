//! Raw webhooks, sealed: their keys, one a day, and the blocks that they are kept in.
//!
//! What is stored together is one block: compressed, since forms are nearly alike, then sealed.

use std::collections::BTreeMap;

use domain::{ids::WebhookEventId, time::Timestamp};
use store::{
    replay::Block,
    webhook_events::{NewBlock, SealedBody},
};
use tokio::sync::Mutex;

use crate::{Engine, secrets};

/// Today's key and, around midnight, its neighbour.
const REMEMBERED: usize = 2;

/// The day as `yyyymmdd`: raw webhooks of one day share a key and go together.
pub(crate) fn period(at: Timestamp) -> i32 {
    at.date().replace('-', "").parse().unwrap_or_default()
}

/// When a period begins.
pub(super) fn start_of(period: i32) -> Option<Timestamp> {
    let (year, month, day) = (period / 10_000, period / 100 % 100, period % 100);
    format!("{year:04}-{month:02}-{day:02}T00:00:00Z").parse().ok()
}

/// Keys of the last days, so that storing asks for none.
#[derive(Default)]
pub(super) struct Periods(Mutex<Vec<(i32, [u8; 32])>>);

impl Periods {
    /// The key of a period, made when there is none: in a transaction of its own, so that the key is there whatever
    /// becomes of what is sealed with it.
    pub(super) async fn key(&self, engine: &Engine, period: i32) -> store::Result<[u8; 32]> {
        let mut known = self.0.lock().await;
        if let Some((_, key)) = known.iter().find(|(of, _)| *of == period) {
            return Ok(*key);
        }
        let keys = &engine.config().keys;
        let tx = engine.db().begin().await?;
        let (_, wrapped) = keys.new_data_key(&context(period));
        let wrapped = store::keys::ensure_period(&tx, period, wrapped).await?;
        tx.commit().await?;
        let key = keys
            .unwrap_data_key(&context(period), &wrapped)
            .map_err(|error| cannot_open("period_keys.wrapped", error))?;
        known.push((period, key));
        if known.len() > REMEMBERED {
            known.remove(0);
        }
        Ok(key)
    }
}

fn context(period: i32) -> String {
    format!("period/{period}")
}

fn body_context(id: WebhookEventId) -> String {
    format!("webhook/{id}")
}

fn block_context(id: WebhookEventId) -> String {
    format!("webhooks/{id}")
}

/// The raw forms of webhooks that are stored together; the block goes by the least of their ids.
pub(super) fn seal_block<'a>(
    key: &[u8; 32],
    period: i32,
    raws: impl Iterator<Item = (WebhookEventId, &'a [u8])>,
) -> NewBlock {
    let mut plain = Vec::new();
    let mut first: Option<WebhookEventId> = None;
    for (id, raw) in raws {
        first = Some(first.map_or(id, |first| first.min(id)));
        plain.extend_from_slice(&id.0.to_le_bytes());
        plain.extend_from_slice(&u32::try_from(raw.len()).unwrap_or(u32::MAX).to_le_bytes());
        plain.extend_from_slice(raw);
    }
    let small = lz4_flex::compress_prepend_size(&plain);
    NewBlock { period, sealed: secrets::seal_with(key, &block_context(first.unwrap_or(WebhookEventId(0))), &small) }
}

/// The raw form of a stored webhook; none when its period's key is destroyed.
pub(crate) async fn open_body(
    engine: &Engine,
    id: WebhookEventId,
    body: &SealedBody,
) -> store::Result<Option<Vec<u8>>> {
    let key = stored_key(engine, body.period).await?;
    key.map(|key| open_with(&key, id, body)).transpose()
}

/// The raw forms of several, each key looked up once; those whose period's key is destroyed are left out.
pub(crate) async fn open_bodies(
    engine: &Engine,
    bodies: Vec<(WebhookEventId, SealedBody)>,
) -> store::Result<BTreeMap<WebhookEventId, Vec<u8>>> {
    let mut keys = BTreeMap::new();
    let mut opened = BTreeMap::new();
    for (id, body) in bodies {
        let key = match keys.get(&body.period) {
            Some(key) => *key,
            None => {
                let key = stored_key(engine, body.period).await?;
                keys.insert(body.period, key);
                key
            }
        };
        if let Some(key) = key {
            opened.insert(id, open_with(&key, id, &body)?);
        }
    }
    Ok(opened)
}

/// The key of a period; none when it is destroyed.
async fn stored_key(engine: &Engine, period: i32) -> store::Result<Option<[u8; 32]>> {
    let wrapped = store::keys::of_period(engine.db().reader(), period).await?;
    let unwrap = |wrapped: Vec<u8>| engine.config().keys.unwrap_data_key(&context(period), &wrapped);
    wrapped.map(unwrap).transpose().map_err(|error| cannot_open("period_keys.wrapped", error))
}

fn open_with(key: &[u8; 32], id: WebhookEventId, body: &SealedBody) -> store::Result<Vec<u8>> {
    let Some(block) = body.block else {
        return secrets::open_with(key, &body_context(id), &body.sealed)
            .map_err(|error| cannot_open("webhook_bodies.sealed", error));
    };
    let plain = plain_block(key, block, &body.sealed)?;
    let form = forms_of_block(&plain).find(|(of, _)| *of == id).map(|(_, form)| form.to_vec());
    form.ok_or_else(|| corrupt_block(format!("the form of webhook {id} is not in it")))
}

/// The raw forms of all webhooks of a block; none when its period's key is destroyed.
pub(super) async fn open_block(
    engine: &Engine,
    block: &Block,
) -> store::Result<Option<Vec<(WebhookEventId, Vec<u8>)>>> {
    let Some(key) = stored_key(engine, block.body.period).await? else { return Ok(None) };
    let plain = plain_block(&key, block.id, &block.body.sealed)?;
    Ok(Some(forms_of_block(&plain).map(|(id, form)| (id, form.to_vec())).collect()))
}

fn plain_block(key: &[u8; 32], id: WebhookEventId, sealed: &[u8]) -> store::Result<Vec<u8>> {
    let small = secrets::open_with(key, &block_context(id), sealed)
        .map_err(|error| cannot_open("webhook_blocks.sealed", error))?;
    lz4_flex::decompress_size_prepended(&small).map_err(|error| corrupt_block(error.to_string()))
}

fn corrupt_block(problem: String) -> store::Error {
    store::Error::Corrupt { column: "webhook_blocks.sealed", problem }
}

/// The webhooks' forms in a block's plain text; it ends where the text is cut off.
fn forms_of_block(mut plain: &[u8]) -> impl Iterator<Item = (WebhookEventId, &[u8])> {
    std::iter::from_fn(move || {
        let (id, rest) = plain.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (form, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        plain = rest;
        Some((WebhookEventId(i64::from_le_bytes(*id)), form))
    })
}

fn cannot_open(column: &'static str, error: secrets::CannotOpen) -> store::Error {
    store::Error::Corrupt { column, problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_gives_back_each_form() {
        let ids = [WebhookEventId(7), WebhookEventId(9), WebhookEventId(8)];
        let forms: Vec<Vec<u8>> = ids
            .iter()
            .map(|id| format!("MessageSid=SM{id}&MessageStatus=delivered&AccountSid=AC1").into_bytes())
            .collect();
        let raws = ids.iter().copied().zip(forms.iter().map(Vec::as_slice));
        let block = seal_block(&[1; 32], 20_261_127, raws);
        let small = secrets::open_with(&[1; 32], &block_context(WebhookEventId(7)), &block.sealed).expect("it opens");
        let plain = lz4_flex::decompress_size_prepended(&small).expect("whole");
        let wanted: Vec<_> = ids.into_iter().zip(forms.iter().map(Vec::as_slice)).collect();
        assert_eq!(forms_of_block(&plain).collect::<Vec<_>>(), wanted);
        assert_eq!(forms_of_block(&plain[..20]).count(), 0, "cut in the middle");
    }

    #[test]
    fn a_period_is_a_day() {
        let at: Timestamp = "2026-11-23T23:59:59Z".parse().unwrap();
        assert_eq!(period(at), 20_261_123);
        assert_eq!(period(at.plus(Timestamp::SECOND)), 20_261_124);
        assert_eq!(start_of(20_261_124), Some(at.plus(Timestamp::SECOND)));
        assert_eq!(start_of(0), None);
    }
}
