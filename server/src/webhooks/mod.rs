//! What providers call.

pub mod twilio;
