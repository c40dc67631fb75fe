//! Notices that PostgreSQL has gone without a word: its host vanished, and another one answers at the same address. Whoever
//! waits for an answer of the former one would wait until the kernel gives up: for a quarter of an hour, or for ever where
//! the statement had arrived. No statement ends because it takes long: one connection that does nothing else is asked
//! all the time, and what is under way is given up only when it is silent while a new connection is answered.

use std::{io, sync::Arc, time::Duration};

use sea_orm::{
    DbErr, RuntimeErr, SqlxError,
    sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions},
};
use tokio::{
    sync::watch::{self, Receiver, Sender},
    task::AbortHandle,
    time::{sleep, timeout},
};

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(5);

/// It answers within this time, and within as much again once a new connection is there: then the database has time for it, and
/// the system has asked once more what a network lost that was away for some seconds.
const ANSWER: Duration = Duration::from_secs(8);

/// A new connection is there within this time, or another one is tried …
const CONNECT: Duration = Duration::from_secs(5);
/// … after this one.
const PAUSE: Duration = Duration::from_secs(1);

/// How often the database has gone without a word so far. What looks at it ends with this.
#[derive(Debug)]
pub struct Watch {
    losses: Receiver<u64>,
    looking: AbortHandle,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

impl Watch {
    /// Starts to look, by a connection of its own.
    pub async fn start(options: Arc<PgConnectOptions>) -> Result<Self, DbErr> {
        let own = in_time(PgConnection::connect_with(&options)).await.map_err(|error| DbErr::Conn(told(error)))?;
        let (tell, losses) = watch::channel(0);
        let looking = tokio::spawn(look(own, options, tell)).abort_handle();
        Ok(Self { losses, looking })
    }

    pub fn losses(&self) -> u64 {
        *self.losses.borrow()
    }

    /// Comes to its end when there are more losses than these.
    async fn loss_after(&self, losses: u64) {
        let mut all = self.losses.clone();
        if all.wait_for(|all| *all > losses).await.is_err() {
            // Nobody looks any more.
            std::future::pending::<()>().await;
        }
    }
}

/// What is under way on connections that were made after so many losses.
#[derive(Clone, Debug)]
pub struct Watched {
    watch: Arc<Watch>,
    losses: u64,
}

impl Watched {
    pub const fn new(watch: Arc<Watch>, losses: u64) -> Self {
        Self { watch, losses }
    }

    /// Waits for what is under way, unless nobody will ever answer it. Whether it was carried out is then unknown, as it is
    /// when a connection breaks.
    pub async fn or_lost<T>(&self, under_way: impl Future<Output = T>) -> Result<T, DbErr> {
        tokio::select! {
            biased;
            done = under_way => Ok(done),
            () = self.watch.loss_after(self.losses) => Err(DbErr::Query(told(gone()))),
        }
    }
}

/// How the connection was found.
enum Found {
    Alive,
    /// The other end closed it, and so it closes the others that it no longer serves.
    Closed,
    /// It says nothing, or knows nothing of it. A new one is answered.
    Lost(PgConnection),
}

async fn look(mut own: PgConnection, options: Arc<PgConnectOptions>, tell: Sender<u64>) {
    loop {
        sleep(EVERY).await;
        match ask(&mut own, &options).await {
            Found::Alive => {}
            Found::Closed => own = reach(&options).await,
            Found::Lost(fresh) => {
                tracing::warn!(
                    "the database had gone without a word and is there again: what it did not answer is given up"
                );
                own = fresh;
                tell.send_modify(|losses| *losses += 1);
            }
        }
    }
}

async fn ask(own: &mut PgConnection, options: &PgConnectOptions) -> Found {
    let another = async {
        sleep(ANSWER).await;
        let fresh = reach(options).await;
        sleep(ANSWER).await;
        fresh
    };
    let answer = tokio::select! {
        biased;
        answer = own.ping() => answer,
        fresh = another => return Found::Lost(fresh),
    };
    match answer {
        Ok(()) => Found::Alive,
        Err(error) if is_closed(&error) => Found::Closed,
        Err(_) => Found::Lost(reach(options).await),
    }
}

/// Whether the server took leave: by a message, or by its system, which closes what a process leaves behind.
fn is_closed(error: &SqlxError) -> bool {
    match error {
        SqlxError::Database(_) => true,
        SqlxError::Io(error) => matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe),
        _ => false,
    }
}

/// A new connection, as soon as there is one to be had.
async fn reach(options: &PgConnectOptions) -> PgConnection {
    loop {
        if let Ok(fresh) = in_time(PgConnection::connect_with(options)).await {
            return fresh;
        }
        sleep(PAUSE).await;
    }
}

/// What a new connection answers, or that none is to be had within a few seconds.
pub async fn in_time<T>(asked: impl Future<Output = Result<T, SqlxError>>) -> Result<T, SqlxError> {
    timeout(CONNECT, asked).await.unwrap_or_else(|_| Err(gone()))
}

fn gone() -> SqlxError {
    SqlxError::Io(io::ErrorKind::TimedOut.into())
}

fn told(error: SqlxError) -> RuntimeErr {
    RuntimeErr::SqlxError(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_took_leave_has_closed_it() {
        for kind in [io::ErrorKind::UnexpectedEof, io::ErrorKind::BrokenPipe] {
            assert!(is_closed(&SqlxError::Io(kind.into())), "{kind}");
        }
        // Of another host at the same address, which does not know the connection; of the kernel, which has given up.
        for kind in [io::ErrorKind::ConnectionReset, io::ErrorKind::TimedOut, io::ErrorKind::HostUnreachable] {
            assert!(!is_closed(&SqlxError::Io(kind.into())), "{kind}");
        }
    }

    #[tokio::test]
    async fn what_is_under_way_is_given_up_only_for_a_later_loss() {
        let (tell, losses) = watch::channel(1);
        let looking = tokio::spawn(std::future::pending::<()>()).abort_handle();
        let watch = Arc::new(Watch { losses, looking });
        let of_now = Watched::new(watch.clone(), watch.losses());
        let of_before = Watched::new(watch, 0);
        assert!(of_before.or_lost(std::future::pending::<()>()).await.is_err());
        assert_eq!(of_before.or_lost(std::future::ready(7)).await, Ok(7), "it was answered");
        assert!(is_waited_for(&of_now).await, "there is no later loss");
        tell.send_modify(|losses| *losses += 1);
        assert!(of_now.or_lost(std::future::pending::<()>()).await.is_err());
        drop(tell);
        assert!(is_waited_for(&Watched::new(of_now.watch, 2)).await, "nobody looks any more");
    }

    async fn is_waited_for(watched: &Watched) -> bool {
        timeout(Duration::from_millis(50), watched.or_lost(std::future::pending::<()>())).await.is_err()
    }
}
