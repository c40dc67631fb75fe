//! Decisions keep what their checks saw, also of those that said yes.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let statements = format!(
            "{}\n{}",
            dialect::translate(include_str!("sql/decision_grounds.sql"), backend),
            dialect::strict_guard("decision_grounds", backend)
        );
        manager.get_connection().execute_unprepared(&statements).await?;
        Ok(())
    }

    // All or nothing also on SQLite, which does not do this by itself.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
