//! Segments: definitions, and the SQL they stand for.

mod attribute;
mod compile;
mod holds;
mod nested;
mod overlap;
mod rows;
mod vocabulary;

pub use compile::compile;
pub use holds::holds;
pub use nested::{NestingFault, inline, named, nest};
pub use overlap::{among, holds_anybody, sample};
pub(crate) use rows::contains;
pub use rows::{delete, find, forget, insert, is_name, is_shared, list, mentioning, update, used_by};
pub use vocabulary::{References, vocabulary};
