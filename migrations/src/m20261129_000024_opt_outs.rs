//! Opt-outs are listed, the newest first, without going through everybody's yes.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = "CREATE INDEX consent_ledger_opted_out ON consent_ledger (seq) WHERE consent = 'opted_out'";
        manager.get_connection().execute_unprepared(index).await?;
        Ok(())
    }

    // All or nothing also on SQLite, which does not do this by itself.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
