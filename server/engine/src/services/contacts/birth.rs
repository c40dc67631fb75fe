//! A person is stored for the first time.

use std::collections::HashSet;

use domain::{
    consent::Consent, contact::Attributes, ids::ContactId, phone::Phone, time::Timestamp,
    trigger_event::CONTACT_CREATED,
};
use store::{Tx, contacts::New, trigger_events::Own};

use super::consent;
use crate::{Actor, phone, secrets::KeyRing};

/// What is known of a new person.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Birth<'a> {
    pub phone: &'a Phone,
    pub attributes: &'a Attributes,
    pub timezone: Option<&'a str>,
    pub locale: Option<&'a str>,
}

/// A person who is stored now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Born {
    pub id: ContactId,
    /// The number is on the suppression list.
    pub suppressed: bool,
}

/// Stores a person, with consent `unknown`; somebody whose number is on the suppression list (they opted out, and were
/// erased) as opted out.
///
/// # Errors
/// What the database says; `Duplicate` for a number that is taken.
pub(crate) async fn born(
    tx: &Tx,
    keys: &KeyRing,
    actor: &Actor,
    now: Timestamp,
    birth: Birth<'_>,
) -> store::Result<Born> {
    let born = all_born(tx, keys, actor, now, &[birth]).await?;
    born.into_iter().next().ok_or(store::Error::NotFound)
}

/// As [`born`], for many with a fixed number of statements; in their order.
///
/// # Errors
/// As [`born`]; then nobody is stored.
pub(crate) async fn all_born(
    tx: &Tx,
    keys: &KeyRing,
    actor: &Actor,
    now: Timestamp,
    births: &[Birth<'_>],
) -> store::Result<Vec<Born>> {
    let hashes: Vec<Vec<Vec<u8>>> = births.iter().map(|birth| keys.suppression_hashes(birth.phone.as_str())).collect();
    store::suppressions::hold_still(tx).await?;
    let entries = store::suppressions::find(tx, &hashes.concat()).await?;
    let listed: HashSet<Vec<u8>> = entries.into_iter().map(|entry| entry.phone_hash).collect();
    let ids = store::contacts::new_ids(now, births.len());
    let countries: Vec<Option<String>> = births.iter().map(|birth| phone::region(birth.phone)).collect();
    let mut born = Vec::with_capacity(births.len());
    let (mut people, mut claimed, mut events, mut own) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (((birth, hashes), country), id) in births.iter().zip(hashes).zip(&countries).zip(ids) {
        let entries: Vec<Vec<u8>> = hashes.into_iter().filter(|hash| listed.contains(hash)).collect();
        let suppressed = !entries.is_empty();
        people.push(New {
            id,
            phone: birth.phone,
            country: country.as_deref(),
            attributes: birth.attributes,
            timezone: birth.timezone,
            locale: birth.locale,
            consent: if suppressed { Consent::OptedOut } else { Consent::Unknown },
            suppressed,
        });
        if suppressed {
            events.push(consent::still_opted_out(actor, id));
        }
        claimed.extend(entries.into_iter().map(|hash| (hash, id)));
        own.push(Own { name: CONTACT_CREATED, contact: id, data: Attributes::new() });
        born.push(Born { id, suppressed });
    }
    store::contacts::insert(tx, now, &people).await?;
    store::suppressions::claim(tx, &claimed).await?;
    store::trigger_events::tell(tx, actor, now, &own).await?;
    store::consent::record(tx, actor, now, &events).await?;
    Ok(born)
}
