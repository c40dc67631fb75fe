//! Callbacks as they were read may go, too, by the month: only the retention job can remove them.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let guards = dialect::guards_of_callbacks(manager.get_database_backend());
        let statements = format!("{}\n{guards}", include_str!("sql/callbacks.sql"));
        manager.get_connection().execute_unprepared(&statements).await?;
        Ok(())
    }

    // All or nothing also on SQLite, which does not do this by itself.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
