//! What people and programs may ask for: one method per use case.

pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod campaigns;
pub mod contacts;
pub mod dashboard;
pub mod error_codes;
pub mod idempotency;
pub mod imports;
pub mod inbound;
pub mod installation;
pub mod messages;
pub mod processes;
pub mod provider_accounts;
pub mod replay;
pub mod runs;
pub mod segments;
pub mod senders;
pub mod settings;
pub mod simulator;
pub(crate) mod stale;
pub mod templates;
pub mod tidy;
pub mod topics;
pub(crate) mod waiting;
pub mod webhook_events;
