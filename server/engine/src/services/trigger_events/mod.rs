//! Trigger events: what happened elsewhere, taken line by line and told to the campaigns that listen.

mod lines;
mod take;

use bytes::Bytes;
use domain::{
    contact::Attributes,
    ids::TriggerEventId,
    page::{Page, PageRequest},
    role::Permission,
    trigger_event::{EventName, EventsReport, TriggerEvent, TriggerEventFilter},
};
use futures::{Stream, StreamExt as _};

use self::lines::Lines;
use crate::{
    Actor, Engine, Error, Result,
    bell::Who,
    cursor::{Cursor, page_of, rows_to_ask_for},
    require,
};

/// The longest line, in bytes.
pub const LINE_LIMIT: usize = 64 * 1024;

/// The longest body that is taken over HTTP, in bytes.
pub const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Lines of one transaction.
const BATCH: usize = 1_000;

/// Names that are offered.
const NAMES: u32 = 100;

/// See [`Engine::trigger_events`].
pub struct TriggerEvents<'a>(&'a Engine);

impl Engine {
    /// Trigger events: what happened elsewhere, taken line by line and told to the campaigns that listen.
    #[must_use]
    pub const fn trigger_events(&self) -> TriggerEvents<'_> {
        TriggerEvents(self)
    }
}

impl TriggerEvents<'_> {
    /// Takes events, one a line: good lines are stored, batch by batch, bad ones are listed. What was stored by the time of
    /// an error stays; the same lines can be sent again, because the same id twice is one event. At most `limit` bytes.
    ///
    /// # Errors
    /// `TooLarge` beyond the limit, `Invalid` when the body breaks off, and what the database says.
    pub async fn ingest(
        &self,
        actor: &Actor,
        body: impl Stream<Item = std::io::Result<Bytes>> + Send,
        limit: Option<usize>,
    ) -> Result<EventsReport> {
        require(actor, Permission::Send)?;
        let mut body = std::pin::pin!(body);
        let (mut lines, mut report, mut room) = (Lines::default(), EventsReport::default(), limit);
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|_| Error::invalid("body", "It broke off. Send it again."))?;
            if let Some(room) = &mut room {
                *room = room.checked_sub(piece.len()).ok_or_else(|| too_large(limit))?;
            }
            // A piece may hold more lines than one transaction.
            let mut rest = &piece[..];
            while !rest.is_empty() {
                rest = lines.push(rest, BATCH);
                if lines.len() == BATCH {
                    take::batch(self.0, actor, lines.take(), &mut report).await?;
                }
            }
        }
        lines.end();
        take::batch(self.0, actor, lines.take(), &mut report).await?;
        if report.accepted > 0 {
            self.0.inner().bell.ring(Who::Planner);
        }
        Ok(report)
    }

    /// Events, newest first, each with what it came to.
    ///
    /// # Errors
    /// `Invalid` for a cursor or limit that cannot be used.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &TriggerEventFilter,
        page: &PageRequest,
    ) -> Result<Page<TriggerEvent>> {
        require(actor, Permission::Read)?;
        let limit = rows_to_ask_for(page)?;
        let before = Cursor::read(page, |parts| match parts {
            [number] => number.parse().ok(),
            _ => None,
        })?;
        let rows = store::trigger_events::list(self.0.db().reader(), filter, before, limit).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.number])))
    }

    /// One event with what it came to.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, actor: &Actor, number: TriggerEventId) -> Result<TriggerEvent> {
        require(actor, Permission::Read)?;
        store::trigger_events::get(self.0.db().reader(), number).await.map_err(|error| match error {
            store::Error::NotFound => Error::NotFound { what: "event" },
            other => other.into(),
        })
    }

    /// The names that came, the latest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn names(&self, actor: &Actor) -> Result<Vec<EventName>> {
        require(actor, Permission::Read)?;
        Ok(store::trigger_events::names(self.0.db().reader(), NAMES).await?)
    }

    /// The data of the latest event that has some, of this name or of any: what a text is tried with.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sample(&self, actor: &Actor, name: Option<&str>) -> Result<Option<Attributes>> {
        require(actor, Permission::Read)?;
        Ok(store::trigger_events::sample(self.0.db().reader(), name).await?)
    }
}

fn too_large(limit: Option<usize>) -> Error {
    let limit = limit.unwrap_or_default() / 1024 / 1024;
    Error::TooLarge(format!("The body is larger than the {limit} MiB that are taken at once. Send it in parts."))
}
