//! Counts for the first page: each along an index or over a small table.

use domain::{consent::Consent, dashboard::Today, time::Timestamp};

use crate::{ConnectionTrait, Error, Result, one};

/// What happened since: messages by the ledgers of the runs that were active since then (a handful of rows instead of
/// a walk through all messages), inbound messages and opt-outs by their own times.
///
/// # Errors
/// What the database says.
pub async fn today(db: &impl ConnectionTrait, since: Timestamp) -> Result<Today> {
    let query = "SELECT \
        CAST(COALESCE(SUM(l.accepted + l.sent + l.delivered + l.read + l.undelivered + l.failed), 0) AS bigint) AS handed_over, \
        CAST(COALESCE(SUM(l.delivered + l.read), 0) AS bigint) AS delivered, \
        CAST(COALESCE(SUM(l.read), 0) AS bigint) AS read_count, \
        CAST(COALESCE(SUM(l.undelivered + l.failed), 0) AS bigint) AS failed, \
        (SELECT CAST(COUNT(*) AS bigint) FROM inbound_messages i WHERE i.received_at >= $1) AS inbound, \
        (SELECT CAST(COUNT(*) AS bigint) FROM consent_ledger c WHERE c.at >= $1 AND c.consent = 'opted_out' \
         AND c.topic_id IS NULL) AS opt_outs \
        FROM runs r JOIN run_ledgers l ON l.run_id = r.id \
        WHERE r.started_at >= $1 OR r.finished_at >= $1 OR r.status IN ('running', 'paused')";
    let row = one(db, query, vec![since.as_micros().into()]).await?.ok_or(Error::NotFound)?;
    Ok(Today {
        handed_over: row.get("handed_over")?,
        delivered: row.get("delivered")?,
        read: row.get("read_count")?,
        failed: row.get("failed")?,
        inbound: row.get("inbound")?,
        opt_outs: row.get("opt_outs")?,
    })
}

/// How many people there are, in all and by consent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct People {
    pub all: i64,
    pub opted_in: i64,
    pub opted_out: i64,
}

/// The maintained counts.
///
/// # Errors
/// What the database says.
pub async fn people(db: &impl ConnectionTrait) -> Result<People> {
    let mut people = People::default();
    for (consent, count) in crate::contacts::count_by_consent(db).await? {
        people.all += count;
        match consent {
            Consent::OptedIn => people.opted_in += count,
            Consent::OptedOut => people.opted_out += count,
            Consent::Unknown | Consent::Pending => {}
        }
    }
    Ok(people)
}

/// Whether there is any template, and any segment.
///
/// # Errors
/// What the database says.
pub async fn has_templates_and_segments(db: &impl ConnectionTrait) -> Result<(bool, bool)> {
    let query = "SELECT EXISTS (SELECT 1 FROM templates) AS templates, EXISTS (SELECT 1 FROM segments) AS segments";
    let row = one(db, query, vec![]).await?.ok_or(Error::NotFound)?;
    Ok((row.get("templates")?, row.get("segments")?))
}
