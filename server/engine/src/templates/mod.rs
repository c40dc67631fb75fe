//! What is said to one person: templates filled in a sandbox.
//!
//! A template is minijinja (Jinja's syntax) without includes, imports, macros or functions but `range`, with a budget
//! of work and memory for each rendering. A variable that a person has no value for is an error that names it, unless
//! the template says what else to write (`{{ first_name|default('there') }}`) or asks first (`{% if first_name %}`).

mod cache;
mod check;
mod compiled;
mod content_variables;
mod facts;
mod fallback;
mod filters;
mod missing;
mod preview;
mod sandbox;

pub use cache::Templates;
pub use compiled::{Compiled, RenderError, Rendered};
pub use facts::Recipient;
pub(crate) use fallback::with_fallback;
pub(crate) use preview::preview;

#[cfg(test)]
mod tests;
