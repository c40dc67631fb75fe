//! The people of a run's plan with their texts: filled when somebody looks, by the same function as at sending.

use std::{collections::HashMap, sync::Arc};

use domain::{
    ids::{MessageId, RunId},
    message::{Message, MessageFilter, Outcome, State},
    page::{Page, PageRequest},
    reason::Reason,
    role::Permission,
    run::PlannedPerson,
    text::Count,
    time::Timestamp,
};
use futures::{StreamExt as _, stream, stream::BoxStream};
use store::messages::{Claimed, ExportRow, Which};

use super::runs::{Runs, run_or};
use crate::{
    Actor, Engine, Result,
    csv_out::CsvOut,
    require,
    sender::{content_for, length_by_sms, local_time},
    templates::Compiled,
    zones::{Zones, zones_of},
};

/// Rows of one part of an export.
const EXPORT_CHUNK: u32 = 1_000;

const HEADING: [&str; 11] = [
    "message_id",
    "phone",
    "name",
    "outcome",
    "reason",
    "send_at",
    "local_time",
    "timezone",
    "text",
    "segments",
    "encoding",
];

/// A message of the plan that something is known of beside its outcome.
struct Wanted {
    id: MessageId,
    at: Timestamp,
    /// It was handed over, or is being: the text is the one that was, where it is kept.
    is_out: bool,
}

/// What people are shown of a planned message.
#[derive(Default)]
struct Shown {
    local_time: Option<String>,
    timezone: Option<String>,
    text: Option<String>,
    /// By SMS.
    length: Option<Count>,
}

impl Runs<'_> {
    /// The people of a run's plan, each with the text and the local time of sending.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for a cursor or limit that cannot be used.
    pub async fn planned(
        &self,
        actor: &Actor,
        run: RunId,
        filter: &MessageFilter,
        page: &PageRequest,
    ) -> Result<Page<PlannedPerson>> {
        require(actor, Permission::Read)?;
        let filter = MessageFilter { run: Some(run), ..filter.clone() };
        let Page { items, next_cursor } = self.0.messages().list(actor, &filter, page).await?;
        let now = self.0.now();
        let wanted: Vec<Wanted> = items
            .iter()
            .filter(|message| message.state == State::Queued)
            .map(|message| Wanted { id: message.id, at: message.not_before.max(now), is_out: false })
            .collect();
        let mut shown = shown(self.0, run, &wanted).await?;
        let person = |message: Message| {
            let Shown { local_time, timezone, text, .. } = shown.remove(&message.id).unwrap_or_default();
            PlannedPerson { message, local_time, timezone, text }
        };
        Ok(Page { items: items.into_iter().map(person).collect(), next_cursor })
    }

    /// Everybody of a run's plan as CSV, in parts: outcome, reason, time and text, by SMS with its length. Of what went out
    /// meanwhile the time at which it was due and the text that was handed over, as long as that is kept.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn plan_csv(&self, actor: &Actor, run: RunId) -> Result<BoxStream<'static, Result<String>>> {
        require(actor, Permission::Read)?;
        let launched = run_or(store::runs::get(self.0.db().reader(), run).await)?.started_at.unwrap_or_default();
        let heading = CsvOut::new(HEADING).finish();
        let rows = stream::try_unfold((self.0.clone(), (-1, 0)), move |(engine, after)| async move {
            let (rows, last) = store::messages::export_chunk(engine.db().reader(), run, after, EXPORT_CHUNK).await?;
            let Some(last) = last else { return Ok(None) };
            let lines = lines(&engine, (run, launched), &rows).await?;
            Ok(Some((lines, (engine, last))))
        });
        Ok(stream::once(async { Ok(heading) }).chain(rows).boxed())
    }
}

async fn shown(engine: &Engine, run: RunId, wanted: &[Wanted]) -> Result<HashMap<MessageId, Shown>> {
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let db = engine.db().reader();
    let (template, topic) = run_or(store::runs::frozen(db, run).await)?;
    let template: Arc<Compiled> = engine.inner().templates.version(engine.db(), template.0, template.1).await?;
    let ids: Vec<MessageId> = wanted.iter().map(|one| one.id).collect();
    let by_id: HashMap<MessageId, &Wanted> = wanted.iter().map(|one| (one.id, one)).collect();
    let found = store::messages::as_if_claimed(db, run, topic, Which::These(&ids)).await?;
    let show = |message: &Claimed| {
        let wanted = by_id.get(&message.id)?;
        Some((message.id, of_person(engine, &template, message, wanted)))
    };
    Ok(found.iter().filter_map(show).collect())
}

fn of_person(engine: &Engine, template: &Compiled, message: &Claimed, &Wanted { at, is_out, .. }: &Wanted) -> Shown {
    let Some(contact) = &message.contact else { return Shown::default() };
    let zones = zones_of(&contact.phone, contact.timezone.as_deref());
    let content = if is_out { None } else { content_for(engine, template, message).ok() };
    Shown {
        local_time: Some(told(&zones, at)),
        timezone: zones.names().first().map(|name| (*name).to_owned()),
        length: content.as_ref().and_then(|content| length_by_sms(template.channel(), content)),
        text: if is_out { message.body.clone() } else { content.map(|content| content.text) },
    }
}

fn told(zones: &Zones, at: Timestamp) -> String {
    local_time(zones, at).strftime("%Y-%m-%d %H:%M").to_string()
}

async fn lines(engine: &Engine, (run, launched): (RunId, Timestamp), rows: &[ExportRow]) -> Result<String> {
    let now = engine.now();
    let wanted = |row: &ExportRow| match row.state {
        State::Skipped | State::Cancelled => None,
        State::Queued => Some(Wanted { id: row.id, at: row.not_before.max(now), is_out: false }),
        // A rehearsal may have been long before its launch.
        _ => Some(Wanted { id: row.id, at: row.not_before.max(launched), is_out: true }),
    };
    let wanted: Vec<Wanted> = rows.iter().filter_map(wanted).collect();
    let mut shown = shown(engine, run, &wanted).await?;
    let mut file = CsvOut::continued();
    for row in rows {
        let (outcome, at) = match (row.state, row.reason) {
            (State::Skipped, _) => (Outcome::Skip.as_str(), None),
            (State::Cancelled, _) => (State::Cancelled.as_str(), None),
            (State::Queued, Some(Reason::QuietHours)) => (Outcome::Wait.as_str(), Some(row.not_before)),
            (State::Queued, _) => (Outcome::Send.as_str(), Some(row.not_before.max(now))),
            (state, _) => (state.as_str(), Some(row.not_before.max(launched))),
        };
        let Shown { local_time, timezone, text, length } = shown.remove(&row.id).unwrap_or_default();
        file.row([
            &*row.id.to_string(),
            row.phone.as_deref().unwrap_or_default(),
            row.name.as_deref().unwrap_or_default(),
            outcome,
            row.reason.map_or("", Reason::as_str),
            &at.map(|at| at.to_string()).unwrap_or_default(),
            local_time.as_deref().unwrap_or_default(),
            timezone.as_deref().unwrap_or_default(),
            text.as_deref().unwrap_or_default(),
            &length.map(|length| length.segments.to_string()).unwrap_or_default(),
            length.map_or("", |length| length.encoding.as_str()),
        ]);
    }
    Ok(file.finish())
}
