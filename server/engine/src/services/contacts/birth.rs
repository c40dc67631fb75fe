//! A person is stored for the first time.

use domain::{consent::Consent, contact::Attributes, ids::ContactId, phone::Phone, time::Timestamp};
use store::{Tx, contacts::New};

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
    let id = store::contacts::new_ids(now, 1)[0];
    let entries = store::suppressions::find(tx, &keys.suppression_hashes(birth.phone.as_str())).await?;
    let suppressed = !entries.is_empty();
    let country = phone::region(birth.phone);
    let person = New {
        id,
        phone: birth.phone,
        country: country.as_deref(),
        attributes: birth.attributes,
        timezone: birth.timezone,
        locale: birth.locale,
        consent: if suppressed { Consent::OptedOut } else { Consent::Unknown },
        suppressed,
    };
    store::contacts::insert(tx, now, &[person]).await?;
    if suppressed {
        let claimed: Vec<_> = entries.into_iter().map(|entry| (entry.phone_hash, id)).collect();
        store::suppressions::claim(tx, &claimed).await?;
        let event = consent::still_opted_out(actor, id);
        store::consent::record(tx, actor, now, &[event]).await?;
    }
    Ok(Born { id, suppressed })
}
