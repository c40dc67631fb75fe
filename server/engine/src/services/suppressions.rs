//! The list of numbers that must not be messaged: kept by keyed hashes, so that it outlives the people it protects.

use domain::{
    consent::{Consent, SuppressionReason},
    page::{Page, PageRequest},
    phone::Phone,
    problem::FieldError,
    role::Permission,
    suppression::{NewSuppression, Suppression, SuppressionFilter},
};
use serde_json::json;
use store::{
    consent::{ConsentEvent, SuppressionChange},
    contacts::Stored,
};

use super::contacts::{event, seal_words};
use crate::{
    Actor, Engine, Error, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    require,
};

/// The longest note, in characters.
const NOTE_MAX: usize = 2_000;

/// See [`Engine::suppressions`].
pub struct Suppressions<'a>(&'a Engine);

impl Engine {
    /// Numbers that must not be messaged.
    #[must_use]
    pub const fn suppressions(&self) -> Suppressions<'_> {
        Suppressions(self)
    }
}

impl Suppressions<'_> {
    /// The entries, newest first; those of one number or reason.
    ///
    /// # Errors
    /// `Invalid` for a limit or cursor that will not do.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &SuppressionFilter,
        page: &PageRequest,
    ) -> Result<Page<Suppression>> {
        require(actor, Permission::Read)?;
        let before = Cursor::read(page, |parts| match parts {
            [at, hash] => Some((at.parse().ok()?, hex::decode(hash).ok()?)),
            _ => None,
        })?;
        let hashes = filter.phone.as_ref().map(|phone| self.0.config().keys.suppression_hashes(phone.as_str()));
        let limit = rows_to_ask_for(page)?;
        let db = self.0.db().reader();
        let rows = store::suppressions::list(db, filter.reason, hashes.as_deref(), before, limit).await?;
        let page = page_of(rows, page, |last| {
            Cursor::new([last.created_at.as_micros().to_string(), hex::encode(&last.phone_hash)])
        });
        Ok(page.map(|row| Suppression {
            contact: row.phone.is_some(),
            // Who was looked for by number is known to whoever looked.
            phone: row.phone.and_then(|phone| phone.parse().ok()).or_else(|| filter.phone.clone()),
            reason: row.reason,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            created_at: row.created_at,
        }))
    }

    /// How many entries there are for each reason.
    ///
    /// # Errors
    /// What the database says.
    pub async fn counts(&self, actor: &Actor) -> Result<Vec<(SuppressionReason, i64)>> {
        require(actor, Permission::Read)?;
        Ok(store::suppressions::counts(self.0.db().reader()).await?)
    }

    /// Puts a number on the list: from then on nothing goes there. Somebody who is known is opted out with it; a number
    /// that nobody is known by is only kept as its hash.
    ///
    /// # Errors
    /// `Invalid` for a reason that is not one's to give, or too long a note.
    pub async fn add(&self, actor: &Actor, new: &NewSuppression) -> Result<Suppression> {
        require(actor, Permission::Write)?;
        let reason = checked(new)?;
        loop {
            if let Some(added) = self.try_add(actor, new, reason).await? {
                return Ok(added);
            }
        }
    }

    /// None when the number became somebody's meanwhile.
    async fn try_add(
        &self,
        actor: &Actor,
        new: &NewSuppression,
        reason: SuppressionReason,
    ) -> Result<Option<Suppression>> {
        let (now, keys) = (self.0.now(), &self.0.config().keys);
        let tx = self.0.begin(actor).await?;
        let hash = keys.suppression_hash(new.phone.as_str());
        let known = store::contacts::lock(&tx, &new.phone).await?;
        if known.is_none() {
            store::suppressions::await_births(&tx).await?;
            if store::contacts::find(&tx, &new.phone).await?.is_some() {
                return Ok(None);
            }
        }
        let note = new.note.as_deref().map(str::trim).filter(|note| !note.is_empty());
        if let Some(Stored { id, .. }) = &known {
            let evidence = match note {
                Some(note) => Some(seal_words(&tx, keys, *id, now, note).await?),
                None => None,
            };
            let suppression =
                SuppressionChange::Add { phone_hash: hash.clone(), key_id: keys.current_id().to_owned(), reason };
            let plain = event(actor, *id, None, Consent::OptedOut);
            store::consent::record(&tx, actor, now, &[ConsentEvent { suppression, evidence, ..plain }]).await?;
        } else {
            let entry = store::suppressions::NewSuppression {
                phone_hash: &hash,
                key_id: keys.current_id(),
                reason,
                contact_id: None,
            };
            store::suppressions::add(&tx, actor, now, &[entry]).await?;
        }
        let id = known.as_ref().map(|known| known.id);
        let entity = id.map_or_else(|| hex::encode(&hash[..8]), |id| id.to_string());
        let kind = if id.is_some() { "contact" } else { "suppression" };
        store::audit::append(&tx, actor, now, "suppress", (kind, &entity), &json!({ "reason": reason })).await?;
        let stored = store::suppressions::find(&tx, std::slice::from_ref(&hash)).await?;
        tx.commit().await.map_err(store::Error::from)?;
        self.0.told_opt_outs(id);
        let (reason, created_at) = stored.first().map_or((reason, now), |stored| (stored.reason, stored.created_at));
        Ok(Some(Suppression {
            phone: Some(new.phone.clone()),
            contact: id.is_some(),
            reason,
            actor_kind: actor.kind.as_str().to_owned(),
            actor_id: actor.id.clone(),
            created_at,
        }))
    }

    /// Takes a number off the list that somebody of ours put there (`manual`, `bounce`). The person is then as if nothing
    /// were known of their wish: marketing needs a new yes.
    ///
    /// # Errors
    /// `NotFound`, and `Conflict` for an entry that only the person can lift.
    pub async fn remove(&self, actor: &Actor, phone: &Phone) -> Result<()> {
        require(actor, Permission::ManageConsent)?;
        let (now, keys) = (self.0.now(), &self.0.config().keys);
        let tx = self.0.begin(actor).await?;
        let known = store::contacts::lock(&tx, phone).await?;
        let hashes = keys.suppression_hashes(phone.as_str());
        let entries = store::suppressions::find(&tx, &hashes).await?;
        if entries.is_empty() {
            return Err(Error::NotFound { what: "suppression of this number" });
        }
        if let Some(own) = entries.iter().find(|entry| !entry.reason.removable()) {
            return Err(Error::Conflict(format!(
                "This number is suppressed by the person's own act ({}). Only they can lift it, by writing START.",
                own.reason
            )));
        }
        let entity = match &known {
            Some(Stored { id, .. }) => {
                let suppression = SuppressionChange::Lift { phone_hashes: hashes };
                let plain = event(actor, *id, None, Consent::Unknown);
                store::consent::record(&tx, actor, now, &[ConsentEvent { suppression, ..plain }]).await?;
                ("contact", id.to_string())
            }
            None => {
                store::suppressions::remove(&tx, &hashes).await?;
                ("suppression", entries.first().map(|entry| hex::encode(&entry.phone_hash[..8])).unwrap_or_default())
            }
        };
        store::audit::append(&tx, actor, now, "lift_suppression", (entity.0, &entity.1), &json!({})).await?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(())
    }
}

/// The reasons that somebody of ours may give.
fn checked(new: &NewSuppression) -> Result<SuppressionReason> {
    let mut errors = Vec::new();
    let reason = new.reason.unwrap_or(SuppressionReason::Manual);
    if !matches!(reason, SuppressionReason::Manual | SuppressionReason::Bounce | SuppressionReason::Complaint) {
        errors
            .push(FieldError::new("reason", "Give manual, bounce or complaint; the others come about by themselves."));
    }
    if new.note.as_deref().is_some_and(|note| note.chars().count() > NOTE_MAX) {
        errors.push(FieldError::new("note", format!("Use at most {NOTE_MAX} characters.")));
    }
    Error::unless_valid(errors)?;
    Ok(reason)
}
