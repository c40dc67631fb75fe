use std::{borrow::Cow, collections::BTreeMap};

use domain::{
    consent::Consent,
    contact::Attributes,
    ids::ContactId,
    phone::Phone,
    text::{fold, shadow},
    time::Timestamp,
};
use serde::Serialize;

use super::add_counts;
use crate::{
    Error, Kind, Result, Tx,
    batch::{self, Type, to_json},
    exec, one,
};

/// A person to store.
#[derive(Clone, Debug)]
pub struct New<'a> {
    pub id: ContactId,
    pub phone: &'a Phone,
    /// The number's region.
    pub country: Option<&'a str>,
    pub attributes: &'a Attributes,
    pub timezone: Option<&'a str>,
    pub locale: Option<&'a str>,
    /// Where it is not `unknown`, the caller records the consent event in the same transaction.
    pub consent: Consent,
    pub suppressed: bool,
}

/// What is to be stored of a known person instead of what there is.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    pub id: ContactId,
    pub attributes: &'a Attributes,
    pub timezone: Option<&'a str>,
    pub locale: Option<&'a str>,
}

/// A contact's row as far as it follows from what is known of the person. The derived columns come from here alone.
#[derive(Serialize)]
struct Columns<'a> {
    contact_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
    attributes: &'a Attributes,
    folded: Attributes,
    name: Option<Cow<'a, str>>,
    name_folded: String,
    name_last_folded: String,
    country: Option<&'a str>,
    timezone: Option<&'a str>,
    locale: Option<&'a str>,
    consent: Consent,
    consent_changed_at: Option<i64>,
    suppressed: bool,
}

const TYPES: &[(&str, Type)] = &[
    ("contact_id", Type::BigInt),
    ("phone", Type::Text),
    ("attributes", Type::Json),
    ("folded", Type::Json),
    ("name", Type::Text),
    ("name_folded", Type::Text),
    ("name_last_folded", Type::Text),
    ("country", Type::Text),
    ("timezone", Type::Text),
    ("locale", Type::Text),
    ("consent", Type::Text),
    ("consent_changed_at", Type::BigInt),
    ("suppressed", Type::Bool),
];

impl<'a> Columns<'a> {
    fn of(id: ContactId, attributes: &'a Attributes, timezone: Option<&'a str>, locale: Option<&'a str>) -> Self {
        let name = display_name(attributes);
        let name_folded = name.as_deref().map(|name| fold(name).into_owned()).unwrap_or_default();
        let last = name_folded.rsplit_once(' ').map(|(_, last)| last.to_owned()).unwrap_or_default();
        Self {
            contact_id: id.0,
            phone: None,
            attributes,
            folded: shadow(attributes),
            name,
            name_folded,
            name_last_folded: last,
            country: None,
            timezone,
            locale,
            consent: Consent::Unknown,
            consent_changed_at: None,
            suppressed: false,
        }
    }
}

/// The attribute `name`, else `first_name` and `last_name`.
fn display_name(attributes: &Attributes) -> Option<Cow<'_, str>> {
    let text =
        |key| attributes.get(key).and_then(|value| value.as_str()).map(str::trim).filter(|text| !text.is_empty());
    if let Some(name) = text("name") {
        return Some(Cow::Borrowed(name));
    }
    match (text("first_name"), text("last_name")) {
        (Some(first), Some(last)) => Some(Cow::Owned(format!("{first} {last}"))),
        (first, last) => first.or(last).map(Cow::Borrowed),
    }
}

/// Stores people who are not there yet, and counts them.
///
/// # Errors
/// [`Error::Duplicate`] when one of the numbers is taken.
pub async fn insert(tx: &Tx, at: Timestamp, people: &[New<'_>]) -> Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    let mut counts = BTreeMap::new();
    let rows: Vec<Columns<'_>> = people
        .iter()
        .map(|person| {
            *counts.entry(person.consent).or_insert(0) += 1;
            Columns {
                phone: Some(person.phone.as_str()),
                country: person.country,
                consent: person.consent,
                consent_changed_at: (person.consent != Consent::Unknown).then_some(at.as_micros()),
                suppressed: person.suppressed,
                ..Columns::of(person.id, person.attributes, person.timezone, person.locale)
            }
        })
        .collect();
    let names: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    let statement = format!(
        "INSERT INTO contacts ({names}, created_at, updated_at) SELECT {names}, $2, $2 FROM {}",
        batch::table(Kind::of(tx), "b", "$1", TYPES)
    );
    exec(tx, statement, vec![to_json(&rows)?.into(), at.as_micros().into()]).await?;
    add_counts(tx, &counts).await
}

/// Stores what is known of people now.
///
/// # Errors
/// [`Error::NotFound`] when one of them is not there.
pub async fn update(tx: &Tx, at: Timestamp, people: &[Change<'_>]) -> Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    let rows: Vec<Columns<'_>> =
        people.iter().map(|person| Columns::of(person.id, person.attributes, person.timezone, person.locale)).collect();
    let statement = format!(
        "UPDATE contacts SET attributes = b.attributes, folded = b.folded, name = b.name, name_folded = b.name_folded, \
         name_last_folded = b.name_last_folded, timezone = b.timezone, locale = b.locale, updated_at = $2, \
         version = version + 1 FROM {} WHERE contacts.contact_id = b.contact_id",
        batch::table(Kind::of(tx), "b", "$1", TYPES)
    );
    let changed = exec(tx, statement, vec![to_json(&rows)?.into(), at.as_micros().into()]).await?;
    if changed == people.len() as u64 { Ok(()) } else { Err(Error::NotFound) }
}

/// Removes all that says who the person is or what they were told: the row, the key of the sealed parts, texts,
/// subscriptions, windows, when they read, the membership in imports, answers kept for repeated requests. What remains speaks of an id that
/// nobody can resolve.
///
/// # Errors
/// [`Error::NotFound`] when there is no such person.
pub async fn delete(tx: &Tx, id: ContactId, phone: &Phone) -> Result<()> {
    for statement in [
        "DELETE FROM message_texts WHERE message_id IN (SELECT id FROM messages WHERE contact_id = $1)",
        "DELETE FROM inbound_texts WHERE inbound_id IN (SELECT id FROM inbound_messages WHERE contact_id = $1)",
        "DELETE FROM subscriptions WHERE contact_id = $1",
        "DELETE FROM opt_in_requests WHERE contact_id = $1",
        "DELETE FROM auto_replies WHERE contact_id = $1",
        "DELETE FROM unreachable WHERE contact_id = $1",
        "DELETE FROM service_windows WHERE contact_id = $1",
        "DELETE FROM conversations WHERE contact_id = $1",
        "DELETE FROM contact_reads WHERE contact_id = $1",
        "DELETE FROM import_contacts WHERE contact_id = $1 AND import_id IN (SELECT id FROM imports)",
        "DELETE FROM contact_keys WHERE contact_id = $1",
        "UPDATE suppressions SET contact_id = NULL WHERE contact_id = $1",
    ] {
        exec(tx, statement, vec![id.0.into()]).await?;
    }
    let names_phone = match Kind::of(tx) {
        Kind::Postgres => "position($1 IN answer_body) > 0",
        Kind::Sqlite => "instr(answer_body, $1) > 0",
    };
    let forget = format!("DELETE FROM idempotency_keys WHERE {names_phone}");
    exec(tx, forget, vec![phone.as_str().as_bytes().to_vec().into()]).await?;
    let row = one(tx, "DELETE FROM contacts WHERE contact_id = $1 RETURNING consent", vec![id.0.into()])
        .await?
        .ok_or(Error::NotFound)?;
    add_counts(tx, &BTreeMap::from([(row.word("consent")?, -1)])).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn columns(attributes: serde_json::Value) -> serde_json::Value {
        let serde_json::Value::Object(attributes) = attributes else { unreachable!() };
        serde_json::to_value(Columns::of(ContactId(1), &attributes, None, None)).unwrap()
    }

    #[test]
    fn the_name_is_found_by_its_beginning_and_by_its_last_word() {
        let row = columns(json!({"name": " Đặng Thị HOA ", "city": "Hanoi"}));
        assert_eq!(row["name"], "Đặng Thị HOA");
        assert_eq!(row["name_folded"], "đặng thị hoa");
        assert_eq!(row["name_last_folded"], "hoa");
        assert_eq!(row["folded"], json!({"name": " đặng thị hoa ", "city": "hanoi"}));
    }

    #[test]
    fn the_name_may_come_in_parts_or_not_at_all() {
        assert_eq!(columns(json!({"first_name": "Ann", "last_name": "Lee"}))["name"], "Ann Lee");
        assert_eq!(columns(json!({"first_name": "", "last_name": "Lee"}))["name"], "Lee");
        assert_eq!(columns(json!({"name": "", "first_name": "Ann"}))["name"], "Ann");
        let nobody = columns(json!({"name": 7}));
        assert!(nobody["name"].is_null());
        assert_eq!(nobody["name_folded"], "");
    }
}
