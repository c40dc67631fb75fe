//! Text: how long it is on the wire, and how it is searched.

mod count;
mod fold;

pub use count::{Count, Encoding, count};
pub use fold::{fold, instant, shadow};
