//! The production server, started as `main` starts it, on port 0 with a database of its own.

mod api;
mod benches;
mod binary;
mod consent;
mod coverage;
mod events;
mod journey;
mod opt_ins;
mod pages;
mod processes;
mod recipient;
mod redis;
mod rehearsal;
mod senders;
mod support;
mod webhooks;
