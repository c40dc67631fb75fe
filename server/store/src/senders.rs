//! Senders: the numbers and Messaging Services that messages go out from.

use domain::{ids::SenderId, message::Channel, sender::Sender, time::Timestamp};

use crate::{ConnectionTrait, Error, Kind, Result, Row, Tx, all, exec, one};

/// A sender with what sending needs.
#[derive(Clone, Debug, PartialEq)]
pub struct SenderRow {
    pub sender: Sender,
    pub account_sid: String,
    /// Why it is held, when it is.
    pub held: Option<String>,
}

/// The columns of a query in which `senders` is called `s`.
pub(crate) const COLUMNS: &str = "s.id AS sender_id, s.name AS sender_name, s.channel, s.address, s.account_sid, \
                                  s.rate_per_second AS sender_rate, s.enabled, s.is_default, s.sending, s.hold_reason";

pub(crate) fn read(row: &Row) -> Result<SenderRow> {
    let held = row.get::<String>("sending")? != "on";
    Ok(SenderRow {
        sender: Sender {
            id: SenderId(row.get("sender_id")?),
            name: row.get("sender_name")?,
            channel: row.word("channel")?,
            address: row.get("address")?,
            rate_per_second: row.get("sender_rate")?,
            enabled: row.get("enabled")?,
            default: row.get("is_default")?,
        },
        account_sid: row.get("account_sid")?,
        held: if held { Some(row.get::<Option<String>>("hold_reason")?.unwrap_or_default()) } else { None },
    })
}

/// All senders, oldest first. There are few.
///
/// # Errors
/// What the database says.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<SenderRow>> {
    let query = format!("SELECT {COLUMNS} FROM senders s ORDER BY s.created_at, s.id LIMIT 1000");
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

/// Inserts a sender, unless the channel has one with this address. False when it has.
///
/// # Errors
/// What the database says.
pub async fn insert(tx: &Tx, at: Timestamp, sender: &Sender, account_sid: &str) -> Result<bool> {
    let insert = "INSERT INTO senders (id, name, channel, address, account_sid, rate_per_second, enabled, is_default, \
                  created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) \
                  ON CONFLICT (channel, address) DO NOTHING";
    let values = vec![
        sender.id.0.into(),
        sender.name.clone().into(),
        sender.channel.as_str().into(),
        sender.address.clone().into(),
        account_sid.into(),
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
/// `NotFound` when there is no such sender.
pub async fn update(tx: &Tx, at: Timestamp, sender: &Sender) -> Result<()> {
    let update = "UPDATE senders SET name = $1, rate_per_second = $2, enabled = $3, updated_at = $4, \
                  version = version + 1 WHERE id = $5";
    let values = vec![
        sender.name.clone().into(),
        sender.rate_per_second.into(),
        sender.enabled.into(),
        at.as_micros().into(),
        sender.id.0.into(),
    ];
    if exec(tx, update, values).await? == 1 { Ok(()) } else { Err(Error::NotFound) }
}
