#![doc = include_str!("../README.md")]

pub mod api;
pub mod cli;
pub mod config;
pub mod health;
pub mod http;
pub mod problem;
pub mod shutdown;
pub mod startup;
pub mod telemetry;
pub mod test_clock;
pub mod webhooks;
