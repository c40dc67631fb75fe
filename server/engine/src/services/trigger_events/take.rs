//! A batch of lines: read, checked, stored with the people they are about.

use std::collections::{BTreeMap, HashMap};

use domain::{
    actor::Actor,
    contact::Attributes,
    ids::ContactId,
    phone::Phone,
    segment::{self, Group},
    text::exact,
    trigger_event::{self, EventsReport, NewTriggerEvent, RejectedLine},
};
use serde_json::Value;
use store::{Tx, trigger_events::NewEvent};

use super::{LINE_LIMIT, lines::Line};
use crate::{
    Engine, Error, Result, phone,
    retry::{TRIES, is_transient, pause},
    services::{
        contacts::{Birth, all_born},
        segments,
    },
};

/// As many rejected lines are listed.
const LISTED: usize = 1_000;

/// A line that can be stored.
struct Checked {
    event: NewTriggerEvent,
    about: About,
}

enum About {
    Person(Phone),
    Many(Group),
}

/// Takes a batch and adds what became of it to the report.
///
/// # Errors
/// What the database says; then nothing of the batch is stored.
pub(super) async fn batch(engine: &Engine, actor: &Actor, lines: Vec<Line>, report: &mut EventsReport) -> Result<()> {
    let mut good = Vec::with_capacity(lines.len());
    for line in lines {
        match checked(engine, line.bytes.as_deref()).await? {
            Ok(checked) => good.push(checked),
            Err(message) if report.rejected.len() < LISTED => {
                report.rejected.push(RejectedLine { line: line.number, message });
            }
            Err(_) => report.rejected_besides += 1,
        }
    }
    if good.is_empty() {
        return Ok(());
    }
    let mut tries = 1;
    let accepted = loop {
        match store(engine, actor, &good).await {
            // Somebody else stored one of the people at the same moment: they are known by now.
            Err(Failed::Taken) if tries < TRIES => {}
            Err(Failed::Other(error)) if tries < TRIES && is_transient(&error) => {}
            Err(Failed::Taken) => return Err(Error::Unavailable("The people are being stored. Try again.".to_owned())),
            Err(Failed::Other(error)) => return Err(error),
            Ok(accepted) => break accepted,
        }
        tokio::time::sleep(pause(tries)).await;
        tries += 1;
    };
    let taken = i64::try_from(good.len()).unwrap_or(i64::MAX);
    report.accepted += accepted;
    report.duplicates += taken - accepted;
    metrics::counter!("trigger_events_total").increment(accepted.unsigned_abs());
    Ok(())
}

/// What is wrong with a line, in words that name the field.
async fn checked(engine: &Engine, bytes: Option<&[u8]>) -> Result<Result<Checked, String>> {
    let Some(bytes) = bytes else { return Ok(Err(format!("The line is longer than {} KiB.", LINE_LIMIT / 1024))) };
    let event = match read(bytes) {
        Ok(event) => event,
        Err(message) => return Ok(Err(message)),
    };
    let about = match (&event.phone, &event.segment) {
        (Some(text), None) => match phone::parse(text, None) {
            Ok(phone) => About::Person(phone),
            Err(_) => return Ok(Err("phone: Give a number that exists, such as +14155550100.".to_owned())),
        },
        (None, Some(definition)) => match many(engine, definition).await {
            Ok(definition) => About::Many(definition),
            Err(Error::Invalid(errors)) => {
                let words = errors.iter().map(|error| {
                    let path = error.field.strip_prefix("definition").unwrap_or(&error.field);
                    format!("segment{path}: {}", error.message)
                });
                return Ok(Err(words.collect::<Vec<_>>().join(" ")));
            }
            Err(error) => return Err(error),
        },
        _ => return Ok(Err("Give either a phone or a segment.".to_owned())),
    };
    Ok(Ok(Checked { event, about }))
}

fn read(bytes: &[u8]) -> Result<NewTriggerEvent, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "The line is not UTF-8.".to_owned())?;
    // A number that would lose digits is kept as the text that it is.
    let text = exact(text);
    let event: NewTriggerEvent = serde_json::from_str(&text).map_err(|error| {
        let words = error.to_string();
        // The position in the line stands in the second part: the first one, the line, is another.
        let words = words.split(" at line ").next().unwrap_or_default();
        match error.classify() {
            serde_json::error::Category::Data => in_its_field(&text, words),
            _ => format!("The line is not a JSON object: {words} (column {}).", error.column()),
        }
    })?;
    let id = event.id.trim();
    if id.is_empty() || id.chars().count() > trigger_event::ID_MAX || id.contains('\0') {
        return Err(format!("id: Use 1 to {} characters.", trigger_event::ID_MAX));
    }
    if !trigger_event::is_name(&event.name) {
        let most = trigger_event::NAME_MAX;
        return Err(format!("name: Use letters, digits and _ . : -, at most {most}, such as price_drop."));
    }
    if event.name.starts_with(trigger_event::OWN_PREFIX) {
        return Err("name: Names that begin with contact. are told by this program itself.".to_owned());
    }
    Ok(event)
}

/// The parser's words with the field that they are about, which is looked for only in lines that are wrong. Where a field is
/// missing or not known the words name it.
fn in_its_field(text: &str, words: &str) -> String {
    let read: Result<NewTriggerEvent, _> =
        serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text));
    let path = read.err().map(|error| error.path().to_string()).unwrap_or_default();
    let words = words.replace("expected a map", "expected an object").replace("expected a string", "expected a text");
    let is_named = words.contains(&format!("`{path}`"));
    if path.is_empty() || path == "." || path == "?" || is_named {
        return format!("{words}.");
    }
    format!("{path}: {words}.")
}

async fn many(engine: &Engine, definition: &Value) -> Result<Group> {
    let definition = segment::parse(definition).map_err(Error::Invalid)?;
    segments::usable(engine.db().reader(), None, &definition).await
}

enum Failed {
    /// A number was taken meanwhile.
    Taken,
    Other(Error),
}

impl From<store::Error> for Failed {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Duplicate(_) => Self::Taken,
            other => Self::Other(other.into()),
        }
    }
}

/// One transaction: people who are new, the events that are new, and what listens to them. How many events were new.
async fn store(engine: &Engine, actor: &Actor, lines: &[Checked]) -> Result<i64, Failed> {
    let now = engine.now();
    let tx = engine.begin(actor).await.map_err(Failed::Other)?;
    let people = people(engine, &tx, actor, lines).await?;
    let events = lines.iter().map(|line| {
        let (contact, definition) = match &line.about {
            About::Person(phone) => (people.get(phone.as_str()).copied(), None),
            About::Many(definition) => (None, Some(serde_json::to_string(definition))),
        };
        Ok(NewEvent {
            id: line.event.id.trim().to_owned(),
            name: line.event.name.clone(),
            occurred_at: line.event.occurred_at,
            contact,
            definition: definition.transpose()?,
            data: serde_json::to_string(&line.event.data)?,
        })
    });
    let events: Vec<NewEvent> =
        events.collect::<Result<_, serde_json::Error>>().map_err(|error| Failed::Other(Error::internal(error)))?;
    let accepted = store::trigger_events::insert(&tx, actor, now, &events).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(accepted)
}

/// Those whom the lines are about, locked; who is new is stored.
async fn people(
    engine: &Engine,
    tx: &Tx,
    actor: &Actor,
    lines: &[Checked],
) -> Result<HashMap<String, ContactId>, Failed> {
    let named = lines.iter().filter_map(|line| match &line.about {
        About::Person(phone) => Some((phone.as_str(), phone)),
        About::Many(_) => None,
    });
    let named: BTreeMap<&str, &Phone> = named.collect();
    if named.is_empty() {
        return Ok(HashMap::new());
    }
    let phones: Vec<&Phone> = named.values().copied().collect();
    // Locked: of whoever is erased meanwhile nothing is stored behind their back.
    let known = store::contacts::lock_many(tx, &phones).await?;
    let mut people: HashMap<String, ContactId> =
        known.into_iter().map(|stored| (stored.contact.phone.as_str().to_owned(), stored.id)).collect();
    let nothing = Attributes::new();
    let births: Vec<Birth<'_>> = phones
        .into_iter()
        .filter(|phone| !people.contains_key(phone.as_str()))
        .map(|phone| Birth { phone, attributes: &nothing, timezone: None, locale: None })
        .collect();
    if !births.is_empty() {
        let born = all_born(tx, &engine.config().keys, actor, engine.now(), &births).await?;
        people.extend(births.iter().zip(born).map(|(birth, born)| (birth.phone.as_str().to_owned(), born.id)));
    }
    Ok(people)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_line_is_told() {
        for (line, told) in [
            ("nonsense", "not a JSON object"),
            (r#"{"id":"1","name":"x""#, "not a JSON object"),
            (r#"["id"]"#, "invalid"),
            (r#"{"name":"x"}"#, "missing field `id`"),
            (r#"{"id":"","name":"x"}"#, "id: Use 1 to"),
            (r#"{"id":"1","name":"price drop"}"#, "name: Use letters"),
            (r#"{"id":"1","name":"contact.created"}"#, "by this program itself"),
            (r#"{"id":"1","name":"x","colour":"red"}"#, "unknown field `colour`"),
            (r#"{"id":"1","name":"x","occurred_at":"yesterday"}"#, "yesterday"),
            (r#"{"id":"1","name":"x","data":7}"#, "invalid type"),
        ] {
            let refused = read(line.as_bytes()).expect_err(line);
            assert!(refused.contains(told), "{line}: {refused}");
            assert!(!refused.contains("at line"), "{refused}");
        }
        assert!(read(b"\xff").is_err());
        let taken =
            read(br#"{"id":" 1 ","name":"x","occurred_at":"2026-11-28T08:00:00Z","data":{"n":12345678901234567890}}"#);
        assert_eq!(taken.expect("taken").data["n"], "12345678901234567890");
    }
}
