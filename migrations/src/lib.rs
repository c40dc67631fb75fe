#![doc = include_str!("../README.md")]

pub use sea_orm_migration::prelude::*;

mod dialect;
mod m20261123_000001_foundation;
mod m20261123_000002_windows_and_keys;
mod m20261124_000003_senders;
mod m20261124_000004_error_codes;
mod m20261127_000005_short_updates;
mod m20261128_000006_quiet_hours;
mod m20261128_000007_schedule;
mod m20261128_000008_consent_reviews;
mod m20261128_000009_inbox;
mod m20261128_000010_opt_ins_and_auto_replies;
mod m20261128_000011_trigger_events;
mod m20261128_000012_rehearsal;
mod m20261128_000013_rules;
mod m20261128_000014_content_templates;
mod m20261128_000015_unreachable;
mod m20261128_000016_witness;
mod m20261128_000018_raw_forms;
mod m20261128_000019_rollups;
mod m20261128_000020_single_messages;
mod m20261128_000023_stricter_guards;
mod m20261129_000024_opt_outs;
mod m20261129_000025_decision_grounds;
mod m20261129_000026_callbacks;
mod m20261129_000027_failing_told;
mod m20261130_000028_progress;
mod m20261130_000029_decided_reviews;
mod m20261130_000030_waiting_singles;
mod up;

pub use up::{Error, up};

/// The list of migrations, in their order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_foundation::Migration),
            Box::new(m20261123_000002_windows_and_keys::Migration),
            Box::new(m20261124_000003_senders::Migration),
            Box::new(m20261124_000004_error_codes::Migration),
            Box::new(m20261127_000005_short_updates::Migration),
            Box::new(m20261128_000006_quiet_hours::Migration),
            Box::new(m20261128_000007_schedule::Migration),
            Box::new(m20261128_000008_consent_reviews::Migration),
            Box::new(m20261128_000009_inbox::Migration),
            Box::new(m20261128_000010_opt_ins_and_auto_replies::Migration),
            Box::new(m20261128_000011_trigger_events::Migration),
            Box::new(m20261128_000012_rehearsal::Migration),
            Box::new(m20261128_000013_rules::Migration),
            Box::new(m20261128_000014_content_templates::Migration),
            Box::new(m20261128_000015_unreachable::Migration),
            Box::new(m20261128_000016_witness::Migration),
            Box::new(m20261128_000018_raw_forms::Migration),
            Box::new(m20261128_000019_rollups::Migration),
            Box::new(m20261128_000020_single_messages::Migration),
            Box::new(m20261128_000023_stricter_guards::Migration),
            Box::new(m20261129_000024_opt_outs::Migration),
            Box::new(m20261129_000025_decision_grounds::Migration),
            Box::new(m20261129_000026_callbacks::Migration),
            Box::new(m20261129_000027_failing_told::Migration),
            Box::new(m20261130_000028_progress::Migration),
            Box::new(m20261130_000029_decided_reviews::Migration),
            Box::new(m20261130_000030_waiting_singles::Migration),
        ]
    }
}
