//! Everything the first release stores.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let connection = manager.get_connection();
        connection.execute_unprepared(&dialect::translate(include_str!("sql/foundation.sql"), backend)).await?;
        connection.execute_unprepared(&dialect::guards(backend)).await?;
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the first migration is not undone: drop the database instead".to_owned()))
    }

    // All or nothing also on SQLite, which does not do this by itself.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
