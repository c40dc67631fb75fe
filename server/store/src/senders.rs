//! Senders: the numbers and Messaging Services that messages go out from.

use std::collections::BTreeMap;

use domain::{
    ids::SenderId,
    message::Channel,
    sender::{Blocked, Sender},
    time::Timestamp,
};

use crate::{ConnectionTrait, Error, Kind, Result, Row, Tx, all, exec, one};

/// A sender with what sending needs.
#[derive(Clone, Debug, PartialEq)]
pub struct SenderRow {
    pub sender: Sender,
}

/// The columns of a query in which `senders` is called `s`.
pub(crate) const COLUMNS: &str = "s.id AS sender_id, s.name AS sender_name, s.channel, s.address, s.account_sid, \
                                  s.rate_per_second AS sender_rate, s.enabled, s.is_default, s.sending, s.hold_reason, \
                                  s.blocked_code, s.blocked_at, s.probe_at, s.probes, s.version AS sender_version";

pub(crate) fn read(row: &Row) -> Result<SenderRow> {
    let held = row.get::<String>("sending")? != "on";
    Ok(SenderRow {
        sender: Sender {
            id: SenderId(row.get("sender_id")?),
            name: row.get("sender_name")?,
            channel: row.word("channel")?,
            address: row.get("address")?,
            account_sid: row.get("account_sid")?,
            rate_per_second: row.get("sender_rate")?,
            enabled: row.get("enabled")?,
            default: row.get("is_default")?,
            held: if held { Some(row.get::<Option<String>>("hold_reason")?.unwrap_or_default()) } else { None },
            blocked: blocked(row)?,
            version: row.get("sender_version")?,
        },
    })
}

fn blocked(row: &Row) -> Result<Option<Blocked>> {
    let Some(code) = row.get::<Option<i32>>("blocked_code")? else { return Ok(None) };
    let at = |column| row.get::<Option<i64>>(column).map(|micros| Timestamp::from_micros(micros.unwrap_or_default()));
    Ok(Some(Blocked { code, since: at("blocked_at")?, next_try_at: at("probe_at")?, tries: row.get("probes")? }))
}

/// All senders, oldest first. There are few.
///
/// # Errors
/// What the database says.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<SenderRow>> {
    let query = format!("SELECT {COLUMNS} FROM senders s ORDER BY s.created_at, s.channel DESC, s.id LIMIT 1000");
    all(db, query, Vec::new()).await?.iter().map(read).collect()
}

/// One sender.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn get(db: &impl ConnectionTrait, id: SenderId) -> Result<SenderRow> {
    let query = format!("SELECT {COLUMNS} FROM senders s WHERE s.id = $1");
    read(&one(db, query, vec![id.0.into()]).await?.ok_or(Error::NotFound)?)
}

/// The same, locked until the transaction ends.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn lock(tx: &Tx, id: SenderId) -> Result<SenderRow> {
    let query = format!("SELECT {COLUMNS} FROM senders s WHERE s.id = $1{}", Kind::of(tx).for_update());
    read(&one(tx, query, vec![id.0.into()]).await?.ok_or(Error::NotFound)?)
}

/// The sender that a channel's messages go out from when none is named.
///
/// # Errors
/// What the database says.
pub async fn default_of(db: &impl ConnectionTrait, channel: Channel) -> Result<Option<SenderRow>> {
    let query = format!(
        "SELECT {COLUMNS} FROM senders s WHERE s.channel = $1 AND s.is_default AND s.enabled ORDER BY s.created_at LIMIT 1"
    );
    one(db, query, vec![channel.as_str().into()]).await?.as_ref().map(read).transpose()
}

/// The channel's sender with this address.
///
/// # Errors
/// What the database says.
pub async fn by_address(db: &impl ConnectionTrait, channel: Channel, address: &str) -> Result<Option<SenderRow>> {
    let query = format!("SELECT {COLUMNS} FROM senders s WHERE s.channel = $1 AND s.address = $2");
    one(db, query, vec![channel.as_str().into(), address.into()]).await?.as_ref().map(read).transpose()
}

/// Locks all senders of a channel until the transaction ends, always in the same order; true when one of them is its
/// default.
///
/// # Errors
/// What the database says.
pub async fn lock_channel(tx: &Tx, channel: Channel) -> Result<bool> {
    let query =
        format!("SELECT s.is_default FROM senders s WHERE s.channel = $1 ORDER BY s.id{}", Kind::of(tx).for_update());
    let rows = all(tx, query, vec![channel.as_str().into()]).await?;
    let defaults = rows.iter().map(|row| row.get::<bool>("is_default")).collect::<Result<Vec<_>>>()?;
    Ok(defaults.contains(&true))
}

/// The names of the senders that belong to an account.
///
/// # Errors
/// What the database says.
pub async fn names_of_account(db: &impl ConnectionTrait, account_sid: &str) -> Result<Vec<String>> {
    let query = "SELECT name FROM senders WHERE account_sid = $1 ORDER BY created_at, id LIMIT 1000";
    all(db, query, vec![account_sid.into()]).await?.iter().map(|row| row.get("name")).collect()
}

/// The accounts that senders belong to, and how many senders each has.
///
/// # Errors
/// What the database says.
pub async fn accounts(db: &impl ConnectionTrait) -> Result<BTreeMap<String, i64>> {
    let query = "SELECT account_sid, CAST(count(*) AS bigint) AS n FROM senders GROUP BY account_sid";
    let rows = all(db, query, Vec::new()).await?;
    rows.iter().map(|row| Ok((row.get("account_sid")?, row.get("n")?))).collect()
}

/// How many messages of each sender wait for their turn: of runs that go on or may go on, and single ones.
///
/// # Errors
/// What the database says.
pub async fn waiting(db: &impl ConnectionTrait) -> Result<BTreeMap<SenderId, i64>> {
    let query = "SELECT r.sender_id, CAST(sum(l.queued) AS bigint) AS n FROM runs r \
                 JOIN run_ledgers l ON l.run_id = r.id \
                 WHERE r.finished_at IS NULL AND NOT r.rehearsal \
                 AND r.status IN ('planning', 'running', 'paused') GROUP BY r.sender_id \
                 UNION ALL \
                 SELECT m.sender_id, CAST(count(*) AS bigint) AS n FROM messages m \
                 WHERE m.run_id IS NULL AND m.open = 0 GROUP BY m.sender_id";
    let mut waiting: BTreeMap<SenderId, i64> = BTreeMap::new();
    for row in all(db, query, Vec::new()).await? {
        *waiting.entry(SenderId(row.get("sender_id")?)).or_default() += row.get::<i64>("n")?;
    }
    Ok(waiting)
}

/// Whether messages of a sender are claimed, or it is not known what became of them: only its account can tell.
///
/// # Errors
/// What the database says.
pub async fn has_open_messages(db: &impl ConnectionTrait, id: SenderId) -> Result<bool> {
    let query = "SELECT 1 AS found WHERE EXISTS (SELECT 1 FROM messages m WHERE m.open = 1 AND m.sender_id = $1) \
                 OR EXISTS (SELECT 1 FROM messages m WHERE m.unknown_at IS NOT NULL AND m.sender_id = $1)";
    Ok(one(db, query, vec![id.0.into()]).await?.is_some())
}

/// Inserts a sender that is neither held nor blocked, unless the channel has one with this address. False when it has.
///
/// # Errors
/// `Duplicate` when it is to be the default of a channel that has one.
pub async fn insert(tx: &Tx, at: Timestamp, sender: &Sender) -> Result<bool> {
    let insert = "INSERT INTO senders (id, name, channel, address, account_sid, rate_per_second, enabled, is_default, \
                  created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) \
                  ON CONFLICT (channel, address) DO NOTHING";
    let values = vec![
        sender.id.0.into(),
        sender.name.clone().into(),
        sender.channel.as_str().into(),
        sender.address.clone().into(),
        sender.account_sid.clone().into(),
        sender.rate_per_second.into(),
        sender.enabled.into(),
        sender.default.into(),
        at.as_micros().into(),
    ];
    Ok(exec(tx, insert, values).await? == 1)
}

/// Changes what a patch may change.
///
/// # Errors
/// `NotFound` when there is no such sender; `Duplicate` when it is to be the default of a channel that has another one.
pub async fn update(tx: &Tx, at: Timestamp, sender: &Sender) -> Result<()> {
    let update = "UPDATE senders SET name = $1, rate_per_second = $2, enabled = $3, is_default = $4, account_sid = $5, \
                  sending = $6, hold_reason = $7, updated_at = $8, version = version + 1 WHERE id = $9";
    let sending = if sender.held.is_some() { "held" } else { "on" };
    let values = vec![
        sender.name.clone().into(),
        sender.rate_per_second.into(),
        sender.enabled.into(),
        sender.default.into(),
        sender.account_sid.clone().into(),
        sending.into(),
        sender.held.clone().into(),
        at.as_micros().into(),
        sender.id.0.into(),
    ];
    if exec(tx, update, values).await? == 1 { Ok(()) } else { Err(Error::NotFound) }
}

/// Takes the mark from a channel's default, so that another sender can have it. Returns whose it was.
///
/// # Errors
/// What the database says.
pub async fn take_default(tx: &Tx, at: Timestamp, channel: Channel) -> Result<Option<SenderId>> {
    let update = "UPDATE senders SET is_default = FALSE, updated_at = $1, version = version + 1 \
                  WHERE channel = $2 AND is_default RETURNING id";
    let row = one(tx, update, vec![at.as_micros().into(), channel.as_str().into()]).await?;
    row.map(|row| row.get("id").map(SenderId)).transpose()
}
