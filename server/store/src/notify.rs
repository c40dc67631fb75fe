//! What processes tell each other through PostgreSQL: words on a channel, and who may send.

use sea_orm::sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgListener, PgPoolOptions},
};

use crate::{Db, Error, Kind, Result, exec};

/// The channel's name.
const CHANNEL: &str = "event_stream_engine";

/// The advisory lock of those who send: any number, but always this one.
const SENDING: i64 = 0x0065_7365_7365_6E64;

/// Hears the words of all processes, its own among them.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    /// The next word. What was said while the connection was lost is not heard.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn next(&mut self) -> Result<String> {
        Ok(self.0.recv().await.map_err(unreachable)?.payload().to_owned())
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
        if self.kind() == Kind::Sqlite {
            return Ok(None);
        }
        let options = (*self.pool().connect_options()).clone();
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.map_err(unreachable)?;
        let mut listener = PgListener::connect_with(&pool).await.map_err(unreachable)?;
        listener.listen(CHANNEL).await.map_err(unreachable)?;
        Ok(Some(Listener(listener)))
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
        let options = self.pool().connect_options();
        let mut connection = PgConnection::connect_with(&options).await.map_err(unreachable)?;
        let lock =
            if beside_others { "SELECT pg_try_advisory_lock_shared($1)" } else { "SELECT pg_try_advisory_lock($1)" };
        let got: bool =
            sea_orm::sqlx::query_scalar(lock).bind(SENDING).fetch_one(&mut connection).await.map_err(unreachable)?;
        Ok(got.then_some(SendingLock(connection)))
    }

    fn pool(&self) -> &PgPool {
        self.writer().get_postgres_connection_pool()
    }
}

fn unreachable(error: sea_orm::sqlx::Error) -> Error {
    sea_orm::DbErr::Conn(sea_orm::RuntimeErr::SqlxError(error.into())).into()
}
