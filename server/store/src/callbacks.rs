//! Callbacks as they were read, webhooks and receipts: when their time is over, they go by whole months. Webhooks lie in the
//! month in which they were stored, receipts in that of their message, and none goes before the webhook that it came with.

use domain::time::Timestamp;
use sea_orm::Value;

use crate::{
    ConnectionTrait, Db, Kind, Result, Tx, exec, months, one,
    retention::{self, Removal},
};

/// Whether callbacks of a message `m` may be gone.
pub(crate) const MAY_BE_GONE: &str = "m.month < (SELECT COALESCE(MAX(i.callbacks_since), 0) FROM installation i)";

/// The first month (`yyyymm`) whose callbacks are kept; none while no retention has taken any.
///
/// # Errors
/// What the database says.
pub async fn since(db: &impl ConnectionTrait) -> Result<Option<i32>> {
    let row = one(db, "SELECT callbacks_since FROM installation WHERE id = 1", Vec::new()).await?;
    row.map_or(Ok(None), |row| row.get("callbacks_since"))
}

/// The month of the oldest webhook that is stored.
///
/// # Errors
/// What the database says.
pub async fn oldest_month(db: &impl ConnectionTrait) -> Result<Option<i32>> {
    let row = one(db, "SELECT month FROM webhook_events ORDER BY id LIMIT 1", Vec::new()).await?;
    row.map(|row| row.get("month")).transpose()
}

/// What goes with a month.
#[derive(Debug)]
#[must_use = "drop_tables lets it go"]
pub struct Going {
    /// Tables of its own, which it has on PostgreSQL alone.
    tables: Option<String>,
}

/// Notes that the callbacks of this month go; none when they are gone already. From here on the transaction waits for nobody
/// for long: webhooks that come meanwhile would wait behind it.
///
/// # Errors
/// What the database says; see [`crate::Error::is_lock_timeout`].
pub async fn let_go(tx: &Tx, month: i32) -> Result<Option<Going>> {
    let tables: Option<String> = match Kind::of(tx) {
        Kind::Postgres => {
            exec(tx, "SET LOCAL lock_timeout = '500ms'", Vec::new()).await?;
            let row = one(tx, "SELECT months_to_forget($1) AS tables", vec![month.into()]).await?;
            row.map_or(Ok(None), |row| row.get("tables"))?
        }
        Kind::Sqlite => None,
    };
    let update = "UPDATE installation SET callbacks_since = $1 WHERE id = 1 AND COALESCE(callbacks_since, 0) < $1";
    let noted = exec(tx, update, vec![months::plus(month, 1).into()]).await? == 1;
    Ok(noted.then_some(Going { tables }))
}

/// Drops its tables, last in the transaction: nobody can store callbacks until that ends. What is in no table of its own is
/// left to [`purge`].
///
/// # Errors
/// What the database says; see [`crate::Error::is_lock_timeout`].
pub async fn drop_tables(tx: &Tx, going: Going) -> Result<()> {
    if let Some(tables) = going.tables {
        exec(tx, format!("DROP TABLE {tables}"), Vec::new()).await?;
    }
    Ok(())
}

/// Removes what is left of the months before `before`, a part of it with up to `limit` rows: all of it on SQLite, and on
/// PostgreSQL what came for a month that was gone by then. False when there was nothing.
///
/// # Errors
/// What the database says.
pub async fn purge(db: &Db, at: Timestamp, before: i32, limit: u32) -> Result<bool> {
    let (part, row) = match db.kind() {
        Kind::Postgres => ("_rest", "ctid"),
        Kind::Sqlite => ("", "rowid"),
    };
    let with_their_webhooks =
        format!("month < $2 AND event_id < COALESCE((SELECT MIN(e.id) FROM webhook_events e), {})", i64::MAX);
    let begins = Timestamp::start_of_month(before).as_micros();
    let tables: [(String, &str, Value); 3] = [
        (format!("webhook_events{part}"), "month < $2", before.into()),
        (format!("receipts{part}"), &with_their_webhooks, before.into()),
        ("receipt_repeats".to_owned(), "last_at < $2", begins.into()),
    ];
    for (table, condition, value) in tables {
        // Rows of SQLite that never change lie in the order in which they came, or nearly so: the oldest are found without an
        // index by month. The other tables are small.
        let statement = if db.kind() == Kind::Sqlite && table != "receipt_repeats" {
            format!(
                "DELETE FROM {table} WHERE {row} IN (SELECT {row} FROM {table} ORDER BY {row} LIMIT $1) AND {condition}"
            )
        } else {
            format!("DELETE FROM {table} WHERE {row} IN (SELECT {row} FROM {table} WHERE {condition} LIMIT $1)")
        };
        let removal = Removal { at, reason: "callbacks", statement, values: vec![i64::from(limit).into(), value] };
        let tx = db.begin().await?;
        let removed = retention::remove(&tx, removal).await?;
        tx.commit().await?;
        if removed > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
