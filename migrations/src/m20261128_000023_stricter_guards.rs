//! What is append-only stays so on SQLite too while the retention job has its permit.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if let Some(statements) = dialect::stricter_guards(manager.get_database_backend()) {
            manager.get_connection().execute_unprepared(&statements).await?;
        }
        Ok(())
    }

    // All or nothing also on SQLite, which does not do this by itself.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
