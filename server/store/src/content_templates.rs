//! What WhatsApp has approved, as Twilio last listed it.

use domain::{
    content_template::{Approval, ContentTemplate},
    time::Timestamp,
};

use crate::{
    ConnectionTrait, Kind, Result, Row, Tx, all,
    batch::{Columns, Type, column, nullable},
    exec,
    templates::json,
};

const COLUMNS: &str =
    "sid, account_sid, name, language, category, approval, reason, body, variables, buttons, synced_at";

fn read(row: &Row) -> Result<ContentTemplate> {
    Ok(ContentTemplate {
        sid: row.get("sid")?,
        account_sid: row.get("account_sid")?,
        name: row.get("name")?,
        language: row.get("language")?,
        category: row.word_or_null("category")?,
        approval: Approval::of(&row.get::<String>("approval")?),
        reason: row.get("reason")?,
        body: row.get("body")?,
        variables: row.json("variables")?,
        buttons: row.json("buttons")?,
        synced_at: Timestamp::from_micros(row.get("synced_at")?),
    })
}

/// All of them, by name and language. An account has a few hundred.
///
/// # Errors
/// What the database says.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<ContentTemplate>> {
    let query = format!("SELECT {COLUMNS} FROM content_templates ORDER BY name, language, sid LIMIT 10000");
    all(db, query, Vec::new()).await?.iter().map(read).collect()
}

/// Those with these SIDs.
///
/// # Errors
/// What the database says.
pub async fn named(db: &impl ConnectionTrait, sids: impl Iterator<Item = &str>) -> Result<Vec<ContentTemplate>> {
    let mut batch = Columns::new(Kind::of(db), [column("sid", Type::Text)]);
    sids.for_each(|sid| batch.push([sid.into()]));
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    let wanted = batch.table("w", &mut values)?;
    let query =
        format!("SELECT {COLUMNS} FROM content_templates WHERE sid IN (SELECT w.sid FROM {wanted}) ORDER BY sid");
    all(db, query, values).await?.iter().map(read).collect()
}

/// Whether Twilio has ever listed any.
///
/// # Errors
/// What the database says.
pub async fn is_known(db: &impl ConnectionTrait) -> Result<bool> {
    let query = "SELECT sid FROM content_templates LIMIT 1";
    Ok(!all(db, query, Vec::new()).await?.is_empty())
}

/// Those of one account.
///
/// # Errors
/// What the database says.
pub async fn of_account(db: &impl ConnectionTrait, account_sid: &str) -> Result<Vec<ContentTemplate>> {
    let query = format!("SELECT {COLUMNS} FROM content_templates WHERE account_sid = $1 ORDER BY sid");
    all(db, query, vec![account_sid.into()]).await?.iter().map(read).collect()
}

/// Puts what Twilio listed at `at` in the place of what was known of the account.
///
/// # Errors
/// What the database says.
pub async fn replace(tx: &Tx, account_sid: &str, listed: &[ContentTemplate], at: Timestamp) -> Result<()> {
    let columns = [
        column("sid", Type::Text),
        column("name", Type::Text),
        column("language", Type::Text),
        nullable("category", Type::Text),
        column("approval", Type::Text),
        nullable("reason", Type::Text),
        column("body", Type::Text),
        column("variables", Type::Text),
        column("buttons", Type::Text),
    ];
    let mut batch = Columns::new(Kind::of(tx), columns);
    for template in listed {
        let (variables, buttons) = (json(&template.variables)?, json(&template.buttons)?);
        batch.push([
            (&*template.sid).into(),
            (&*template.name).into(),
            (&*template.language).into(),
            template.category.map(domain::consent::Category::as_str).into(),
            template.approval.as_str().into(),
            template.reason.as_deref().into(),
            (&*template.body).into(),
            (&*variables).into(),
            (&*buttons).into(),
        ]);
    }
    if !batch.is_empty() {
        let mut values = vec![account_sid.into(), at.as_micros().into()];
        let table = batch.table("b", &mut values)?;
        let upsert = format!(
            "INSERT INTO content_templates ({COLUMNS}) SELECT b.sid, $1, b.name, b.language, b.category, b.approval, \
             b.reason, b.body, b.variables, b.buttons, $2 FROM {table} WHERE TRUE ORDER BY b.sid \
             ON CONFLICT (sid) DO UPDATE SET account_sid = excluded.account_sid, name = excluded.name, \
             language = excluded.language, category = excluded.category, approval = excluded.approval, \
             reason = excluded.reason, body = excluded.body, variables = excluded.variables, \
             buttons = excluded.buttons, synced_at = excluded.synced_at"
        );
        exec(tx, upsert, values).await?;
    }
    let gone = "DELETE FROM content_templates WHERE account_sid = $1 AND synced_at < $2";
    exec(tx, gone, vec![account_sid.into(), at.as_micros().into()]).await?;
    Ok(())
}

/// Takes the account's turn if it is due, and says when the next one is. True for one caller.
///
/// # Errors
/// What the database says.
pub async fn take_turn(db: &impl ConnectionTrait, account_sid: &str, now: Timestamp, next: Timestamp) -> Result<bool> {
    let upsert = "INSERT INTO content_syncs (account_sid, due_at) VALUES ($1, $3) \
                  ON CONFLICT (account_sid) DO UPDATE SET due_at = excluded.due_at WHERE content_syncs.due_at <= $2";
    let values = vec![account_sid.into(), now.as_micros().into(), next.as_micros().into()];
    Ok(exec(db, upsert, values).await? == 1)
}

/// Keeps what a look at the account came to: nothing, or why there is no list.
///
/// # Errors
/// What the database says.
pub async fn looked(
    db: &impl ConnectionTrait,
    account_sid: &str,
    at: Timestamp,
    next: Timestamp,
    problem: Option<&str>,
) -> Result<()> {
    let upsert = "INSERT INTO content_syncs (account_sid, due_at, synced_at, problem) \
                  VALUES ($1, $2, CASE WHEN $4 IS NULL THEN $3 END, $4) ON CONFLICT (account_sid) DO UPDATE SET \
                  due_at = excluded.due_at, synced_at = COALESCE(excluded.synced_at, content_syncs.synced_at), \
                  problem = excluded.problem";
    let values = vec![account_sid.into(), next.as_micros().into(), at.as_micros().into(), problem.into()];
    exec(db, upsert, values).await?;
    Ok(())
}

/// What is known of the looks at one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    pub account_sid: String,
    /// When Twilio last gave its list.
    pub synced_at: Option<Timestamp>,
    /// Why it did not since.
    pub problem: Option<String>,
}

/// The looks at all accounts.
///
/// # Errors
/// What the database says.
pub async fn syncs(db: &impl ConnectionTrait) -> Result<Vec<Sync>> {
    let read = |row: &Row| {
        Ok(Sync {
            account_sid: row.get("account_sid")?,
            synced_at: row.get::<Option<i64>>("synced_at")?.map(Timestamp::from_micros),
            problem: row.get("problem")?,
        })
    };
    let query = "SELECT account_sid, synced_at, problem FROM content_syncs ORDER BY account_sid LIMIT 1000";
    all(db, query, Vec::new()).await?.iter().map(read).collect()
}
