//! For tests: fresh databases of both kinds, an engine over each of them, the simulator beside it, and builders; and the
//! whole program as a process, with the calls of its API.
//!
//! SQLite is always there. PostgreSQL is added when `TEST_DATABASE_URL` names a server where databases may be made.

pub mod api;
pub mod build;
mod database;
pub mod postgres;
pub mod program;
pub mod road;
pub mod twilio;

pub use database::{TableBytes, TestDb, databases, unmigrated};
