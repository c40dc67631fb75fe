//! Raw webhooks, sealed: their keys, one a day, and the blocks that they are kept in.
//!
//! What is stored together is one block: compressed, since forms are nearly alike, then sealed.

use domain::{ids::WebhookEventId, time::Timestamp};
use store::webhook_events::{NewBlock, SealedBody};
use tokio::sync::Mutex;

use crate::{Engine, secrets};

/// Today's key and, around midnight, its neighbour.
const REMEMBERED: usize = 2;

/// The day as `yyyymmdd`: raw webhooks of one day share a key and go together.
pub(crate) fn period(at: Timestamp) -> i32 {
    at.date().replace('-', "").parse().unwrap_or_default()
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
    let Some(wrapped) = store::keys::of_period(engine.db().reader(), body.period).await? else { return Ok(None) };
    let keys = &engine.config().keys;
    let key = keys
        .unwrap_data_key(&context(body.period), &wrapped)
        .map_err(|error| cannot_open("period_keys.wrapped", error))?;
    let Some(block) = body.block else {
        let raw = secrets::open_with(&key, &body_context(id), &body.sealed);
        return raw.map(Some).map_err(|error| cannot_open("webhook_bodies.sealed", error));
    };
    let small = secrets::open_with(&key, &block_context(block), &body.sealed)
        .map_err(|error| cannot_open("webhook_blocks.sealed", error))?;
    let corrupt = |problem: String| store::Error::Corrupt { column: "webhook_blocks.sealed", problem };
    let plain = lz4_flex::decompress_size_prepended(&small).map_err(|error| corrupt(error.to_string()))?;
    of_block(&plain, id).map(Some).ok_or_else(|| corrupt(format!("the form of webhook {id} is not in it")))
}

/// One webhook's form in a block's plain text.
fn of_block(mut plain: &[u8], wanted: WebhookEventId) -> Option<Vec<u8>> {
    while let Some((id, rest)) = plain.split_first_chunk() {
        let (length, rest) = rest.split_first_chunk()?;
        let (raw, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        if i64::from_le_bytes(*id) == wanted.0 {
            return Some(raw.to_vec());
        }
        plain = rest;
    }
    None
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
        for (id, form) in ids.into_iter().zip(forms) {
            assert_eq!(of_block(&plain, id), Some(form));
        }
        assert_eq!(of_block(&plain, WebhookEventId(10)), None);
        assert_eq!(of_block(&plain[..20], WebhookEventId(9)), None, "cut in the middle");
    }

    #[test]
    fn a_period_is_a_day() {
        let at: Timestamp = "2026-11-23T23:59:59Z".parse().unwrap();
        assert_eq!(period(at), 20_261_123);
        assert_eq!(period(at.plus(Timestamp::SECOND)), 20_261_124);
    }
}
