//! For tests: fresh databases of both kinds, an engine over each of them, the simulator beside it, and builders.
//!
//! SQLite is always there. PostgreSQL is added when `TEST_DATABASE_URL` names a server where databases may be made.

pub mod build;
mod database;
pub mod twilio;

pub use database::{TestDb, databases, unmigrated};
