//! Connections that are made anew when PostgreSQL has gone without a word ([`Watch`]).

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult,
    SqliteTransactionMode, SqlxPostgresConnector, Statement, TransactionOptions, TransactionTrait as _,
};
use tokio::runtime::Handle;

use crate::watch::{Watch, Watched};

/// Connections to the database. Each statement takes one and gives it back.
#[derive(Clone, Debug)]
pub struct Pool(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Sqlite(DatabaseConnection),
    Postgres(Arc<Renewed>),
}

/// Connections, replaced by new ones after each loss: the driver looks at each that is given back, and those that nobody
/// answers on would keep their places.
#[derive(Debug)]
struct Renewed {
    watch: Arc<Watch>,
    /// The threads that made the first ones, which make the others, too: what comes over a connection is heard by those who
    /// opened it.
    here: Handle,
    present: RwLock<Present>,
}

#[derive(Clone, Debug)]
struct Present {
    connections: DatabaseConnection,
    /// How many losses there were when they were made.
    losses: u64,
}

impl Renewed {
    fn present(&self) -> Present {
        let losses = self.watch.losses();
        let present = self.present.read().unwrap_or_else(PoisonError::into_inner).clone();
        if present.losses >= losses {
            return present;
        }
        let mut present = self.present.write().unwrap_or_else(PoisonError::into_inner);
        if present.losses < losses {
            let connections = self.alike(&present.connections);
            let former = std::mem::replace(&mut *present, Present { connections, losses });
            self.here.spawn(close_former(former.connections));
        }
        present.clone()
    }

    /// As many connections with the same settings. Those that are always to be there are made beside this.
    fn alike(&self, former: &DatabaseConnection) -> DatabaseConnection {
        let pool = former.get_postgres_connection_pool();
        let options = (*pool.connect_options()).clone();
        let _here = self.here.enter();
        SqlxPostgresConnector::from_sqlx_postgres_pool(pool.options().clone().connect_lazy_with(options))
    }
}

/// Closes what nobody uses at once, and the others when the kernel has given up those that somebody waited on: the server may
/// be alive and have no more to give.
async fn close_former(connections: DatabaseConnection) {
    let pool = connections.get_postgres_connection_pool();
    while let Some(idle) = pool.try_acquire() {
        drop(idle.detach());
    }
    pool.close().await;
}

impl Pool {
    pub(crate) const fn sqlite(connections: DatabaseConnection) -> Self {
        Self(Kept::Sqlite(connections))
    }

    pub(crate) fn postgres(connections: DatabaseConnection, watch: &Arc<Watch>) -> Self {
        let present = Present { connections, losses: watch.losses() };
        let renewed = Renewed { watch: watch.clone(), here: Handle::current(), present: RwLock::new(present) };
        Self(Kept::Postgres(Arc::new(renewed)))
    }

    /// The connections themselves, for what needs the driver's own, such as migrations. Statements on them wait for an answer
    /// also when nobody is there any more.
    #[must_use]
    pub fn connections(&self) -> DatabaseConnection {
        self.present().0
    }

    /// The connections of now, and on PostgreSQL what tells that they are lost.
    pub(crate) fn present(&self) -> (DatabaseConnection, Option<Watched>) {
        match &self.0 {
            Kept::Sqlite(connections) => (connections.clone(), None),
            Kept::Postgres(renewed) => {
                let Present { connections, losses } = renewed.present();
                (connections, Some(Watched::new(renewed.watch.clone(), losses)))
            }
        }
    }

    pub(crate) async fn begin(&self) -> Result<Tx, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let (connections, watched) = self.present();
        let begin = async move { connections.begin_with_options(options).await };
        let transaction = match &watched {
            // The driver does not undo a BEGIN whose answer nobody waited for: whoever got the connection next would write
            // inside of that transaction. So it is waited for, and then undone, whatever becomes of who asked.
            Some(watched) => {
                let begun = tokio::spawn(begin);
                watched.or_lost(async { begun.await.map_err(|error| DbErr::Custom(error.to_string()))? }).await??
            }
            None => begin.await?,
        };
        Ok(Tx { transaction, watched })
    }

    pub(crate) async fn close(self) -> Result<(), DbErr> {
        self.connections().close().await
    }
}

/// A write transaction. Dropped before it is committed, it is undone.
#[derive(Debug)]
pub struct Tx {
    transaction: DatabaseTransaction,
    watched: Option<Watched>,
}

impl Tx {
    /// Makes everything that was written in it last.
    ///
    /// # Errors
    /// What the database says. When it says nothing, or the connection breaks, it may have been committed.
    pub async fn commit(self) -> Result<(), DbErr> {
        let Self { transaction, watched } = self;
        or_lost(watched.as_ref(), transaction.commit()).await
    }

    /// Undoes everything that was written in it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn rollback(self) -> Result<(), DbErr> {
        let Self { transaction, watched } = self;
        or_lost(watched.as_ref(), transaction.rollback()).await
    }
}

async fn or_lost<T>(watched: Option<&Watched>, under_way: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    match watched {
        Some(watched) => watched.or_lost(under_way).await?,
        None => under_way.await,
    }
}

#[async_trait]
impl ConnectionTrait for Pool {
    fn get_database_backend(&self) -> DbBackend {
        match self.0 {
            Kept::Sqlite(_) => DbBackend::Sqlite,
            Kept::Postgres(_) => DbBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (connections, watched) = self.present();
        or_lost(watched.as_ref(), connections.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let (connections, watched) = self.present();
        or_lost(watched.as_ref(), connections.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (connections, watched) = self.present();
        or_lost(watched.as_ref(), connections.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (connections, watched) = self.present();
        or_lost(watched.as_ref(), connections.query_all_raw(statement)).await
    }
}

#[async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.transaction.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        or_lost(self.watched.as_ref(), self.transaction.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        or_lost(self.watched.as_ref(), self.transaction.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        or_lost(self.watched.as_ref(), self.transaction.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        or_lost(self.watched.as_ref(), self.transaction.query_all_raw(statement)).await
    }
}
