//! Sessions in the database: the adapter between the session layer and the store.

use std::fmt;

use async_trait::async_trait;
use domain::{ids::AccountId, time::Timestamp};
use engine::Engine;
use sha2::{Digest as _, Sha256};
use store::{Db, sessions::Session as Row};
use time::{Duration, OffsetDateTime};
use tower_sessions::{
    Expiry, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{Id, Record},
    session_store::{Error, Result},
};
use url::Url;

/// Who is logged in, in a session's data.
pub const ACCOUNT: &str = "account";
const COOKIE: &str = "ese_session";
/// People log in once a week.
const LIFETIME: Duration = Duration::days(7);
/// Two random ids never meet; whoever needs more tries has a broken generator.
const TRIES: usize = 3;
/// What the keys of all else that is kept here begin with; those of sessions are digits alone.
pub(super) const BESIDE_KEY: &str = "form:";
/// So much is kept of an account beside its sessions: whoever fails again and again must not fill the disk.
const BESIDE: u32 = 20;

/// The layer for everything that people see.
pub fn layer(sessions: Sessions, public_url: &Url) -> SessionManagerLayer<Sessions> {
    SessionManagerLayer::new(sessions)
        .with_name(COOKIE)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_secure(public_url.scheme() == "https")
        .with_expiry(Expiry::OnInactivity(LIFETIME))
}

/// Sessions in the database. Stored under a hash of their id, so that a copy of the database opens none.
#[derive(Clone)]
pub struct Sessions {
    db: Db,
    engine: Engine,
}

/// What is kept of an account for a while that is no session.
pub(super) struct Beside {
    /// It begins with [`BESIDE_KEY`], as no session's does.
    pub key: String,
    pub account: AccountId,
    pub data: String,
    pub expires_at: Timestamp,
}

impl Sessions {
    #[must_use]
    pub const fn new(db: Db, engine: Engine) -> Self {
        Self { db, engine }
    }

    /// Keeps something of an account beside its sessions, under this key, and the newest of what it had.
    pub(super) async fn keep(&self, row: Beside) -> anyhow::Result<()> {
        let Beside { key, account, data, expires_at } = row;
        let row = Row { id: key, account_id: Some(account), data, expires_at };
        store::sessions::create(&self.db, &row).await?;
        Ok(store::sessions::keep_newest(&self.db, account, BESIDE_KEY, BESIDE).await?)
    }

    /// What was kept of this account under the key, until it expires.
    pub(super) async fn kept(&self, key: &str, account: AccountId) -> anyhow::Result<Option<String>> {
        let row = store::sessions::load(&self.db, key, self.engine.now()).await?;
        Ok(row.filter(|row| row.account_id == Some(account)).map(|row| row.data))
    }

    /// What was kept under the key has served.
    pub(super) async fn forget(&self, key: &str) -> anyhow::Result<()> {
        Ok(store::sessions::delete(&self.db, key).await?)
    }

    pub(super) const fn engine(&self) -> &Engine {
        &self.engine
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        for _ in 0..TRIES {
            match store::sessions::create(&self.db, &row(record)?).await {
                Err(store::Error::Duplicate(_)) => record.id = Id::default(),
                other => return other.map_err(backend),
            }
        }
        Err(Error::Backend("no free session id".to_owned()))
    }

    async fn save(&self, record: &Record) -> Result<()> {
        store::sessions::save(&self.db, &row(record)?).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let found = store::sessions::load(&self.db, &key(id), self.engine.now()).await.map_err(backend)?;
        let Some(row) = found else { return Ok(None) };
        let data = serde_json::from_str(&row.data).map_err(|error| Error::Decode(error.to_string()))?;
        let nanos = i128::from(row.expires_at.as_micros()) * 1_000;
        let expiry_date =
            OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        store::sessions::delete(&self.db, &key(id)).await.map_err(backend)
    }
}

fn row(record: &Record) -> Result<Row> {
    let data = serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
    let account =
        record.data.get(ACCOUNT).and_then(|value| value.as_str()).and_then(|text| text.parse::<AccountId>().ok());
    let micros = i64::try_from(record.expiry_date.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX);
    Ok(Row { id: key(&record.id), account_id: account, data, expires_at: Timestamp::from_micros(micros) })
}

fn key(id: &Id) -> String {
    hex::encode(Sha256::digest(id.0.to_le_bytes()))
}

fn backend(error: store::Error) -> Error {
    Error::Backend(error.to_string())
}
