//! The pages, by feature. A page imports from `components`, `domain` and its own folder, never from another page.

pub mod account;
pub mod audiences;
pub mod calendar;
pub mod campaigns;
pub mod compliance;
pub mod contacts;
pub mod dashboard;
pub mod events;
pub mod imports;
pub mod inbox;
pub mod login;
pub mod messages;
pub mod settings;
pub mod simulator;
pub mod templates;
pub mod topics;
