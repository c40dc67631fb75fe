//! The binary's parts: what it is told ([`config`]), how it is put together ([`startup`]), and its four doors: the pages
//! ([`http`]), the REST API ([`api`]), the provider's webhooks ([`webhooks`]) and the command line ([`cli`]). Each door
//! is an adapter of a few lines around the engine's services.

pub mod api;
pub mod cli;
pub mod config;
pub mod health;
pub mod http;
pub mod problem;
pub mod shutdown;
pub mod startup;
pub mod telemetry;
pub mod webhooks;
