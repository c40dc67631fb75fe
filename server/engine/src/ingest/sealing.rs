//! Keys of raw webhooks, one a day.

use domain::{ids::WebhookEventId, time::Timestamp};
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

pub(super) fn seal_body(key: &[u8; 32], id: WebhookEventId, raw: &[u8]) -> Vec<u8> {
    secrets::seal_with(key, &body_context(id), raw)
}

/// The raw form of a stored webhook; none when its period's key is destroyed.
pub(crate) async fn open_body(
    engine: &Engine,
    id: WebhookEventId,
    period: i32,
    sealed: &[u8],
) -> store::Result<Option<Vec<u8>>> {
    let Some(wrapped) = store::keys::of_period(engine.db().reader(), period).await? else { return Ok(None) };
    let keys = &engine.config().keys;
    let key =
        keys.unwrap_data_key(&context(period), &wrapped).map_err(|error| cannot_open("period_keys.wrapped", error))?;
    let raw = secrets::open_with(&key, &body_context(id), sealed)
        .map_err(|error| cannot_open("webhook_bodies.sealed", error))?;
    Ok(Some(raw))
}

fn cannot_open(column: &'static str, error: secrets::CannotOpen) -> store::Error {
    store::Error::Corrupt { column, problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_day() {
        let at: Timestamp = "2026-11-23T23:59:59Z".parse().unwrap();
        assert_eq!(period(at), 20_261_123);
        assert_eq!(period(at.plus(Timestamp::SECOND)), 20_261_124);
    }
}
