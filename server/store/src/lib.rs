#![doc = include_str!("../README.md")]

pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod batch;
pub mod breaker;
pub mod campaigns;
pub mod chain;
mod connect;
pub mod consent;
pub mod contacts;
pub mod daily_recipients;
pub mod dashboard;
mod error;
pub mod error_codes;
pub mod idempotency;
pub mod imports;
pub mod inbound;
pub mod installation;
pub mod keys;
pub mod ledger;
pub mod messages;
pub mod months;
pub mod notify;
pub mod processes;
pub mod provider_accounts;
pub mod receipts;
pub mod replay;
pub mod reviews;
pub mod runs;
pub mod segments;
pub mod senders;
pub mod sessions;
pub mod settings;
mod sql;
pub mod suppressions;
pub mod templates;
pub mod topics;
pub mod waiting;
pub mod webhook_events;
mod windows;

pub use connect::{Db, Kind, Tx};
pub use error::Error;
pub use sea_orm::ConnectionTrait;
pub use sql::{Row, all, counts, exec, one, sql};

pub type Result<T, E = Error> = std::result::Result<T, E>;
