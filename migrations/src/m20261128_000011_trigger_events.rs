//! Trigger events: what happened elsewhere, and the campaigns that listen.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let statements = dialect::translate(include_str!("sql/trigger_events.sql"), backend);
        manager.get_connection().execute_unprepared(&statements).await?;
        manager.get_connection().execute_unprepared(&dialect::guard("trigger_events", backend)).await?;
        Ok(())
    }

    // All or nothing also on SQLite, which does not do this by itself.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
