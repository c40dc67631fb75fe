//! Messages that may have been an opt-out: somebody reads them and decides.

use domain::{
    consent::{Consent, SuppressionReason},
    ids::ReviewId,
    page::{Page, PageRequest},
    review::{ConsentDay, Decided, OptOut, Review, ReviewDecision},
    role::Permission,
    time::Timestamp,
};
use serde_json::json;
use store::consent::{ConsentEvent, SuppressionChange};

use super::{actors::Names, contacts::event};
use crate::{
    Actor, Engine, Error, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    require,
};

/// The longest report of yes and no.
const DAYS_MAX: i64 = 366;

const NO_REVIEW: Error = Error::NotFound { what: "message that waits for a decision" };

/// See [`Engine::reviews`].
pub struct Reviews<'a>(&'a Engine);

impl Engine {
    /// Messages that may have been an opt-out.
    #[must_use]
    pub const fn reviews(&self) -> Reviews<'_> {
        Reviews(self)
    }
}

impl Reviews<'_> {
    /// Those that wait for a decision, the longest waiting first.
    ///
    /// # Errors
    /// `Invalid` for a limit or cursor that will not do.
    pub async fn list(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Review>> {
        require(actor, Permission::Read)?;
        let after = Cursor::read(page, place)?;
        let rows = store::reviews::list(self.0.db().reader(), after, rows_to_ask_for(page)?).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.since.as_micros(), last.id.0])))
    }

    /// What was decided by somebody, the newest first.
    ///
    /// # Errors
    /// `Invalid` for a limit or cursor that will not do.
    pub async fn decided(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Decided>> {
        require(actor, Permission::Read)?;
        let before = Cursor::read(page, place)?;
        let db = self.0.db().reader();
        let rows = store::reviews::decided(db, before, rows_to_ask_for(page)?).await?;
        let mut decided = page_of(rows, page, |last| Cursor::new([last.at.as_micros(), last.id.0]));
        let mut names = Names::default();
        for one in &mut decided.items {
            one.by.name = names.of(db, one.by.kind, &one.by.name).await?;
        }
        Ok(decided)
    }

    /// Who opted out, of everything or of a topic, the newest first: each line of the consent ledger that says so.
    ///
    /// # Errors
    /// `Invalid` for a limit or cursor that will not do.
    pub async fn opt_outs(&self, actor: &Actor, page: &PageRequest) -> Result<Page<OptOut>> {
        require(actor, Permission::Read)?;
        let before = Cursor::read(page, |parts| match parts {
            [number] => number.parse().ok(),
            _ => None,
        })?;
        let rows = store::consent::opt_outs(self.0.db().reader(), before, rows_to_ask_for(page)?).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.number])))
    }

    /// How many wait, and since when the first of them does.
    ///
    /// # Errors
    /// What the database says.
    pub async fn waiting(&self, actor: &Actor) -> Result<(i64, Option<Timestamp>)> {
        require(actor, Permission::Read)?;
        Ok(store::reviews::waiting(self.0.db().reader()).await?)
    }

    /// The yes and no of the last `days` days, today among them, by where they came from.
    ///
    /// # Errors
    /// `Invalid` for more days than a year has, or none.
    pub async fn days(&self, actor: &Actor, days: i64) -> Result<Vec<ConsentDay>> {
        require(actor, Permission::Read)?;
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(Error::invalid("days", format!("Give 1 to {DAYS_MAX} days.")));
        }
        let since = self.0.now().plus((1 - days) * Timestamp::DAY);
        Ok(store::consent::days(self.0.db().reader(), since).await?)
    }

    /// Decides: an opt-out is recorded as the person's own wish, which only their START lifts; otherwise marketing to the
    /// person goes on.
    ///
    /// # Errors
    /// `NotFound` when it is decided already, `Invalid` for a decision that is not one's to make.
    pub async fn decide(&self, actor: &Actor, id: ReviewId, decision: ReviewDecision) -> Result<()> {
        require(actor, Permission::Write)?;
        if decision == ReviewDecision::Answered {
            return Err(Error::invalid("decision", "Give opted_out or kept."));
        }
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        let (contact_id, phone, sid) = store::reviews::open_one(&tx, id).await?.ok_or(NO_REVIEW)?;
        store::reviews::settle(&tx, actor, now, &[contact_id], decision).await?;
        let opts_out = decision == ReviewDecision::OptedOut;
        if opts_out {
            let keys = &self.0.config().keys;
            let suppression = SuppressionChange::Add {
                phone_hash: keys.suppression_hash(phone.as_str()),
                key_id: keys.current_id().to_owned(),
                reason: SuppressionReason::Stop,
            };
            let plain = event(actor, contact_id, None, Consent::OptedOut);
            let event = ConsentEvent { suppression, reference: Some(sid.clone()), ..plain };
            store::consent::record(&tx, actor, now, &[event]).await?;
        }
        let detail = json!({ "decision": decision, "inbound": sid });
        store::audit::append(&tx, actor, now, "decide_review", ("contact", &contact_id.to_string()), &detail).await?;
        tx.commit().await.map_err(store::Error::from)?;
        self.0.told_opt_outs(opts_out.then_some(contact_id));
        Ok(())
    }
}

/// Where a list of reviews goes on: a time and an id.
fn place(parts: &[&str]) -> Option<store::reviews::Cursor> {
    let [at, id] = parts else { return None };
    Some((at.parse().ok()?, id.parse().ok()?))
}
