//! The connection to Redis, and when it is given up.
//!
//! The crate connects anew when the server closes the connection. It keeps one that is open and of no use: to a server that
//! became a replica and takes no writes, or to a machine that is gone without a word, for which the system waits a quarter of
//! an hour. Whoever connects anew comes to the server that took over.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use redis::{
    Client, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

/// For one answer of Redis; it takes well below a millisecond.
pub(super) const ANSWER: Duration = Duration::from_millis(250);
/// A connection over which so many questions in a row failed is given up …
const FAILURES: u32 = 2;
/// … when it is at least so old: to connect may take longer than one question waits for it.
const AGE: Duration = Duration::from_secs(2);

/// The way to Redis.
pub(super) struct Connection {
    client: Client,
    current: Mutex<Current>,
}

struct Current {
    manager: ConnectionManager,
    since: Instant,
    /// Questions in a row that were not answered, or by an error.
    failures: u32,
}

impl Current {
    /// Connects with the first question.
    fn new(client: &Client) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_response_timeout(Some(ANSWER))
            .set_number_of_retries(0);
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        Ok(Self { manager, since: Instant::now(), failures: 0 })
    }
}

impl Connection {
    pub(super) fn new(client: Client) -> RedisResult<Self> {
        let current = Mutex::new(Current::new(&client)?);
        Ok(Self { client, current })
    }

    /// To ask over; pass what is asked to [`Connection::answer`].
    pub(super) fn get(&self) -> ConnectionManager {
        self.current().manager.clone()
    }

    /// Waits for the answer to a question, and notes whether there was one.
    pub(super) async fn answer<T>(
        &self,
        within: Duration,
        asked: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, String> {
        let answer = match tokio::time::timeout(within, asked).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        };
        self.note(answer.is_ok());
        answer
    }

    fn note(&self, answered: bool) {
        let mut current = self.current();
        if answered {
            current.failures = 0;
            return;
        }
        current.failures = current.failures.saturating_add(1);
        if current.failures < FAILURES || current.since.elapsed() < AGE {
            return;
        }
        match Current::new(&self.client) {
            Ok(new) => *current = new,
            Err(error) => tracing::error!(%error, "Redis cannot be connected to anew"),
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
