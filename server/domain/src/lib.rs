//! Words and rules of the product: ids, states, consent, segment definitions, text counting, and the documents
//! that pages and the REST API share. No I/O, no clock, no database; everything here also compiles to wasm.

pub mod why;
mod word_enum;

pub use word_enum::UnknownWord;

pub mod account;
pub mod actor;
pub mod auto_reply;
pub mod campaign;
pub mod consent;
pub mod contact;
pub mod content_template;
pub mod conversation;
pub mod dashboard;
pub mod deadline;
pub mod error_codes;
pub mod event;
pub mod ids;
pub mod import;
pub mod inbound;
pub mod keywords;
pub mod message;
pub mod opt_in;
pub mod page;
pub mod patch;
pub mod phone;
pub mod problem;
pub mod process;
pub mod provider_account;
pub mod quiet;
pub mod reason;
pub mod recipient;
pub mod review;
pub mod role;
pub mod run;
pub mod schedule;
pub mod segment;
pub mod sender;
pub mod settings;
pub mod simulator;
pub mod suppression;
pub mod template;
pub mod text;
pub mod time;
pub mod topic;
pub mod trigger_event;
