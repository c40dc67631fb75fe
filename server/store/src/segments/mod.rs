//! Segments: definitions, and the SQL they stand for.

mod attribute;
mod compile;
mod nested;

pub use compile::compile;
pub use nested::{NestingFault, inline, named, nest};
