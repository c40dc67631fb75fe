//! What processes tell each other through PostgreSQL: words on a channel, and who may send.

use std::sync::Arc;

use sea_orm::{
    SqlxError,
    sqlx::{
        Connection as _, PgConnection,
        postgres::{PgConnectOptions, PgListener, PgPoolOptions},
    },
};

use crate::{
    Db, Error, Kind, Result, exec,
    watch::{self, Watched},
};

/// The channel's name.
const CHANNEL: &str = "event_stream_engine";

/// The advisory lock of those who send: any number, but always this one.
const SENDING: i64 = 0x0065_7365_7365_6E64;

/// Hears the words of all processes, its own among them.
#[derive(Debug)]
pub struct Listener {
    heard: PgListener,
    watched: Watched,
}

impl Listener {
    /// The next word. What was said while the connection was lost is not heard.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn next(&mut self) -> Result<String> {
        let word = self.watched.or_lost(self.heard.recv()).await?.map_err(unreachable)?;
        Ok(word.payload().to_owned())
    }
}

/// The right to send, held as long as this lives and its connection does.
#[derive(Debug)]
pub struct SendingLock(PgConnection);

impl SendingLock {
    /// Whether the connection, and with it the right, is still there.
    ///
    /// # Errors
    /// When it is not.
    pub async fn check(&mut self) -> Result<()> {
        self.0.ping().await.map_err(unreachable)
    }
}

impl Db {
    /// Listens, on a connection of its own. None on SQLite, which one process has.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn listen(&self) -> Result<Option<Listener>> {
        let (_, Some(watched)) = self.writer().present() else { return Ok(None) };
        let options = (*self.options()).clone();
        let listening = async {
            let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
            let mut heard = PgListener::connect_with(&pool).await?;
            heard.listen(CHANNEL).await?;
            Ok::<_, SqlxError>(heard)
        };
        let heard = watched.or_lost(listening).await?.map_err(unreachable)?;
        Ok(Some(Listener { heard, watched }))
    }

    /// Says a word to everybody who listens. Nobody does on SQLite.
    ///
    /// # Errors
    /// What the database says.
    pub async fn say(&self, word: &str) -> Result<()> {
        if self.kind() == Kind::Postgres {
            exec(self.writer(), "SELECT pg_notify($1, $2)", vec![CHANNEL.into(), word.into()]).await?;
        }
        Ok(())
    }

    /// Takes the right to send, on a connection of its own: beside others who share it, or alone. None when others have
    /// it. It goes with the process, however that ends.
    ///
    /// # Errors
    /// When the database is away.
    ///
    /// # Panics
    /// On SQLite: see [`Db::kind`].
    pub async fn lock_sending(&self, beside_others: bool) -> Result<Option<SendingLock>> {
        let lock =
            if beside_others { "SELECT pg_try_advisory_lock_shared($1)" } else { "SELECT pg_try_advisory_lock($1)" };
        let options = self.options();
        let asked = async {
            let mut connection = PgConnection::connect_with(&options).await?;
            let got: bool = sea_orm::sqlx::query_scalar(lock).bind(SENDING).fetch_one(&mut connection).await?;
            Ok::<_, SqlxError>(got.then_some(SendingLock(connection)))
        };
        watch::in_time(asked).await.map_err(unreachable)
    }

    fn options(&self) -> Arc<PgConnectOptions> {
        self.writer().connections().get_postgres_connection_pool().connect_options()
    }
}

fn unreachable(error: SqlxError) -> Error {
    sea_orm::DbErr::Conn(sea_orm::RuntimeErr::SqlxError(error.into())).into()
}
